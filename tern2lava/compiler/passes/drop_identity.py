"""Pass: layers that change nothing vanish."""

from __future__ import annotations

from dataclasses import replace

from tern2lava.compiler.ir.check import shapes
from tern2lava.compiler.ir.graph import Add, Delay, Dense, Flatten, Graph, Identity, Neuron, Node, Output


def drop_identity(graph: Graph) -> Graph:
    """The graph without Identity, one-input Add, zero Delay, and Flatten where its readers flatten anyway. Exact."""
    known = shapes(graph)
    stands_for: dict[str, str] = {}
    for node in graph.nodes:
        if len(node.inputs) == 1 and _changes_nothing(node, graph, len(known[node.inputs[0]])):
            stands_for[node.name] = node.inputs[0]

    def source(name: str) -> str:
        while name in stands_for:
            name = stands_for[name]
        return name

    kept = (node for node in graph.nodes if node.name not in stands_for)
    return graph.with_nodes(replace(node, inputs=tuple(map(source, node.inputs))) for node in kept)


def _changes_nothing(node: Node, graph: Graph, rank: int) -> bool:
    match node:
        case Identity() | Add():
            return True
        case Delay():
            return node.steps == 0
        case Flatten():
            readers = graph.consumers(node.name)
            return rank == 1 or all(isinstance(reader, Dense | Flatten | Neuron | Output) for reader in readers)
        case _:
            return False
