"""Cutting populations into parts and putting parts on cores, under every limit of the target.

A part is a box of a population with all synapses into it. A population is cut by rows where only dense layers feed it,
else by channels and space in a regular grid. Cores are filled first fit, from the output back to the input, because the
output axons of a part depend on the parts that it feeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.ir.slices import cut, fan_in, incoming, mapped_shape
from tern2lava.compiler.mapper.cost.core_cost import LARGEST, RESOURCES, CostModel, PartCost, limits
from tern2lava.compiler.mapper.crossbar.bound_totals import total_crossbar_resources
from tern2lava.compiler.mapper.crossbar.first_fit import Filler
from tern2lava.compiler.mapper.crossbar.parts import Filled, fill, fill_by_estimate
from tern2lava.compiler.mapper.lower_bounds.tile_program import DensityBound, density_bound
from tern2lava.compiler.mapper.lower_bounds.totals import fan_in_axons, total_resources
from tern2lava.compiler.mapper.packing.first_fit import Item, Packing, Part, pack
from tern2lava.compiler.mapper.packing.merge_parts import join_parts
from tern2lava.compiler.mapper.packing.retile_search import Refiner, cuts_of
from tern2lava.compiler.mapper.tiling.fan_out import Feeds
from tern2lava.compiler.mapper.tiling.joint_search import POOLED, QUICK, GridChooser, Search
from tern2lava.compiler.mapper.tiling.tile_population import cut_by, cut_population, cut_rows, hint
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.shown import Shown
from tern2lava.counts import count
from tern2lava.errors import CapacityError
from tern2lava.findings import alone, any_refused, unseen
from tern2lava.hw_profiles import Profile

Pieces = dict[str, list[tuple[Box, PartCost, int]]]

_ROUNDS = 24
_REFUSALS = 400
# Partitions within _GOOD x the lower bound are not improved. Those of more than _REFINED cores (_REFINED_LISTS where
# boxes hold synapse lists, which take long to cut) are not improved one population at a time. About _PATIENCE cores
# are filled in trying fractions of the limits.
_GOOD = 1.02
# Whose limit counts for what a network needs in all, where names differ.
_LIMIT = {"fan_in_axons": "in_axons"}
_REFINED = 2000
_REFINED_LISTS = 128
_PATIENCE = 220
# Fractions tried at least, unless cores are very many.
_TRIES = 3
# Boxes that a layer may be cut into to store its weights less often, over those that it needs; None: as few input axons
# as can be.
_SPARES = (1.0, 1.34, None)
# A route's record in a core image.
_ROUTE_BITS = 8 * 52
_FRACTIONS: tuple[dict[str, float], ...] = (
    {"neurons": 0.5}, {"neurons": 0.85}, {"neurons": 0.9}, {"neurons": 0.7}, {"neurons": 0.8}, {"neurons": 0.6},
    {"synapse_bits": 0.5}, {"neurons": 0.85, "synapse_bits": 0.5}, {"synapse_bits": 0.34}, {"neurons": 0.75},
    {"neurons": 0.65}, {"neurons": 0.4}, {"neurons": 0.7, "synapse_bits": 0.5},
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Partition(Shown):
    """All parts, ordered by core, and what each core uses: used[name] is an array (cores,), limit[name] one core's;
    total[name] is what any mapping needs at least (totals.py), density a bound for mappings into boxes where one
    was needed, contents one on cores with a crossbar, from what a core can hold at once (0: none)."""

    parts: tuple[Part, ...]
    cores: int
    used: dict[str, Ints]
    limit: dict[str, int]
    total: dict[str, int]
    density: DensityBound | None = None
    contents: int = 0

    def of_core(self, core: int) -> tuple[Part, ...]:
        """The parts on one core, in the order of their groups in its image."""
        return self.by_core[core]

    @property
    def by_core(self) -> tuple[tuple[Part, ...], ...]:
        cached = self.__dict__.get("_by_core")
        if cached is None:
            lists: list[list[Part]] = [[] for _ in range(self.cores)]
            for part in self.parts:
                lists[part.core].append(part)
            cached = tuple(tuple(parts) for parts in lists)
            object.__setattr__(self, "_by_core", cached)
        result: tuple[tuple[Part, ...], ...] = cached
        return result

    @property
    def bounds(self) -> dict[str, int]:
        """Cores that no mapping under these limits can go below: by resource, total over the limit of one core; from
        fan_in_axons; from boxes, where tile_program.py was asked; and from the contents of cores."""
        bounds = {name: -(-need // self.limit[_LIMIT.get(name, name)]) for name, need in self.total.items()}
        bounds |= {"boxes": math.ceil(self.density.cores - 1e-6)} if self.density else {}
        return bounds | ({"contents": self.contents} if self.contents else {})

    @property
    def cores_lower_bound(self) -> int:
        """The largest of the bounds."""
        return max(1, *self.bounds.values())


def partition(
    graph: Graph, profile: Profile, options: MapOptions, model: CostModel | None = None, *,
    all_edges_leave_chip: bool = False,
) -> Partition:  # fmt: skip
    """The parts of an INTEGER graph and their cores.

    model: costs of this graph on this profile, where some are known already. all_edges_leave_chip counts every output
    axon as if its target were on another chip. Raises CapacityError where one neuron exceeds a core, or the whole
    exceeds the target's cores.
    """
    if profile.crossbar is not None:
        result = _of(fill(graph, profile, options))
        if result.cores > profile.system.cores:
            raise _too_many_cores(profile, result.cores, result.cores_lower_bound)
        return result
    limit = limits(profile)
    if options.max_neurons_per_core is not None:
        limit["neurons"] = max(1, min(limit["neurons"], options.max_neurons_per_core))
    model = model or CostModel(graph, profile, options.encodings)
    populations = graph.of_kind(Population)
    total = _total(model, populations, limit)
    if _least_cores(total, limit) > profile.system.cores:
        _check_single_neurons(model, populations, limit, memory=True)
        raise _too_many_cores(profile, _least_cores(total, limit), _least_cores(total, limit))
    cutter = _Cutter(model, populations, limit, options, all_edges_leave_chip)
    best = cutter.packing(limit)
    least, density = _least_cores(total, limit), None
    if best.cores > _GOOD * least:
        density = density_bound(graph, profile, limit, model.encodings)
        least = max(least, math.ceil(density.cores - 1e-6)) if density else least
    tries = max(_TRIES if best.cores <= _REFINED else 1, _PATIENCE // best.cores) if options.share_cores else 0
    for fractions in _FRACTIONS[:tries]:
        # Parts that fill a core in one resource waste the others: smaller ones of different layers may share it.
        if best.cores <= _GOOD * least:
            break
        try:
            smaller = {name: max(1, int(limit[name] * fractions.get(name, 1))) for name in limit}
            tried = cutter.packing(smaller)
        except CapacityError:
            continue
        best = tried if tried.cores < best.cores else best
    most = _REFINED_LISTS if profile.synapse.memory_model.value == "nxtf" else _REFINED
    if options.share_cores and _GOOD * least < best.cores <= most:
        best = cutter.refined(best, max(least, int(_GOOD * least)))
    result = renumbered(populations, best.parts, limit, total, density)
    if result.cores > profile.system.cores:
        raise _too_many_cores(profile, result.cores, result.cores_lower_bound)
    return result


def least_cores(graph: Graph, profile: Profile) -> int:
    """Cores that any partition of an INTEGER graph takes by the plainest bounds. Raises CapacityError where one neuron
    exceeds a core."""
    if profile.crossbar is not None:
        filler = Filler(graph, profile, MapOptions())
        return _least_cores(total_crossbar_resources(graph, profile), filler.limit)
    model, limit = CostModel(graph, profile, None), limits(profile)
    return _least_cores(_total(model, graph.of_kind(Population), limit), limit)


def _total(model: CostModel, populations: tuple[Population, ...], limit: dict[str, int]) -> dict[str, int]:
    """What any partition takes at least of each resource. Raises CapacityError where one neuron exceeds a core."""
    _check_single_neurons(model, populations, limit)
    total = total_resources(model.graph, model.profile, model)
    return total | {"fan_in_axons": fan_in_axons(model.graph, model.profile, model, limit)}


def by_estimate(graph: Graph, profile: Profile, options: MapOptions) -> Iterator[Partition]:
    """Partitions onto a crossbar's cores by each way to choose windows, where the target has the cores."""
    for filled in fill_by_estimate(graph, profile, options):
        if filled.cores <= profile.system.cores:
            yield _of(filled)


