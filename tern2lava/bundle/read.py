"""Reading a bundle."""

from __future__ import annotations

import os
from pathlib import Path

from tern2lava.bundle.bundle import HELD, Bundle
from tern2lava.bundle.check import read_sealed
from tern2lava.bundle.manifest import PROGRAM, REAL
from tern2lava.compiler.ir.files import read_graph
from tern2lava.compiler.ir.graph import Level
from tern2lava.errors import InputError
from tern2lava.sim.verify.verify import Executable
from tern2lava.writing import recover

_TRIES = 20

_LEVELS = {"graphs/imported": Level.IMPORTED, REAL: Level.TERNARY, PROGRAM: Level.INTEGER}


def read_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`. Raises InputError where it is none, was written by another version, or is not, file by
    file, what was written (docs/bundle.md).

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
    found = read_sealed(folder)
    imported, real, program = (
        read_graph(found.files[f"{stem}.json"], found.files[f"{stem}.npz"], folder / stem, level)
        for stem, level in _LEVELS.items()
    )
    images = tuple(found.files[name] for name in found.manifest["images"])
    executable = Executable(
        imported=imported, real=real, program=program, images=images,
        host_image=found.files[found.manifest["host_image"]],
    )  # fmt: skip
    return Bundle(
        folder=folder, manifest=found.manifest, executable=executable, report=found.report, digest=found.digest,
        files={name: found.files[name] for name in HELD if name in found.files},
    )  # fmt: skip
