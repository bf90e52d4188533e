"""NIR layers: neurons step as their equations say, shapes are torch's, the time step is found or asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from nir_trees import DT, chain, cuba, euler, lif, read, sink, source
from tern2lava.compiler.ir.graph import Neuron
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.sim.data.readout import scores
from tern2lava.sim.reference.real import run_float


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF", "IF"])
def test_neurons_step_as_their_equations_by_forward_euler(kind: str) -> None:
    rng = np.random.default_rng(5)
    node = {
        "LIF": lif(6, rng),
        "CubaLIF": cuba(6, rng),
        "IF": {"type": "IF", "r": rng.uniform(500, 3000, 6), "v_threshold": rng.uniform(0.5, 2, 6)},
    }[kind]
    weight = rng.normal(0.2, 0.5, (6, 4))
    tree = chain(source(4), ("fc", {"type": "Linear", "weight": weight}), ("n", node), sink(6))
    x = rng.integers(0, 2, (2, 200, 4))
    trace = run_float(read(tree, dt=DT), {"input": x})
    for sample in range(2):
        spikes, potentials = euler(node, x[sample] @ weight.T)
        np.testing.assert_array_equal(trace.spikes["n"][sample], spikes)
        np.testing.assert_allclose(trace.v["n"][sample], potentials, atol=1e-12)
    assert 100 < int(trace.spikes["n"].sum()) < 2000


@pytest.mark.parametrize("kind", ["LI", "CubaLI", "I"])
def test_neurons_without_threshold_are_read_by_their_potential(kind: str) -> None:
    rng = np.random.default_rng(6)
    own = cuba(3, rng) if kind == "CubaLI" else lif(3, rng)
    node = {key: value for key, value in own.items() if key not in ("v_threshold", "v_reset")} | {"type": kind}
    if kind == "I":
        node = {"type": "I", "r": np.full(3, 700.0)}
    weight = rng.normal(0, 1, (3, 4))
    tree = chain(source(4), ("fc", {"type": "Linear", "weight": weight}), ("n", node), sink(3))
    x = rng.integers(0, 2, (1, 30, 4))
    graph = read(tree, dt=DT)
    _, potentials = euler(node, x[0] @ weight.T)
    trace = run_float(graph, {"input": x})
    np.testing.assert_allclose(scores(graph, trace)[0], potentials[-1], atol=1e-12)
    assert any("last step" in note for note in graph.notes)
    summed = read(tree, dt=DT, assume="readout=membrane_sum")
    np.testing.assert_allclose(scores(summed, trace)[0], potentials.sum(axis=0), atol=1e-12)


def test_a_potential_that_feeds_synapses_is_refused_but_one_that_meets_a_threshold_is_a_neuron() -> None:
    rng = np.random.default_rng(7)
    li = {key: value for key, value in lif(3, rng).items() if key not in ("v_threshold", "v_reset")} | {"type": "LI"}
    fc = {"type": "Linear", "weight": np.eye(3)}
    tree = chain(source(3), ("li", li), ("fc", fc), ("lif", lif(3, rng)), sink(3))
    with pytest.raises(UnsupportedError, match=r"li: requires potentials to be read at outputs only.*LI feeding fc"):
        read(tree, dt=DT)
    threshold = {"type": "Threshold", "threshold": np.array([0.1, 0.2, 0.3])}
    graph = read(chain(source(3), ("li", li), ("z", threshold), ("fc", fc), ("lif", lif(3, rng)), sink(3)), dt=DT)
    x = rng.integers(0, 2, (1, 50, 3))
    _, potentials = euler(li, x[0])
    trace = run_float(graph, {"input": x})
    np.testing.assert_array_equal(trace.spikes["z"][0], potentials > [0.1, 0.2, 0.3])
    assert 0 < int(trace.spikes["z"].sum()) < 150


def test_a_threshold_alone_has_no_memory() -> None:
    weight = np.array([[1.0, -1.0], [0.5, 0.5]])
    tree = chain(
        source(2), ("fc", {"type": "Affine", "weight": weight, "bias": np.array([0.0, 0.25])}),
        ("z", {"type": "Threshold", "threshold": np.array([0.5, 0.75])}), sink(2),
    )  # fmt: skip
    x = np.array([[[0, 0], [1, 0], [0, 1], [1, 1], [0, 0]]])
    trace = run_float(read(tree), {"input": x})
    np.testing.assert_array_equal(trace.spikes["z"][0], [[0, 0], [1, 0], [0, 0], [0, 1], [0, 0]])
    ge = run_float(read(tree, assume="fire=>="), {"input": x})
    np.testing.assert_array_equal(ge.spikes["z"][0], [[0, 0], [1, 1], [0, 1], [0, 1], [0, 0]])


def test_a_linear_output_is_its_sum_over_the_steps() -> None:
    rng = np.random.default_rng(8)
    weight, bias = rng.normal(0, 1, (2, 3)), rng.normal(0, 1, 2)
    tree = chain(
        source(3), ("z", {"type": "IF", "r": np.ones(3), "v_threshold": np.full(3, 1.5)}),
        ("fc", {"type": "Affine", "weight": weight, "bias": bias}), sink(2),
    )  # fmt: skip
    graph = read(tree)
    x = rng.integers(0, 2, (2, 20, 3))
    trace = run_float(graph, {"input": x})
    expected = (trace.spikes["z"].astype(float) @ weight.T + bias).sum(axis=1)
    np.testing.assert_allclose(scores(graph, trace), expected, atol=1e-9)
    assert any("fc is linear and has no neurons" in note for note in graph.notes)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [(1, 0, 1, 1), ((2, 1), (1, 2), 1, 2), (1, "same", (1, 2), 1), ((1, 3), "valid", (2, 1), 2)],
)
def test_convolutions_have_torchs_shapes_for_any_kernel(stride: Any, padding: Any, dilation: Any, groups: int) -> None:
    rng = np.random.default_rng(9)
    weight, bias = rng.normal(0, 1, (4, 2 // groups, 3, 5)), rng.normal(0, 1, 4)
    x = rng.integers(0, 2, (1, 1, 2, 10, 12))
    expected = functional.conv2d(
        torch.from_numpy(x[0].astype(float)), torch.from_numpy(weight), torch.from_numpy(bias), stride=stride,
        padding=padding, dilation=dilation, groups=groups,
    ).numpy()  # fmt: skip
    conv = {
        "type": "Conv2d", "input_shape": np.array([10, 12]), "weight": weight, "bias": bias, "stride": stride,
        "padding": padding, "dilation": dilation, "groups": groups,
    }  # fmt: skip
    threshold = {"type": "Threshold", "threshold": np.full(expected.shape[1:], 0.5)}
    tree = chain(source(2, 10, 12), ("conv", conv), ("z", threshold), sink(*expected.shape[1:]))
    trace = run_float(read(tree), {"input": x})
    np.testing.assert_array_equal(trace.spikes["z"][0, 0], (expected[0] > 0.5).reshape(-1))


def test_one_dimensional_convolutions_scale_and_pooling() -> None:
    rng = np.random.default_rng(10)
    weight = rng.normal(0, 1, (3, 1, 4))
    x = rng.integers(0, 2, (1, 1, 3, 9))
    expected = functional.conv1d(
        torch.from_numpy(x[0].astype(float)), torch.from_numpy(weight), stride=2, padding=1, groups=3
    ).numpy()
    geometry = {"stride": 2, "padding": 1, "dilation": 1, "groups": 3}
    conv = {"type": "Conv1d", "weight": weight, "bias": np.zeros(3), **geometry}
    threshold = {"type": "Threshold", "threshold": np.full(expected.shape[1:], 0.2)}
    tree = chain(source(3, 9), ("conv", conv), ("z", threshold), sink(*expected.shape[1:]))
    trace = run_float(read(tree), {"input": x})
    np.testing.assert_array_equal(trace.spikes["z"][0, 0], (expected[0] > 0.2).reshape(-1))
    for kind, factor in (("SumPool2d", 1.0), ("AvgPool2d", 1 / 6)):
        pool = {"type": kind, "kernel_size": np.array([2, 3]), "stride": np.array([2, 1]), "padding": np.array([0, 1])}
        y = rng.integers(0, 2, (1, 1, 2, 5, 6))
        torch_sum = 6 * functional.avg_pool2d(torch.from_numpy(y[0].astype(float)), (2, 3), (2, 1), (0, 1)).numpy()
        scale = {"type": "Scale", "scale": np.stack([np.full(torch_sum.shape[2:], s) for s in (1.0, -2.0)])}
        z = {"type": "Threshold", "threshold": np.full(torch_sum.shape[1:], 0.4)}
        tree = chain(source(2, 5, 6), ("pool", pool), ("s", scale), ("z", z), sink(*torch_sum.shape[1:]))
        trace = run_float(read(tree), {"input": y})
        expected = torch_sum[0] * factor * np.array([1.0, -2.0])[:, None, None]
        np.testing.assert_array_equal(trace.spikes["z"][0, 0], (expected > 0.4).reshape(-1))


def test_the_time_step_is_recovered_where_all_neurons_agree() -> None:
    rng = np.random.default_rng(14)
    alpha, beta = np.float32(rng.uniform(0.3, 0.9, 4)), np.float32(rng.uniform(0.5, 0.99, 4))
    tau_syn, tau_mem = 1e-3 / (1 - alpha.astype(float)), 1e-3 / (1 - beta.astype(float))
    node = {
        "type": "CubaLIF", "tau_mem": tau_mem, "tau_syn": tau_syn, "r": tau_mem / 1e-3, "w_in": tau_syn / 1e-3,
        "v_leak": np.zeros(4), "v_threshold": np.ones(4),
    }  # fmt: skip
    tree = chain(source(4), ("n", node), sink(4))
    graph = read(tree)
    neuron = graph["n"]
    assert isinstance(neuron, Neuron)
    np.testing.assert_array_equal(neuron.alpha_u, alpha)
    np.testing.assert_array_equal(neuron.alpha_v, beta)
    assert neuron.gain_u == neuron.gain_v == 1.0
    assert any("dt 0.001 s recovered from r / tau of n" in note for note in graph.notes)
    other = read(tree, dt=5e-4)
    assert any("dt 0.0005 s as given, although" in note for note in other.notes)
    assert np.all(other["n"].gain_v == 0.5)  # type: ignore[union-attr]


@pytest.mark.parametrize("r", [1.0, "uneven"])
def test_a_time_step_that_nothing_tells_is_asked_for(r: Any) -> None:
    rng = np.random.default_rng(15)
    node = lif(3, rng, r=np.ones(3)) if r == 1.0 else lif(3, rng)
    tree = chain(source(3), ("n", node), sink(3))
    with pytest.raises(InputError, match=r"test: requires a time step for n \(LIF\); found none"):
        read(tree)
    with pytest.raises(InputError, match=r"n\.tau: requires at least the time step of 1 s; found 0\.00170542 s"):
        read(tree, dt=1.0)
    with pytest.raises(InputError, match="found nan"):
        read(tree, dt=float("nan"))
    assert read(tree, dt=DT).of_kind(Neuron)


@pytest.mark.parametrize(("r", "dt", "gain"), [(1.0, None, 1.0), (1e4, None, 1.0), (1.0, DT, 1.0), (5e3, DT, 0.5)])
def test_a_resistance_of_one_is_a_step_of_one(r: float, dt: float | None, gain: float) -> None:
    node = {"type": "IF", "r": np.full(2, r), "v_threshold": np.ones(2)}
    neuron = read(chain(source(2), ("n", node), sink(2)), dt=dt)["n"]
    assert isinstance(neuron, Neuron)
    assert np.all(neuron.gain_v == gain)
    assert np.all(neuron.alpha_v == 1)


def test_an_infinite_time_constant_is_a_factor_of_one() -> None:
    """snnTorch's export of beta = 1."""
    node = {
        "type": "LIF", "tau": np.array([np.inf, 1e-3]), "r": np.array([np.inf, 10.0]), "v_leak": np.zeros(2),
        "v_threshold": np.ones(2),
    }  # fmt: skip
    neuron = read(chain(source(2), ("n", node), sink(2)))["n"]
    assert isinstance(neuron, Neuron)
    assert neuron.alpha_v.tolist() == [1.0, 0.9]
    assert np.all(neuron.gain_v == 1)


