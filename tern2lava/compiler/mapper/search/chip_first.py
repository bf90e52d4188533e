"""Partitions that count which output axons leave a chip: parts are shared out among chips first, then put on cores.

An axon to another chip can cost more than one on the same chip (Loihi: 3 entries instead of 2), and which ones leave
is known once every part has its chip. Parts that then have too many are cut, and cores are filled chip by chip.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.ir.slices import group_sizes, incoming, whole_groups
from tern2lava.compiler.mapper.cost.core_cost import RESOURCES, CostModel
from tern2lava.compiler.mapper.packing.first_fit import SUMMED, Item, Part, pack
from tern2lava.compiler.mapper.partition import Partition, renumbered
from tern2lava.compiler.mapper.placement.slots import nearest_chips
from tern2lava.compiler.mapper.routing.connections import connections
from tern2lava.compiler.mapper.routing.routes import entries
from tern2lava.compiler.mapper.search.chip_annealing import Sharing, exchange, halve
from tern2lava.compiler.mapper.tiling.tile_population import exceeded
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile

# Numbers of chips that are tried, and times that parts are cut or shared out anew, less hot than at first; of the
# parts, how many may have to be cut at first.
_TRIED, _ROUNDS, _WARM, _MANY = 3, 16, 0.05, 0.1
# Cuts that can be shared out, of which the best is taken.
_COMPARED = 2
# A chip takes at first _SLACK x its even share of all load; cores are never filled better than this.
_SLACK, _FULL = 1.03, 0.98
# A part that must be cut keeps this share of the output axons of a core.
_FILLED = 0.95
# Parts that cost nothing upstream, and take no more than this share of a core's input axons, are cut into _FILLERS
# pieces: they fill what others leave free.
_FILLERS, _CHEAP = 4, 1 / 32
_NAMES = RESOURCES[:SUMMED]


@dataclass(frozen=True, eq=False)
class ByChip:
    """partition: with output axons counted as they leave chips. chip: the chip of each of its cores."""

    partition: Partition
    chip: tuple[int, ...]


def by_chip(
    graph: Graph, profile: Profile, options: MapOptions, model: CostModel, cuts: Iterable[Partition]
) -> ByChip | None:
    """The parts of one of `cuts` on chips and cores: of the first of which few must be cut again, the one that takes
    the fewest cores. None where there is none, or all take more than the target has."""
    sharer = _Sharer(graph, profile, options, model)
    shared = (sharer.share(cut) for cut in cuts)
    found = islice((each for each in shared if each is not None), _COMPARED)
    return min(found, key=lambda each: each.partition.cores, default=None)


class _Sharer:
    """Shares out the parts of one graph."""

    def __init__(self, graph: Graph, profile: Profile, options: MapOptions, model: CostModel) -> None:
        self.graph, self.profile, self.options, self.model = graph, profile, options, model
        self.populations = graph.of_kind(Population)
        self.by_name = {p.name: p for p in self.populations}
        self.per_chip = profile.system.cores_per_chip - options.spare_cores
        self.pins = dict(options.pins)

    def share(self, cut: Partition) -> ByChip | None:
        """The parts of `cut` on as few chips as can be."""
        parts = self._with_fillers(cut)
        filled = max(float(cut.used[name].sum()) / cut.limit[name] for name in _NAMES)
        count = max(1, math.ceil(filled / self.per_chip - 1e-6))
        for chips in range(count, count + _TRIED):
            numbers = self._chips(chips)
            found = None if numbers is None else self._on_chips(cut, parts, numbers)
            if found is not None:
                return found
        return None

    def _with_fillers(self, cut: Partition) -> list[Part]:
        result: list[Part] = []
        cheap = _CHEAP * cut.limit["in_axons"]
        for part in cut.parts:
            population = self.by_name[part.population]
            from_host = all(isinstance(self.graph[p.inputs[0]], Input) for p in incoming(self.graph, population))
            pieces = [part]
            if self.options.share_cores and from_host and part.used["in_axons"] <= cheap:
                length = part.box.extent[0]
                ends = [length * at // _FILLERS for at in range(1, _FILLERS)]
                pieces = self._pieces(part, 0, sorted(set(ends) - {0}), cut.limit) or [part]
            result += pieces
        return result

    def _on_chips(self, cut: Partition, parts: list[Part], numbers: list[int]) -> ByChip | None:
        """The parts on chips of these numbers; None where they take more, or too many of them must be cut."""
        index = {chip: at for at, chip in enumerate(numbers)}
        count, limit, seed = len(numbers), cut.limit["out_axons"], self.options.seed
        chip, room = np.zeros(0, np.int64), np.zeros(0)
        for turn in range(_ROUNDS):
            alone, chip = self._alone(cut, parts, chip)
            parts = list(alone.parts)
            pins = [index[self.pins[p.population]] if p.population in self.pins else -1 for p in parts]
            task, here = self._task(alone, np.array(pins, np.int64))
            if turn == 0:
                room = np.full(count, float(task.load.sum(axis=0).max()) / count * _SLACK)
                chip = exchange(task, halve(task, count, seed), room, limit, seed)
            else:
                chip = exchange(task, chip, room, limit, seed, heat=_WARM)
            out = here + task.leaving(chip)
            over = out > limit
            if turn == 0 and over.mean() > _MANY:
                return None
            if over.any():
                again: list[Part] = []
                where: list[int] = []
                for part, axons, at in zip(parts, out.tolist(), chip.tolist(), strict=True):
                    pieces = [part] if axons <= limit else self._smaller(part, _FILLED * limit / axons, cut.limit)
                    if pieces is None:
                        return None
                    again += pieces
                    where += [at] * len(pieces)
                parts, chip = again, np.array(where, np.int64)
                continue
            found = self._packed(cut, parts, out, chip, numbers)
            taken = np.bincount([index[number] for number in found.chip], minlength=count)
            if (taken <= self.per_chip).all():
                return found
            if taken.sum() > _FULL * count * self.per_chip:
                return None
            # Chips differ in how well their parts fill cores: what fitted badly gets less.
            load = np.zeros((count, len(_NAMES)))
            np.add.at(load, chip, task.load)
            room = load.max(axis=1) * _FULL * self.per_chip / np.maximum(taken, 1)
        return None

    def _packed(self, cut: Partition, parts: list[Part], out: Array, chip: Array, numbers: list[int]) -> ByChip:
        """The parts on cores, chip by chip; out: the output axons of each."""
        items = [
            Item(part.population, part.box, part.blocks, part.used | {"out_axons": axons}, numbers[at])
            for part, axons, at in zip(parts, out.tolist(), chip.tolist(), strict=True)
        ]
        packing = pack(items, cut.limit, self.options.share_cores)
        result = renumbered(self.populations, packing.parts, cut.limit, cut.total, cut.density)
        at_box = {(item.population, item.box): item.pin for item in items}
        return ByChip(result, tuple(at_box[core[0].population, core[0].box] for core in result.by_core))

    def _chips(self, count: int) -> list[int] | None:
        """Numbers of the chips to be used: those that are named, and the nearest others; None where too few."""
        named = sorted(set(self.pins.values()))
        if max(count, len(named)) > self.profile.system.chips:
            return None
        near = nearest_chips(self.profile, count + len(named)).tolist()
        return [*named, *(chip for chip in near if chip not in named)][: max(count, len(named))]

    def _alone(self, cut: Partition, parts: list[Part], chip: Array) -> tuple[Partition, Array]:
        """A core for each part, and the chips in the order of these cores."""
        apart = tuple(replace(part, core=at) for at, part in enumerate(parts))
        alone = renumbered(self.populations, apart, cut.limit, cut.total, cut.density)
        known = {(part.population, part.box): at for part, at in zip(parts, chip.tolist(), strict=False)}
        return alone, np.array([known.get((part.population, part.box), 0) for part in alone.parts], np.int64)

    def _task(self, alone: Partition, pins: Array) -> tuple[Sharing, Array]:
        """The parts to be shared out, and their output axons while all that they reach is on their chip."""
        wired = connections(self.graph, alone)
        near = entries(self.graph, alone, self.profile, wired, np.zeros_like(wired.neurons))
        more = entries(self.graph, alone, self.profile, wired, np.ones_like(wired.neurons)) - near
        inside = wired.source >= 0
        here = np.zeros(alone.cores, np.int64)
        np.add.at(here, wired.source[inside], near[inside])
        apart = inside & (wired.source != wired.target)
        edges: csr_matrix = coo_matrix(
            (more[apart], (wired.source[apart], wired.target[apart])), shape=(alone.cores, alone.cores)
        ).tocsr()
        edges.sum_duplicates()
        need = np.array([[part.used[name] for name in _NAMES] for part in alone.parts], np.float64)
        need[:, _NAMES.index("out_axons")] = here
        load = need / np.array([alone.limit[name] for name in _NAMES], np.float64)
        return Sharing(edges, alone.limit["out_axons"] - here, load, pins), here

    def _smaller(self, part: Part, share: float, limit: dict[str, int]) -> list[Part] | None:
        """A part in two, the first with about `share` of its neurons, cut along the axis where both together have the
        fewest input axons; None for one neuron."""
        found: list[tuple[int, int, list[Part]]] = []
        for axis, length in enumerate(part.box.extent):
            pieces = self._pieces(part, axis, [max(1, int(length * share))], limit) if length > 1 else None
            if pieces is not None:
                axons, bits = (sum(p.used[name] for p in pieces) for name in ("in_axons", "synapse_bits"))
                found.append((axons, bits, pieces))
        return min(found, key=lambda each: each[:2])[2] if found else None

    def _pieces(self, part: Part, axis: int, ends: list[int], limit: dict[str, int]) -> list[Part] | None:
        """A part cut along `axis` at the indices `ends`; None where some piece cannot be mapped."""
        population, box = self.by_name[part.population], part.box
        units = group_sizes(self.graph, population)
        result: list[Part] = []
        for first, last in zip([0, *ends], [*ends, box.extent[axis]], strict=True):
            if axis == 0:
                piece = box.listed(box.first[first:last])
            else:
                low, high = list(box.lo), list(box.hi)
                low[axis], high[axis] = box.lo[axis] + first, box.lo[axis] + last
                piece = replace(box, lo=tuple(low), hi=tuple(high))
            if len(box.shape) == 3 and not whole_groups(piece.lo[0], piece.hi[0], units):
                return None
            try:
                cost = self.model.part(population, piece, as_stored=True)
            except CapacityError:
                return None
            if exceeded(cost.used, limit):
                return None
            result.append(replace(part, box=piece, blocks=cost.blocks, used=part.used | cost.used))
        return result
