"""Replacing a folder or a file in one step: what was there, or the new one, whole."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tern2lava.bundle.manifest import ENTRIES, MANIFEST, TOOL
from tern2lava.errors import InputError
from tern2lava.files.json_text import read_json
from tern2lava.files.opening import FileError

_ASIDE = re.compile(r"\..+\.[0-9]+\.partial(\..*)?")


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
    foreign = [name for name in found if name not in ENTRIES]
    if foreign:
        raise InputError(
            folder,
            f"requires a folder that holds a bundle alone; found {foreign[0]} in it; move that or choose "
            "another folder",
        )


def replace_folder(aside: Path, folder: Path) -> None:
    """Put `aside` in the place of `folder` by renames; the old one is gone only once the new one stands."""
    if not folder.exists():
        os.rename(aside, folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    try:
        os.rename(folder, old / folder.name)
        try:
            os.rename(aside, folder)
        except BaseException:
            os.rename(old / folder.name, folder)
            raise
    except BaseException:
        with suppress(OSError):
            old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def is_leftover(name: str) -> bool:
    """Whether a file of this name is what `write_aside` writes to, so that where it stays, its run was killed."""
    return _ASIDE.fullmatch(name) is not None


def write_aside(path: Path, write: Any) -> None:
    """Let `write` fill a file beside `path`, then rename it into place: whole or absent. Raises InputError."""
    path = Path(path)
    if not path.name:
        raise InputError(path, "requires a file; found a folder; name a file in it")
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        os.replace(aside, path)
    except OSError as error:
        raise InputError(
            path, f"requires a file that can be written; found {error.strerror or error}; choose another"
        ) from None
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
