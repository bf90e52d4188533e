"""Grids for all populations together: what a layer's cut costs the layers that feed it is paid where it arises."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Population, Projection
from tern2lava.compiler.ir.shapes import Array, Shape
from tern2lava.compiler.ir.slices import group_sizes, incoming, mapped_shape
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.compiler.mapper.tiling.grids import (
    Grid,
    Reads,
    axis_choices,
    by_span,
    entries,
    grid_choices,
    ranges,
    reads,
    total_edges,
)
from tern2lava.compiler.mapper.tiling.memory_estimate import MemoryEstimate
from tern2lava.hw_profiles import Profile

# Numbers of boxes that are tried lie at least so far apart.
_STEP = 1.05
# What counts besides output axons where these are pooled: axons and memory, and boxes.
_BESIDES, _EACH = 0.02, 1e-5
# Estimates this far above the memory are not tried.
_DOUBT = 1.03


@dataclass(frozen=True)
class Search:
    """How grids are looked for.

    candidates: the number of grids tried for each population. finer: the most boxes of a grid, as a multiple of those
    needed. alike: how many candidates may have about the same number of boxes. beam: the number of states kept after
    each population.

    pooled: boxes are small and chips fill cores with them, so that all output axons together count, not the cores that
    boxes take; and cuts that see padding are made longer.
    """

    candidates: int = 40
    finer: float = 8.0
    alike: int = 2
    beam: int = 24
    pooled: bool = False


QUICK, POOLED = Search(), Search(candidates=120, finer=16.0, alike=4, beam=120, pooled=True)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A grid of one population: boxes, input axons of all of them, neurons of the largest, and its estimated memory."""

    grid: Grid
    in_axons: float
    largest: int
    memory: float


@dataclass(frozen=True, eq=False)
class _State:
    score: float
    chosen: dict[str, Candidate]
    cores: float