def _of(filled: Filled) -> Partition:
    return Partition(filled.parts, filled.cores, filled.used, filled.limit, filled.total, contents=filled.contents)


def cut_finer(
    graph: Graph, options: MapOptions, model: CostModel, found: Partition, shares: Sequence[float]
) -> Iterator[Partition]:
    """Partitions whose parts take at most such a share of a core's output axons, where there are any; `found` gives
    limits and bounds."""
    populations = graph.of_kind(Population)
    for share in shares:
        limit = found.limit | {"out_axons": max(1, int(share * found.limit["out_axons"]))}
        try:
            packing = _Cutter(model, populations, limit, options, False, POOLED).packing(limit)
        except CapacityError:
            continue
        yield renumbered(populations, packing.parts, found.limit, found.total, found.density)


def _too_many_cores(profile: Profile, cores: int, least: int) -> CapacityError:
    have, chips = profile.system.cores, -(-cores // profile.system.cores_per_chip)
    share = f"leave out {100 - 100 * have // cores} % of its neurons and synapses"
    return CapacityError(
        "the network", "cores", cores, have,
        f"{chips:,} such chips would hold it (a profile of your own: docs/targets.md), or {share} (no mapping needs "
        f"fewer than {count(least, 'core')})",
    )  # fmt: skip


def _check_single_neurons(
    model: CostModel, populations: tuple[Population, ...], limit: dict[str, int], memory: bool = False
) -> None:
    """Raise CapacityError for a population whose neurons have more inputs than a core can receive (or, with `memory`,
    store): no cut helps, and where the target has relay neurons their sums are split before (passes.split_fan_in)."""
    for population in reversed(populations):
        shape = mapped_shape(model.graph, population)
        # Away from the borders, the row with the most synapses.
        rows = np.zeros(shape[0], np.int64)
        for projection in incoming(model.graph, population):
            each = np.count_nonzero(projection.weight.reshape(len(projection.weight), -1), axis=1)
            rows += each if each.size == rows.size else 0
        at = (int(np.argmax(rows)), *((n - 1) // 2 for n in shape[1:]))
        middle = Box(shape, at, tuple(n + 1 for n in at))
        used = model.shape_of(population, middle)
        pieces = [cut(projection, middle) for projection in incoming(model.graph, population)]
        inputs = sum(fan_in(piece.local) for piece in pieces if piece is not None)
        used |= {"fan_in": inputs}
        if memory:
            used |= {"synapse_bits": model.part(population, middle).used["synapse_bits"]}
        with alone():
            for name, value in used.items():
                if value > limit[name]:
                    raise CapacityError(population.name, name, value, limit[name], hint(name, value, limit[name]))
    if any_refused():
        raise unseen("the mapping onto cores")


def _least_cores(total: dict[str, int], limit: dict[str, int]) -> int:
    """Cores that the scarcest resource takes in all."""
    return max(1, *(-(-need // limit[_LIMIT.get(name, name)]) for name, need in total.items()))


class _Cutter:
    """Cuts all populations, again and again under different limits."""

    def __init__(
        self, model: CostModel, populations: tuple[Population, ...], limit: dict[str, int], options: MapOptions,
        all_edges_leave_chip: bool, search: Search = QUICK,
    ) -> None:  # fmt: skip
        self.model, self.populations, self.options, self.share = model, populations, options, options.share_cores
        self.limit = limit
        self.all_edges_leave_chip = all_edges_leave_chip
        # Where a route takes a whole part's spikes to a block, a layer may be cut by channels, each weight stored once:
        # for more traffic, as spikes then go to all parts of the next layer.
        shared = model.profile.synapse.sharing.value == "kernel"
        self.edges = model.profile.routing.out_axon_model.value == "edges"
        fewest = options.objective == "cores" and shared and not self.edges
        self.spares: tuple[float | None, ...] = _SPARES if fewest else (None,)
        extra = model.profile.routing.offchip_cost.value if all_edges_leave_chip else 0
        self.chooser = GridChooser(model, extra, search)

    def packing(self, limit: dict[str, int]) -> Packing:
        """The parts under `limit` on cores: the fewest cores of several ways to cut, and of those with as few the
        fewest bits of synapses and routes. Raises CapacityError."""

        def stored(packing: Packing) -> int:
            routes = 0 if self.edges else sum(part.used["out_axons"] for part in packing.parts)
            return sum(part.used["synapse_bits"] for part in packing.parts) + _ROUTE_BITS * routes

        packed = [_pack(self.cut(limit, spare), self.populations, self.limit, self.options) for spare in self.spares]
        found = [self._joined(each) for each in packed]
        return min(found, key=lambda each: (each.cores, stored(each)))

    def refined(self, packing: Packing, good: int) -> Packing:
        """The parts of another grid for some populations, where they then take fewer cores; ends at `good` cores."""
        feeds = Feeds(self.model.graph, self.model.profile, self.all_edges_leave_chip)
        chip = dict(self.options.pins)
        pins = {p.name: chip.get(p.name, -1) for p in self.populations}
        refiner = Refiner(self.model, self.populations, self.limit, self.chooser, feeds, pins, cuts_of(packing))
        cuts = refiner.search(good)
        pieces = {
            name: [(box, cost, int(out)) for (box, cost), out in zip(cut, refiner.out[name], strict=True)]
            for name, cut in cuts.items()
        }
        found = self._joined(_pack(pieces, self.populations, self.limit, self.options))
        return found if found.cores < packing.cores else packing

    def _joined(self, packing: Packing) -> Packing:
        """Parts of one population on one core as one part, where blocks are stored as in core images."""
        if self.model.profile.synapse.memory_model.value != "codec":
            return packing
        feeds = Feeds(self.model.graph, self.model.profile, self.all_edges_leave_chip)
        return join_parts(self.model, self.populations, packing, feeds)

    def cut(self, limit: dict[str, int], spare: float | None = None) -> Pieces:
        """Boxes of every population under `limit`, with costs and output axons. Raises CapacityError."""
        if not self.edges:
            return self._one_by_one(limit, spare)
        pieces = self._freely(limit)
        if pieces is None:
            pieces = self._together(limit)
        return pieces if pieces is not None else self._one_by_one(limit)

    def _freely(self, limit: dict[str, int]) -> Pieces | None:
        """Boxes of each population as large as fit but for output axons; None where some part has too many of those."""
        feeds = Feeds(self.model.graph, self.model.profile, self.all_edges_leave_chip)
        free = limit | {"out_axons": 1 << 60}
        parts: dict[str, list[tuple[Box, PartCost]]] = {}
        for population in reversed(self.populations):
            parts[population.name] = cut_population(self.model, population, free, limit["neurons"], feeds)
            feeds.set_targets(population, [cost.blocks for _, cost in parts[population.name]])
            if _too_many_out_axons((population,), parts, feeds, self.limit["out_axons"]):
                return None
        if _too_many_out_axons(self.populations, parts, feeds, self.limit["out_axons"]):
            return None
        return self._stored(parts, feeds)

    def _together(self, limit: dict[str, int]) -> Pieces | None:
        """Boxes of grids that are chosen together; None where there are none."""
        model = self.model
        feeds = Feeds(model.graph, model.profile, self.all_edges_leave_chip)
        caps = {p.name: limit["neurons"] for p in self.populations}
        for population in self.populations:
            shape = mapped_shape(model.graph, population)
            if len(shape) == 1:
                cut = cut_rows(model, population, shape, limit, limit["neurons"], feeds)
                caps[population.name] = max(box.volume for box, _ in cut)
        for _ in range(_REFUSALS):
            grids = self.chooser.choose(limit, caps, self.share)
            if isinstance(grids, str):
                return None
            feeds = Feeds(model.graph, model.profile, self.all_edges_leave_chip)
            refused = False
            parts: dict[str, list[tuple[Box, PartCost]]] = {}
            for population in reversed(self.populations):
                name, grid = population.name, grids[population.name]
                found = cut_by(model, population, grid, limit, limit["neurons"], feeds)
                if isinstance(found, Box):
                    self.chooser.refused.add((name, grid))
                    refused = True
                    break
                parts[name] = found
                feeds.set_targets(population, [cost.blocks for _, cost in found])
            if not refused:
                break
        else:
            return None
        if _too_many_out_axons(self.populations, parts, feeds, limit["out_axons"]):
            return None
        return self._stored(parts, feeds)

    def _one_by_one(self, limit: dict[str, int], spare: float | None = None) -> Pieces:
        """Boxes of each population, from the output back to the input, as large as fit. spare: see `cut_grid`."""
        caps = {p.name: limit["neurons"] for p in self.populations}
        feeds = Feeds(self.model.graph, self.model.profile, self.all_edges_leave_chip)
        for _ in range(_ROUNDS):
            parts: dict[str, list[tuple[Box, PartCost]]] = {}
            for population in reversed(self.populations):
                parts[population.name] = cut_population(
                    self.model, population, limit, caps[population.name], feeds, spare
                )
                feeds.set_targets(population, [cost.blocks for _, cost in parts[population.name]])
            over = _too_many_out_axons(self.populations, parts, feeds, limit["out_axons"])
            if not over:
                return self._stored(parts, feeds)
            for name, (used, volume) in over.items():
                if volume == 1:
                    have = limit["out_axons"]
                    raise CapacityError(name, "out_axons", used, have, hint("out_axons", used, have))
                caps[name] = max(1, min(volume - 1, volume * limit["out_axons"] // used))
        name, (used, volume) = next(iter(over.items()))
        raise CapacityError(
            name, "out_axons", used, limit["out_axons"],
            f"put fewer than its {count(volume, 'neuron')} on a core (--max-neurons {max(1, volume // 2):,})",
        )  # fmt: skip

    def _stored(self, parts: dict[str, list[tuple[Box, PartCost]]], feeds: Feeds) -> Pieces:
        """The pieces with what images hold of them, and their output axons."""
        pieces: Pieces = {}
        for p in self.populations:
            boxes = [box for box, _ in parts[p.name]]
            out = feeds.out_axons_of(p, boxes).tolist()
            pieces[p.name] = [
                (box, self.model.part(p, box, as_stored=True), axons) for box, axons in zip(boxes, out, strict=True)
            ]
        return pieces


def _too_many_out_axons(
    populations: tuple[Population, ...],
    parts: dict[str, list[tuple[Box, PartCost]]],
    feeds: Feeds,
    have: int,
) -> dict[str, tuple[int, int]]:
    """Populations with a part over the limit now that all targets are known: (axons needed, neurons of that part)."""
    over: dict[str, tuple[int, int]] = {}
    for population in populations:
        boxes = [box for box, _ in parts[population.name]]
        used = feeds.out_axons_of(population, boxes)
        most = int(used.argmax())
        if used[most] > have:
            over[population.name] = (int(used[most]), boxes[most].volume)
    return over


def _pack(pieces: Pieces, populations: tuple[Population, ...], limit: dict[str, int], options: MapOptions) -> Packing:
    """The parts on cores."""
    chip = dict(options.pins)
    items = [
        Item(population.name, box, cost.blocks, cost.used | {"out_axons": out}, chip.get(population.name, -1))
        for population in reversed(populations)
        for box, cost, out in pieces[population.name]
    ]
    return pack(items, limit, options.share_cores)


def renumbered(
    populations: tuple[Population, ...], placed: tuple[Part, ...], limit: dict[str, int], total: dict[str, int],
    density: DensityBound | None,
) -> Partition:  # fmt: skip
    """The same parts on cores numbered in the order of the network, sorted by core."""
    order = {population.name: index for index, population in enumerate(populations)}
    ranked = sorted(placed, key=lambda part: (order[part.population], part.box.lo))
    number: dict[int, int] = {}
    for part in ranked:
        number.setdefault(part.core, len(number))
    ranked = sorted((replace(part, core=number[part.core]) for part in ranked), key=lambda part: part.core)
    used = {name: np.zeros(len(number), np.int64) for name in RESOURCES}
    for part in ranked:
        for name in RESOURCES:
            value = used[name][part.core]
            used[name][part.core] = max(value, part.used[name]) if name in LARGEST else value + part.used[name]
    return Partition(tuple(ranked), len(number), used, limit, total, density)
