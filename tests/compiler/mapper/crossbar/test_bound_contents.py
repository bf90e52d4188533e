"""The bound on cores where a neuron reaches one core: what cores hold at once, and no mapping goes below."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nets import codes, convolution, integer_graph, neurons, same
from random_crossbars import Sketch, small_crossbar
from tern2lava.compiler.ir.graph import Graph, Input, Node, Projection
from tern2lava.compiler.mapper.cost.core_cost import limits
from tern2lava.compiler.mapper.crossbar.bound_contents import least_cores_by_contents
from tern2lava.compiler.mapper.partition import partition
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.expand_pooling import unpooled_graph
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import load_profile

TRUENORTH = load_profile("truenorth")


def bound(graph: Graph) -> int:
    return least_cores_by_contents(graph, TRUENORTH, limits(TRUENORTH))


def dense(*widths: int) -> Graph:
    rng = np.random.default_rng(0)
    nodes: list[Node] = [Input(name="n0", shape=(widths[0],))]
    for at, (seen, width) in enumerate(pairwise(widths), 1):
        nodes += [
            Projection(name=f"w{at}", inputs=(f"n{at - 1}",), weight=codes(rng, width, seen)),
            neurons(f"n{at}", f"w{at}", (width,), start=at - 1),
        ]
    return integer_graph(*nodes)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_no_mapping_takes_fewer_cores_than_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    profile = small_crossbar(rng, "truenorth")
    graph = unpooled_graph(Sketch(rng, profile).graph())
    try:
        found = partition(graph, profile, MapOptions())
    except CapacityError:
        return
    least = least_cores_by_contents(graph, profile, limits(profile))
    assert 0 < least <= found.cores
    if found.cores > max(value for name, value in found.bounds.items() if name != "contents"):
        assert found.bounds["contents"] == least


def test_layers_whose_axons_fill_a_core_share_none() -> None:
    # 120 inputs take 240 of 256 axons, so that the second layer, which needs 200, is on another core.
    assert bound(dense(120, 100, 10)) == partition(dense(120, 100, 10), TRUENORTH, MapOptions()).cores == 2


def test_layers_with_axons_to_spare_share_a_core() -> None:
    assert bound(dense(60, 60, 10)) == partition(dense(60, 60, 10), TRUENORTH, MapOptions()).cores == 1


def test_layers_that_read_the_same_source_might_share_its_axons() -> None:
    rng = np.random.default_rng(0)
    graph = integer_graph(
        Input(name="x", shape=(100,)),
        Projection(name="wa", inputs=("x",), weight=codes(rng, 10, 100)), neurons("a", "wa", (10,)),
        Projection(name="wb", inputs=("x",), weight=codes(rng, 10, 100)), neurons("b", "wb", (10,)),
    )  # fmt: skip
    # 200 of 256 axons are enough for both; ours take 200 each.
    assert bound(graph) == 1
    assert partition(graph, TRUENORTH, MapOptions()).cores == 2


def test_copies_for_many_readers_need_cores_of_their_own() -> None:
    # The second layer's 512 neurons fill 2 cores, to which each of the first sends by 2 copies: 400, on 2 more.
    graph = dense(20, 100, 512)
    assert partition(graph, TRUENORTH, MapOptions()).bounds["neurons"] == 3
    assert bound(graph) == partition(graph, TRUENORTH, MapOptions()).cores == 4


def test_fields_that_overlap_leave_few_neurons_on_a_core() -> None:
    rng = np.random.default_rng(0)
    shape = (4, 12, 12)
    graph = integer_graph(
        Input(name="x", shape=shape),
        convolution("wa", "x", shape, codes(rng, 4, 4, 3, 3), padding=same(3, 3)), neurons("a", "wa", shape),
        convolution("wb", "a", shape, codes(rng, 4, 4, 3, 3), padding=same(3, 3)), neurons("b", "wb", shape, start=1),
    )  # fmt: skip
    # 128 inputs are 32 positions of 4 channels: 5 x 6 of them hold 4 x 4 outputs in a corner, 64 neurons of 576.
    found = partition(graph, TRUENORTH, MapOptions())
    assert found.bounds["neurons"] < 0.6 * bound(graph)
    assert bound(graph) <= found.cores <= 1.5 * bound(graph)
