"""Windows of a crossbar chosen for all populations together: what the choice counts is what cores then hold."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nets import codes, convolution, integer_graph, neurons, same, variant
from random_crossbars import Sketch, small_crossbar
from tern2lava.compiler.ir.graph import Graph, Input, Node, Output
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.mapper.crossbar.first_fit import Filler
from tern2lava.compiler.mapper.crossbar.joint_search import _Search, choose_together
from tern2lava.compiler.mapper.crossbar.local_search import settled
from tern2lava.compiler.mapper.crossbar.window_search import Planner
from tern2lava.compiler.mapper.partition import partition
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.expand_pooling import unpooled_graph
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile

SMALL = variant(
    "paicore2", crossbar__inputs=96, crossbar__columns=256, core__neurons=256, core__synapse_memory=96 * 256,
    core__out_axons=256, core__in_axons=96 * 64,
)  # fmt: skip


def chain(channels: tuple[int, ...] = (4, 8, 8, 8), length: int = 8) -> Graph:
    """Convolutions of 3 x 3, of which each window overlaps its neighbours."""
    rng = np.random.default_rng(0)
    nodes: list[Node] = [Input(name="n0", shape=(2, length, length))]
    seen = 2
    for at, out in enumerate(channels, 1):
        weight = codes(rng, out, seen, 3, 3)
        nodes += [
            convolution(f"w{at}", f"n{at - 1}", (seen, length, length), weight, padding=same(3, 3)),
            neurons(f"n{at}", f"w{at}", (out, length, length), start=at - 1),
        ]
        seen = out
    return integer_graph(*nodes)


def held(graph: Graph, profile: Profile) -> int:
    """Columns on all cores of the windows chosen together."""
    planner = Planner(Filler(graph, profile, MapOptions()))
    grids = planner.together()
    assert grids is not None
    return sum(core.columns for core in settled(planner, grids).cores)


def unread(graph: Graph, profile: Profile) -> int:
    """Columns of neurons that no window reads, nor an output."""
    planner = Planner(Filler(graph, profile, MapOptions()))
    grids = planner.together()
    assert grids is not None
    plans = planner.plans(grids)
    outputs: tuple[Output, ...] = graph.of_kind(Output)
    total = 0
    for name, plan in plans.items():
        seen = np.full(size(plan.population.shape), any(name in node.inputs for node in outputs))
        for wire, box in (read for other in plans.values() for window in other.windows for read in window.reads):
            if graph[wire].inputs[0] == name:
                seen[box.flat()] = True
        total += int((~seen).sum()) * plan.bits * plan.fold
    return total


def count(graph: Graph, profile: Profile) -> float:
    search = _Search(graph, profile)
    chosen = choose_together(graph, profile)
    assert chosen is not None
    at = {name: [cut.grid for cut in cuts].index(chosen[name]) for name, cuts in search.cuts.items()}
    return search.columns(at)


def test_no_choice_of_windows_takes_fewer_columns() -> None:
    search = _Search(chain(), SMALL)
    every = product(*(range(len(cuts)) for cuts in search.cuts.values()))
    least = min(search.columns(dict(zip(search.cuts, numbers, strict=True))) for numbers in every)
    assert count(chain(), SMALL) == least == held(chain(), SMALL)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_columns_that_are_counted_are_those_that_cores_hold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    profile = small_crossbar(rng, "paicore2")
    graph = unpooled_graph(Sketch(rng, profile).graph())
    try:
        if choose_together(graph, profile) is None:
            return
        found = held(graph, profile)
    except CapacityError:
        return
    # Windows at a border may read the same neurons, which then send once; what no window reads stands there once.
    assert found <= count(graph, profile) + unread(graph, profile)


def test_cores_are_filled_by_the_better_of_windows_chosen_together_and_one_by_one() -> None:
    # Many channels behind each window: together a wider window and fewer copies before it.
    wide = variant("paicore2", crossbar__inputs=96)
    found = {}
    for name, channels in (("deep", (16, 16, 32, 32)), ("flat", (4, 8, 8, 8))):
        graph = chain(channels)
        profile = wide if name == "deep" else SMALL
        planner = Planner(Filler(graph, profile, MapOptions()))
        chosen = [planner.one_by_one(1), planner.one_by_one(6), planner.together()]
        counts = [len(settled(planner, grids).cores) for grids in chosen if grids is not None]
        assert partition(graph, profile, MapOptions()).cores <= min(counts)
        found[name] = counts
    assert found["deep"][2] < min(found["deep"][:2])
    assert found["flat"][2] > min(found["flat"][:2])


def test_a_target_of_one_core_keeps_windows_chosen_one_by_one() -> None:
    profile = variant("truenorth")
    assert Planner(Filler(chain((4, 4)), profile, MapOptions())).together() is None


def test_where_a_population_has_no_cut_none_is_chosen() -> None:
    narrow = variant("paicore2", crossbar__inputs=2, crossbar__fold=1)
    assert choose_together(chain(), narrow) is None
    with pytest.raises(CapacityError):
        partition(chain(), narrow, MapOptions())
