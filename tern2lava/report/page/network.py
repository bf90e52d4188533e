"""The network as the page draws it: inputs, populations and outputs in ranks, and the projections between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tern2lava.compiler.ir.graph import Graph, Input, Output, Population, Projection
from tern2lava.compiler.ir.shapes import size
from tern2lava.report.model import Report

MOST_NODES = 400
"""Nodes that are drawn; of more, the table of populations tells as much."""


def network_block(report: Report, program: Graph) -> dict[str, Any] | None:
    """`nodes` [{name, title, kind, shape, rank, relays}] and `edges` [{from, to, layers, what, back}], relays of a
    population as one node; None where there are more than MOST_NODES."""
    together = {name: _base(name) for name, relay in ((row.name, row.relay) for row in report.populations) if relay}
    nodes: dict[str, dict[str, Any]] = {}
    for node in program.nodes:
        if isinstance(node, Input | Population):
            name = together.get(node.name, node.name)
            known = nodes.setdefault(
                name,
                {"name": name, "title": name, "kind": _kind(node, together), "shape": list(node.shape), "relays": 0},
            )
            known["relays"] += node.name in together
        elif isinstance(node, Output):
            name = f"{node.name} (output)"
            nodes[name] = {
                "name": name,
                "title": node.name,
                "kind": "output",
                "shape": [],
                "relays": 0,
                "readout": node.readout.value,
            }
    if len(nodes) > MOST_NODES:
        return None
    edges = _edges(program, together)
    ranks = _ranks(list(nodes), edges)
    for name, drawn in nodes.items():
        drawn["rank"] = ranks[name]
    for edge in edges.values():
        edge["back"] = ranks[edge["from"]] >= ranks[edge["to"]]
    return {"nodes": list(nodes.values()), "edges": list(edges.values())}


def _base(name: str) -> str:
    """The name under which the relays of one population are drawn."""
    return f"{name.rpartition('.relay')[0] or name} relays"


def _kind(node: Input | Population, together: Mapping[str, str]) -> str:
    if isinstance(node, Input):
        return "input"
    return "relay" if node.name in together else "population"


def _edges(program: Graph, together: Mapping[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    """One edge for each pair of nodes that projections connect, with what they are."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for node in program.nodes:
        if isinstance(node, Output):
            source = together.get(node.inputs[0], node.inputs[0])
            target = f"{node.name} (output)"
            found[source, target] = {"from": source, "to": target, "layers": [], "what": [node.readout.value]}
        elif isinstance(node, Population):
            for projection in program.projections(node.inputs):
                source, target = (together.get(name, name) for name in (projection.inputs[0], node.name))
                edge = found.setdefault((source, target), {"from": source, "to": target, "layers": [], "what": []})
                layer, what = projection.part_of or projection.name, _what(projection)
                edge["layers"] += [layer] if layer not in edge["layers"] else []
                edge["what"] += [what] if what not in edge["what"] else []
    return found


def _what(projection: Projection) -> str:
    """A projection in a few words: 3x3 convolution, stride 2, 1,728 weights of 2 bits."""
    words = [f"{size(projection.weight.shape):,} weights of {projection.bits} bits"]
    if projection.geometry is None:
        words.insert(0, "dense")
    else:
        kernel, stride = projection.weight.shape[2:], projection.geometry.stride
        words.insert(0, f"{kernel[0]}x{kernel[1]} convolution")
        words += [f"stride {stride[0]}x{stride[1]}"] if stride != (1, 1) else []
        words += [f"{projection.geometry.groups:,} groups"] if projection.geometry.groups > 1 else []
    if projection.pooling is not None:
        words.append(f"after {projection.pooling.window[0]}x{projection.pooling.window[1]} pooling")
    words += [f"{projection.delay} steps later"] if projection.delay else []
    return ", ".join(words)


def _ranks(names: list[str], edges: Mapping[tuple[str, str], Any]) -> dict[str, int]:
    """How far from the inputs each node is drawn: one more than the farthest node in front, loops left out."""
    order = {name: at for at, name in enumerate(names)}
    ranks = dict.fromkeys(names, 0)
    # Definition order is one in which sources come first, but for what loops back.
    for name in names:
        before = [ranks[source] for source, target in edges if target == name and order[source] < order[name]]
        ranks[name] = max(before, default=-1) + 1
    return ranks
