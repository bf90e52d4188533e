"""Windows changed on trial, and cut where an image ends: fewer cores than estimates find, never more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nets import codes, convolution, integer_graph, neurons, same, variant
from random_crossbars import Sketch, small_crossbar
from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.mapper.crossbar import local_search
from tern2lava.compiler.mapper.crossbar.first_fit import Filler
from tern2lava.compiler.mapper.crossbar.local_search import estimated, refined, settled
from tern2lava.compiler.mapper.crossbar.window_search import Planner
from tern2lava.compiler.mapper.crossbar.windows import grids, window_sources
from tern2lava.compiler.mapper.partition import by_estimate
from tern2lava.compiler.mapper.search import objectives
from tern2lava.compiler.mapper.search.objectives import make_plan
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.expand_pooling import unpooled_graph
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile, load_profile

PAICORE = load_profile("paicore2")


def planner_of(graph: Graph, profile: Profile, **options: Any) -> Planner:
    return Planner(Filler(graph, profile, MapOptions(**options)))


def population(graph: Graph, name: str) -> Population:
    found = graph[name]
    assert isinstance(found, Population)
    return found


def two_layers(length: int, stride: int) -> Graph:
    """28 x 28 - 16c4s2 - 32c3s2 where length is 28 and stride 2."""
    rng = np.random.default_rng(0)
    first = convolution("wa", "x", (1, length, length), codes(rng, 16, 1, 4, 4), stride=(stride, stride))
    shape = first.geometry.out_shape  # type: ignore[union-attr]
    second = convolution("wb", "a", shape, codes(rng, 32, 16, 3, 3), stride=(2, 2))
    return integer_graph(
        Input(name="x", shape=(1, length, length)), first, neurons("a", "wa", shape),
        second, neurons("b", "wb", second.geometry.out_shape, start=1),  # type: ignore[union-attr]
    )  # fmt: skip


def test_a_window_that_sees_padding_is_longer() -> None:
    rng = np.random.default_rng(0)
    shape = (128, 8, 8)
    graph = integer_graph(
        Input(name="x", shape=shape), convolution("w", "x", shape, codes(rng, 256, 128, 3, 3), padding=same(3, 3)),
        neurons("a", "w", (256, 8, 8)),
    )  # fmt: skip
    # In the middle 2 rows see 4, at a border 3 do.
    cuts = ((0, 3), (3, 5), (5, 8))
    found = [grid for grid in grids(graph, population(graph, "a")) if grid[1:] == (cuts, cuts)]
    assert len(found) == 1
    assert set(window_sources(graph, population(graph, "a"), found[0]).tolist()) == {128 * 4 * 4}


def test_uneven_windows_fill_whole_cores() -> None:
    # 6 x 6 positions of 32 neurons: 3 windows of 12 positions take 2 cores each, windows of 8 and of 4 fill 5.
    graph = two_layers(28, 2)
    planner = planner_of(graph, PAICORE)
    at = planner.one_by_one(1)
    found = {}
    for grid in grids(graph, population(graph, "b")):
        lengths = tuple(tuple(high - low for low, high in cuts) for cuts in grid[1:])
        cores = settled(planner, at | {"b": grid}).cores if lengths in (((6,), (2, 2, 2)), ((4, 2), (2, 2, 2))) else []
        found[lengths] = sum(any(s.plan.population.name == "b" for s in core.segments) for core in cores)
    assert found[(6,), (2, 2, 2)] == 6
    assert found[(4, 2), (2, 2, 2)] == 5


def test_a_short_image_is_cut_in_windows_of_two_lengths() -> None:
    graph = two_layers(28, 2)
    lengths = {tuple(high - low for low, high in grid[1]) for grid in grids(graph, population(graph, "b"))}
    # Pairs of rows and then single ones: what pairs leave of a core's axons is too little for other windows.
    assert {(6,), (4, 2), (2, 2, 2), (2, 2, 1, 1), (2, 1, 1, 1, 1), (1,) * 6} <= lengths


def test_what_is_tried_takes_fewer_cores_than_what_is_estimated() -> None:
    planner = planner_of(two_layers(28, 2), PAICORE)
    starts = estimated(planner)
    assert len(refined(planner, starts, 0).cores) < len(starts[0].cores)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 100_000), target=st.sampled_from(["paicore2", "truenorth"]))
def test_what_is_tried_never_takes_more_cores_than_what_is_estimated(seed: int, target: str) -> None:
    rng = np.random.default_rng(seed)
    profile = small_crossbar(rng, target)
    graph = unpooled_graph(Sketch(rng, profile).graph())
    try:
        planner = planner_of(graph, profile)
        starts = estimated(planner)
    except CapacityError:
        return
    found = refined(planner, starts, 0)
    assert found.key <= starts[0].key == min(start.key for start in starts)
    # What it says is what its grids give to one who remembers nothing.
    assert settled(planner_of(graph, profile), found.grids).key == found.key


@pytest.mark.parametrize("spare", [0, 3])
@pytest.mark.parametrize(("near", "fits"), [(1.1, True), (1.01, False)])
def test_where_few_cores_are_missing_more_is_tried_until_the_network_fits(
    near: float, fits: bool, spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = two_layers(28, 2)
    fewest = len(refined(planner_of(graph, PAICORE), estimated(planner_of(graph, PAICORE)), 0).cores)
    small = variant("paicore2", system__chip_rows=1, system__chip_cols=1, system__chip_cores=fewest + spare)
    monkeypatch.setattr(local_search, "_WORK", 0)
    monkeypatch.setattr(local_search, "_NEAR", near)
    planner = planner_of(graph, small, spare_cores=spare)
    starts = estimated(planner)
    assert len(starts[0].cores) > fewest
    assert (len(refined(planner, starts, 0).cores) == fewest) == fits


def test_nothing_is_tried_where_the_bound_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    planner = planner_of(two_layers(28, 2), PAICORE)
    starts = estimated(planner)
    monkeypatch.setattr(Planner, "ways", None)
    assert refined(planner, starts, len(starts[0].cores)) is starts[0]
    with pytest.raises(TypeError):
        refined(planner, starts, len(starts[0].cores) - 1)


def test_for_less_traffic_windows_are_chosen_in_other_ways_too(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = two_layers(28, 2)
    options = MapOptions(objective="traffic", placement="linear")
    found = make_plan(graph, PAICORE, options)
    ways = list(by_estimate(graph, PAICORE, options))
    for way in ways:
        assert sum(part.box.volume for part in way.parts) == sum(size(p.shape) for p in graph.of_kind(Population))
    monkeypatch.setattr(objectives, "by_estimate", lambda *_: [])
    assert found.placement.cost < make_plan(graph, PAICORE, options).placement.cost
    # Many cores are filled in these ways only.
    monkeypatch.setattr(objectives, "_MANY_CORES", 1)
    monkeypatch.setattr(objectives, "partition", lambda *_, **__: pytest.fail("filled with fewer neurons"))
    assert list(objectives._fillings(graph, PAICORE, options, found)) == []
