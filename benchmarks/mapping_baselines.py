"""What other mappers do: one population a core, and sequential filling."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import product

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Array, Shape
from tern2lava.compiler.ir.slices import cut, fan_in, group_sizes, incoming, mapped_shape
from tern2lava.compiler.mapper.cost.core_cost import Block, CostModel, PartCost, limits, parameter_sets
from tern2lava.compiler.mapper.crossbar.first_fit import Core, Filler, Segment
from tern2lava.compiler.mapper.crossbar.local_search import settled
from tern2lava.compiler.mapper.crossbar.parts import on_cores
from tern2lava.compiler.mapper.crossbar.window_search import Planner
from tern2lava.compiler.mapper.crossbar.windows import axons_per_source, bits_of, crossbar_of, fold_of, window_sources
from tern2lava.compiler.mapper.packing.first_fit import Part
from tern2lava.compiler.mapper.partition import Partition, renumbered
from tern2lava.compiler.mapper.tiling.fan_out import Feeds
from tern2lava.compiler.mapper.tiling.grids import Cuts, ranges
from tern2lava.compiler.mapper.tiling.tile_population import fits
from tern2lava.compiler.options import MapOptions
from tern2lava.hw_profiles import Profile

FREE = 1 << 60


def one_a_core(graph: Graph, profile: Profile) -> str:
    """Cores when each population takes one (nengo-loihi's first allocator), or the first population too large for it.

    Output axons are not looked at: they depend on the other populations.
    """
    model, limit = CostModel(graph, profile), limits(profile) | {"out_axons": FREE}
    populations: tuple[Population, ...] = graph.of_kind(Population)
    for population in populations:
        box = Box.full(mapped_shape(graph, population))
        if _cost(model, population, box, limit) is None:
            return f"{population.name} too large"
    return str(len(populations))


def sequential(graph: Graph, profile: Profile) -> Partition:
    """Sequential filling: each population cut in the order of its neurons, every part as many as fit, each on the core
    of the last one while that has room, else on the next.

    An image goes by channels, then rows: in as few bands of rows (and then of columns) as let one channel fit, as many
    channels as fit. Output axons are looked at only where cores have too few without: then readers are cut first, since
    axons go to their parts, and where one chip is too small all axons count as leaving it. On a crossbar, bands are the
    windows that neurons are copied for (crossbar/windows.py), in as few as let one channel of neurons fit without
    copies. Raises ValueError or CapacityError where that fits nowhere.
    """
    if profile.crossbar is not None:
        return _windows_in_order(graph, profile)
    found = _filled(graph, profile, all_edges_leave_chip=False, free=True)
    if (found.used["out_axons"] <= limits(profile)["out_axons"]).all():
        return found
    found = _filled(graph, profile, all_edges_leave_chip=False, free=False)
    if found.cores > profile.system.cores_per_chip and profile.routing.offchip_cost.value:
        found = _filled(graph, profile, all_edges_leave_chip=True, free=False)
    return found


def _windows_in_order(graph: Graph, profile: Profile) -> Partition:
    filler = _InOrder(graph, profile, MapOptions())
    planner = Planner(filler)
    found = settled(planner, {p.name: _bands(graph, profile, p) for p in planner.populations})
    filled = on_cores(filler, found.cores, found.copies, {}, 0)
    return Partition(filled.parts, filled.cores, filled.used, filled.limit, {"neurons": 1})


def _bands(graph: Graph, profile: Profile, population: Population) -> tuple[Cuts, ...]:
    shape, crossbar = mapped_shape(graph, population), crossbar_of(profile)
    if len(shape) == 1:
        return (((0, shape[0]),),)
    bits, delay = bits_of(graph, population, profile), max(wire.delay for wire in incoming(graph, population))
    # All channels, or where their axons are too many those of one group.
    for wide in (shape[0], *group_sizes(graph, population)):
        for height, width in _lengths(shape):
            grid = (ranges(shape[0], wide), ranges(shape[1], height), ranges(shape[2], width))
            fold = fold_of(profile, int(window_sources(graph, population, grid).max()))
            room = fold <= crossbar.fold.value and (delay + 1) * fold <= crossbar.timeslots.value
            if room and height * width * bits * fold <= crossbar.columns.value:
                return grid
    raise ValueError(f"{population.name}: not even one neuron fits on a core")


def _lengths(shape: Shape) -> Iterator[tuple[int, int]]:
    """Heights and widths of bands: whole rows, ever fewer, then pieces of one row."""
    cuts = [(bands, 1) for bands in range(1, shape[1] + 1)] + [(shape[1], across) for across in range(2, shape[2] + 1)]
    for bands, across in cuts:
        yield -(-shape[1] // bands), -(-shape[2] // across)


class _InOrder(Filler):
    """Fills cores in the order of the network, and opens the next where the last has no room."""

    def packed(self, segments: list[Segment]) -> list[Core]:
        cores: list[Core] = []
        for segment in segments:
            if not cores or cores[-1].kind != segment.kind or not self.has_room(cores[-1], segment):
                cores.append(Core(segment.kind, []))
            cores[-1].add(segment)
        return cores


def _filled(graph: Graph, profile: Profile, *, all_edges_leave_chip: bool, free: bool) -> Partition:
    """The same for output axons that are priced so, or do not matter."""
    model, limit = CostModel(graph, profile, MapOptions().encodings), limits(profile)
    limit |= {"out_axons": FREE} if free else {}
    populations: tuple[Population, ...] = graph.of_kind(Population)
    feeds = Feeds(graph, profile, all_edges_leave_chip)
    boxes: dict[str, list[tuple[Box, PartCost]]] = {}
    # A second time for what a population sends to itself and to those before it, if it does.
    at = {p.name: index for index, p in enumerate(populations)}
    back = any(at.get(w.inputs[0], -1) >= at[p.name] for p in populations for w in incoming(graph, p))
    for _ in range(1 + back):
        for population in reversed(populations):
            boxes[population.name] = _in_order(model, population, limit, feeds)
            feeds.set_targets(population, [cost.blocks for _, cost in boxes[population.name]])
    parts: list[Part] = []
    core, load = -1, dict.fromkeys(limit, 0)
    for population in populations:
        out = feeds.out_axons_of(population, [box for box, _ in boxes[population.name]]).tolist()
        for (box, cost), axons in zip(boxes[population.name], out, strict=True):
            used = cost.used | {"out_axons": axons}
            after = {name: load[name] + used.get(name, 0) for name in limit}
            after["fan_in"] = used["fan_in"]
            if core < 0 or any(after[name] > limit[name] for name in limit):
                core, after = core + 1, dict.fromkeys(limit, 0) | used
            load = after
            parts.append(Part(population.name, box, core, cost.blocks, used))
    return renumbered(populations, tuple(parts), limit, {"neurons": 1}, None)


class _Sent:
    """Output axons of boxes of a population towards the parts cut so far."""

    def __init__(self, feeds: Feeds, population: Population, shape: Shape) -> None:
        self.feeds, self.population = feeds, population
        self.sums: Array | None = None
        if feeds.edges:
            # They add up over neurons, so that sums from the first corner give those of each box.
            cells = [Box(shape, at, tuple(n + 1 for n in at)) for at in np.ndindex(*shape)]
            sums = feeds.out_axons_of(population, cells).reshape(shape)
            for axis in range(len(shape)):
                sums = np.cumsum(sums, axis=axis)
            self.sums = np.pad(sums, [(1, 0)] * len(shape))

    def __call__(self, box: Box) -> int:
        if self.sums is None:
            return self.feeds.out_axons(self.population, box)
        corners = product(*(((low, -1), (high, 1)) for low, high in zip(box.lo, box.hi, strict=True)))
        return sum(
            math.prod(sign for _, sign in corner) * int(self.sums[tuple(at for at, _ in corner)]) for corner in corners
        )


def _in_order(
    model: CostModel, population: Population, limit: dict[str, int], feeds: Feeds
) -> list[tuple[Box, PartCost]]:  # fmt: skip
    shape = mapped_shape(model.graph, population)
    sent = _Sent(feeds, population, shape)
    if len(shape) == 1:
        rows = _slabs(model, population, shape, (), (), limit, sent)
        if not rows:
            raise ValueError(f"{population.name}: not even one neuron fits on a core")
        return rows
    for height, width in _lengths(shape):
        found = []
        for top, left in product(range(0, shape[1], height), range(0, shape[2], width)):
            end = (min(top + height, shape[1]), min(left + width, shape[2]))
            slabs = _slabs(model, population, shape, (top, left), end, limit, sent)
            if not slabs:
                break
            found += slabs
        else:
            return found
    raise ValueError(f"{population.name}: not even one neuron fits on a core")


def _slabs(
    model: CostModel, population: Population, shape: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...],
    limit: dict[str, int], sent: _Sent,
) -> list[tuple[Box, PartCost]]:  # fmt: skip
    """As many indices along the first axis as fit, again and again; none where one does not fit."""
    found: list[tuple[Box, PartCost]] = []
    groups = group_sizes(model.graph, population)
    at = 0
    while at < shape[0]:
        # Channels of one group, or whole groups.
        steps = [step for step in range(1, shape[0] - at + 1) if all(_whole(at, at + step, per) for per in groups)]
        good, bad, best = 0, len(steps) + 1, None
        first = found[-1][0].extent[0] if found else steps[-1]
        turn = bisect_right(steps, first)
        while bad - good > 1:
            box = Box(shape, (at, *low), (at + steps[turn - 1], *high))
            room = sent(box) <= limit["out_axons"]
            cost = fits(model, population, box, limit, limit["neurons"], None) if room else None
            good, bad, best = (good, turn, best) if cost is None else (turn, bad, (box, cost))
            turn = (good + bad) // 2
        if best is None:
            return []
        found.append(best)
        at += steps[good - 1]
    return found


def _whole(low: int, high: int, per_group: int) -> bool:
    """Whether channels low to high - 1 lie in one group, or are whole groups."""
    return low // per_group == (high - 1) // per_group or (low % per_group == 0 and high % per_group == 0)


def _cost(model: CostModel, population: Population, box: Box, limit: dict[str, int]) -> PartCost | None:
    """What a part takes if a core can hold it. On a crossbar (crossbar/windows.py) no neuron is copied: its readers
    have a core each."""
    profile, crossbar = model.profile, model.profile.crossbar
    if crossbar is None:
        return fits(model, population, box, limit, limit["neurons"], None)
    shape = model.shape_of(population, box)
    each, fold = axons_per_source(profile), fold_of(profile, shape["in_axons"])
    columns = box.volume * bits_of(model.graph, population, profile) * fold
    if fold > crossbar.fold.value or columns > crossbar.columns.value:
        return None
    whole = model.profile.crossbar is not None
    cuts = [(wire, cut(wire, box, whole=whole)) for wire in incoming(model.graph, population)]
    pieces = [(wire, piece) for wire, piece in cuts if piece is not None]
    blocks = tuple(
        Block(wire.name, piece.source, "", "", 0, piece.axons * each, fan_in(piece.local), 0) for wire, piece in pieces
    )
    axons = shape["in_axons"] * each
    bits = columns * crossbar.inputs.value if crossbar.planes.value == "columns" else axons * crossbar.columns.value
    used = {"neurons": box.volume, "synapse_bits": bits, "in_axons": axons, "fan_in": sum(b.fan_in for b in blocks)}
    used |= dict(zip(("threshold_sets", "decay_sets"), parameter_sets(population, box), strict=True))
    return None if any(used[name] > limit[name] for name in used) else PartCost(used, blocks)
