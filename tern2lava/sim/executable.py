"""What can be run: the integer program and the core images of a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tern2lava.compiler.ir.graph import Graph

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, eq=False, kw_only=True)
class Executable:
    """What can be run: the graph as imported, its real dynamics (TERNARY), the INTEGER program, and core images."""

    imported: Graph
    real: Graph
    program: Graph
    images: tuple[bytes, ...]
    host_image: bytes
