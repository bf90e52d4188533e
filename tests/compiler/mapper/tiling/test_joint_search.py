"""Grids of all populations together: fewer output axons where these are pooled, and cuts that see padding longer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nets import convolutions, variant
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Population
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.ir.slices import incoming
from tern2lava.compiler.mapper.cost.core_cost import CostModel, limits
from tern2lava.compiler.mapper.tiling.grids import Grid
from tern2lava.compiler.mapper.tiling.joint_search import POOLED, QUICK, GridChooser, Search
from tern2lava.compiler.mapper.tiling.memory_estimate import MemoryEstimate
from tern2lava.hw_profiles import Profile, load_profile

CHANNELS, LENGTH = 6, 16


@pytest.fixture
def target() -> Profile:
    return variant(
        "tiny", core__neurons=64, core__out_axons=200, core__in_axons=512, core__synapse_memory=1 << 16,
        routing__out_axon_model="edges", routing__shared_cost=2,
    )  # fmt: skip


def output_axons(chooser: GridChooser, grids: dict[str, Grid]) -> dict[str, Array]:
    """Of each box, by population."""
    populations: tuple[Population, ...] = chooser.graph.of_kind(Population)
    result = {p.name: np.zeros_like(grids[p.name].volumes) for p in populations}
    for reader in populations:
        for source in {wire.inputs[0] for wire in incoming(chooser.graph, reader)} & set(result):
            result[source] = result[source] + chooser.entries(source, grids[source], reader, grids[reader.name])
    return result


@pytest.fixture
def chosen(target: Profile) -> Callable[[Search, float], dict[str, Array]]:
    """Output axons of boxes that take at most a share of a core's."""
    graph = convolutions(4, CHANNELS, LENGTH)
    model = CostModel(graph, target, None)

    def choose(search: Search, share: float) -> dict[str, Array]:
        chooser = GridChooser(model, 0, search)
        limit = limits(target) | {"out_axons": int(200 * share)}
        grids = chooser.choose(limit, {p.name: 64 for p in graph.of_kind(Population)}, share=True)
        assert not isinstance(grids, str)
        return output_axons(chooser, grids)

    return choose


@pytest.mark.parametrize("share", [1.0, 0.6, 0.4])
def test_pooled_output_axons_are_fewer_and_no_box_has_more_than_its_share(
    chosen: Callable[[Search, float], dict[str, Array]], share: float
) -> None:
    quick, pooled = chosen(QUICK, share), chosen(POOLED, share)
    assert sum(map(np.sum, pooled.values())) < 0.98 * sum(map(np.sum, quick.values()))
    assert max(map(np.max, pooled.values())) <= 200 * share


def test_cuts_that_see_padding_may_be_longer_where_output_axons_are_pooled(target: Profile) -> None:
    graph = convolutions(2, CHANNELS, LENGTH)
    population = graph.of_kind(Population)[1]
    found: dict[str, list[Grid]] = {}
    for name, search in {"quick": QUICK, "pooled": POOLED}.items():
        chooser = GridChooser(CostModel(graph, target, None), 0, search)
        found[name] = [c.grid for c in chooser.candidates(population, limits(target), 64)]

    def longer_at_borders(grid: Grid) -> bool:
        lengths = [high - low for low, high in grid.axes[1]]
        return len(lengths) > 2 and min(lengths[0], lengths[-1]) > max(lengths[1:-1])

    assert any(map(longer_at_borders, found["pooled"]))
    assert not any(map(longer_at_borders, found["quick"]))


def test_the_memory_of_a_grid_is_that_of_its_longest_box() -> None:
    graph, target = convolutions(2, CHANNELS, LENGTH), load_profile("loihi1")
    population = graph.of_kind(Population)[1]
    estimate = MemoryEstimate(CostModel(graph, target, None))
    shape = (CHANNELS, LENGTH, LENGTH)
    whole, columns = ((0, CHANNELS),), ((0, LENGTH),)
    uneven = Grid(shape, (whole, ((0, 6), (6, 7), (7, 8), (8, 16)), columns))
    assert uneven.longest() == Box(shape, (0, 8, 0), (CHANNELS, 16, LENGTH))
    even = Grid(shape, (whole, ((0, 8), (8, 16)), columns))
    assert estimate.bits(population, uneven) == estimate.bits(population, even)
