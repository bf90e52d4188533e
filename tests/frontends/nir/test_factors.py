"""float32 files, which are what frameworks write: time constants come back as the numbers that the module holds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from snntorch.export_nir import export_to_nir
from torch import nn

from nir_trees import chain, sink, source
from nodes import part
from tern2lava.compiler.ir.graph import Neuron
from tern2lava.frontends.load import load
from tern2lava.frontends.modules.read import load_module
from tern2lava.frontends.nir.read import read_tree
from tern2lava.sim.reference.real import run_float

Array = NDArray[Any]
DECIMALS = [n / 10**digits for digits in (2, 3) for n in range(10**digits)]
FOUR_DIGITS = [n / 10_000 for n in range(0, 10_000, 7)]
DYADIC = [n / 4096 for n in range(4097)]
STEPS = [1 - 1 / n for n in range(1, 200)]


def as_tree(graph: nir.NIRGraph) -> dict[str, Any]:
    """The tree that reading the file of `graph` would give."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in value.items() if item is not None and key != "metadata"}
        return value if isinstance(value, str) else np.asarray(value)

    found = plain(graph.to_dict())
    found["edges"] = [list(edge) for edge in graph.edges]
    return {"version": nir.version, "node": found}


def neuron_of(tree: dict[str, Any], **options: Any) -> Neuron:
    (found,) = read_tree(tree, "test", "test", **options).of_kind(Neuron)
    assert isinstance(found, Neuron)
    return found


def numbers(value: Any, count: int) -> Array:
    return np.broadcast_to(np.asarray(value), (count,))


def leaky(kind: Any, beta: list[float], weight: torch.Tensor | None = None, **more: Any) -> nn.Sequential:
    """A linear layer and snnTorch neurons in float32, a decay for each."""
    fc = nn.Linear(3 if weight is None else weight.shape[1], len(beta), bias=False)
    if weight is not None:
        fc.weight.data = weight
    neuron = kind(
        beta=torch.tensor(beta, dtype=torch.float32), threshold=torch.ones(len(beta)), init_hidden=True,
        reset_mechanism="zero", reset_delay=False, **more,
    )  # fmt: skip
    return nn.Sequential(fc, neuron)


@pytest.mark.parametrize("betas", [DECIMALS, FOUR_DIGITS, DYADIC, STEPS], ids=["3 digits", "4 digits", "4096", "steps"])
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic"])
def test_decays_exported_by_snntorch_come_back_as_the_module_has_them(kind: str, betas: list[float]) -> None:
    more = {"alpha": torch.tensor(betas[::-1], dtype=torch.float32)} if kind == "Synaptic" else {}
    model = leaky(getattr(snn, kind), betas, **more)
    exported = export_to_nir(model, torch.zeros(1, 3), ignore_dims=[0])
    (node,) = (node for node in exported.nodes.values() if isinstance(node, nir.LIF | nir.CubaLIF))
    assert node.r.dtype == np.float32
    found = neuron_of(as_tree(exported))
    own = part(model, "1", snn.SpikingNeuron).beta.double().numpy()
    assert int((numbers(found.alpha_v, len(own)) != own).sum()) == 0
    assert np.all(found.gain_v == 1)
    if kind == "Synaptic":
        own = part(model, "1", snn.SpikingNeuron).alpha.double().numpy()
        assert int((numbers(found.alpha_u, len(own)) != own).sum()) == 0
        assert np.all(found.gain_u == 1)


def test_decays_that_are_not_simple_come_back_to_a_last_bit_or_two() -> None:
    """What an importer computes in float32; below 1/2 the exporter itself rounded 1 - beta."""
    betas = np.random.default_rng(0).uniform(0.5, 1, 4000).astype(np.float32)
    model = leaky(snn.Leaky, betas.tolist())
    found = neuron_of(as_tree(export_to_nir(model, torch.zeros(1, 3), ignore_dims=[0])))
    last_bits = np.abs(found.alpha_v - betas) / np.spacing(betas)
    assert last_bits.max() <= 2
    assert np.count_nonzero(last_bits) < 150


