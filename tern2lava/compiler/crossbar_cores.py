"""Neurons of windows on cores with a crossbar: copies are counted, cores are filled column by column.

See crossbar.py for what windows, folds and copies are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from tern2lava.compiler.box import Box
from tern2lava.compiler.cost import limits
from tern2lava.compiler.crossbar import Window, axons_per_source, crossbar_of
from tern2lava.compiler.cutting import HINTS
from tern2lava.compiler.ir import Array, Graph, Output, Population, Projection, Shape, size
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.slices import incoming, mapped_shape
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile

# Only so many of the cores opened last are looked at for room.
_OPEN_CORES = 256
# Windows are not taken apart by copies into more pieces than these.
_PIECES = 64
# A window of a reader, named by the projection into it: what a neuron sends to.
Target = tuple[str, Box]
# Neurons first, ..., last of a box in its C order, as (box, first, last + 1).
Range = tuple[Box, int, int]


@dataclass(frozen=True, eq=False)
class Plan:
    """How a population is cut: its windows, the columns of one copy of a neuron, and the fold of its cores."""

    population: Population
    windows: list[Window]
    bits: int
    fold: int


@dataclass(frozen=True, eq=False)
class Segment:
    """Neurons of a window on one core, as (box, first, last + 1) in the box's C order: what they take, and what cores
    they can share (`kind`)."""

    plan: Plan
    window: Window
    ranges: tuple[Range, ...]
    columns: int
    copies: int
    axons: int
    kind: tuple[object, ...]


@dataclass
class Core:
    kind: tuple[object, ...]
    segments: list[Segment]
    columns: int = 0
    copies: int = 0
    axons: int = 0

    def add(self, segment: Segment) -> None:
        self.segments.append(segment)
        self.columns += segment.columns
        self.copies += segment.copies
        self.axons += segment.axons


def single_targets(profile: Profile) -> bool:
    """Whether an output axon reaches one core, so that a neuron is copied for each core that reads it."""
    return profile.routing.out_axon_model.value == "single"


def copies_of(graph: Graph, profile: Profile, population: Population, reads: Mapping[str, Iterable[Target]]) -> Array:
    """How often each neuron of a population stands on its core (its mapped shape): once for each target, once more
    where the network's output is read, at least once. reads: by reading population, the targets in it."""
    shape = mapped_shape(graph, population)
    each = axons_per_source(profile) if single_targets(profile) else 1
    count = np.zeros(size(shape), np.int64)
    for wires in reads.values():
        for name, box in wires:
            projection = graph[name]
            assert isinstance(projection, Projection)
            if projection.inputs[0] == population.name:
                box.select(count.reshape(box.shape))[...] += each
    count += population.name in {node.inputs[0] for node in graph.of_kind(Output)}
    return np.maximum(count, 1).reshape(shape)


