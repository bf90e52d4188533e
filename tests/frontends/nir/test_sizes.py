"""Sizes that a NIR file declares are those of what feeds them, whether or not all values are equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nir_trees import DT, chain, read, sink, source
from tern2lava.compiler.ir.graph import Neuron
from tern2lava.errors import InputError


def equal_lif(*shape: int) -> dict[str, Any]:
    full = {"tau": 1e-3, "r": 10.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    return {"type": "LIF", **{key: np.full(shape, value) for key, value in full.items()}}


@pytest.mark.parametrize(
    ("linear", "lif", "output", "error"),
    [
        (4, 8, 8, r"n\.LIF: requires the shape of its input, \(4,\) \(4 values\); found \(8,\) \(8 values\)"),
        (8, 4, 4, r"n\.LIF: requires the shape of its input, \(8,\) \(8 values\); found \(4,\) \(4 values\)"),
        (4, 4, 7, r"output\.shape: requires the 4 values of \(4,\) that it reads; found 7 in \(7,\)"),
    ],
)
def test_a_size_that_contradicts_the_layer_before_is_refused_with_both(
    linear: int, lif: int, output: int, error: str
) -> None:
    fc = {"type": "Linear", "weight": np.full((linear, 3), 0.5)}
    with pytest.raises(InputError, match=error):
        read(chain(source(3), ("fc", fc), ("n", equal_lif(lif)), sink(output)))


@pytest.mark.parametrize("kind", ["Scale", "Threshold", "Delay"])
def test_other_arrays_of_equal_values_are_held_against_their_input_too(kind: str) -> None:
    field = {"Scale": "scale", "Threshold": "threshold", "Delay": "delay"}[kind]
    node = {"type": kind, field: np.full(5, DT)}
    behind = [] if kind == "Threshold" else [("n", equal_lif(3))]
    with pytest.raises(InputError, match=r"requires the shape of its input, \(3,\).*found \(5,\)"):
        read(chain(source(3), ("x", node), *behind, sink(3)), dt=DT)


@pytest.mark.parametrize("shape", [(), (1,), (4, 2, 3), (1, 4, 2, 3), (24,), (4, 1, 1)])
def test_single_numbers_and_the_shapes_that_frameworks_write_are_taken(shape: tuple[int, ...]) -> None:
    node = equal_lif(*shape)
    node["v_threshold"] = np.linspace(0.5, 1.5, int(np.prod(shape))).reshape(shape) if shape else np.array(0.5)
    graph = read(chain(source(4, 2, 3), ("n", node), sink(4, 2, 3)))
    (neuron,) = graph.of_kind(Neuron)
    assert neuron.shape == (4, 2, 3)
    spread = node["v_threshold"].reshape(4, 2, 3) if node["v_threshold"].size == 24 else node["v_threshold"]
    np.testing.assert_array_equal(np.broadcast_to(neuron.threshold, (4, 2, 3)), np.broadcast_to(spread, (4, 2, 3)))
