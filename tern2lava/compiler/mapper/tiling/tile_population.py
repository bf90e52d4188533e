"""Cutting one population into boxes that each fit on a core."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Population
from tern2lava.compiler.ir.shapes import Shape, size
from tern2lava.compiler.ir.slices import group_sizes, incoming, mapped_shape
from tern2lava.compiler.mapper.cost.core_cost import LIST_WORDS, RESOURCES, CostModel, PartCost
from tern2lava.compiler.mapper.tiling.fan_out import Feeds
from tern2lava.compiler.mapper.tiling.grids import Grid, axis_choices, grid_choices, total_edges
from tern2lava.errors import CapacityError


def exceeded(used: dict[str, int], limit: dict[str, int]) -> str | None:
    """The first resource over its limit."""
    return next((name for name in RESOURCES if used.get(name, 0) > limit[name]), None)


def fits(
    model: CostModel, population: Population, box: Box, limit: dict[str, int], cap: int, feeds: Feeds | None
) -> PartCost | None:
    """The cost of a box if a core can hold it, output axons looked at where `feeds` are given."""
    if box.volume > cap or exceeded(model.shape_of(population, box), limit):
        return None
    if feeds is not None and feeds.out_axons(population, box) > limit["out_axons"]:
        return None
    try:
        cost = model.part(population, box)
    except CapacityError as error:
        if error.resource == LIST_WORDS:
            return None
        raise
    return None if exceeded(cost.used, limit) else cost


def hint(name: str, used: int, have: int) -> str:
    """What to change in the network where one neuron takes `used` of a core's resource of which there are `have`; what
    keeps the network as it is, advice.advised finds."""
    share = f"{100 * have // max(used, 1)} %"
    return {
        "synapse_bits": f"leave at most {share} of its synapses, or fewer bits a weight (--ternarize twn: 2)"
        ", which changes the network",
        "in_axons": f"prune its neurons to {share} of their inputs ({have:,} axons), which changes the network",
        "fan_in": f"prune its neurons to {have:,} inputs each, which changes the network",
        "out_axons": "its spikes go to more cores than a neuron can reach: leave the layers that it feeds at most "
        f"{share} of their neurons, which changes the network",
        "neurons": f"let a core hold {used:,} of its neurons; smaller groups of channels change the network",
        "dendrites": f"prune its neurons to {share} of their inputs, which changes the network",
    }.get(name, f"let it take at most {share} of that, which changes the network")


def refuse(model: CostModel, population: Population, box: Box, limit: dict[str, int], feeds: Feeds) -> CapacityError:
    """The error for the neurons in `box`, the fewest that could be put on a core."""
    used = model.part(population, box).used | {"out_axons": feeds.out_axons(population, box)}
    name = exceeded(used, limit) or "neurons"
    what = name if box.volume == 1 else f"{name} for {box.volume} neurons"
    return CapacityError(population.name, what, used[name], limit[name], hint(name, used[name], limit[name]))


def cut_population(
    model: CostModel, population: Population, limit: dict[str, int], cap: int, feeds: Feeds,
    spare: float | None = None,
) -> list[tuple[Box, PartCost]]:  # fmt: skip
    """Boxes that cover a population, each fitting on a core, with their costs. spare: see `cut_grid`."""
    shape = mapped_shape(model.graph, population)
    if len(shape) == 1:
        return cut_rows(model, population, shape, limit, cap, feeds)
    return cut_grid(model, population, shape, limit, cap, feeds, spare)


def cut_rows(
    model: CostModel, population: Population, shape: Shape, limit: dict[str, int], cap: int, feeds: Feeds
) -> list[tuple[Box, PartCost]]:
    """Each part takes as many rows as fit (but for one in 200, where more are tried in vain); of a sparse layer those
    that read the same sources, where that makes fewer parts or input axons than the rows in their order."""
    plain = _cut_along(model, population, shape, limit, cap, feeds)
    if len(plain) < 2 or model.regrouper.reads(population) is None:
        return plain
    cuts = [plain]
    # Where memory or output axons are scarce, groups are no larger than what fits of the rows in their order.
    for most in sorted({min(cap, limit["neurons"]), max(box.volume for box, _ in plain)}, reverse=True):
        groups = model.regrouper.groups(population, most, limit["in_axons"])
        boxes = [Box.full(shape).listed(rows) for rows in groups or []]
        costs = [fits(model, population, box, limit, cap, feeds) for box in boxes]
        grouped = [(box, cost) for box, cost in zip(boxes, costs, strict=True) if cost is not None]
        if groups and len(grouped) == len(groups):
            cuts.append(grouped)
            break
    return min(cuts, key=lambda cut: (len(cut), sum(cost.used["in_axons"] for _, cost in cut)))


def _cut_along(
    model: CostModel, population: Population, shape: Shape, limit: dict[str, int], cap: int, feeds: Feeds
) -> list[tuple[Box, PartCost]]:
    """Parts that take rows as they come."""
    result: list[tuple[Box, PartCost]] = []
    low, count, guess = 0, shape[0], min(cap, shape[0])
    while low < count:
        good, bad = 0, min(cap, count - low) + 1
        best: PartCost | None = None
        step = min(guess, bad - 1)
        while bad - good > max(1, good // 200):
            box = Box(shape, (low,), (low + step,))
            cost = fits(model, population, box, limit, cap, feeds)
            if cost is None:
                bad = step
                # Nearly all that rows take grows with their number: what is too much says how many are not.
                over = _times_over(model, population, box, limit)
                step = max(good + 1, min(int(step / over), bad - 1)) if over > 1.01 else (good + bad) // 2
            else:
                good, best = step, cost
                step = min(good + 1, bad - 1) if good == guess else (good + bad) // 2
                guess = -1 if good == guess else guess
        if best is None:
            raise refuse(model, population, Box(shape, (low,), (low + 1,)), limit, feeds)
        result.append((Box(shape, (low,), (low + good,)), best))
        low, guess = low + good, good
    return result


def _times_over(model: CostModel, population: Population, box: Box, limit: dict[str, int]) -> float:
    """How many times its limit a box takes of synaptic memory."""
    try:
        return model.part(population, box).used["synapse_bits"] / limit["synapse_bits"]
    except CapacityError:
        return 1.0


def cut_grid(
    model: CostModel, population: Population, shape: Shape, limit: dict[str, int], cap: int, feeds: Feeds,
    spare: float | None = None,
) -> list[tuple[Box, PartCost]]:  # fmt: skip
    """The regular grid of boxes, all of which fit, that takes the fewest cores here and upstream.

    Upstream, each input axon of a part is an output axon of a source core: as in NxTF's cost of a layer, a grid counts
    its parts plus the input axons of all of them over the output axons of a core.

    A box of some channels at all positions stores the kernels of those channels, and no other box does; a cut along y
    or x stores them again on each side. spare: where given, of the grids with at most `spare` times the boxes that the
    neurons need, those that store each weight least often come first.
    """
    axes = axis_choices(shape, group_sizes(model.graph, population))
    index, counts = grid_choices(axes)
    parts = counts.prod(axis=1)
    axons, upstream = np.zeros(len(index)), np.zeros(len(index))
    for projection in incoming(model.graph, population):
        found, _ = total_edges(projection, axes, index)
        axons += found
        upstream += found * feeds.upstream_price(projection) * (projection.pooling.area if projection.pooling else 1)
    order = np.lexsort((axons, parts, parts + upstream / limit["out_axons"]))
    if spare is not None:
        copies = counts[:, 1] * counts[:, 2]
        few = parts <= spare * -(-size(shape) // cap)
        order = np.lexsort((axons, np.where(few, parts, copies), np.where(few, copies, parts), ~few))
    refused: Box | None = None
    for candidate in order[parts[order] * cap >= size(shape)]:
        grid = Grid(shape, tuple(axis[int(n)] for axis, n in zip(axes, index[candidate], strict=True)))
        cells = cut_by(model, population, grid, limit, cap, feeds)
        if not isinstance(cells, Box):
            return cells
        if refused is None or cells.volume < refused.volume:
            refused = cells
    assert refused is not None
    raise refuse(model, population, refused, limit, feeds)


def cut_by(
    model: CostModel, population: Population, grid: Grid, limit: dict[str, int], cap: int, feeds: Feeds
) -> list[tuple[Box, PartCost]] | Box:
    """The boxes of a grid with their costs, or the first that does not fit on a core."""
    boxes: list[Box] = grid.boxes()
    # The box tried first is the one in the middle: it has no border and costs most.
    middle = len(boxes) // 2
    first = fits(model, population, boxes[middle], limit, cap, feeds)
    if first is None:
        return boxes[middle]
    over = np.flatnonzero(feeds.out_axons_of(population, boxes) > limit["out_axons"])
    if over.size:
        return boxes[int(over[0])]
    pieces: list[tuple[Box, PartCost]] = []
    for at, box in enumerate(boxes):
        cost = first if at == middle else fits(model, population, box, limit, cap, None)
        if cost is None:
            return box
        pieces.append((box, cost))
    return pieces
