"""Maps that move and average elements are added to a network by their places."""

from __future__ import annotations

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import Readout, SparseLinear
from tern2lava.errors import InputError
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.sim.reference.real import run_float

ONE = np.ones(())


def test_a_map_of_one_dimensional_layers_is_counted_over_channels_and_length() -> None:
    builder = GraphBuilder("memory", 3, one_dimensional=True)
    builder.input("x", (2, 3), (0, 1), "x")
    order = np.array([5, 4, 3, 2, 1, 0])
    builder.sparse("turned", "x", "forward", (3, 2), np.arange(6), order, ONE)
    assert builder.shape["turned"] == (3, 1, 2)
    builder.neuron("n", ("turned",), "forward", threshold=np.full((), 0.5), alpha_v=np.zeros(()))
    graph = builder.finish(Readout.SPIKE_COUNT, "memory")
    x = np.random.default_rng(0).integers(0, 2, (1, 3, 2, 1, 3))
    expected = x.reshape(1, 3, 6)[:, :, order]
    assert np.array_equal(run_float(graph, {"x": x}).spikes["n"], expected)
    assert len(graph.of_kind(SparseLinear)) == 1


def test_a_place_that_the_source_does_not_have_is_refused_where_the_map_was_called() -> None:
    builder = GraphBuilder("memory", 3)
    builder.input("x", (4,), (0, 1), "x")
    with pytest.raises(InputError, match=r"^net.py:7: requires columns from 0 to 3 \(shape \(4,\)\); found 0 to 4"):
        builder.sparse("m", "x", "net.py:7", (5,), np.arange(5), np.arange(5), ONE)
    with pytest.raises(InputError, match=r"^net.py:7: requires finite numbers"):
        builder.sparse("m", "x", "net.py:7", (4,), np.arange(4), np.arange(4), np.full(4, np.nan))