def test_a_recovered_time_step_is_held_against_all_other_fields() -> None:
    rng = np.random.default_rng(3)
    said = lif(3, rng, tau=np.full(3, 1e-3), r=np.full(3, 10.0))
    mute = lif(3, rng, tau=np.full(3, 5e-5), r=np.ones(3))
    delay = {"type": "Delay", "delay": np.full(3, 2.5e-4)}
    assert any(
        "dt 0.0001 s recovered from r / tau of a " in note
        for note in read(chain(source(3), ("a", said), sink(3))).notes
    )
    with pytest.raises(InputError, match=r"b\.tau: requires.*0.0001 s, recovered from r / tau of a; found 5e-05 s"):
        read(chain(source(3), ("a", said), ("b", mute), sink(3)))
    with pytest.raises(
        InputError, match=r"d\.delay: requires whole time steps of 0.0001 s, recovered from r / tau of a"
    ):
        read(chain(source(3), ("d", delay), ("a", said), sink(3)))
    read(chain(source(3), ("d", delay), ("a", said), ("b", mute), sink(3)), dt=5e-5)
    other = lif(3, rng, tau=np.full(3, 1e-3), r=np.full(3, 20.0))
    with pytest.raises(InputError, match=r"does not tell \(10000 per second of a, 20000 of b\)"):
        read(chain(source(3), ("a", said), ("b", other), sink(3)))
