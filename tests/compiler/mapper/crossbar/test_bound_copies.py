"""The bound on columns of a crossbar: copies for windows that overlap are counted, and no mapping goes below."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nets import codes, convolution, integer_graph, neurons, same, variant
from random_crossbars import Sketch, small_crossbar
from tern2lava.compiler.ir.graph import Graph, Input, Node, Projection
from tern2lava.compiler.ir.shapes import frozen, size
from tern2lava.compiler.mapper.crossbar import bound_copies
from tern2lava.compiler.mapper.crossbar.bound_copies import least_columns, least_cores
from tern2lava.compiler.mapper.crossbar.first_fit import Filler
from tern2lava.compiler.mapper.crossbar.local_search import settled
from tern2lava.compiler.mapper.crossbar.window_search import Planner
from tern2lava.compiler.mapper.partition import partition
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.expand_pooling import unpooled_graph
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile, load_profile


def held(graph: Graph, profile: Profile) -> list[int]:
    """Columns on all cores, by each way to choose windows."""
    filler = Filler(graph, profile, MapOptions())
    planner = Planner(filler)
    chosen = [planner.one_by_one(1), planner.one_by_one(4), planner.together()]
    return [sum(core.columns for core in settled(planner, grids).cores) for grids in chosen if grids is not None]


def two_convolutions(kernel: int, length: int = 12) -> Graph:
    rng = np.random.default_rng(0)
    weights = codes(rng, 8, 2, 3, 3), codes(rng, 8, 8, kernel, kernel)
    shape = (8, length, length)
    return integer_graph(
        Input(name="x", shape=(2, length, length)),
        convolution("wa", "x", (2, length, length), weights[0], padding=same(3, 3)), neurons("a", "wa", shape),
        convolution("wb", "a", shape, weights[1], padding=same(kernel, kernel)), neurons("b", "wb", shape),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_no_windows_take_fewer_columns_than_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    profile = small_crossbar(rng, "paicore2")
    graph = unpooled_graph(Sketch(rng, profile).graph())
    try:
        found = held(graph, profile)
    except CapacityError:
        return
    assert 0 < least_columns(graph, profile) <= min(found)
    assert 0 < least_cores(graph, profile) <= partition(graph, profile, MapOptions()).cores


def test_neurons_that_two_layers_read_are_copied_and_the_bound_is_met() -> None:
    rng = np.random.default_rng(0)
    loop = Projection(name="r", inputs=("a",), weight=codes(rng, 64, 64), gain=frozen(1, np.int64))
    graph = integer_graph(
        Input(name="x", shape=(32,)),
        Projection(name="wa", inputs=("x",), weight=codes(rng, 64, 32)), loop, neurons("a", ("wa", "r"), (64,)),
        Projection(name="wb", inputs=("a",), weight=codes(rng, 10, 64)), neurons("b", "wb", (10,)),
    )  # fmt: skip
    # Two bits a neuron: 64 neurons for themselves and for b, and 10 for the output.
    profile = load_profile("paicore2")
    assert least_columns(graph, profile) == 2 * (64 * 2 + 10) == min(held(graph, profile))


def test_windows_that_overlap_cost_copies_and_ones_that_do_not_cost_none() -> None:
    narrow = variant("paicore2", crossbar__inputs=96)
    once = 2 * 2 * size((8, 12, 12))
    # A kernel of 1 overlaps nowhere; one of 3 on 96 inputs (12 pixels of 8 channels) does wherever the fold is low.
    assert least_columns(two_convolutions(1), narrow) == once
    bound, found = least_columns(two_convolutions(3), narrow), min(held(two_convolutions(3), narrow))
    assert 1.3 * once < bound <= found < 1.5 * bound


def test_the_bound_of_a_partition_counts_copies() -> None:
    narrow = variant("paicore2", crossbar__inputs=96, core__synapse_memory=96 * 512)
    graph = two_convolutions(3)
    result = partition(graph, narrow, MapOptions())
    assert result.bounds["synapse_bits"] == -(-least_columns(graph, narrow) // 512)
    assert result.bounds["neurons"] < result.bounds["synapse_bits"] <= result.cores


def test_cores_of_each_fold_are_whole() -> None:
    rng = np.random.default_rng(0)
    graph = integer_graph(
        Input(name="x", shape=(100,)),
        Projection(name="wa", inputs=("x",), weight=codes(rng, 1200, 100)), neurons("a", "wa", (1200,)),
        Projection(name="wb", inputs=("a",), weight=codes(rng, 10, 1200)), neurons("b", "wb", (10,), start=1),
    )  # fmt: skip
    # 1,200 neurons of 2 columns, 10 of 4 (1,200 inputs take two folds of 1,152): 4.77 cores, but a core has one fold.
    profile = load_profile("paicore2")
    assert least_columns(graph, profile) == 2 * 1200 + 4 * 10
    result = partition(graph, profile, MapOptions())
    assert least_cores(graph, profile) == 6 == result.cores
    assert result.bounds["synapse_bits"] == 5
    assert result.bounds["contents"] == 6


def test_a_neuron_has_no_more_copies_than_windows_can_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    shape = (16, 8, 8)
    nodes: list[Node] = [Input(name="n0", shape=shape)]
    for at in (1, 2, 3):
        wire = convolution(f"w{at}", f"n{at - 1}", shape, codes(rng, 16, 16, 3, 3), padding=same(3, 3))
        nodes += [wire, neurons(f"n{at}", f"w{at}", shape, start=at - 1)]
    graph, narrow = integer_graph(*nodes), variant("paicore2", crossbar__inputs=72)
    bound = least_columns(graph, narrow)
    monkeypatch.setattr(bound_copies, "_most_readers", lambda graph, output: dict.fromkeys(("n1", "n2", "n3"), 1000))
    assert least_columns(graph, narrow) < bound <= min(held(graph, narrow))