def own_run(model: nn.Module, x: Array) -> tuple[Array, int]:
    """(spikes (samples, steps, neurons) of a float32 module run by snnTorch, potentials that met the threshold)."""
    state: list[torch.Tensor] = []
    met = 0
    model[1].reset_mem()  # type: ignore[index]
    with torch.no_grad():
        for t in range(x.shape[1]):
            before = model[1].mem if t else torch.zeros(())  # type: ignore[index]
            current = model[0](torch.from_numpy(x[:, t]).float())  # type: ignore[index]
            met += int(((before * model[1].beta + current) == 1).sum())  # type: ignore[index]
            state.append(model[1](current))  # type: ignore[index]
    return torch.stack(state, 1).numpy(), met


@pytest.mark.parametrize("beta", [0.5, 0.75, 0.25, 0.0])
def test_ties_at_the_threshold_fall_as_the_float32_module_decides(beta: float) -> None:
    rng = np.random.default_rng(1)
    weight = torch.from_numpy(rng.integers(-1, 2, (12, 8)).astype(np.float32) / 2)
    model = leaky(snn.Leaky, [beta] * 12, weight)
    exported = export_to_nir(model, torch.zeros(1, 8), ignore_dims=[0])
    graph = read_tree(as_tree(exported), "test", "test", dt=1e-4)
    x = (rng.random((20, 16, 8)) < 0.4).astype(float)
    expected, met = own_run(model, x)
    got = run_float(graph, {"input": x}, states=False).spikes[graph.of_kind(Neuron)[0].name]
    np.testing.assert_array_equal(got, expected)
    assert expected.sum() > 100
    assert met > 50


def test_norses_rates_come_back_as_the_cell_computes_them() -> None:
    norse = pytest.importorskip("norse.torch")
    from norse.torch.functional.lif_box import LIFBoxParameters

    inverse = torch.tensor([500.0, 250.0, 125.0, 100.0, 200.0, 400.0, 900.0, 50.0, 20.0, 62.5], dtype=torch.float32)
    zero, count = torch.zeros(len(inverse)), len(inverse)
    cell = norse.LIFBoxCell(LIFBoxParameters(tau_mem_inv=inverse, v_th=zero + 0.5, v_leak=zero, v_reset=zero))
    model = norse.SequentialState(nn.Linear(3, count), cell)
    found = neuron_of(as_tree(norse.to_nir(model, torch.zeros(1, 3))), dt=1e-6)
    own, gain = (cell.dt * inverse).numpy(), numbers(found.gain_v, count)
    # The cell itself rounds 0.001 * 900 to the float32 number after 0.9.
    assert np.all(np.abs(gain - own) <= np.spacing(own))
    assert int((gain == own).sum()) == 8
    dyadic = own * 64 == np.rint(own * 64)
    assert np.count_nonzero(dyadic & (gain == own)) == np.count_nonzero(dyadic) == 4
    np.testing.assert_array_equal(numbers(found.alpha_v, count), 1 - gain)


def sj_neurons() -> dict[str, tuple[Callable[[], nn.Module], float, float]]:
    """(neuron, decay, gain) of SpikingJelly."""
    from spikingjelly.activation_based import neuron as sj

    hard = {"v_reset": 0.0}
    return {
        "LIF, tau 2": (lambda: sj.LIFNode(tau=2.0, **hard), 0.5, 0.5),
        "LIF, tau 4, input not decayed": (lambda: sj.LIFNode(tau=4.0, decay_input=False, **hard), 0.75, 1.0),
        "LIF, tau 3": (lambda: sj.LIFNode(tau=3.0, **hard), 1 - 1 / 3, 1 / 3),
        "PLIF, tau 2": (lambda: sj.ParametricLIFNode(init_tau=2.0, **hard), 0.5, 0.5),
        "CUBA": (lambda: sj.CUBALIFNode(c_decay=0.5, v_decay=0.75, **hard), 0.75, 1.0),
    }


