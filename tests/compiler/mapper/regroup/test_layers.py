"""Neurons of sparse layers that read the same sources come to lie together."""

from __future__ import annotations

import numpy as np
import pytest

from nets import full_codes, integer_graph, neurons
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import Graph, Input, Projection
from tern2lava.compiler.ir.shapes import Array, Ints, frozen
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.mapper.regroup.layers import Regrouper
from tern2lava.compiler.mapper.regroup.reads import reads_of
from tern2lava.compiler.options import MapOptions, Objective
from tern2lava.hw_profiles import load_profile
from tern2lava.prove.program import program_of
from tern2lava.prove.run import prove_images
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.reference import integer


def recurrent(weight: Array, inputs: Array) -> Graph:
    count, sources = inputs.shape
    return integer_graph(
        Input(name="in", shape=(sources,)),
        Projection(name="w", inputs=("in",), weight=frozen(inputs, np.int8), gain=frozen(64, np.int64)),
        Projection(name="r", inputs=("h",), weight=frozen(weight, np.int8), gain=frozen(64, np.int64)),
        neurons("h", ("w", "r"), (count,), threshold=frozen(60, np.int64)),
    )


def planted(clusters: int, each: int, order: Ints) -> Graph:
    """Clusters of `each` neurons that all hear each other and one input of their own."""
    rng = np.random.default_rng(0)
    count = clusters * each
    own = np.arange(count) // each
    weight = (own[:, None] == own) * full_codes(rng, count, count)
    inputs = (own[:, None] == np.arange(clusters)).astype(np.int8)
    return recurrent(weight[np.ix_(order, order)], inputs[order])


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
@pytest.mark.parametrize("objective", ["cores", "traffic"])
def test_planted_clusters_lie_on_a_core_each(shuffled: bool, objective: Objective) -> None:
    count = 48
    order = np.random.default_rng(3).permutation(count) if shuffled else np.arange(count)
    graph = planted(8, 6, order)
    options = MapOptions(max_neurons_per_core=6, objective=objective)
    program = map_program(graph, load_profile("tiny"), options)
    # Six neurons of the cluster and an input; no spike of a neuron leaves its core.
    assert program.partition.used["in_axons"].tolist() == [7] * 8
    inside = program.routing.source >= 0
    assert inside.sum() == 8
    assert not program.routing.hops[inside].any()
    found = prove_images(program.images, program.host_image, program_of(*graph_document(graph)))
    assert found.proven, found
    inputs = {"in": np.random.default_rng(1).integers(0, 2, (2, 10, 8)).astype(np.uint8)}
    expected = integer.run(graph, inputs).spikes["h"]
    assert expected.any()
    np.testing.assert_array_equal(mapped.run(program.images, program.host_image, inputs).spikes["h"], expected)


def test_a_band_is_found_again_after_it_was_shuffled() -> None:
    rng = np.random.default_rng(0)
    count, reach = 200, 4
    near = abs(np.arange(count)[:, None] - np.arange(count)) <= reach
    axons = []
    for order in (np.arange(count), rng.permutation(count)):
        graph = recurrent(near[np.ix_(order, order)].astype(np.int8), np.eye(count, dtype=np.int8)[order])
        population = graph.population("h")
        regrouper = Regrouper(graph)
        groups = regrouper.groups(population, 20, 100)
        assert groups is not None
        assert sorted(np.concatenate(groups).tolist()) == list(range(count))
        axons.append(sum(int(near[np.ix_(order, order)][group].any(axis=0).sum()) for group in groups))
    # 20 neurons and 4 on either side, but for both ends of the band.
    assert axons == [10 * 28 - 8] * 2


def test_layers_with_many_synapses_are_left_in_their_order() -> None:
    rng = np.random.default_rng(0)
    graph = recurrent(full_codes(rng, 20, 20), full_codes(rng, 20, 5))
    assert reads_of(graph, graph.population("h")) is None
    assert Regrouper(graph).groups(graph.population("h"), 5, 40) is None
