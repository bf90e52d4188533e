"""An INTEGER graph made ready for the compiled kernels, once, to be run many times.

Which populations the kernels cover, and in which integer type, is kept with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.ir.check import execution_order
from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.progress import Progress
from tern2lava.effort import NORMAL, Effort
from tern2lava.sim.engine.coverage import state_type
from tern2lava.sim.engine.tables import Tables, make_tables
from tern2lava.sim.engine.ways import addresses_of, load_ways
from tern2lava.sim.reference.integer import spike_type


@dataclass(frozen=True, kw_only=True)
class Use:
    """What executed a population: "compiled" or "reference", and why."""

    population: str
    engine: str
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """Populations that are executed together: by compiled kernels from `tables`, or by the reference as `subgraph`,
    in which everything that feeds them is an Input."""

    names: tuple[str, ...]
    tables: Tables | None
    subgraph: Graph | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Program:
    """A graph ready to run. places: where each population's neurons begin in a row of all spikes, `width` long; spans:
    all of its neurons there, emits: the type of its spikes; effort: how much is held at a time."""

    graph: Graph
    groups: tuple[Group, ...]
    places: dict[str, int]
    width: int
    spans: dict[str, slice]
    emits: dict[str, Any]
    uses: tuple[Use, ...]
    effort: Effort


def prepare(graph: Graph, progress: Progress | None = None, effort: Effort = NORMAL) -> Program:
    """The program of an INTEGER graph. progress(stage, done, total) is told while kernels are compiled."""
    places, width = _places(graph, Population)
    input_places, _ = _places(graph, Input)
    groups: list[Group] = []
    uses: dict[str, Use] = {}
    for members in execution_order(graph):
        nodes = [node for name in members if isinstance(node := graph[name], Population)]
        if not nodes:
            continue
        kinds = [state_type(graph, node) for node in nodes]
        refused = next((why for kind, why in kinds if kind is None), None)
        names = tuple(node.name for node in nodes)
        if refused is not None:
            groups.append(Group(names=names, tables=None, subgraph=_subgraph(graph, nodes)))
        else:
            wide = any(kind is np.int64 for kind, _ in kinds)
            kind = np.int64 if wide else np.int32
            tables = make_tables(graph, nodes, kind, len(members) > 1, places, input_places, effort)
            groups.append(Group(names=names, tables=tables, subgraph=None))
        for node, (kind, why) in zip(nodes, kinds, strict=True):
            if refused is None:
                uses[node.name] = Use(population=node.name, engine="compiled", reason=why)
            else:
                reason = why if kind is None else f"in a loop with a population that needs it: {refused}"
                uses[node.name] = Use(population=node.name, engine="reference", reason=reason)
    return Program(
        graph=graph, groups=_with_addresses(groups, progress), places=places, width=width,
        spans={p.name: slice(places[p.name], places[p.name] + size(p.shape)) for p in graph.of_kind(Population)},
        emits={p.name: spike_type(p) for p in graph.of_kind(Population)},
        uses=tuple(uses[node.name] for node in graph.of_kind(Population)), effort=effort,
    )  # fmt: skip


def _with_addresses(groups: list[Group], progress: Progress | None) -> tuple[Group, ...]:
    """The groups, the kernels that their tables need compiled or loaded."""
    needed = {(each.tables.kind, way) for each in groups if each.tables is not None for way in each.tables.ways}
    found = load_ways(needed, progress)
    return tuple(
        each
        if each.tables is None
        else replace(
            each,
            tables=replace(each.tables, addresses=addresses_of(each.tables.ways, each.tables.kind, found)),
        )
        for each in groups
    )


def _places(graph: Graph, kind: type[Any]) -> tuple[dict[str, int], int]:
    """Where each node's values begin in a row of all nodes of a kind, and the row's length."""
    places: dict[str, int] = {}
    width = 0
    for node in graph.of_kind(kind):
        places[node.name] = width
        width += size(node.shape)
    return places, width


def _subgraph(graph: Graph, nodes: list[Population]) -> Graph:
    """The populations `nodes` alone, their sources outside as Inputs whose spikes wait as long as their start."""
    inside = {node.name for node in nodes}
    inputs: dict[str, Input] = {}
    projections = []
    for node in nodes:
        for name in node.inputs:
            projection = graph.projection(name)
            source = graph[projection.inputs[0]]
            if isinstance(source, Input):
                inputs[source.name] = source
            elif isinstance(source, Population) and source.name not in inside:
                inputs[source.name] = Input(name=source.name, shape=source.shape, levels=emitted_range(source))
                projection = replace(projection, delay=projection.delay + source.start)
            projections.append(projection)
    # Where nothing feeds them, an Input says how long they run.
    inputs = inputs or {node.name: node for node in graph.of_kind(Input)}
    return graph.with_nodes([*inputs.values(), *projections, *nodes])
