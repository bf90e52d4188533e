"""Reading a bundle."""

from __future__ import annotations

from pathlib import Path

from tern2lava.bundle.bundle import HELD, Bundle
from tern2lava.bundle.check import read_sealed
from tern2lava.bundle.manifest import PROGRAM
from tern2lava.compiler.ir.files import read_graph
from tern2lava.compiler.ir.graph import Level
from tern2lava.sim.verify.verify import Executable

_LEVELS = {"graphs/imported": Level.IMPORTED, "graphs/real": Level.TERNARY, PROGRAM: Level.INTEGER}


def read_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`. Raises InputError where it is none, was written by another version, or is not, file by
    file, what was written (docs/bundle.md)."""
    folder = Path(folder)
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
