"""Populations onto cores with a crossbar: windows are chosen, their neurons fill cores column by column.

See crossbar.py for what windows, folds and copies are. What decides is how columns add up: smaller windows need fewer
axons (a lower fold) but overlap more, and each overlap copies the neurons in it on the cores before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from tern2lava.compiler.box import Box
from tern2lava.compiler.cost import RESOURCES, Block, allowed_encodings, limits, parameter_sets
from tern2lava.compiler.crossbar import (
    ENCODING,
    Window,
    axons_per_source,
    bits_of,
    boxes_of,
    crossbar_of,
    fold_of,
    grids,
    spans,
    window_neurons,
    window_sources,
    windows,
)
from tern2lava.compiler.cutting import HINTS
from tern2lava.compiler.grids import Cuts
from tern2lava.compiler.ir import Array, Graph, Input, Output, Population, Projection, Shape, size
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.pack import Part
from tern2lava.compiler.slices import (
    cut,
    fan_in,
    group_sizes,
    incoming,
    mapped_shape,
    source_shape,
    synapse_count,
    taps,
)
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile

_ROUNDS = 12
# Only so many of the cores opened last are looked at for room.
_OPEN_CORES = 256
# Ways to cut a population that are filled to see how many cores they take.
_TRIED = 6
# Windows are not taken apart by copies into more pieces than these.
_PIECES = 64
Target = tuple[str, Box]
Range = tuple[Box, int, int]


@dataclass(frozen=True, eq=False)
class _Plan:
    """How a population is cut: its windows, the columns of one copy of a neuron, and the fold of its cores."""

    population: Population
    windows: list[Window]
    bits: int
    fold: int


@dataclass(frozen=True, eq=False)
class _Segment:
    """Neurons of a window on one core, as (box, first, last + 1) in the box's C order: what they take, and what cores
    they can share (`kind`)."""

    plan: _Plan
    window: Window
    ranges: tuple[Range, ...]
    columns: int
    copies: int
    axons: int
    kind: tuple[object, ...]


@dataclass
class _Core:
    kind: tuple[object, ...]
    segments: list[_Segment]
    columns: int = 0
    copies: int = 0
    axons: int = 0


@dataclass(frozen=True, eq=False)
class Filled:
    """Parts sorted by core, number of cores, and what each core uses by resource."""

    parts: tuple[Part, ...]
    cores: int
    used: dict[str, Array]
    limit: dict[str, int]
    total: dict[str, int]


def fill(graph: Graph, profile: Profile, options: MapOptions) -> Filled:
    """All parts of an INTEGER graph on cores with a crossbar. Raises CapacityError for what no core can hold."""
    return _Filler(graph, profile, options).fill()


class _Filler:
    def __init__(self, graph: Graph, profile: Profile, options: MapOptions) -> None:
        self.graph, self.profile, self.options = graph, profile, options
        self.crossbar = crossbar_of(profile)
        self.planes = self.crossbar.planes.value
        self.each = axons_per_source(profile)
        self.columns = self.crossbar.columns.value
        self.single = profile.routing.out_axon_model.value == "single"
        self.limit = limits(profile)
        if options.max_neurons_per_core is not None:
            self.limit["neurons"] = max(1, min(self.limit["neurons"], options.max_neurons_per_core))
        self.populations: tuple[Population, ...] = graph.of_kind(Population)
        self.read = {node.inputs[0] for node in graph.of_kind(Output)}
        if not allowed_encodings(profile, options.encodings):
            wanted = ", ".join(options.encodings or ())
            raise CapacityError("the network", f"of the encodings {wanted}", 1, 0, "allow the target's own encoding")

    def fill(self) -> Filled:
        """The fewest cores of windows chosen by estimate, and of windows filled on trial."""
        cores, copies = min((self._settled(self._plans(tried)) for tried in (1, _TRIED)), key=lambda c: len(c[0]))
        return self._filled(cores, copies)

    def _settled(self, plans: dict[str, _Plan]) -> tuple[list[_Core], dict[str, Array]]:
        """Cores of these plans, and how often each neuron stands on its core."""
        wide: dict[str, Iterable[Target]] = {
            name: {read for window in plan.windows for read in window.reads} for name, plan in plans.items()
        }
        copies = {p.name: self._copies(p, wide) for p in self.populations}
        cores = self._cores(plans, copies)
        for _ in range(_ROUNDS if self.single else 0):
            # A target is a core here: copies follow from how the readers were filled, and change how they are.
            reached: dict[str, list[Target]] = {p.name: [] for p in self.populations}
            for core in cores:
                for segment in core.segments:
                    reached[segment.plan.population.name] += segment.window.reads
            found = {p.name: self._copies(p, reached) for p in self.populations}
            if all(np.array_equal(found[name], copies[name]) for name in found):
                break
            copies = found
            cores = self._cores(plans, copies)
        else:
            if self.single:
                raise CapacityError(
                    self.populations[0].name, "rounds to settle copies in a loop of layers", _ROUNDS + 1, _ROUNDS,
                    "use a target with multicast",
                )  # fmt: skip
        return cores, copies

    def _plans(self, tried: int) -> dict[str, _Plan]:
        """A plan for each population; those that read one source have one fold, since a core sends to one.
        tried: how many ways to cut each population are filled on trial."""
        bits = {p.name: bits_of(self.graph, p, self.profile) for p in self.populations}
        chosen: dict[str, tuple[Cuts, ...]] = {}
        reads: dict[str, set[Target]] = {}
        for population in reversed(self.populations):
            grid = self._grid(population, bits, self._copies(population, reads), tried)
            chosen[population.name] = grid
            reads[population.name] = {r for w in windows(self.graph, population, grid) for r in w.reads}
        fold = {
            p.name: fold_of(self.profile, int(window_sources(self.graph, p, chosen[p.name]).max()))
            for p in self.populations
        }
        changed = True
        while changed:
            changed = False
            for source in {w.inputs[0] for p in self.populations for w in incoming(self.graph, p)}:
                readers = [(p, incoming(self.graph, p)) for p in self.populations]
                group = [p.name for p, wires in readers if any(w.inputs[0] == source for w in wires)]
                most = max(fold[name] for name in group)
                changed = changed or any(fold[name] < most for name in group)
                fold.update(dict.fromkeys(group, most))
        return {
            p.name: _Plan(p, windows(self.graph, p, chosen[p.name]), bits[p.name], fold[p.name])
            for p in self.populations
        }

    def _grid(self, population: Population, bits: dict[str, int], copies: Array, tried: int) -> tuple[Cuts, ...]:
        """The way to cut a population that takes the fewest cores here and, by copies, on the cores that feed it. Of
        the `tried` best by estimate and the one with fewest windows, filling shows which it is; of one, no filling."""
        found: list[tuple[float, int, float, int, tuple[Cuts, ...]]] = []
        mean, least = float(copies.mean()), 0
        delay = max((p.delay for p in incoming(self.graph, population)), default=0)
        slots = self.crossbar.timeslots.value
        for grid in grids(self.graph, population):
            sources, neurons = window_sources(self.graph, population, grid), window_neurons(grid)
            most = int(sources.max())
            fold = fold_of(self.profile, most)
            least = min(least, most) if least else most
            if fold > self.crossbar.fold.value or (delay + 1) * fold > slots:
                continue
            columns = neurons * mean * bits[population.name] * fold
            full, rest = np.divmod(columns, self.columns)
            share = np.maximum(rest / self.columns, sources * self.each / (self.crossbar.inputs.value * fold))
            share = np.where(rest > 0, share if self.options.share_cores else 1.0, 0.0)
            before = self._upstream(population, grid, columns, bits)
            found.append((float(full.sum() + share.sum()) + before, sources.size, before, fold, grid))
        if not found:
            have = self.crossbar.inputs.value * self.crossbar.fold.value
            if least * self.each > have:
                raise CapacityError(
                    population.name, "in_axons", least * self.each, have,
                    HINTS["in_axons"],
                )  # fmt: skip
            raise CapacityError(
                population.name, "time slots for its delay", (delay + 1) * fold_of(self.profile, least), slots,
                "shorten the paths that it must wait for",
            )  # fmt: skip
        found.sort(key=lambda item: item[:2])
        if len(found) == 1 or tried == 1:
            return found[0][-1]
        best = [*found[:tried], min(found[tried:], key=lambda item: item[1], default=found[0])]
        alone = [
            self._alone(_Plan(population, windows(self.graph, population, grid), bits[population.name], fold), copies)
            for *_, fold, grid in best
        ]
        return min(zip(alone, best, strict=True), key=lambda item: (item[0] + item[1][2], item[1][1]))[1][-1]

    def _alone(self, plan: _Plan, copies: Array) -> float:
        """Cores that a population takes if none but its own windows share them, the last one by what it holds."""
        name = plan.population.name
        cores = self._cores({name: plan}, {name: copies})
        rest = min(core.columns for core in cores)
        return len(cores) - 1 + (rest / self.columns if self.options.share_cores else 1.0)

    def _upstream(self, population: Population, grid: tuple[Cuts, ...], columns: Array, bits: dict[str, int]) -> float:
        """Cores that copies of the neurons which feed a population take, if it is cut so."""
        total = 0.0
        for projection in incoming(self.graph, population):
            source = projection.inputs[0]
            if isinstance(self.graph[source], Input):
                continue
            seen = spans(projection, grid)
            if self.single:
                cores = np.ceil(columns / self.columns)
                each = np.full(columns.size, seen) if isinstance(seen, int) else _outer(seen)
                targets = float((each * cores).sum()) * self.each
            else:
                targets = float(seen) if isinstance(seen, int) else float(_outer(seen).sum())
            extra = targets - size(source_shape(projection))
            total += max(0.0, extra) * bits[source] / self.columns
        return total

    def _copies(self, population: Population, reads: Mapping[str, Iterable[Target]]) -> Array:
        """How often each neuron of a population stands on its core (its mapped shape): once for each target, once more
        where the network's output is read, at least once."""
        shape = mapped_shape(self.graph, population)
        count = np.zeros(size(shape), np.int64)
        for wires in reads.values():
            for name, box in wires:
                projection = self.graph[name]
                assert isinstance(projection, Projection)
                if projection.inputs[0] == population.name:
                    box.select(count.reshape(box.shape))[...] += self.each if self.single else 1
        count += population.name in self.read
        return np.maximum(count, 1).reshape(shape)

    def _cores(self, plans: dict[str, _Plan], copies: dict[str, Array]) -> list[_Core]:
        """Windows as segments, each as many neurons as a core takes; then segments on cores, the largest first."""
        target_fold = {
            w.inputs[0]: plan.fold for plan in plans.values() for w in incoming(self.graph, plan.population)
        }
        chip = dict(self.options.pins)
        segments: list[_Segment] = []
        for plan in plans.values():
            # All windows read the neurons of a dense layer at the same axons, which other layers must leave free.
            mixed = len(plan.windows) > 1 and any(p.geometry is None for p in incoming(self.graph, plan.population))
            kind = (
                chip.get(plan.population.name, -1), plan.bits, plan.fold, target_fold.get(plan.population.name, 1),
                self._start(plan.population), plan.population.name if mixed else None,
            )  # fmt: skip
            for window in plan.windows:
                segments += self._segments(plan, window, window.box.select(copies[plan.population.name]), kind)
        inputs = self.crossbar.inputs.value
        shares = [max(s.columns / self.columns, s.axons / (inputs * s.plan.fold)) for s in segments]
        cores: list[_Core] = []
        opened: dict[tuple[object, ...], list[_Core]] = {}
        for at in np.argsort([-share for share in shares], kind="stable"):
            segment = segments[at]
            there = opened.setdefault(segment.kind, [])
            core = next((c for c in there[-_OPEN_CORES:] if self._room(c, segment)), None)
            if core is None:
                core = _Core(segment.kind, [])
                cores.append(core)
                if self.options.share_cores:
                    there.append(core)
            core.segments.append(segment)
            core.columns += segment.columns
            core.copies += segment.copies
            core.axons += segment.axons
        order = {p.name: index for index, p in enumerate(self.populations)}
        for core in cores:
            core.segments.sort(key=lambda s: (order[s.plan.population.name], s.ranges[0][0].lo, s.ranges[0][1]))

        def place(core: _Core) -> tuple[int, Shape, int]:
            first = core.segments[0]
            return order[first.plan.population.name], first.ranges[0][0].lo, first.ranges[0][1]

        return sorted(cores, key=place)

    def _room(self, core: _Core, segment: _Segment) -> bool:
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

    def _segments(self, plan: _Plan, window: Window, copies: Array, kind: tuple[object, ...]) -> list[_Segment]:
        """A window as segments that each fill a core but for the last. Neurons come in the window's order, or, where
        that takes fewer cores, those with most copies first."""
        whole = self._runs(plan, [window.box], copies)
        apart = _alike(window.box, copies)
        if 1 < len(apart) <= _PIECES:
            sorted_runs = self._runs(plan, apart, copies)
            whole = sorted_runs if len(sorted_runs) < len(whole) else whole
        per = plan.bits * plan.fold
        return [
            _Segment(plan, window, ranges, taken * per, taken, window.sources * self.each, kind)
            for ranges, taken in whole
        ]

    def _runs(self, plan: _Plan, boxes: list[Box], copies: Array) -> list[tuple[tuple[Range, ...], int]]:
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

    def _refused(self, plan: _Plan, copies: int, most: int) -> CapacityError:
        name = plan.population.name
        if copies > min(self.columns, self.limit["neurons"]):
            return CapacityError(name, "copies of a neuron", copies, most, HINTS["out_axons"])
        columns = copies * plan.bits * plan.fold
        return CapacityError(name, "columns for one neuron", columns, self.columns, HINTS["in_axons"])

    def _filled(self, cores: list[_Core], copies: dict[str, Array]) -> Filled:
        used = {name: np.zeros(len(cores), np.int64) for name in RESOURCES}
        parts: list[Part] = []
        for number, core in enumerate(cores):
            mine = [part for segment in core.segments for part in self._parts(segment, number, copies)]
            for name in RESOURCES:
                values = [part.used[name] for part in mine]
                used[name][number] = max(values) if name == "fan_in" else sum(values)
            parts += mine
        return Filled(tuple(parts), len(cores), used, self.limit, self._total())

    def _parts(self, segment: _Segment, core: int, copies: dict[str, Array]) -> list[Part]:
        """The boxes of a segment. Axons, which they share, count with the first of them."""
        population = segment.plan.population
        result: list[Part] = []
        units = group_sizes(self.graph, population)
        for box in (b for place, low, high in segment.ranges for b in boxes_of(place, low, high, units)):
            pieces = [(p, piece) for p in incoming(self.graph, population) if (piece := cut(p, box)) is not None]
            taken = int(box.select(copies[population.name]).sum())
            axons = 0 if result else segment.axons
            if self.planes == "columns":
                bits = taken * segment.plan.bits * segment.plan.fold * self.crossbar.inputs.value
            else:
                bits = axons * self.columns
            share = np.cumsum([0, *(piece.axons for _, piece in pieces)])
            ends = bits * share // max(int(share[-1]), 1)
            blocks = tuple(
                Block(
                    p.name, piece.source, ENCODING[self.planes], ENCODING[self.planes], int(ends[i + 1] - ends[i]),
                    piece.axons * self.each, fan_in(piece.local), synapse_count(piece.local),
                )
                for i, (p, piece) in enumerate(pieces)
            )  # fmt: skip
            thresholds, decays = parameter_sets(population, box)
            amounts = {
                "neurons": taken, "synapse_bits": int(bits), "in_axons": axons, "out_axons": taken,
                "fan_in": sum(b.fan_in for b in blocks), "threshold_sets": thresholds, "decay_sets": decays,
            }  # fmt: skip
            result.append(Part(population.name, box, core, blocks, amounts))
        return result

    def _total(self) -> dict[str, int]:
        """What any partition takes at least: neurons once (those that a ternary target reads twice where it takes two
        axons), the columns of the least fold that their own fan-in needs, and axons for every source once, since
        readers on one core share them."""
        neurons = bits = 0
        read: dict[str, int] = {}
        for population in self.populations:
            for wire in incoming(self.graph, population):
                source = wire.inputs[0]
                read[source] = max(read.get(source, 0), _used_sources(wire))
        for population in self.populations:
            count = size(population.shape) + ((self.each - 1) * read.get(population.name, 0) if self.single else 0)
            neurons += count
            if self.planes == "columns":
                fold = fold_of(self.profile, sum(_least_fan_in(p) for p in incoming(self.graph, population)))
                bits += count * bits_of(self.graph, population, self.profile) * fold * self.crossbar.inputs.value
        axons = self.each * sum(read.values())
        if self.planes == "axons":
            bits = axons * self.columns
        return {"neurons": neurons, "synapse_bits": bits, "in_axons": axons}


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


def _outer(seen: tuple[Array, ...]) -> Array:
    return np.multiply.outer(np.multiply.outer(seen[0], seen[1]), seen[2]).reshape(-1)


def _used_sources(projection: Projection) -> int:
    """Source neurons that lie in at least one receptive field."""
    g = projection.geometry
    if g is None:
        return int(projection.weight.shape[1])
    reached = [int((taps(g, projection.weight.shape[2:], axis) >= 0).any(axis=1).sum()) for axis in (0, 1)]
    return math.prod((g.in_shape[0], *reached))


def _least_fan_in(projection: Projection) -> int:
    """Synapses of the neuron that has fewest, padding left out."""
    g = projection.geometry
    if g is None:
        return int(projection.weight.shape[1])
    least = 1
    for axis in (0, 1):
        reached = taps(g, projection.weight.shape[2:], axis)
        least *= int(np.bincount(reached[reached >= 0], minlength=g.out_shape[1 + axis]).min())
    return int(projection.weight.shape[1]) * least


