"""When populations run, and how long their spikes are kept: chip time without the latency of its pipeline.

On the chip a spike of hardware timestep t arrives in step t + 1 + delay, and a population makes its step k in timestep
start + 1 + k * slowdown. So step k of a population receives step k - lag of a source, lag * slowdown being 1 + delay +
the source's start - its own. Where every lag is 0 or more, all populations make their step k in one call, sources
first; where one is negative (it receives what its source sends later in that count), the population begins some calls
later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.timing import starts


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """order: the populations' names, sources first. begins: the call (from 0) that is the first step of each.
    lags: of each projection into a population, the calls that a spike waits. slots: of each source, the steps that are
    kept. latency: calls after the last input until every population has made as many steps."""

    order: tuple[str, ...]
    begins: Mapping[str, int]
    lags: Mapping[tuple[str, str], int]
    slots: Mapping[str, int]
    latency: int


def schedule(graph: Graph) -> Schedule:
    """The schedule of an INTEGER graph: every population as early as its sources allow."""
    populations = graph.of_kind(Population)
    start = starts(graph)
    wires = [(graph.projection(name), p.name) for p in populations for name in p.inputs]
    shift = {(w.name, to): (1 + w.delay + start[w.inputs[0]] - start[to]) // graph.slowdown for w, to in wires}
    begins = dict.fromkeys(start, 0)
    # The steps of delay around a loop are positive, so that this ends.
    moved = True
    while moved:
        moved = False
        for wire, to in wires:
            earliest = begins[wire.inputs[0]] - shift[wire.name, to]
            if earliest > begins[to]:
                begins[to], moved = earliest, True
    lags = {(w.name, to): begins[to] + shift[w.name, to] - begins[w.inputs[0]] for w, to in wires}
    now = TopologicalSorter({p.name: _sources(graph, p, lags) for p in populations})
    slots = dict.fromkeys(start, 1)
    for wire, to in wires:
        slots[wire.inputs[0]] = max(slots[wire.inputs[0]], lags[wire.name, to] + 1)
    for population in populations:
        if population.gain_a is not None:
            # It takes off by its own spikes of the step before.
            slots[population.name] = max(slots[population.name], 2)
    return Schedule(
        order=tuple(now.static_order()), begins=begins, lags=lags, slots=slots, latency=max(begins.values())
    )


def _sources(graph: Graph, population: Population, lags: Mapping[tuple[str, str], int]) -> list[str]:
    """The populations whose spikes of the same call it receives."""
    wires: list[Projection] = [graph.projection(name) for name in population.inputs]
    return [
        w.inputs[0] for w in wires if lags[w.name, population.name] == 0 and not isinstance(graph[w.inputs[0]], Input)
    ]
