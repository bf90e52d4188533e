"""What a bundle may be put in the place of."""

from __future__ import annotations

from pathlib import Path

from tern2lava.bundle.manifest import ENTRIES, MANIFEST, TOOL
from tern2lava.errors import InputError
from tern2lava.files.json_text import read_json
from tern2lava.files.opening import FileError
from tern2lava.writing import is_leftover


def check_replaceable(folder: Path) -> None:
    """InputError where `folder` holds anything that is not a bundle's: it would be lost. May raise OSError."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(folder, "requires a folder for the bundle; found a file; choose another name")
    if folder.samefile(Path.cwd()):
        # Replaced by another of its name, it would be gone under whoever works in it.
        raise InputError(
            folder, "requires a folder that can be replaced; found the working directory; name a folder in it"
        )
    found = sorted(entry.name for entry in folder.iterdir())
    if not found:
        return
    try:
        manifest = read_json(folder / MANIFEST)
    except FileError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("tool") != TOOL:
        raise InputError(
            folder, "requires a new or empty folder, or a bundle; found other files; choose another folder"
        )
    foreign = [name for name in found if name not in ENTRIES and not is_leftover(name)]
    if foreign:
        raise InputError(
            folder,
            f"requires a folder that holds a bundle alone; found {foreign[0]} in it; move that or choose "
            "another folder",
        )
