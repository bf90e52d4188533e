"""Neurons whose weights are all zero are measured in a unit of their layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nodes import node
from tern2lava.compiler.ir.graph import (
    Add,
    Arithmetic,
    Dense,
    Graph,
    Input,
    Level,
    Neuron,
    Output,
    Population,
    Projection,
)
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float


def net(*weights: Any, steps: int = 12, **neuron: Any) -> Graph:
    """x -> dense layers, summed -> neurons -> output, IMPORTED."""
    out, count = np.shape(weights[0])
    layers = tuple(
        Dense(name=f"w{k}", inputs=("x",), weight=frozen(weight, np.float64)) for k, weight in enumerate(weights)
    )
    names = tuple(layer.name for layer in layers)
    return Graph(
        level=Level.IMPORTED,
        steps=steps,
        nodes=(
            Input(name="x", shape=(count,)),
            *layers,
            Add(name="sum", inputs=names),
            Neuron(name="n", inputs=("sum",), shape=(out,), **neuron),
            Output(name="y", inputs=("n",)),
        ),
    )


def lowered_for(graph: Graph, target: str) -> Lowered:
    profile = load_profile(target)
    return lower(graph, Arithmetic(**profile.arithmetic_values()), profile=profile)


@pytest.mark.parametrize("target", ["loihi2", "generic-ternary", "truenorth"])
@pytest.mark.parametrize("power", [-30, 0, 30])
def test_a_channel_without_weights_spikes_as_its_bias_says_whatever_the_layers_scale(target: str, power: int) -> None:
    rng = np.random.default_rng(1)
    weight = rng.choice([-1.0, 1.0], (6, 8)) * 2.0 ** rng.integers(-1, 2, (6, 1)) * 2.0**power
    weight[2] = 0
    graph = net(weight, threshold=frozen(2.0 ** (power + 1)), bias=frozen(2.0 ** (power - 1)))
    lowered = lowered_for(graph, target)
    threshold = np.broadcast_to(node(lowered.program, "n", Population).threshold, (6,))
    assert threshold[2] in np.delete(threshold, 2)
    x = {"x": rng.integers(0, 2, (4, 12, 8))}
    wanted, found = run_float(graph, x).spikes["n"], integer.run(lowered.program, x).spikes["n"]
    assert wanted[..., 2].any()
    assert np.array_equal(wanted, found)


def test_it_takes_a_unit_that_occurs_in_its_layer() -> None:
    weight = np.diag([0.3, 0.0, 0.5, 0.4, 0.7])
    unit = np.broadcast_to(node(lowered_for(net(weight), "loihi2").real, "n", Neuron).unit, (5,))
    assert unit.tolist() == [0.3, 0.4, 0.5, 0.4, 0.7]


def test_a_channel_without_weights_in_one_layer_takes_its_unit_from_another() -> None:
    first, second = np.diag([0.3, 0.0, 0.5, 0.4]), np.diag([0.6, 0.7, 0.0, 0.0])
    lowered = lowered_for(net(first, second, threshold=frozen(1.0)), "generic-ternary")
    assert np.broadcast_to(node(lowered.real, "n", Neuron).unit, (4,)).tolist() == [0.3, 0.7, 0.5, 0.4]
    for name in lowered.real["n"].inputs:
        scale = np.broadcast_to(node(lowered.real, name, Projection).scale, (4,))
        codes = node(lowered.real, name, Projection).weight
        assert np.array_equal(codes.any(axis=1), (codes * scale[:, None] != 0).any(axis=1))
        restored = codes * (scale * [0.3, 0.7, 0.5, 0.4])[:, None]
        assert np.allclose(restored, first) or np.allclose(restored, second)


def test_a_layer_of_zeros_takes_its_unit_from_the_others_or_from_its_threshold() -> None:
    small = 2.0**-30
    beside = lowered_for(net(np.zeros((3, 4)), np.eye(3, 4) * small, threshold=frozen(2 * small)), "loihi2")
    assert np.all(node(beside.program, "n", Population).threshold == 2 * 64)
    for scale in (small, 1.0, 2.0**40):
        alone = net(np.zeros((3, 4)), threshold=frozen(0.75 * scale), bias=frozen(0.11 * scale))
        for target in ("loihi2", "paicore2"):
            lowered = lowered_for(alone, target)
            x = {"x": np.zeros((1, 12, 4), np.uint8)}
            wanted, found = run_float(alone, x).spikes["n"], integer.run(lowered.program, x).spikes["n"]
            assert wanted.any()
            assert np.array_equal(wanted, found)


def test_a_layer_of_zeros_with_whole_numbers_stays_exact() -> None:
    lowered = lowered_for(net(np.zeros((2, 3)), threshold=frozen(3.0), bias=frozen(1.0)), "loihi2")
    assert lowered.roundings == ()
    assert lowered.certificates[0].verdict.value == "EXACT"
