"""What other mappers do: one population a core, and sequential filling."""

from __future__ import annotations

from bisect import bisect_right
from itertools import product

from tern2lava.compiler.box import Box
from tern2lava.compiler.cost import Block, CostModel, PartCost, limits, parameter_sets
from tern2lava.compiler.crossbar import axons_per_source, bits_of, fold_of
from tern2lava.compiler.cutting import fits
from tern2lava.compiler.ir import Graph, Population
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.pack import Part
from tern2lava.compiler.partition import Partition, renumbered
from tern2lava.compiler.slices import cut, fan_in, group_sizes, incoming, mapped_shape
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
    channels as fit. Output axons are not limited and no neuron is copied for its readers, which only makes it look
    better.
    """
    model, limit = CostModel(graph, profile, MapOptions().encodings), limits(profile) | {"out_axons": FREE}
    populations: tuple[Population, ...] = graph.of_kind(Population)
    parts: list[Part] = []
    core, load = -1, dict.fromkeys(limit, 0)
    room = limit
    for population in populations:
        for box, cost in _in_order(model, population, limit):
            after = {name: load[name] + cost.used.get(name, 0) for name in limit}
            after["fan_in"] = cost.used["fan_in"]
            own = limit | {"in_axons": _axons(profile, cost.used["in_axons"], limit["in_axons"])}
            if core < 0 or own != room or any(after[name] > room[name] for name in limit):
                core, after = core + 1, dict.fromkeys(limit, 0) | cost.used
            load, room = after, own
            parts.append(Part(population.name, box, core, cost.blocks, cost.used | {"out_axons": 0}))
    return renumbered(populations, tuple(parts), limit, {"neurons": 1}, None)


def _in_order(model: CostModel, population: Population, limit: dict[str, int]) -> list[tuple[Box, PartCost]]:
    shape = mapped_shape(model.graph, population)
    if len(shape) == 1:
        return _slabs(model, population, shape, (), (), limit)
    cuts = [(bands, 1) for bands in range(1, shape[1] + 1)] + [(shape[1], across) for across in range(2, shape[2] + 1)]
    for bands, across in cuts:
        height, width = -(-shape[1] // bands), -(-shape[2] // across)
        found = []
        for top, left in product(range(0, shape[1], height), range(0, shape[2], width)):
            end = (min(top + height, shape[1]), min(left + width, shape[2]))
            slabs = _slabs(model, population, shape, (top, left), end, limit)
            if not slabs:
                break
            found += slabs
        else:
            return found
    raise ValueError(f"{population.name}: not even one neuron fits on a core")


def _slabs(
    model: CostModel, population: Population, shape: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...],
    limit: dict[str, int],
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
            cost = _cost(model, population, box, limit)
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


def _axons(profile: Profile, axons: int, limit: int) -> int:
    """Input axons of a core that holds a part with so many: where they cross all neurons, those of its fold."""
    if profile.crossbar is None:
        return limit
    return profile.crossbar.inputs.value * fold_of(profile, axons // axons_per_source(profile))


def _cost(model: CostModel, population: Population, box: Box, limit: dict[str, int]) -> PartCost | None:
    """What a part takes if a core can hold it. On a crossbar (compiler/crossbar.py) no neuron is copied."""
    profile, crossbar = model.profile, model.profile.crossbar
    if crossbar is None:
        return fits(model, population, box, limit, limit["neurons"], None)
    shape = model.shape_of(population, box)
    each, fold = axons_per_source(profile), fold_of(profile, shape["in_axons"])
    columns = box.volume * bits_of(model.graph, population, profile) * fold
    if fold > crossbar.fold.value or columns > crossbar.columns.value:
        return None
    pieces = [(wire, piece) for wire in incoming(model.graph, population) if (piece := cut(wire, box)) is not None]
    blocks = tuple(
        Block(wire.name, piece.source, "", "", 0, piece.axons * each, fan_in(piece.local), 0) for wire, piece in pieces
    )
    axons = shape["in_axons"] * each
    bits = columns * crossbar.inputs.value if crossbar.planes.value == "columns" else axons * crossbar.columns.value
    used = {"neurons": box.volume, "synapse_bits": bits, "in_axons": axons, "fan_in": sum(b.fan_in for b in blocks)}
    used |= dict(zip(("threshold_sets", "decay_sets"), parameter_sets(population, box), strict=True))
    return None if any(used[name] > limit[name] for name in used) else PartCost(used, blocks)
