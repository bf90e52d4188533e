"""Pooling in front of a layer: one linear map, merged, written out, and shared axons on a core."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nets import codes, geometry, integer_graph, neurons, variant
from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.graph import Graph, Input, Projection
from tern2lava.compiler.ir.linear import accumulate, pooled
from tern2lava.compiler.ir.shapes import Pooling, frozen, size
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.passes.expand_pooling import unpooled, unpooled_graph
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.reference import integer


def test_pooling_sums_whole_windows_and_leaves_the_rest_out() -> None:
    image = np.arange(15).reshape(1, 3, 5)
    sums = pooled(Pooling(in_shape=(1, 3, 5), window=(2, 2)), image.reshape(1, -1))
    np.testing.assert_array_equal(sums, [[0 + 1 + 5 + 6, 2 + 3 + 7 + 8]])


CONVOLUTIONS = [
    ((2, 8, 12), (2, 3), (3, 3), {"padding": (1, 1, 1, 1)}),
    ((2, 9, 13), (2, 3), (2, 3), {"padding": (1, 0, 2, 0), "stride": (2, 1)}),
    ((4, 11, 11), (2, 2), (2, 2), {"dilation": (2, 1), "groups": 2}),
]


@pytest.mark.parametrize(("in_shape", "window", "kernel", "keys"), CONVOLUTIONS)
def test_a_convolution_behind_pooling_is_one_with_repeated_taps(
    in_shape: tuple[int, int, int], window: tuple[int, int], kernel: tuple[int, int], keys: dict[str, Any]
) -> None:
    rng = np.random.default_rng(0)
    pooling = Pooling(in_shape=in_shape, window=window)
    shape = geometry(pooling.out_shape, 4, kernel, **keys)
    weight = frozen(rng.integers(-1, 2, (4, in_shape[0] // shape.groups, *kernel)), np.int8)
    projection = Projection(name="c", weight=weight, geometry=shape, pooling=pooling)
    written = unpooled(projection)
    assert written.pooling is None
    assert written.source_weights == weight.size
    x = rng.integers(-1, 2, (5, size(in_shape)))
    expected = accumulate(projection, x)
    assert np.abs(expected).max() > 2
    np.testing.assert_array_equal(accumulate(written, x), expected)


def test_a_dense_layer_behind_pooling_is_one_with_repeated_columns() -> None:
    rng = np.random.default_rng(1)
    pooling = Pooling(in_shape=(3, 5, 7), window=(2, 3))
    projection = Projection(name="d", weight=frozen(rng.integers(-1, 2, (6, 12)), np.int8), pooling=pooling)
    x = rng.integers(0, 2, (4, 105))
    np.testing.assert_array_equal(accumulate(unpooled(projection), x), accumulate(projection, x))


def network() -> Graph:
    """A dense layer of 8 behind 4 x 4 windows of an image of 3 x 8 x 8."""
    rng = np.random.default_rng(2)
    wire = Projection(
        name="d", inputs=("in",), weight=codes(rng, 8, 12), pooling=Pooling(in_shape=(3, 8, 8), window=(4, 4)),
        gain=frozen(64, np.int64),
    )  # fmt: skip
    return integer_graph(Input(name="in", shape=(3, 8, 8)), wire, neurons("p", "d", (8,), threshold=frozen(320)))


def test_writing_pooling_out_changes_no_spike() -> None:
    inputs = {"in": np.random.default_rng(4).integers(0, 2, (3, 12, 3, 8, 8))}
    first, second = integer.run(network(), inputs), integer.run(unpooled_graph(network()), inputs)
    assert first.spikes["p"].any()
    np.testing.assert_array_equal(first.v["p"], second.v["p"])


@pytest.mark.parametrize("name", ["loihi1", "loihi2", "generic-ternary"])
def test_the_neurons_of_a_window_share_an_axon_where_its_spikes_add_up(name: str) -> None:
    graph = network()
    shared = map_program(graph, load_profile(name))
    apart = map_program(graph, variant(name, routing__axon_sums=False))
    assert shared.partition.used["in_axons"].tolist() == [12]
    assert apart.partition.used["in_axons"].tolist() == [192]
    assert shared.partition.used["synapse_bits"][0] < apart.partition.used["synapse_bits"][0]
    inputs = {"in": np.random.default_rng(3).integers(0, 2, (3, 12, 3, 8, 8))}
    expected = integer.run(graph, inputs)
    assert 0 < expected.spikes["p"].sum() < expected.spikes["p"].size
    for program in (shared, apart):
        found = mapped.run(program.images, program.host_image, inputs)
        np.testing.assert_array_equal(found.v["p"], expected.v["p"])
        np.testing.assert_array_equal(found.spikes["p"], expected.spikes["p"])


def test_windows_that_do_not_tile_their_box_are_an_error_in_an_image() -> None:
    data = map_program(network(), load_profile("generic-ternary")).images[0]
    image = decode_core(data)
    damaged = replace(image, axons=(replace(image.axons[0], window=(3, 4)),))
    with pytest.raises(InputError, match="do not tile"):
        decode_core(encode_core(damaged))
