from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nets import codes, convolution, integer_graph, neurons, variant
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Input, Node, Population
from tern2lava.compiler.ir.shapes import Shape
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.compiler.mapper.packing.first_fit import Packing, Part
from tern2lava.compiler.mapper.packing.merge_parts import join_parts, union
from tern2lava.compiler.mapper.tiling.fan_out import Feeds


def network(groups: int = 1) -> Graph:
    """A convolution of 4 x 6 x 6 into 8 x 6 x 6, and another to the same shape."""
    rng = np.random.default_rng(0)
    nodes: list[Node] = [Input(name="x", shape=(4, 6, 6))]
    for source, name, channels in (("x", "p", 4), ("p", "q", 8)):
        weight = codes(rng, 8, channels // groups, 3, 3)
        nodes += [
            convolution(f"w{name}", source, (channels, 6, 6), weight, padding=(1, 1, 1, 1), groups=groups),
            neurons(name, f"w{name}", (8, 6, 6)),
        ]
    return integer_graph(*nodes)


def packing(graph: Graph, boxes: Mapping[str, Sequence[tuple[int, Shape, Shape]]], **changed: Any) -> tuple[Any, ...]:
    """(model, populations, packing, feeds) of boxes (core, lo, hi) of each population; see nets.variant."""
    profile = variant("generic-ternary", **changed)
    model, feeds = CostModel(graph, profile), Feeds(graph, profile, False)
    populations = graph.of_kind(Population)
    parts = []
    for population in populations:
        for core, lo, hi in boxes[population.name]:
            box = Box(population.shape, lo, hi)
            cost = model.part(population, box)
            parts.append(Part(population.name, box, core, cost.blocks, cost.used | {"out_axons": 99}))
    return model, populations, Packing(tuple(parts), 1 + max(part.core for part in parts)), feeds


def test_parts_on_one_core_that_form_a_box_become_one_and_store_their_kernel_once() -> None:
    halves = [(1, (0, 0, 0), (8, 3, 6)), (1, (0, 3, 0), (8, 6, 6))]
    corners = [(0, (0, a, b), (8, a + 3, b + 3)) for a in (0, 3) for b in (0, 3)]
    arguments = packing(network(), {"p": corners, "q": halves})
    found = join_parts(*arguments)
    assert [(part.population, part.box.is_full, part.core) for part in found.parts] == [("p", True, 0), ("q", True, 1)]
    before = sum(part.used["synapse_bits"] for part in arguments[2].parts)
    assert sum(part.used["synapse_bits"] for part in found.parts) < 0.5 * before
    # One block of q reads p now.
    assert [part.used["out_axons"] for part in found.parts] == [1, 0]


def test_parts_that_form_no_box_or_lie_apart_stay() -> None:
    p = [(0, (0, 0, 0), (8, 3, 3)), (0, (0, 3, 3), (8, 6, 6)), (1, (0, 0, 3), (8, 3, 6)), (2, (0, 3, 0), (8, 6, 3))]
    q = [(0, (0, 0, 0), (4, 6, 6)), (1, (4, 0, 0), (8, 6, 6))]
    arguments = packing(network(), {"p": p, "q": q})
    found = join_parts(*arguments)
    assert [part.box for part in found.parts] == [part.box for part in arguments[2].parts]
    assert [part.used["out_axons"] for part in found.parts] == [2, 2, 2, 2, 0, 0]


def test_channels_are_joined_within_groups_or_to_whole_ones() -> None:
    whole = [(0, (0, 0, 0), (8, 6, 6))]
    within = [(0, (c, 0, 0), (c + 2, 6, 6)) for c in (0, 2, 4, 6)]
    found = join_parts(*packing(network(groups=2), {"p": within, "q": whole}))
    assert [part.box.extent for part in found.parts if part.population == "p"] == [(8, 6, 6)]
    across = [(core, (low, 0, 0), (low + 2, 6, 6)) for core, low in ((0, 2), (0, 4), (1, 0), (2, 6))]
    found = join_parts(*packing(network(groups=2), {"p": across, "q": whole}))
    assert len([part for part in found.parts if part.population == "p"]) == 4


def test_parts_stay_apart_where_joined_they_would_be_sent_more_axons_than_a_core_in_front_has() -> None:
    rng = np.random.default_rng(0)
    graph = integer_graph(
        Input(name="x", shape=(4, 6, 6)),
        convolution("wp", "x", (4, 6, 6), codes(rng, 4, 4, 1, 1)), neurons("p", "wp", (4, 6, 6)),
        # Rows 1, 3 and 5 of p are read by none; what joined parts read of x for less makes up for row 3.
        convolution("wq", "p", (4, 6, 6), codes(rng, 4, 4, 1, 1), stride=(2, 1)),
        convolution("wx", "x", (4, 6, 6), codes(rng, 4, 4, 3, 1), stride=(2, 1), padding=(1, 0, 0, 0)),
        neurons("q", ("wq", "wx"), (4, 3, 6)),
    )  # fmt: skip
    # Row 3 lies with row 0, which sends its 24 spikes already.
    rows = [(0, (0, 3, 0), (4, 4, 6)), *((row, (0, row, 0), (4, row + 1, 6)) for row in (0, 1, 2, 4, 5))]
    q = [(6, (0, 1, 0), (4, 2, 6)), (6, (0, 2, 0), (4, 3, 6)), (7, (0, 0, 0), (4, 1, 6))]
    edges = {"routing__out_axon_model": "edges", "routing__shared_cost": 1}
    for have, parts in ((48, 2), (47, 3)):
        found = join_parts(*packing(graph, {"p": rows, "q": q}, core__out_axons=have, **edges))
        assert sum(part.population == "q" for part in found.parts) == parts


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_joining_loses_no_neuron_and_takes_no_more_of_anything(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def boxes() -> list[tuple[int, tuple[int, ...], tuple[int, ...]]]:
        cuts = [np.unique([0, n, *rng.integers(1, n, 2)]).tolist() for n in (8, 6, 6)]
        return [
            (int(rng.integers(3)), (a, b, c), (d, e, f))
            for a, d in zip(cuts[0], cuts[0][1:], strict=False)
            for b, e in zip(cuts[1], cuts[1][1:], strict=False)
            for c, f in zip(cuts[2], cuts[2][1:], strict=False)
        ]

    arguments = packing(network(), {"p": boxes(), "q": boxes()})
    before, after = arguments[2].parts, join_parts(*arguments).parts
    for name in ("p", "q"):
        covered = np.zeros((8, 6, 6), int)
        for part in after:
            if part.population == name:
                covered[tuple(slice(a, b) for a, b in zip(part.box.lo, part.box.hi, strict=True))] += 1
        assert (covered == 1).all()
    for core in range(3):
        for key in ("neurons", "synapse_bits", "in_axons", "threshold_sets", "decay_sets"):
            totals = [sum(p.used[key] for p in parts if p.core == core) for parts in (before, after)]
            assert totals[1] <= totals[0]


@pytest.mark.parametrize(
    ("one", "two", "both"),
    [
        (((0, 0), (2, 3)), ((2, 0), (5, 3)), ((0, 0), (5, 3))),
        (((2, 0), (5, 3)), ((0, 0), (2, 3)), ((0, 0), (5, 3))),
        (((0, 0), (2, 3)), ((3, 0), (5, 3)), None),
        (((0, 0), (2, 3)), ((2, 1), (5, 3)), None),
        (((0, 0), (2, 3)), ((2, 3), (5, 5)), None),
    ],
)
def test_two_boxes_form_one_where_they_share_a_whole_face(one: Any, two: Any, both: Any) -> None:
    found = union(Box((5, 5), *one), Box((5, 5), *two))
    assert found == (None if both is None else Box((5, 5), *both))
