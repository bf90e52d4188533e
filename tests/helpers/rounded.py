"""Lowered networks whose decays go to the nearest whole number, whatever the lowering chose."""

from __future__ import annotations

from dataclasses import replace

from tern2lava.compiler.certify.certificate import certify
from tern2lava.compiler.ir.graph import Decays, Graph, Population
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import Lowered


def with_decays(program: Graph, decays: Decays) -> Graph:
    """An INTEGER graph all of whose populations decay in this way."""
    nodes = [replace(node, decays=decays) if isinstance(node, Population) else node for node in program.nodes]
    return program.with_nodes(nodes)


def decaying(lowered: Lowered, decays: Decays) -> Lowered:
    """The network with these decays, and the certificates of its integers as they are then."""
    program = with_decays(lowered.program, decays)
    return replace(lowered.with_program(program), certificates=certify(lowered.real, program, Options()))
