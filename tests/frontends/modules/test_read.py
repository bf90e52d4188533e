"""Live modules: every spike as the framework's own run gives it, everything else refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrize

from nodes import node, part, there
from tern2lava.compiler.ir.graph import ChannelAffine, Compare, Dense, Graph, Input, Neuron, Output, Readout, Reset
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.builder import NeuronLayer
from tern2lava.frontends.modules.known_modules import NEURONS
from tern2lava.frontends.modules.read import load_module
from tern2lava.frontends.modules.torch_layers import class_path
from tern2lava.sim.reference.real import run_float

STEPS = 40


def leaky(**options: Any) -> nn.Module:
    neuron: nn.Module = snn.Leaky(**{"beta": 0.9, "init_hidden": True, **options})
    return neuron


def own_run(model: nn.Sequential, x: torch.Tensor) -> dict[str, Array]:
    """Spikes (batch, steps, neurons) of every Leaky when torch and snnTorch run `model` in float64.

    snnTorch's surrogates give out float32, so each layer's output is made float64 again.
    """
    model = model.double().eval()
    found: dict[str, list[torch.Tensor]] = {}
    for layer in model.modules():
        if isinstance(layer, snn.Leaky):
            layer.reset_mem()
    with torch.no_grad():
        for t in range(x.shape[1]):
            y = x[:, t]
            for name, layer in model.named_modules():
                if isinstance(layer, nn.Sequential) or "parametrizations" in name:
                    continue
                y = layer(y)
                y = (y[0] if isinstance(y, tuple) else y).double()
                if isinstance(layer, snn.Leaky):
                    found.setdefault(name, []).append(y.flatten(1))
    return {name: torch.stack(spikes, 1).numpy() for name, spikes in found.items()}


def compare(model: nn.Sequential, shape: tuple[int, ...], seed: int = 0, **options: Any) -> tuple[Graph, int]:
    """(graph, spikes compared); fails at the first spike that differs between the framework and the graph."""
    torch.manual_seed(seed)
    x = (torch.rand(8, STEPS, *shape) < 0.4).double()
    expected = own_run(model, x)
    graph = load_module(model, shape, STEPS, **options)
    trace = run_float(graph, {"input": x.numpy()}, states=False)
    assert set(trace.spikes) == set(expected)
    for name, spikes in expected.items():
        np.testing.assert_array_equal(trace.spikes[name], spikes, err_msg=name)
    return graph, int(sum(spikes.sum() for spikes in expected.values()))


MODES = [("subtract", True), ("subtract", False), ("zero", True), ("zero", False), ("none", True), ("none", False)]


@pytest.mark.parametrize(("reset", "delay"), MODES)
@pytest.mark.parametrize("per_neuron", [False, True])
def test_a_leaky_layer_spikes_as_in_snntorch(reset: str, delay: bool, per_neuron: bool) -> None:
    torch.manual_seed(3)
    for seed in range(4):
        beta = torch.rand(32).double() * 1.4 - 0.2 if per_neuron else torch.tensor([0.0, 0.5, 0.93, 1.0][seed])
        threshold = torch.rand(32).double() + 0.1 if per_neuron else 0.7
        mode = {"reset_mechanism": reset, "reset_delay": delay}
        model = nn.Sequential(
            nn.Linear(20, 32),
            leaky(beta=beta, threshold=threshold, learn_beta=per_neuron, **mode),
            nn.Linear(32, 16),
            leaky(beta=beta[:16] if per_neuron else beta, learn_threshold=True, **mode),
        )
        with torch.no_grad():
            for name in "02":
                part(model, name, nn.Linear).weight *= 4
        graph, spikes = compare(model, (20,), seed)
        assert spikes > 500
        assert node(graph, "1", Neuron).reset is Reset(reset)
        assert node(graph, "1", Neuron).compare is Compare.GT


def test_an_immediate_subtraction_rearms_as_in_snntorch() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 32), leaky(reset_mechanism="subtract", reset_delay=False))
    with torch.no_grad():
        part(model, "0", nn.Linear).weight *= 6  # v often stays above the threshold after a reset
    graph, _ = compare(model, (20,))
    neuron = node(graph, "1", Neuron)
    assert neuron.rearm
    x = np.random.default_rng(0).random((8, STEPS, 20)) < 0.4
    plain = graph.with_nodes(replace(node, rearm=False) if node is neuron else node for node in graph.nodes)
    exact, without = (run_float(g, {"input": x.astype(np.int8)}).spikes["1"] for g in (graph, plain))
    assert (exact != without).sum() > 100  # so the comparison above is one that can fail


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([(1, 1), (2, 1), (1, 2)]),
    st.sampled_from([0, 1, "same"]),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2]),
)
def test_random_convolutional_networks_spike_as_in_snntorch(
    seed: int, stride: tuple[int, int], padding: int | str, dilation: int, groups: int
) -> None:
    torch.manual_seed(seed)
    stride = (1, 1) if padding == "same" else stride
    model = nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=stride, padding=padding, dilation=dilation, groups=groups),
        nn.BatchNorm2d(4),
        leaky(threshold=0.3),
        nn.Sequential(nn.AvgPool2d(2, stride=1, padding=1), nn.Dropout2d()),
        nn.Flatten(),
        nn.Identity(),
        nn.LazyLinear(6),
        nn.BatchNorm1d(6, affine=False),
        leaky(threshold=0.2, output=True),
    )
    model(torch.zeros(2, 2, 9, 8))
    norms = part(model, "1", nn.BatchNorm2d), part(model, "7", nn.BatchNorm1d)
    for norm in norms:
        there(norm.running_mean).normal_().mul_(0.2)
        there(norm.running_var).uniform_(0.2, 1)
    with torch.no_grad():
        part(model, "0", nn.Conv2d).weight *= 2
        norms[0].weight.normal_()
    _, spikes = compare(model, (2, 9, 8), seed)
    assume(spikes > 50)


def test_one_dimensional_convolutions_spike_as_in_snntorch() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv1d(3, 6, 5, stride=2, padding=2, groups=3),
        nn.BatchNorm1d(6),
        leaky(beta=torch.rand(6, 10), threshold=0.2),
        nn.AvgPool1d(2),
        nn.Conv1d(6, 4, 3, padding="same", dilation=2),
        leaky(threshold=torch.rand(5) / 4),
        nn.Flatten(),
        nn.Linear(20, 5),
        leaky(threshold=0.1),
    )
    graph, spikes = compare(model, (3, 20))
    assert spikes > 300
    assert node(graph, "input", Input).shape == (3, 1, 20)
    assert "held as (3, 1, 20)" in graph.notes[0]


def test_a_parameter_broadcasts_along_the_last_axis_as_in_torch() -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), leaky(threshold=torch.rand(4) * 0.6))
    graph, spikes = compare(model, (1, 4, 4))
    assert spikes > 100
    assert node(graph, "1", Neuron).threshold.shape == (4, 4, 4)


class Ternary(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 0.25 * torch.sign(weight) * (weight.abs() > 0.1)


def test_a_parametrised_weight_is_read_as_it_evaluates() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 8), leaky(threshold=0.5))
    parametrize.register_parametrization(model[0], "weight", Ternary())
    graph = load_module(model, (20,), STEPS)
    assert set(np.unique(node(graph, "0", Dense).weight)) == {-0.25, 0.0, 0.25}


def test_readout_steps_and_levels_are_kept() -> None:
    graph = load_module(nn.Sequential(nn.Linear(3, 2), leaky()), (3,), 7, readout="membrane_max", levels=(-1, 1))
    (output,) = graph.of_kind(Output)
    assert (output.readout, graph.steps, node(graph, "input", Input).levels) == (Readout.MEMBRANE_MAX, 7, (-1, 1))
    assert isinstance(graph["0"], Dense)
    assert isinstance(graph["1"], Neuron)


def test_training_mode_is_noted() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), leaky())
    graph = load_module(model, (3,), 4)
    assert isinstance(graph["1"], ChannelAffine)
    assert any("training mode" in note for note in graph.notes)
    assert not load_module(model.eval(), (3,), 4).notes


class Custom(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        twice: torch.Tensor = self.fc(x) * 2
        return twice


class Doubled(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def hooked_inside() -> nn.Module:
    neuron = leaky()
    neuron.inner = nn.Identity()
    neuron.inner.register_forward_hook(lambda module, args, output: 2 * output)
    return neuron


def changed_reset() -> nn.Module:
    neuron = leaky(reset_mechanism="subtract")
    neuron.load_state_dict({**neuron.state_dict(), "reset_mechanism_val": torch.tensor(1)})
    return neuron


def with_nan() -> nn.Module:
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight[1, 2] = torch.nan
    return layer


@pytest.mark.parametrize(
    ("layers", "error", "why"),
    [
        (lambda: [Custom(), nn.Flatten(0), leaky()], UnsupportedError, "steps and samples mixed .*torch.flatten"),
        (lambda: [nn.Linear(3, 2), hooked_inside()], UnsupportedError, "layers without hooks"),
        (
            lambda: [nn.Linear(3, 2), nn.ReLU(), leaky()],
            UnsupportedError,
            r"layer 2 \(Leaky\).*found torch.relu of earlier",
        ),
        (lambda: [nn.Linear(3, 2)], UnsupportedError, "ends in neurons"),
        (
            lambda: [nn.Linear(4, 2), leaky()],
            InputError,
            r"layer 0 \(Linear\): requires a weight for 3 values \(an input of shape \(3,\)\); found shape \(2, 4\)",
        ),
        (
            lambda: [with_nan(), leaky()],
            InputError,
            "layer 0 .*weight: requires finite numbers; found 1 of 6 numbers NaN or infinite, the first nan at",
        ),
        (lambda: [nn.Linear(3, 2), leaky(threshold=torch.inf)], InputError, "threshold: .*inf"),
        (lambda: [nn.Linear(3, 2), leaky(threshold=-1.0)], UnsupportedError, "thresholds of 0 or more"),
        (
            lambda: [nn.Linear(3, 2), leaky(beta=torch.ones(3))],
            InputError,
            r"alpha_v: requires one number or a shape that broadcasts to the.*; found \(3,\)",
        ),
        (lambda: [nn.Linear(3, 2), leaky(graded_spikes_factor=2.0)], UnsupportedError, "graded_spikes_factor 2"),
        (lambda: [nn.Linear(3, 2), leaky(state_quant=lambda v: v)], UnsupportedError, "state_quant"),
        (lambda: [nn.Linear(3, 2), leaky(init_hidden=False), nn.Identity(), leaky()], UnsupportedError, "init_hidden"),
        (lambda: [nn.Linear(3, 2), changed_reset()], UnsupportedError, "made with reset subtract"),
        (lambda: [nn.Linear(3, 2), leaky(spike_grad=torch.sigmoid)], UnsupportedError, "step function"),
        (lambda: [nn.BatchNorm1d(3, track_running_stats=False), leaky()], UnsupportedError, "statistics"),
        (lambda: [nn.Conv2d(1, 1, 3), leaky()], InputError, "channels, height, width"),
        (lambda: [], InputError, "Sequential: requires layers; found none"),
    ],
)
def test_what_is_not_known_is_refused_by_name(
    layers: Callable[[], list[nn.Module]], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why) as caught:
        load_module(nn.Sequential(*layers()), (3,), STEPS)
    assert "\n" not in str(caught.value)


def test_inhibition_is_refused() -> None:
    with pytest.warns(UserWarning, match="[Ii]nhibition"):
        neuron = leaky(inhibition=True)
    with pytest.raises(UnsupportedError, match="inhibition"):
        load_module(nn.Sequential(nn.Linear(3, 2), neuron), (3,), STEPS)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Flatten(0),
        nn.MaxPool2d(2, return_indices=True),
    ],
)
def test_layers_with_a_setting_that_has_no_exact_form_are_refused(layer: nn.Module) -> None:
    with pytest.raises(UnsupportedError):
        load_module(nn.Sequential(layer, leaky()), (1, 5, 5), STEPS)


def test_ceil_mode_is_accepted_where_it_changes_nothing() -> None:
    compare(nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), leaky(threshold=0.4)), (1, 6, 6))


def test_a_spike_function_that_fires_at_the_threshold_is_read_as_such() -> None:
    model = nn.Sequential(nn.Linear(4, 3, bias=False), leaky(beta=0.5, spike_grad=lambda x: (x >= 0).float()))
    with torch.no_grad():
        part(model, "0", nn.Linear).weight.fill_(0.5)
    graph, spikes = compare(model, (4,))
    assert node(graph, "1", Neuron).compare is Compare.GE
    assert spikes > 0


def test_an_unknown_readout_or_shape_is_refused() -> None:
    model = nn.Sequential(nn.Linear(3, 2), leaky())
    with pytest.raises(InputError, match="readout: requires a readout; found 'loudest'"):
        load_module(model, (3,), 4, readout="loudest")
    with pytest.raises(InputError, match="positive"):
        load_module(model, (0,), 4)


def test_a_container_in_a_known_order_is_held_against_its_own_run(monkeypatch: pytest.MonkeyPatch) -> None:
    first, last = nn.Linear(3, 2, bias=False), leaky(threshold=0.75)
    with torch.no_grad():
        first.weight.fill_(0.5)
    net = nn.Sequential(first, last)
    path = class_path(last)
    read = NEURONS[path]

    def lower(module: nn.Module, name: str, where: str) -> NeuronLayer:
        return NeuronLayer(fields={**read(module, name, where).fields, "threshold": np.full((), 0.4)})

    assert load_module(net, (3,), STEPS).notes == ()
    monkeypatch.setitem(NEURONS, path, lower)
    with pytest.raises(UnsupportedError, match="Sequential: 1: requires a graph that spikes as the module does"):
        load_module(net, (3,), STEPS)