@dataclass(eq=False)
class GridChooser:
    """Remembers candidates and what they read, for several choices on one graph and target."""

    model: CostModel
    extra: int
    search: Search = QUICK
    refused: set[tuple[str, Grid]] = field(default_factory=set)
    memory: MemoryEstimate = field(init=False)
    _reads: dict[tuple[str, Grid], Reads] = field(default_factory=dict)
    _entries: dict[tuple[str, Grid, str, Grid], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory = MemoryEstimate(self.model)

    @property
    def graph(self) -> Graph:
        return self.model.graph

    @property
    def profile(self) -> Profile:
        return self.model.profile

    def candidates(self, population: Population, limit: dict[str, int], cap: int) -> list[Candidate]:
        """Grids of at most `cap` neurons a box within the target's input axons, fewest boxes first: for each number of
        boxes the one with the fewest input axons, up to `finer` times as many boxes as are needed, thinned out."""
        shape = mapped_shape(self.graph, population)
        cap = max(1, min(cap, limit["neurons"]))
        found = self._rows(population, shape, cap) if len(shape) == 1 else self._images(population, shape, cap, limit)
        return [c for c in found if (population.name, c.grid) not in self.refused][: self.search.candidates]

    def _rows(self, population: Population, shape: Shape, cap: int) -> list[Candidate]:
        least = -(-shape[0] // cap)
        axons = sum(size_of(p) for p in incoming(self.graph, population))
        result: list[Candidate] = []
        for parts in self._spread(least, min(shape[0], int(least * self.search.finer) + 8)):
            width = -(-shape[0] // parts)
            grid = Grid(shape, (ranges(shape[0], width),))
            if not result or result[-1].largest != width:
                result.append(Candidate(grid, float(axons * grid.parts), width, self.memory.bits(population, grid)))
        return result

    def _spread(self, least: int, most: int) -> list[int]:
        """Numbers from least to most, each at least 3 % above the last."""
        result = [least]
        while result[-1] < most and len(result) < self.search.candidates:
            result.append(max(result[-1] + 1, int(result[-1] * 1.03)))
        return result

    def _images(
        self, population: Population, shape: Shape, cap: int, limit: dict[str, int], copies: bool = False
    ) -> list[Candidate]:
        """copies: for each number of boxes those that store weights least often first."""
        axes = axis_choices(shape, group_sizes(self.graph, population))
        if self.search.pooled:
            wires = incoming(self.graph, population)
            images = tuple((w.geometry, w.weight.shape[2:]) for w in wires if w.geometry is not None)
            for axis in (1, 2):
                axes[axis] = list(dict.fromkeys([*axes[axis], *by_span(images, axis - 1, shape[axis])]))
        index, counts = grid_choices(axes)
        volume = np.ones(len(index), np.int64)
        for axis, choice in enumerate(axes):
            widest = np.array([max(high - low for low, high in cuts) for cuts in choice], np.int64)
            volume *= widest[index[:, axis]]
        parts = counts.prod(axis=1)
        axons, largest = np.zeros(len(index)), np.zeros(len(index))
        for projection in incoming(self.graph, population):
            total, most = total_edges(projection, axes, index)
            axons, largest = axons + total, largest + most
        good = np.flatnonzero((volume <= cap) & (largest <= limit["in_axons"]))
        result: list[Candidate] = []
        last, alike = 0, 0
        stored = counts[good, 1] * counts[good, 2] if copies else np.zeros(len(good))
        # Numbers of boxes that count as the same.
        about = np.floor(np.log(parts) / np.log(_STEP)).astype(np.int64) if self.search.pooled else parts
        for at in good[np.lexsort((axons[good], stored, about[good]))].tolist():
            number = int(about[at])
            if result and parts[at] > result[0].grid.parts * self.search.finer + 8:
                break
            if not self.search.pooled and number != last and number < last * _STEP:
                continue
            larger = self.search.pooled and number == last and volume[at] >= result[-1].largest
            if larger or (number == last and alike == self.search.alike):
                continue
            grid = Grid(shape, tuple(axes[a][int(index[at, a])] for a in range(3)))
            memory = self.memory.bits(population, grid)
            if memory > _DOUBT * limit["synapse_bits"] or (population.name, grid) in self.refused:
                continue
            alike = alike + 1 if number == last else 1
            last = number
            result.append(Candidate(grid, float(axons[at]), int(volume[at]), memory))
        return result

    def alternatives(self, population: Population, limit: dict[str, int], count: int) -> list[list[Box]]:
        """Boxes of up to `count` grids that a core could hold by their shapes: for few and for many boxes, those with
        the fewest input axons and those that store weights least often."""
        shape = mapped_shape(self.graph, population)
        if len(shape) == 1:
            rows = self._rows(population, shape, max(1, min(shape[0], limit["neurons"])))
            fits = [c for c in rows if c.memory <= _DOUBT * limit["synapse_bits"]]
            return [c.grid.boxes() for c in fits[:count]]
        found: dict[Grid, None] = {}
        for copies in (False, True):
            for candidate in self._images(population, shape, limit["neurons"], limit, copies=copies)[: count // 2]:
                found.setdefault(candidate.grid)
        return [grid.boxes() for grid in found]

    def entries(self, source: str, grid: Grid, target: Population, other: Grid) -> Array:
        """Output axons of each box of `source` towards all boxes of `target`, through all projections between them."""
        key = (source, grid, target.name, other)
        if key not in self._entries:
            total: Array = np.zeros_like(grid.volumes)
            for projection in incoming(self.graph, target):
                if projection.inputs[0] == source:
                    place = (projection.name, other)
                    if place not in self._reads:
                        self._reads[place] = reads(projection, other, self.profile)
                    total = total + entries(self.profile, grid, self._reads[place], self.extra)
            self._entries[key] = total
        return self._entries[key]

    def choose(self, limit: dict[str, int], caps: dict[str, int], share: bool) -> dict[str, Grid] | str:
        """A grid for each population, no box over the output axons of a core, fewest cores by estimate; or the name of
        the population for which none is left."""
        populations = self.graph.of_kind(Population)
        readers: dict[str, list[Population]] = {p.name: [] for p in populations}
        for target in populations:
            for projection in incoming(self.graph, target):
                if projection.inputs[0] in readers and target not in readers[projection.inputs[0]]:
                    readers[projection.inputs[0]].append(target)
        states = [_State(0.0, {}, 0.0)]
        done: set[str] = set()
        for population in reversed(populations):
            found: dict[object, _State] = {}
            done.add(population.name)
            known = [t for t in readers[population.name] if t.name in done]
            sources = {p.inputs[0] for p in incoming(self.graph, population)} & set(readers)
            later = sources & done - {population.name}
            # What a state must be remembered by: populations that still wait for a source or a target.
            waits = {
                t.name for t in populations if t.name in done
                and any(p.inputs[0] in readers and p.inputs[0] not in done for p in incoming(self.graph, t))
            } | {name for name in done if any(t.name not in done for t in readers[name])}  # fmt: skip
            for candidate in self.candidates(population, limit, caps[population.name]):
                for state in states:
                    chosen = state.chosen | {population.name: candidate}
                    load = self._load(population.name, chosen, known)
                    if load.max(initial=0) > limit["out_axons"]:
                        continue
                    if any(
                        self._load(n, chosen, [t for t in readers[n] if t.name in done]).max(initial=0)
                        > limit["out_axons"]
                        for n in later
                    ):
                        continue
                    cores = state.cores + self._share(candidate, load, limit, share)
                    upstream = sum(self._upstream(chosen[n], n, done, readers) for n in waits)
                    new = _State(cores + upstream / limit["out_axons"], chosen, cores)
                    key = tuple(sorted((n, id(chosen[n])) for n in waits))
                    if key not in found or new.score < found[key].score:
                        found[key] = new
            if not found:
                return population.name
            states = sorted(found.values(), key=lambda s: s.score)[: self.search.beam]
        return {name: candidate.grid for name, candidate in states[0].chosen.items()}

    def _load(self, name: str, chosen: dict[str, Candidate], targets: list[Population]) -> Array:
        grid = chosen[name].grid
        total: Array = np.zeros_like(grid.volumes)
        for target in targets:
            total = total + self.entries(name, grid, target, chosen[target.name].grid)
        return total

    def _share(self, candidate: Candidate, load: Array, limit: dict[str, int], share: bool) -> float:
        """Cores that a candidate takes, boxes that share cores counted by their scarcest resource; pooled: by their
        output axons."""
        if self.search.pooled:
            memory = candidate.memory * candidate.grid.parts / limit["synapse_bits"]
            besides = _BESIDES * (candidate.in_axons / limit["in_axons"] + memory)
            return float(load.sum()) / limit["out_axons"] + besides + _EACH * candidate.grid.parts
        if not share:
            return float(candidate.grid.parts)
        each = candidate.in_axons / candidate.grid.parts / limit["in_axons"]
        volumes = candidate.grid.volumes / limit["neurons"]
        memory = candidate.memory / limit["synapse_bits"]
        taken = np.maximum(np.maximum(volumes, load / limit["out_axons"]), max(each, memory))
        # Boxes of more than half a core rarely share it.
        return float(np.where(taken > 0.5, 1.0, taken).sum()) + 1e-6 * candidate.grid.parts

    def _upstream(self, candidate: Candidate, name: str, done: set[str], readers: dict[str, list[Population]]) -> float:
        """Entries that a candidate will cost populations whose grid is not chosen yet, at one a edge."""
        total = 0.0
        population = self.graph.population(name)
        if self.profile.routing.out_axon_model.value != "edges":
            return 1e-3 * candidate.in_axons
        for projection in incoming(self.graph, population):
            source = projection.inputs[0]
            if source in readers and source not in done:
                area = 1 if projection.pooling is None else projection.pooling.area
                total += candidate.in_axons * area
        return total


def size_of(projection: Projection) -> int:
    """Input axons of one block of a dense projection."""
    return int(projection.weight.shape[1])
