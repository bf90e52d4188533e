"""Neurons that no convention of ours can be made of are refused by their cause."""

from __future__ import annotations

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import Dense, Graph, Input, Level, Neuron, Output
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.passes.canonical_neurons import canonical_neurons
from tern2lava.errors import UnsupportedError


def test_a_threshold_below_the_reset_value_is_named_with_both() -> None:
    neuron = Neuron(
        name="n", inputs=("w",), shape=(3,), threshold=frozen([3.0, 1.0, 2.0]), reset_value=frozen(2.0),
        gain_v=frozen(1e-6),
    )  # fmt: skip
    nodes = (
        Input(name="x", shape=(2,)), Dense(name="w", inputs=("x",), weight=np.ones((3, 2))), neuron,
        Output(name="y", inputs=("n",)),
    )  # fmt: skip
    with pytest.raises(UnsupportedError) as error:
        canonical_neurons(Graph(level=Level.IMPORTED, nodes=nodes))
    assert error.value.found == "a threshold of 1 below the reset value, 2"
    assert "changes the network" in error.value.hint
