"""What a tile takes of a core follows the synapses that it has."""

from __future__ import annotations

import numpy as np
import pytest

from nets import convolution, integer_graph, neurons, same, sparse_codes
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Input, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.hw_profiles import load_profile


@pytest.mark.parametrize("target", ["tiny", "loihi1"])
def test_axons_of_a_dense_tile_are_counted_alike_with_and_without_its_memory(target: str) -> None:
    rng = np.random.default_rng(0)
    weight = sparse_codes(rng, 20, 30, zeros=0.9)
    graph = integer_graph(
        Input(name="in", shape=(30,)), Projection(name="w", inputs=("in",), weight=weight), neurons("p", "w", (20,))
    )
    model, population = CostModel(graph, load_profile(target)), graph.population("p")
    whole = Box.full((20,))
    for rows in (np.arange(20), np.array([1, 4, 5, 19]), np.array([7])):
        box = whole.listed(rows)
        cost, reached = model.part(population, box), int(weight[rows].any(axis=0).sum())
        assert model.shape_of(population, box) == {"neurons": rows.size, "in_axons": reached}
        assert cost.used["in_axons"] == cost.used["fan_in"] == reached
    assert model.part(population, whole).used["synapse_bits"] > model.part(population, box).used["synapse_bits"]


def test_tiles_of_a_pruned_convolution_that_differ_in_position_only_read_the_same_channels() -> None:
    rng = np.random.default_rng(0)
    kernels = rng.choice([-1, 1], (4, 6, 3, 3)) * (rng.random((4, 6)) < 0.4)[..., None, None]
    graph = integer_graph(
        Input(name="in", shape=(6, 9, 9)),
        convolution("c", "in", (6, 9, 9), frozen(kernels, np.int8), padding=same(3, 3)),
        neurons("p", "c", (4, 9, 9)),
    )
    model, population = CostModel(graph, load_profile("tiny")), graph.population("p")
    for low, high in ((0, 1), (1, 3), (0, 4)):
        read = np.flatnonzero(kernels[low:high].any(axis=(0, 2, 3)))
        for y in (3, 4, 5):
            box = Box((4, 9, 9), (low, y, 2), (high, y + 1, 6))
            (block,) = model.part(population, box).blocks
            assert block.source.first.tolist() == read.tolist()
            assert (block.source.lo[1:], block.source.hi[1:]) == ((y - 1, 1), (y + 2, 7))
            assert block.in_axons == model.shape_of(population, box)["in_axons"] == read.size * 3 * 6
