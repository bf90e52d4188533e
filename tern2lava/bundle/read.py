"""Reading a bundle."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import ValidationError

from tern2lava.bundle.bundle import Bundle
from tern2lava.bundle.manifest import FORMAT, MANIFEST, REPORT, TOOL
from tern2lava.compiler.ir.files import load_graph
from tern2lava.compiler.ir.graph import Level
from tern2lava.errors import InputError
from tern2lava.report.model import Report
from tern2lava.sim.verify.verify import Executable
from tern2lava.writing import recover

_TRIES = 20


def read_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`. Raises InputError where it is none, was written by another version, or is damaged.

    One whose replacement a killed run left unfinished is put back first; one that is replaced while it is read is read
    again, so that no bundle is made of two.
    """
    folder = Path(folder)
    for _ in range(_TRIES):
        recover(Path(os.path.realpath(folder)))
        before = _identity(folder)
        try:
            found = _read(folder)
        except InputError:
            if _identity(folder) == before:
                raise
            continue
        if _identity(folder) == before:
            return found
    raise InputError(folder, "requires a bundle at rest; found one that other runs replace all the time; end these")


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from one that was put in its place."""
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _read(folder: Path) -> Bundle:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            folder, f"requires the folder of a bundle; found no {MANIFEST} in it; make one with 'tern2lava compile'"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(path, f"requires a manifest that can be read; found {error}; compile again") from None
    if not isinstance(manifest, dict) or manifest.get("tool") != TOOL or manifest.get("format") != FORMAT:
        raise InputError(path, f"requires a bundle manifest of format {FORMAT}; found another; compile again")
    try:
        images = tuple(_inside(folder, name).read_bytes() for name in manifest["images"])
        host_image = _inside(folder, manifest["host_image"]).read_bytes()
        report = Report.model_validate_json((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, KeyError, TypeError, ValidationError, ValueError) as error:
        raise InputError(
            folder, f"requires a whole bundle; found damage ({str(error).splitlines()[0]}); compile again"
        ) from None
    levels = {"imported": Level.IMPORTED, "real": Level.TERNARY, "program": Level.INTEGER}
    imported, real, program = (load_graph(folder / "graphs" / name, level) for name, level in levels.items())
    executable = Executable(imported=imported, real=real, program=program, images=images, host_image=host_image)
    return Bundle(folder=folder, manifest=manifest, executable=executable, report=report)


def _inside(folder: Path, name: str) -> Path:
    """`folder`/`name`, which a manifest must not point elsewhere with."""
    path = folder / str(name)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"manifest names {name}, outside the bundle")
    return path
