"""Neurons of windows on cores with a crossbar: copies are counted, cores are filled column by column.

See windows.py for what windows, folds and copies are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numba import njit

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Output, Population, Projection
from tern2lava.compiler.ir.shapes import Array, Shape, size
from tern2lava.compiler.ir.slices import incoming, mapped_shape
from tern2lava.compiler.mapper.cost.core_cost import limits
from tern2lava.compiler.mapper.crossbar.windows import Window, axons_per_source, crossbar_of
from tern2lava.compiler.mapper.tiling.tile_population import hint
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile

# The number of cores searched for room, those opened last.
_OPEN_CORES = 256
# Ways of each population to fill cores that are remembered.
_KNOWN = 4
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


@dataclass(eq=False)
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
    mine = {p.name for p in graph.of_kind(Projection) if p.inputs[0] == population.name}
    for wires in reads.values():
        for name, box in wires:
            if name in mine:
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
        self.populations = graph.of_kind(Population)
        self._segments_of: dict[str, list[tuple[Plan, Array, tuple[object, ...], list[Segment]]]] = {}

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
            segments += self._known_segments(plan, copies[plan.population.name], kind)
        cores = self.packed(segments)
        order = {p.name: index for index, p in enumerate(self.populations)}
        for core in cores:
            core.segments.sort(key=lambda s: (order[s.plan.population.name], s.ranges[0][0].lo, s.ranges[0][1]))

        def place(core: Core) -> tuple[int, Shape, int]:
            first = core.segments[0]
            return order[first.plan.population.name], first.ranges[0][0].lo, first.ranges[0][1]

        return sorted(cores, key=place)

    def _known_segments(self, plan: Plan, copies: Array, kind: tuple[object, ...]) -> list[Segment]:
        """Segments of all windows, which on trial are the same for most populations."""
        known = self._segments_of.setdefault(plan.population.name, [])
        for with_plan, with_copies, with_kind, segments in known:
            if with_plan is plan and with_kind == kind and np.array_equal(with_copies, copies):
                return segments
        found = [s for w in plan.windows for s in self._segments(plan, w, w.box.select(copies), kind)]
        self._segments_of[plan.population.name] = [*known[1 - _KNOWN :], (plan, copies, kind, found)]
        return found

    def packed(self, segments: list[Segment]) -> list[Core]:
        """Segments on cores, the largest first, each on the first of the cores opened last that has room."""
        inputs = self.crossbar.inputs.value
        need = np.array([(s.columns, s.copies, s.axons) for s in segments], np.int64).reshape(-1, 3)
        most = np.array([(self.columns, self.limit["neurons"], inputs * s.plan.fold) for s in segments], np.int64)
        shares = np.maximum(need[:, 0] / self.columns, need[:, 2] / most.reshape(-1, 3)[:, 2])
        alike: dict[tuple[object, ...], list[int]] = {}
        for at in np.argsort(-shares, kind="stable").tolist():
            alike.setdefault(segments[at].kind, []).append(at)
        cores: list[Core] = []
        for kind, members in alike.items():
            if self.options.share_cores:
                core_of = _first_fit(need[members], most[members[0]], _OPEN_CORES)
            else:
                core_of = np.arange(len(members))
            mine = [Core(kind, []) for _ in range(int(core_of.max()) + 1)]
            for at, core in zip(members, core_of.tolist(), strict=True):
                mine[core].add(segments[at])
            cores += mine
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
            return CapacityError(name, "copies of a neuron", copies, most, hint("out_axons", copies, most))
        need, have = copies * plan.bits * plan.fold, self.columns
        return CapacityError(name, "columns for one neuron", need, have, hint("dendrites", need, have))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _first_fit(need: Array, most: Array, opened: int) -> Array:
    """The core of each item, need (items, resources), on cores of these limits; of those with room for anything, the
    `opened` last ones are looked at."""
    count, names = need.shape
    core_of = np.empty(count, np.int64)
    load = np.zeros((count, names), np.int64)
    live = np.empty(count, np.int64)
    alive, cores = 0, 0
    for item in range(count):
        at = -1
        for k in range(max(0, alive - opened), alive):
            room = True
            for name in range(names):
                if load[live[k], name] + need[item, name] > most[name]:
                    room = False
                    break
            if room:
                at = k
                break
        if at < 0:
            at = alive
            live[at] = cores
            alive += 1
            cores += 1
        core = live[at]
        core_of[item] = core
        full = False
        for name in range(names):
            load[core, name] += need[item, name]
            # Columns and copies are taken by every neuron; axons of windows may be none.
            full = full or (name < 2 and load[core, name] == most[name])
        if full:
            live[at : alive - 1] = live[at + 1 : alive].copy()
            alive -= 1
    return core_of


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
