"""What can be run: the integer program and the core images of a bundle."""

from __future__ import annotations

from dataclasses import dataclass

from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.shown import Shown
from tern2lava.counts import count


@dataclass(frozen=True, eq=False, kw_only=True)
class Executable(Shown):
    """What can be run: the graph as imported, its real dynamics (TERNARY), the INTEGER program, and core images.

    cores_per_chip: where it is known, so that cores of one chip can be told from those of the next."""

    imported: Graph
    real: Graph
    program: Graph
    images: tuple[bytes, ...]
    host_image: bytes
    cores_per_chip: int | None = None

    def _shown(self) -> str:
        return f"{count(len(self.images), 'core image')} of {self.program!r}"