class Filler:
    """Fills cores with windows. limit: of one core, by resource, as options have it."""

    def __init__(self, graph: Graph, profile: Profile, options: MapOptions) -> None:
        self.graph, self.profile, self.options = graph, profile, options
        self.crossbar = crossbar_of(profile)
        self.each = axons_per_source(profile)
        self.columns = self.crossbar.columns.value
        self.limit = limits(profile)
        if options.max_neurons_per_core is not None:
            self.limit["neurons"] = max(1, min(self.limit["neurons"], options.max_neurons_per_core))
        self.populations: tuple[Population, ...] = graph.of_kind(Population)

    def cores(self, plans: dict[str, Plan], copies: dict[str, Array]) -> list[Core]:
        """Windows as segments, each as many neurons as a core takes; then segments on cores."""
        target_fold = {w.inputs[0]: plan.fold for plan in plans.values() for w in incoming(self.graph, plan.population)}
        chip = dict(self.options.pins)
        segments: list[Segment] = []
        for plan in plans.values():
            # All windows read the neurons of a dense layer at the same axons, which other layers must leave free.
            mixed = len(plan.windows) > 1 and any(p.geometry is None for p in incoming(self.graph, plan.population))
            kind = (
                chip.get(plan.population.name, -1), plan.bits, plan.fold, target_fold.get(plan.population.name, 1),
                self._start(plan.population), plan.population.name if mixed else None,
            )  # fmt: skip
            for window in plan.windows:
                segments += self._segments(plan, window, window.box.select(copies[plan.population.name]), kind)
        cores = self.packed(segments)
        order = {p.name: index for index, p in enumerate(self.populations)}
        for core in cores:
            core.segments.sort(key=lambda s: (order[s.plan.population.name], s.ranges[0][0].lo, s.ranges[0][1]))

        def place(core: Core) -> tuple[int, Shape, int]:
            first = core.segments[0]
            return order[first.plan.population.name], first.ranges[0][0].lo, first.ranges[0][1]

        return sorted(cores, key=place)

    def packed(self, segments: list[Segment]) -> list[Core]:
        """Segments on cores, the largest first, each on the first of the cores opened last that has room."""
        inputs = self.crossbar.inputs.value
        shares = [max(s.columns / self.columns, s.axons / (inputs * s.plan.fold)) for s in segments]
        cores: list[Core] = []
        opened: dict[tuple[object, ...], list[Core]] = {}
        for at in np.argsort([-share for share in shares], kind="stable"):
            segment = segments[at]
            there = opened.setdefault(segment.kind, [])
            core = next((c for c in there[-_OPEN_CORES:] if self.has_room(c, segment)), None)
            if core is None:
                core = Core(segment.kind, [])
                cores.append(core)
                if self.options.share_cores:
                    there.append(core)
            core.add(segment)
        return cores

    def has_room(self, core: Core, segment: Segment) -> bool:
        """Whether a core of the same kind can hold a segment too."""
        return (
            core.columns + segment.columns <= self.columns
            and core.copies + segment.copies <= self.limit["neurons"]
            and core.axons + segment.axons <= self.crossbar.inputs.value * segment.plan.fold
        )

    def _start(self, population: Population) -> object:
        """What cores must have in common where only whole cores start late: the step, for neurons that do not rest by
        themselves."""
        moves = any(np.any(value != 0) for value in (population.bias, population.bias_u, population.v_init))
        return population.start if moves and self.profile.neuron.late_start.value == "core" else None

    def _segments(self, plan: Plan, window: Window, copies: Array, kind: tuple[object, ...]) -> list[Segment]:
        """A window as segments that each fill a core but for the last. Neurons come in the window's order, or, where
        that takes fewer cores, those with most copies first."""
        whole = self._runs(plan, [window.box], copies)
        apart = _alike(window.box, copies)
        if 1 < len(apart) <= _PIECES:
            sorted_runs = self._runs(plan, apart, copies)
            whole = sorted_runs if len(sorted_runs) < len(whole) else whole
        per = plan.bits * plan.fold
        return [
            Segment(plan, window, ranges, taken * per, taken, window.sources * self.each, kind)
            for ranges, taken in whole
        ]

    def _runs(self, plan: Plan, boxes: list[Box], copies: Array) -> list[tuple[tuple[Range, ...], int]]:
        """Neurons of boxes, one box after the other, in runs that a core holds: their ranges, and copies in all."""
        window = _corner(boxes)
        most = min(self.columns // (plan.bits * plan.fold), self.limit["neurons"])
        result: list[tuple[tuple[Range, ...], int]] = []
        ranges: list[Range] = []
        taken = 0
        for box in boxes:
            inside = tuple(slice(a - o, b - o) for a, b, o in zip(box.lo, box.hi, window, strict=True))
            total = np.concatenate([[0], np.cumsum(copies[inside].reshape(-1))])
            low, count = 0, total.size - 1
            while low < count:
                high = int(np.searchsorted(total, total[low] + most - taken, side="right")) - 1
                if high == low and not ranges:
                    raise self._refused(plan, int(total[low + 1] - total[low]), most)
                if high > low:
                    ranges.append((box, low, high))
                    taken += int(total[high] - total[low])
                if high < count:
                    result.append((tuple(ranges), taken))
                    ranges, taken = [], 0
                low = high
        return [*result, (tuple(ranges), taken)] if ranges else result

    def _refused(self, plan: Plan, copies: int, most: int) -> CapacityError:
        name = plan.population.name
        if copies > min(self.columns, self.limit["neurons"]):
            return CapacityError(name, "copies of a neuron", copies, most, HINTS["out_axons"])
        columns = copies * plan.bits * plan.fold
        return CapacityError(name, "columns for one neuron", columns, self.columns, HINTS["in_axons"])


def _corner(boxes: list[Box]) -> tuple[int, ...]:
    """The first corner of what boxes cover."""
    return tuple(min(box.lo[axis] for box in boxes) for axis in range(len(boxes[0].shape)))


def _alike(window: Box, copies: Array) -> list[Box]:
    """A window taken apart along the axes behind its first wherever the number of copies changes, most copies first."""
    cuts: list[list[tuple[int, int]]] = [[(window.lo[0], window.hi[0])]]
    for axis in range(1, copies.ndim):
        rows = np.moveaxis(copies, axis, 0).reshape(copies.shape[axis], -1)
        changes = np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1
        ends = [0, *changes.tolist(), copies.shape[axis]]
        cuts.append([(window.lo[axis] + a, window.lo[axis] + b) for a, b in pairwise(ends)])
    boxes = [Box(window.shape, tuple(a for a, _ in c), tuple(b for _, b in c)) for c in product(*cuts)]

    def first(box: Box) -> int:
        return -int(copies[tuple(a - o for a, o in zip(box.lo, window.lo, strict=True))])

    return sorted(boxes, key=first)
