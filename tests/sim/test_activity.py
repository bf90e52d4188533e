"""Measured rates are those of the integer reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.sim.activity import measured_rates
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.reference import integer


def test_rates_are_the_mean_spikes_of_the_reference_by_neuron() -> None:
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {k: frozen(0, np.int64) for k in ("decay_v", "bias", "reset_amount", "v_init")}
    weight = frozen(rng.integers(-1, 2, (20, 12)), np.int8)
    graph = Graph(
        level=Level.INTEGER, arithmetic=Arithmetic(),
        nodes=(
            Input(name="in", shape=(3, 2, 2), levels=(-1, 1)), Projection(name="w", inputs=("in",), weight=weight),
            Population(
                name="p", inputs=("w",), shape=(20,), reset=Reset.ZERO, lsb=frozen(1.0), start=0,
                decay_u=frozen(4096, np.int64), threshold=frozen(1, np.int64), **values,
            ),
            Output(name="out", inputs=("p",)),
        ),
    )  # fmt: skip
    inputs = {"in": rng.integers(-1, 2, (7, 5, 3, 2, 2)).astype(np.int8)}
    found = measured_rates(graph, SpikeData(inputs=inputs))
    spikes = {name: fired != 0 for name, fired in (inputs | integer.run(graph, inputs).spikes).items()}
    expected = {name: fired.mean(axis=(0, 1)).reshape(-1) for name, fired in spikes.items()}
    assert 0 < found["p"].mean() < 1
    for name, rate in expected.items():
        np.testing.assert_allclose(found[name].reshape(-1), rate)
    np.testing.assert_allclose(found["in"], np.abs(inputs["in"]).mean(axis=(0, 1)))