@pytest.mark.skipif(sys.version_info < (3, 11), reason="SpikingJelly 2.0 needs Python 3.11")
@pytest.mark.parametrize("single", [False, True], ids=["as exported", "cast to float32"])
@pytest.mark.parametrize("name", ["LIF, tau 2", "LIF, tau 4, input not decayed", "LIF, tau 3", "PLIF, tau 2", "CUBA"])
def test_time_constants_of_spikingjelly(name: str, single: bool) -> None:
    from spikingjelly.activation_based.nir_exchange import export_to_nir as export

    make, decay, gain = sj_neurons()[name]
    exported = export(nn.Sequential(nn.Linear(3, 4), make()), torch.zeros(1, 3), dt=1e-4)
    tree = as_tree(exported)
    if single:
        for node in tree["node"]["nodes"].values():
            for key in ("tau", "tau_mem", "tau_syn", "r", "w_in", "v_threshold", "v_leak", "v_reset"):
                if key in node:
                    node[key] = node[key].astype(np.float32)
    found = neuron_of(tree, dt=1e-4)
    exact = name != "LIF, tau 3"
    rounding = 0 if exact else 2.0**-24 if single else 4e-16
    assert np.all(np.abs(found.alpha_v - decay) <= rounding)
    assert np.all(np.abs(found.gain_v - gain) <= rounding)
    if name == "CUBA":
        assert np.all(found.alpha_u == 0.5)
        assert np.all(found.gain_u == 1)


def lif_tree(tau: Array, r: Array) -> dict[str, Any]:
    zero = np.zeros(len(tau), np.float32)
    node = {"type": "LIF", "tau": tau, "r": r, "v_leak": zero, "v_threshold": zero + 1, "v_reset": zero}
    return chain(source(len(tau)), ("n", node), sink(len(tau)))


@given(
    steps=st.one_of(
        st.integers(1, 999), st.integers(8, 800).map(lambda n: n / 8), st.integers(100, 999).map(lambda n: n / 100),
        st.integers(10, 999).map(lambda n: n / 10),
    ),
    dt=st.sampled_from([1e-4, 1e-3, 1e-2, 2.5e-4, 0.1]),
    unit=st.booleans(),
)  # fmt: skip
def test_time_constants_written_down_in_float32_are_the_ones_that_were_meant(
    steps: float, dt: float, unit: bool
) -> None:
    tau = np.array([steps * dt], np.float32)
    found = neuron_of(lif_tree(tau, np.array([steps if unit else 1.0], np.float32)), dt=dt)
    rate = Fraction(1) / Fraction(str(steps))
    one = np.float32(float(rate)) if not unit else 1 - np.float32(float(1 - rate)).astype(float)
    assert abs(float(found.alpha_v) - float(1 - rate)) <= 2.0**-25
    assert float(found.gain_v) == (1.0 if unit else float(one))


@given(st.lists(st.floats(1, 500, width=32), min_size=1, max_size=20), st.sampled_from([1e-4, 1e-3]))
def test_no_time_constant_is_moved_beyond_its_rounding(steps: list[float], dt: float) -> None:
    tau = (np.array(steps) * dt).astype(np.float32)
    found = neuron_of(lif_tree(tau, np.ones(len(tau), np.float32)), dt=dt)
    rate = dt / tau.astype(np.float64)
    count = len(tau)
    assert np.all(np.abs(numbers(found.gain_v, count) - rate) <= 3.5 * 2.0**-23 * rate)
    np.testing.assert_allclose(numbers(found.alpha_v, count), 1 - numbers(found.gain_v, count), atol=2.0**-24)


def test_what_is_not_simple_is_computed_in_float32() -> None:
    tau = np.array([0.00123456789, 0.0034567891], np.float32)
    found = neuron_of(lif_tree(tau, np.ones(2, np.float32)), dt=1e-4)
    rate = np.float32(1e-4) / tau
    np.testing.assert_array_equal(found.gain_v, rate.astype(float))
    np.testing.assert_array_equal(found.alpha_v, 1 - rate.astype(float))
    exact = neuron_of(lif_tree(tau.astype(float) * (1 + 1e-12), np.ones(2)), dt=1e-4)
    np.testing.assert_allclose(exact.gain_v, 1e-4 / tau.astype(float), rtol=2e-12)
    assert np.all(exact.gain_v != found.gain_v)


