"""Lower bounds on cores against an exhaustive search over every partition of very small networks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from nets import codes, convolution, geometry, integer_graph, neurons, variant
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Input, Node, Population, Projection
from tern2lava.compiler.ir.shapes import Array, Shape, size
from tern2lava.compiler.ir.slices import mapped_shape
from tern2lava.compiler.mapper.cost.core_cost import LARGEST, RESOURCES, CostModel, limits
from tern2lava.compiler.mapper.lower_bounds.tile_program import density_bound
from tern2lava.compiler.mapper.lower_bounds.totals import fan_in_axons, total_resources
from tern2lava.compiler.mapper.partition import partition
from tern2lava.compiler.mapper.tiling.fan_out import Feeds
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile

Need = dict[str, int]


def network(rng: np.random.Generator) -> Graph:
    """Two layers of at most six neurons, convolutions or dense."""
    shape: Shape = (int(rng.integers(1, 3)), int(rng.integers(1, 3)), int(rng.integers(2, 5)))
    nodes: list[Node] = [Input(name="n0", shape=shape)]
    for index in (1, 2):
        name, source = f"w{index}", f"n{index - 1}"
        mine: Shape = ()
        if rng.random() < 0.6 and len(shape) == 3:
            kernel = (int(rng.integers(1, min(3, shape[1]) + 1)), int(rng.integers(1, min(3, shape[2]) + 1)))
            padding = (int(rng.integers(0, 2)),) * 4
            area = size(geometry(shape, 1, kernel, padding=padding).out_shape)
            if area <= 6:
                mine = geometry(shape, min(2, 6 // area), kernel, padding=padding).out_shape
        if mine:
            wire = convolution(name, source, shape, codes(rng, mine[0], shape[0], *kernel), padding=padding)
        else:
            mine = (int(rng.integers(2, 6)),)
            wire = Projection(name=name, inputs=(source,), weight=codes(rng, mine[0], size(shape)))
        nodes += [wire, neurons(f"n{index}", name, mine)]
        shape = mine
    return integer_graph(*nodes)


def tilings(shape: Shape) -> Iterator[tuple[Box, ...]]:
    """Every way to cut a population into boxes."""

    def more(free: Array) -> Iterator[tuple[Box, ...]]:
        if not free.any():
            yield ()
            return
        lo = tuple(int(i) for i in np.unravel_index(int(free.argmax()), shape))
        for hi in product(*(range(low + 1, n + 1) for low, n in zip(lo, shape, strict=True))):
            place = tuple(slice(a, b) for a, b in zip(lo, hi, strict=True))
            if free[place].all():
                left = free.copy()
                left[place] = False
                for rest in more(left):
                    yield (Box(shape, lo, hi), *rest)

    yield from more(np.ones(shape, bool))


def fit(items: list[Need], limit: Need, cores: int) -> bool:
    """Whether items fit on this number of cores, by trying every assignment."""

    def more(index: int, loads: tuple[tuple[int, ...], ...]) -> bool:
        if index == len(items):
            return True
        for core in range(min(len(loads) + 1, cores)):
            load = loads[core] if core < len(loads) else (0,) * len(RESOURCES)
            after = tuple(
                max(have, items[index][name]) if name in LARGEST else have + items[index][name]
                for name, have in zip(RESOURCES, load, strict=True)
            )
            if all(value <= limit[name] for name, value in zip(RESOURCES, after, strict=True)) and more(
                index + 1, (*loads[:core], after, *loads[core + 1 :])
            ):
                return True
        return False

    return more(0, ())


def fewest(graph: Graph, profile: Profile, limit: Need, most: int) -> int:
    """The fewest cores of any partition, most + 1 where none takes `most` or fewer."""
    model = CostModel(graph, profile)
    populations = graph.of_kind(Population)
    best = most + 1
    for cuts in product(*(list(tilings(mapped_shape(graph, p))) for p in populations)):
        feeds = Feeds(graph, profile, all_edges_leave_chip=False)
        costs = [[model.part(p, box, as_stored=True) for box in cut] for p, cut in zip(populations, cuts, strict=True)]
        for population, cost in zip(populations, costs, strict=True):
            feeds.set_targets(population, [c.blocks for c in cost])
        items = [
            c.used | {"out_axons": feeds.out_axons(p, box)}
            for p, cut, cost in zip(populations, cuts, costs, strict=True)
            for box, c in zip(cut, cost, strict=True)
        ]
        if any(item[name] > limit[name] for item in items for name in RESOURCES):
            continue
        while best > 1 and fit(items, limit, best - 1):
            best -= 1
    return best


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_no_partition_of_a_small_network_takes_fewer_cores_than_the_bounds(target: str) -> None:
    rng = np.random.default_rng(7)
    met, judged = 0, 0
    for _ in range(24):
        graph = network(rng)
        edges = str(rng.choice(["edges", "ranges"]))
        profile = variant(
            target, core__neurons=int(rng.integers(3, 9)), core__in_axons=int(rng.integers(4, 15)),
            core__out_axons=int(rng.integers(4, 20)), core__synapse_memory=int(rng.integers(10, 40)) * 64,
            routing__out_axon_model=edges,
        )  # fmt: skip
        limit = limits(profile)
        model = CostModel(graph, profile)
        total = total_resources(graph, profile, model)
        density = density_bound(graph, profile, limit, model.encodings)
        assert density is not None
        bound = math.ceil(density.cores - 1e-6)
        plain = max(-(-total[name] // limit[name]) for name in total)
        try:
            found = partition(graph, profile, MapOptions()).cores
        except CapacityError:
            continue
        best = fewest(graph, profile, limit, found)
        # The search holds the partition that was found, and no bound is above it.
        assert best <= found
        assert plain <= best
        assert -(-fan_in_axons(graph, profile, model, limit) // limit["in_axons"]) <= best
        assert bound <= best
        judged += 1
        met += plain == best or bound == best
    assert judged >= 10
    # Bounds that are never met would show nothing.
    assert met >= judged // 4
