"""Spike data: shapes that say the same are accepted, others refused."""

from __future__ import annotations

import numpy as np
import pytest

from tern2lava.compiler.ir import Graph, Input, Level
from tern2lava.errors import InputError
from tern2lava.sim.spikes import make_spikes


def test_channels_and_length_fit_an_input_held_with_height_one() -> None:
    graph = Graph(level=Level.IMPORTED, nodes=(Input(name="x", shape=(3, 1, 20)),))
    values = (np.random.default_rng(0).random((2, 5, 3, 20)) < 0.5).astype(np.uint8)
    for given in (values, values[:, :, :, None], values.reshape(2, 5, 60)):
        found = make_spikes({"spikes": given}, graph).inputs["x"]
        assert found.shape == (2, 5, 3, 1, 20)
        np.testing.assert_array_equal(found[:, :, :, 0], values)
    for wrong in (values.transpose(0, 1, 3, 2), values[..., :19], values.reshape(2, 5, 3, 2, 10)):
        with pytest.raises(InputError, match=r"the network's input 'x' is \(3, 1, 20\)"):
            make_spikes({"spikes": wrong}, graph)


def test_an_image_is_not_read_as_channels_and_length() -> None:
    graph = Graph(level=Level.IMPORTED, nodes=(Input(name="x", shape=(3, 4, 5)),))
    with pytest.raises(InputError, match="each step has shape"):
        make_spikes({"spikes": np.zeros((2, 5, 3, 20))}, graph)
