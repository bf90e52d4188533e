"""What a bundle may be put in the place of, and what may be put nowhere in a bundle."""

from __future__ import annotations

import os
from pathlib import Path

from tern2lava.bundle.manifest import ENTRIES, MANIFEST, TOOL
from tern2lava.errors import InputError
from tern2lava.files.json_text import read_json
from tern2lava.files.opening import FileError
from tern2lava.writing import is_leftover


def check_outside(path: Path) -> None:
    """InputError where `path` lies in a bundle: with one more file in it, no command would read it again."""
    place = Path(os.path.realpath(path))
    for folder in place.parents:
        if _is_bundle(folder):
            raise InputError(
                path,
                f"requires a place that is in no bundle; found one in {folder.name}, which holds what its manifest "
                "lists and nothing else; choose another",
            )


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
    if not _is_bundle(folder):
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


def _is_bundle(folder: Path) -> bool:
    """Whether the manifest of a bundle lies in `folder`, whole or not."""
    try:
        manifest = read_json(folder / MANIFEST)
    except FileError:
        return False
    return isinstance(manifest, dict) and manifest.get("tool") == TOOL