def test_float32_values_in_a_float64_array_are_read_at_their_precision() -> None:
    tau = np.full(3, np.float32(2e-3)).astype(float)
    found = neuron_of(lif_tree(tau, np.full(3, 2.0)), dt=1e-3)
    assert np.all(found.alpha_v == 0.5)
    assert np.all(found.gain_v == 1)
    kept = neuron_of(lif_tree(np.array([0.3, 0.7]), np.ones(2)), dt=0.1)
    np.testing.assert_array_equal(kept.alpha_v, 1 - 0.1 / np.array([0.3, 0.7]))


def test_a_leak_and_a_resistance_in_float32() -> None:
    """v' = v + dt / tau (v_leak - v + r x) with dt / tau = 1/4, r = 2: gains of 1/2, biases of v_leak / 4."""
    tree = lif_tree(np.array([4e-3], np.float32), np.array([2.0], np.float32))
    tree["node"]["nodes"]["n"]["v_leak"] = np.array([0.125], np.float32)
    found = neuron_of(tree, dt=1e-3)
    assert (float(found.alpha_v), float(found.gain_v), float(found.bias)) == (0.75, 0.5, 0.03125)


@pytest.mark.parametrize("r", [5000.0, 2500.0, 1.0, 10_000.0, 3000.0])
def test_if_neurons_with_a_float32_resistance(r: float) -> None:
    node = {"type": "IF", "r": np.full(2, r, np.float32), "v_threshold": np.ones(2, np.float32)}
    found = neuron_of(chain(source(2), ("n", node), sink(2)), dt=1e-4)
    assert np.all(found.gain_v == np.float32({5000.0: 0.5, 2500.0: 0.25, 3000.0: 0.3}.get(r, 1.0)))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="SpikingJelly 2.0 needs Python 3.11")
@pytest.mark.parametrize(("tau", "rate"), [(2.0, 0.5), (4.0, 0.25), (16.0, 0.0625)])
def test_a_learned_time_constant_is_the_float32_rate_that_the_module_uses(
    tmp_path: Path, tau: float, rate: float
) -> None:
    """1 / tau = sigmoid(w): with w in float32, sigmoid in float64 gives 0.2499999963 for an init_tau of 4."""
    from spikingjelly.activation_based import neuron as sj

    model = nn.Sequential(nn.Linear(8, 12, bias=False), sj.ParametricLIFNode(init_tau=tau, v_reset=0.0))
    weight = np.random.default_rng(1).integers(-1, 2, (12, 8))
    model[0].weight.data = torch.from_numpy(weight.astype(np.float32) * np.float32(tau / 2))
    graph = load_module(model, (8,), 16)
    neuron = graph.of_kind(Neuron)[0]
    assert (float(neuron.alpha_v), float(neuron.gain_v)) == (1 - rate, rate)
    torch.save(model.state_dict(), tmp_path / "m.pt")
    (tmp_path / "m.yaml").write_text(
        "input: {shape: [8]}\nsteps: 16\nreadout: spike_count\nlayers:\n  - dense: {tensors: '0'}\n"
        "  - neuron: {kind: plif, tensors: '1', decay_input: true, threshold: 1, reset: zero, reset_delay: false, "
        "fire: '>='}\n",
        encoding="utf-8",
    )
    read = load(tmp_path / "m.pt", tmp_path / "m.yaml")
    found = read.of_kind(Neuron)[0]
    assert (float(found.alpha_v), float(found.gain_v)) == (1 - rate, rate)
    x = (np.random.default_rng(2).random((20, 16, 8)) < 0.4).astype(float)
    spikes, met = [], 0
    with torch.no_grad():
        for t in range(16):
            current = model[0](torch.from_numpy(x[:, t]).float())
            before = model[1].v
            met += int((before + (current - before) * rate == 1).sum())
            spikes.append(model[1](current))
    expected = torch.stack(spikes, 1).numpy()
    assert met > 20
    for one in (graph, read):
        name, (source_name, *_) = one.of_kind(Neuron)[0].name, [node.name for node in one.nodes]
        got = run_float(one, {source_name: x}, states=False).spikes[name]
        np.testing.assert_array_equal(got, expected)
