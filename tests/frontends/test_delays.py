"""Delays that differ between synapses: one linear map for each, and the sum is what each synapse alone gives."""

from __future__ import annotations

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import Conv2d, Delay, Dense, Readout
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.delays import delayed, delayed_linear
from tern2lava.sim.reference.real import run_float


def test_a_delay_matrix_is_what_every_synapse_alone_gives() -> None:
    rng = np.random.default_rng(0)
    weight, delays = rng.choice([-1.0, 0.0, 1.0], (3, 4)), rng.integers(0, 4, (3, 4))
    delays[weight == 0] = 9
    builder = GraphBuilder("test", 0)
    builder.input("input", (4,), (0, 1), "here")
    delayed_linear(builder, "fc", "input", "here", weight, delays, bias=np.full(3, 0.25))
    builder.neuron("n", ("fc",), "here", alpha_v=np.asarray(0.5), threshold=np.asarray(0.75))
    graph = builder.finish(Readout.SPIKE_COUNT, "here")
    x = rng.integers(0, 2, (1, 40, 4))
    v = np.zeros(3)
    for t in range(40):
        current = np.full(3, 0.25)
        for i, j in np.argwhere(weight):
            current[i] += weight[i, j] * (x[0, t - delays[i, j], j] if t >= delays[i, j] else 0)
        v = 0.5 * v + current
        s = v > 0.75
        v[s] = 0.0
        np.testing.assert_array_equal(run_float(graph, {"input": x}).spikes["n"][0, t], s)
    # Weights of 0 ask for no delay of their own, and each delay has one map.
    assert {d.steps for d in graph.of_kind(Delay)} == set(np.unique(delays[weight != 0]).tolist()) - {0}
    assert len(graph.of_kind(Dense)) == len(np.unique(delays[weight != 0]))


def test_a_convolution_takes_a_delay_for_each_output_channel() -> None:
    rng = np.random.default_rng(1)
    weight = rng.choice([-1.0, 1.0], (2, 1, 2, 2))
    builder = GraphBuilder("test", 0)
    builder.input("input", (1, 3, 3), (0, 1), "here")
    delayed_linear(
        builder, "c", "input", "here", weight, np.array([0, 2]).reshape(2, 1, 1, 1), stride=(1, 1), padding=(0, 0),
        dilation=(1, 1), groups=1,
    )  # fmt: skip
    builder.neuron("n", ("c",), "here", alpha_v=np.asarray(0.0), threshold=np.asarray(0.5))
    graph = builder.finish(Readout.SPIKE_COUNT, "here")
    x = rng.integers(0, 2, (1, 9, 1, 3, 3))
    spikes = run_float(graph, {"input": x}).spikes["n"].reshape(9, 2, 2, 2)
    for channel, wait in enumerate((0, 2)):
        for t in range(wait, 9):
            image = x[0, t - wait, 0]
            expected = [[np.sum(image[i : i + 2, j : j + 2] * weight[channel, 0]) for j in (0, 1)] for i in (0, 1)]
            np.testing.assert_array_equal(spikes[t, channel], np.array(expected) > 0.5)
    assert len(graph.of_kind(Conv2d)) == 2


def test_delays_that_do_not_fit_or_run_backwards_are_refused() -> None:
    builder = GraphBuilder("test", 0)
    builder.input("input", (4,), (0, 1), "here")
    with pytest.raises(InputError, match=r"here: requires delays that broadcast to its weight's \(3, 4\); found \(5,"):
        delayed_linear(builder, "a", "input", "here", np.ones((3, 4)), np.zeros((5, 4), np.int64))
    with pytest.raises(InputError, match="here: requires delays of 0 steps or more; found -2"):
        delayed(builder, "b", "input", "here", np.array([0, 1, -2, 0]))
    with pytest.raises(UnsupportedError, match="at most 256 different delays in a layer; found 300"):
        delayed_linear(builder, "c", "input", "here", np.ones((300, 4)), np.arange(300)[:, None])
