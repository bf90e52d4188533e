"""Windows of all populations chosen together, where an output axon reaches a whole window.

A neuron takes its columns, once for each bit and fold, as often as windows read it: what a population's windows save by
a lower fold, they cost by copies in the populations before. For each fold a population has one way to be cut, the one
with fewest copies before it; which fold each takes is searched from two starts until no change of one population, or of
one and a reader of it, saves columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input, Output, Population, Projection
from tern2lava.compiler.ir.shapes import Ints, size
from tern2lava.compiler.ir.slices import incoming, source_window
from tern2lava.compiler.mapper.crossbar.windows import (
    bits_of,
    crossbar_of,
    fold_of,
    grids,
    read_together,
    spans,
    window_sources,
    with_readers,
)
from tern2lava.compiler.mapper.tiling.grids import Cuts
from tern2lava.hw_profiles import Profile

_SWEEPS = 20


@dataclass(frozen=True, eq=False)
class _Cut:
    """A way to cut a population: its grid, the fold that it needs, and by source how many windows read its neurons, in
    all and of the neuron that most read."""

    grid: tuple[Cuts, ...]
    fold: int
    reads: Mapping[str, int]
    most: Mapping[str, int]


def choose_together(graph: Graph, profile: Profile) -> dict[str, tuple[Cuts, ...]] | None:
    """A grid of windows for each population, with few columns together; None where some population has none."""
    search = _Search(graph, profile)
    if not all(search.cuts.values()):
        return None
    starts = [dict.fromkeys(search.cuts, at) for at in (0, -1)]
    found = [search.improve({n: at % len(search.cuts[n]) for n, at in start.items()}) for start in starts]
    cost, best = min(found, key=lambda each: each[0])
    return None if math.isinf(cost) else {name: search.cuts[name][at].grid for name, at in best.items()}


class _Search:
    def __init__(self, graph: Graph, profile: Profile) -> None:
        self.graph, self.profile, self.crossbar = graph, profile, crossbar_of(profile)
        populations = graph.of_kind(Population)
        self.bits = {p.name: bits_of(graph, p, profile) for p in populations}
        self.size = {p.name: size(p.shape) for p in populations}
        outputs = graph.of_kind(Output)
        self.output = {name for node in outputs for name in node.inputs}
        self.sources = {p.name: [w.inputs[0] for w in incoming(graph, p)] for p in populations}
        self.readers = {n: [r for r, names in self.sources.items() if n in names] for n in self.size}
        self.groups = read_together(graph)
        self.cuts = {p.name: self._cuts(p) for p in populations}

    def improve(self, at: dict[str, int]) -> tuple[float, dict[str, int]]:
        """(columns, choice) from a choice of cuts on, each named by its number, until no change saves columns."""
        best = self.columns(at)
        for _ in range(_SWEEPS):
            before = best
            for name in at:
                changes = [{name: k} for k in range(len(self.cuts[name]))]
                changes += [
                    {name: k, reader: j}
                    for reader in self.readers[name] if reader != name
                    for k in range(len(self.cuts[name])) for j in range(len(self.cuts[reader]))
                ]  # fmt: skip
                for change in changes:
                    cost = self.columns(at | change)
                    if cost < best:
                        best, at = cost, at | change
            if best == before:
                break
        return best, at

    def columns(self, at: dict[str, int]) -> float:
        """Columns that all populations take, infinite where a neuron has more copies than a core holds."""
        chosen = {name: self.cuts[name][k] for name, k in at.items()}
        fold = {name: cut.fold for name, cut in chosen.items()}
        fold = with_readers(fold, self.groups)
        total = 0.0
        for name in chosen:
            read, most = int(name in self.output) * self.size[name], int(name in self.output)
            for reader in self.readers[name]:
                read += chosen[reader].reads[name]
                most += chosen[reader].most[name]
            if max(1, most) * self.bits[name] * fold[name] > self.crossbar.columns.value:
                return math.inf
            total += max(read, self.size[name]) * self.bits[name] * fold[name]
        return total

    def _cuts(self, population: Population) -> list[_Cut]:
        """For each fold the cut with fewest copies before it, the lowest fold first."""
        wires = incoming(self.graph, population)
        delay = max((wire.delay for wire in wires), default=0)
        best: dict[int, tuple[int, int, tuple[Cuts, ...]]] = {}
        for grid in grids(self.graph, population):
            sources = window_sources(self.graph, population, grid)
            fold = fold_of(self.profile, int(sources.max()))
            if fold > self.crossbar.fold.value or (delay + 1) * fold > self.crossbar.timeslots.value:
                continue
            read = sum(_reads(w, grid) for w in wires if not isinstance(self.graph[w.inputs[0]], Input))
            if fold not in best or (read, sources.size) < best[fold][:2]:
                best[fold] = (read, sources.size, grid)
        result: list[_Cut] = []
        for fold, (_, _, grid) in sorted(best.items()):
            reads: dict[str, int] = {}
            most: dict[str, int] = {}
            for wire in wires:
                source = wire.inputs[0]
                reads[source] = reads.get(source, 0) + _reads(wire, grid)
                most[source] = most.get(source, 0) + _most(wire, grid)
            result.append(_Cut(grid, fold, reads, most))
        return result


def _reads(projection: Projection, grid: tuple[Cuts, ...]) -> int:
    """Source neurons that the windows of a grid read, summed."""
    seen = spans(projection, grid)
    return seen if isinstance(seen, int) else math.prod(int(axis.sum()) for axis in seen)


def _most(projection: Projection, grid: tuple[Cuts, ...]) -> int:
    """Windows that read the source neuron which most read."""
    g = projection.geometry
    if g is None:
        return 1
    result = 1
    per_group, in_group = g.out_shape[0] // g.groups, g.in_shape[0] // g.groups
    ranges = [[(a // per_group * in_group, ((b - 1) // per_group + 1) * in_group) for a, b in grid[0]]]
    for axis in (0, 1):
        ranges.append([source_window(g, int(projection.weight.shape[2 + axis]), axis, a, b) for a, b in grid[1 + axis]])
    for axis, seen in enumerate(ranges):
        change: Ints = np.zeros(g.in_shape[axis] + 1, np.int64)
        for low, high in seen:
            change[low] += 1
            change[high] -= 1
        result *= int(np.cumsum(change).max())
    return result
