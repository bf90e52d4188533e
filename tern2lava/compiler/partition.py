"""Cutting populations into parts and putting parts on cores, under every limit of the target.

A part is a box of a population with all synapses into it. A population is cut by rows where only dense layers feed it,
else by channels and space in a regular grid. Cores are filled first fit, from the output back to the input, because the
output axons of a part depend on the parts that it feeds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from tern2lava.compiler.box import Box
from tern2lava.compiler.cost import LARGEST, LIST_WORDS, RESOURCES, Block, CostModel, PartCost, limits
from tern2lava.compiler.ir import Array, Graph, Input, Population, Projection, Shape, size
from tern2lava.compiler.lower_bound import total_resources
from tern2lava.compiler.slices import channel_cuts, group_sizes, incoming, mapped_shape, source_span
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile

_ROUNDS = 24
_OPEN_CORES = 2048


@dataclass(frozen=True)
class MapOptions:
    """What the user wants of a mapping (what the chip can do stands in the profile).

    max_neurons_per_core: fewer than the core could hold, None for all. placement: name of the algorithm. share_cores:
    parts of several populations may lie on one core. encodings: only these of the profile's, None for all. seed: of
    algorithms that draw random numbers. pins: (population, chip) pairs; these populations share no core with others
    that are pinned elsewhere. spare_cores: cores left free on each chip.
    """

    max_neurons_per_core: int | None = None
    placement: str = "auto"
    share_cores: bool = True
    encodings: tuple[str, ...] | None = None
    seed: int = 0
    pins: tuple[tuple[str, int], ...] = ()
    spare_cores: int = 0


@dataclass(frozen=True)
class Part:
    """Neurons of one population on one core. core: index in the partition; used: by resource name."""

    population: str
    box: Box
    core: int
    blocks: tuple[Block, ...]
    used: dict[str, int]


@dataclass(frozen=True, eq=False)
class Partition:
    """All parts, ordered by core, and what each core uses: used[name] is an array (cores,), limit[name] one core's."""

    parts: tuple[Part, ...]
    cores: int
    used: dict[str, Array]
    limit: dict[str, int]
    total: dict[str, int]

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
    def cores_lower_bound(self) -> int:
        """No mapping under these limits takes fewer cores: the largest ceil(total / limit of one core)."""
        return max(1, *(-(-self.total[name] // self.limit[name]) for name in self.total))


def partition(graph: Graph, profile: Profile, options: MapOptions, *, all_edges_leave_chip: bool = False) -> Partition:
    """The parts of an INTEGER graph and their cores.

    all_edges_leave_chip counts every output axon as if its target were on another chip. Raises CapacityError where one
    neuron exceeds a core, or the whole exceeds the target's cores.
    """
    limit = limits(profile)
    if options.max_neurons_per_core is not None:
        limit["neurons"] = max(1, min(limit["neurons"], options.max_neurons_per_core))
    model = CostModel(graph, profile, options.encodings)
    populations: tuple[Population, ...] = graph.of_kind(Population)
    _check_delays(graph, profile)
    caps = {p.name: limit["neurons"] for p in populations}
    feeds = _Feeds(graph, profile, all_edges_leave_chip)
    for _ in range(_ROUNDS):
        parts: dict[str, list[tuple[Box, PartCost, int]]] = {}
        for population in reversed(populations):
            pieces = _cut_population(model, population, limit, caps[population.name], feeds)
            parts[population.name] = [(box, cost, feeds.out_axons(population, box)) for box, cost in pieces]
            feeds.set_targets(population, [cost.blocks for _, cost in pieces])
        over = _too_many_out_axons(populations, parts, feeds, limit["out_axons"])
        if not over:
            break
        for name, (used, volume) in over.items():
            if volume == 1:
                raise CapacityError(
                    name, "out_axons", used, limit["out_axons"],
                    "its spikes go to more cores than a neuron can reach: make the layers it feeds smaller",
                )  # fmt: skip
            caps[name] = max(1, min(volume - 1, volume * limit["out_axons"] // used))
    else:
        raise CapacityError(
            next(iter(over)), "out_axons", next(iter(over.values()))[0], limit["out_axons"],
            "limit the neurons per core",
        )  # fmt: skip
    for population in populations:
        cut = parts[population.name]
        parts[population.name] = [(box, model.part(population, box, as_stored=True), out) for box, _, out in cut]
    placed = _first_fit(populations, parts, feeds, limit, options.share_cores)
    result = _renumbered(populations, placed, limit, total_resources(graph, profile, model))
    if result.cores > profile.system.cores:
        raise CapacityError(
            "the network", "cores", result.cores, profile.system.cores,
            f"use a target with more chips, or a smaller network (no mapping needs fewer than "
            f"{result.cores_lower_bound:,} cores)",
        )  # fmt: skip
    return result


class _Feeds:
    """Who is fed by whom: for each source population, the blocks that read it, to count output axons."""

    def __init__(self, graph: Graph, profile: Profile, all_edges_leave_chip: bool) -> None:
        self.graph = graph
        self.edges = profile.routing.out_axon_model.value == "edges"
        self.extra = profile.routing.offchip_cost.value if all_edges_leave_chip else 0
        self.shared = profile.routing.shared_cost.value
        self.shares = profile.synapse.sharing.value != "none"
        # source name -> target name -> (boxes lo (n, 3), hi (n, 3), price (n,), boxes), per shape seen
        self.boxes: dict[str, dict[str, list[tuple[Box, int]]]] = {}
        self.stacked: dict[str, dict[Shape, tuple[Array, Array, Array]]] = {}

    def price(self, projection: Projection) -> int:
        """Output axons of one neuron towards one block of a projection (in the `edges` model)."""
        shared = projection.geometry is not None and self.shares
        return (self.shared if shared else 1) + self.extra

    def upstream_price(self, projection: Projection) -> int:
        """Output axons on source cores for each input axon of a projection; inputs come from no core."""
        from_host = isinstance(self.graph[projection.inputs[0]], Input)
        return self.price(projection) if self.edges and not from_host else 0

    def set_targets(self, population: Population, blocks: list[tuple[Block, ...]]) -> None:
        """Replaces what is known about the parts of `population`."""
        for targets in self.boxes.values():
            targets.pop(population.name, None)
        for block in (b for part in blocks for b in part):
            projection = self.graph[block.projection]
            assert isinstance(projection, Projection)
            source = projection.inputs[0]
            entry = self.boxes.setdefault(source, {}).setdefault(population.name, [])
            entry.append((block.source, self.price(projection)))
        self.stacked = {}

    def out_axons(self, population: Population, box: Box) -> int:
        """Output axons that the neurons in `box` need towards all targets known so far."""
        total = 0
        for shape, (lo, hi, price) in self._stack(population.name).items():
            if shape == box.shape:
                extent = np.minimum(hi, box.hi) - np.maximum(lo, box.lo)
                common = np.maximum(extent, 0).prod(axis=1)
            else:
                others = (Box(shape, tuple(a), tuple(b)) for a, b in zip(lo.tolist(), hi.tolist(), strict=True))
                common = np.array([box.common(other) for other in others])
            total += int((common * price).sum()) if self.edges else int((common > 0).sum())
        return total

    def _stack(self, name: str) -> dict[Shape, tuple[Array, Array, Array]]:
        if name not in self.stacked:
            by_shape: dict[Shape, list[tuple[Box, int]]] = {}
            for entries in self.boxes.get(name, {}).values():
                for box, price in entries:
                    by_shape.setdefault(box.shape, []).append((box, price))
            self.stacked[name] = {
                shape: (
                    np.array([b.lo for b, _ in entries]), np.array([b.hi for b, _ in entries]),
                    np.array([price for _, price in entries]),
                )
                for shape, entries in by_shape.items()
            }  # fmt: skip
        return self.stacked[name]


def _check_delays(graph: Graph, profile: Profile) -> None:
    most = profile.synapse.max_delay.value
    for projection in graph.of_kind(Projection):
        if projection.delay > most:
            raise CapacityError(
                projection.name, "steps of delay", projection.delay, most, "shorten the paths that it must wait for"
            )


def _exceeded(used: dict[str, int], limit: dict[str, int]) -> str | None:
    """The first resource over its limit."""
    return next((name for name in RESOURCES if used.get(name, 0) > limit[name]), None)


def _fits(
    model: CostModel, population: Population, box: Box, limit: dict[str, int], cap: int, feeds: _Feeds
) -> PartCost | None:
    """The cost of a box if a core can hold it."""
    if box.volume > cap or _exceeded(model.shape_of(population, box), limit):
        return None
    if feeds.out_axons(population, box) > limit["out_axons"]:
        return None
    try:
        cost = model.part(population, box)
    except CapacityError as error:
        if error.resource == LIST_WORDS:
            return None
        raise
    return None if _exceeded(cost.used, limit) else cost


_HINTS = {
    "synapse_bits": "use fewer inputs to the layer, or a target with more synaptic memory",
    "in_axons": "the layer has more inputs than a core can receive: prune or split its inputs, or use another target",
    "fan_in": "the layer has more inputs than a neuron can have: prune or split its inputs, or use another target",
    "out_axons": "its spikes go to more cores than a neuron can reach: make the layers it feeds smaller",
}


def _refuse(model: CostModel, population: Population, box: Box, limit: dict[str, int], feeds: _Feeds) -> CapacityError:
    """The error for the neurons in `box`, the fewest that could be put on a core."""
    used = model.part(population, box).used | {"out_axons": feeds.out_axons(population, box)}
    name = _exceeded(used, limit) or "neurons"
    what = name if box.volume == 1 else f"{name} for {box.volume} neurons"
    return CapacityError(population.name, what, used[name], limit[name], _HINTS.get(name, "use another target"))


def _cut_population(
    model: CostModel, population: Population, limit: dict[str, int], cap: int, feeds: _Feeds
) -> list[tuple[Box, PartCost]]:
    """Boxes that cover a population, each fitting on a core, with their costs."""
    shape = mapped_shape(model.graph, population)
    if len(shape) == 1:
        return _cut_rows(model, population, shape, limit, cap, feeds)
    return _cut_grid(model, population, shape, limit, cap, feeds)


def _cut_rows(
    model: CostModel, population: Population, shape: Shape, limit: dict[str, int], cap: int, feeds: _Feeds
) -> list[tuple[Box, PartCost]]:
    """Each part takes as many rows as fit."""
    result: list[tuple[Box, PartCost]] = []
    low, count, guess = 0, shape[0], min(cap, shape[0])
    while low < count:
        good, bad = 0, min(cap, count - low) + 1
        best: PartCost | None = None
        step = min(guess, bad - 1)
        while bad - good > 1:
            cost = _fits(model, population, Box(shape, (low,), (low + step,)), limit, cap, feeds)
            if cost is None:
                bad = step
            else:
                good, best = step, cost
            step = (good + bad) // 2 if bad <= guess or good < guess else min(2 * good, bad - 1)
        if best is None:
            raise _refuse(model, population, Box(shape, (low,), (low + 1,)), limit, feeds)
        result.append((Box(shape, (low,), (low + good,)), best))
        low, guess = low + good, good
    return result


def _cut_grid(
    model: CostModel, population: Population, shape: Shape, limit: dict[str, int], cap: int, feeds: _Feeds
) -> list[tuple[Box, PartCost]]:
    """The regular grid of boxes, all of which fit, that takes the fewest cores here and upstream.

    Upstream, each input axon of a part is an output axon of a source core: as in NxTF's cost of a layer, a grid counts
    its parts plus the input axons of all of them over the output axons of a core.
    """
    units = group_sizes(model.graph, population)
    axes: list[dict[int, list[tuple[int, int]]]] = [
        {len(cuts): cuts for width in _widths(shape[0]) for cuts in [channel_cuts(shape[0], width, units)]},
        {len(cuts): cuts for width in _widths(shape[1]) for cuts in [_ranges(shape[1], width)]},
        {len(cuts): cuts for width in _widths(shape[2]) for cuts in [_ranges(shape[2], width)]},
    ]
    counts = np.array(list(product(*axes)))
    parts = counts.prod(axis=1)
    axons, upstream = np.zeros(len(counts)), np.zeros(len(counts))
    for projection in incoming(model.graph, population):
        found = _grid_axons(projection, axes, counts)
        axons += found
        upstream += found * feeds.upstream_price(projection) * (projection.pooling.area if projection.pooling else 1)
    order = np.lexsort((axons, parts, parts + upstream / limit["out_axons"]))
    refused: Box | None = None
    for candidate in order[parts[order] * cap >= size(shape)]:
        grid = list(product(*(axis[int(n)] for axis, n in zip(axes, counts[candidate], strict=True))))
        pieces: list[tuple[Box, PartCost]] = []
        # The box tried first is the one in the middle: it has no border and costs most.
        middle = len(grid) // 2
        for at in (middle, *range(middle), *range(middle + 1, len(grid))):
            box = Box(shape, tuple(r[0] for r in grid[at]), tuple(r[1] for r in grid[at]))
            cost = _fits(model, population, box, limit, cap, feeds)
            if cost is None:
                refused = box if refused is None or box.volume < refused.volume else refused
                break
            pieces.append((box, cost))
        else:
            return sorted(pieces, key=lambda piece: piece[0].lo)
    assert refused is not None
    raise _refuse(model, population, refused, limit, feeds)


def _grid_axons(projection: Projection, axes: list[dict[int, list[tuple[int, int]]]], counts: Array) -> Array:
    """Input axons of all boxes of each grid together, for one projection. counts (grids, 3) are the cuts by axis."""
    geometry = projection.geometry
    if geometry is None:
        every: Array = counts.prod(axis=1).astype(float) * projection.weight.shape[1]
        return every
    total = np.ones(len(counts))
    for axis in range(3):
        span: dict[int, float] = {}
        for count, cuts in axes[axis].items():
            span[count] = sum(source_span(geometry, projection.weight.shape[2:], axis, low, high) for low, high in cuts)
        total *= np.array([span[int(n)] for n in counts[:, axis]])
    return total


def _widths(length: int) -> list[int]:
    """The different widths ceil(length / n), widest first."""
    return sorted({-(-length // n) for n in range(1, length + 1)}, reverse=True)


def _ranges(length: int, width: int) -> list[tuple[int, int]]:
    return [(low, min(low + width, length)) for low in range(0, length, width)]


def _too_many_out_axons(
    populations: tuple[Population, ...],
    parts: dict[str, list[tuple[Box, PartCost, int]]],
    feeds: _Feeds,
    have: int,
) -> dict[str, tuple[int, int]]:
    """Populations with a part over the limit now that all targets are known: (axons needed, neurons of that part)."""
    over: dict[str, tuple[int, int]] = {}
    for population in populations:
        for box, _, _ in parts[population.name]:
            used = feeds.out_axons(population, box)
            if used > have and used > over.get(population.name, (0, 0))[0]:
                over[population.name] = (used, box.volume)
    return over


def _first_fit(
    populations: tuple[Population, ...],
    parts: dict[str, list[tuple[Box, PartCost, int]]],
    feeds: _Feeds,
    limit: dict[str, int],
    share: bool,
) -> list[Part]:
    """Parts on the first core with room, populations from last to first. `core` numbers cores as they were opened."""
    most = np.array([limit[name] for name in RESOURCES])
    largest = np.array([name in LARGEST for name in RESOURCES])
    load = np.zeros((0, len(RESOURCES)), np.int64)
    placed: list[Part] = []
    opened = 0
    for population in reversed(populations):
        for box, cost, _ in parts[population.name]:
            used = cost.used | {"out_axons": feeds.out_axons(population, box)}
            need = np.array([used[name] for name in RESOURCES])
            core = -1
            if share:
                first = max(0, opened - _OPEN_CORES)
                after = np.where(largest, np.maximum(load[first:opened], need), load[first:opened] + need)
                room = np.flatnonzero((after <= most).all(axis=1))
                core = first + int(room[0]) if room.size else -1
            if core < 0:
                core, opened = opened, opened + 1
                if opened > len(load):
                    load = np.concatenate([load, np.zeros((max(64, len(load)), len(RESOURCES)), np.int64)])
            load[core] = np.where(largest, np.maximum(load[core], need), load[core] + need)
            placed.append(Part(population.name, box, core, cost.blocks, used))
    return placed


def _renumbered(
    populations: tuple[Population, ...], placed: list[Part], limit: dict[str, int], total: dict[str, int]
) -> Partition:
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
            used[name][part.core] = (
                max(value, part.used[name]) if name in LARGEST else value + part.used[name]
            )
    return Partition(tuple(ranked), len(number), used, limit, total)
