"""Every neuron of SpikingJelly spikes as in SpikingJelly, in single and multi-step mode."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tern2lava.compiler.ir.graph import Compare as Rule
from tern2lava.compiler.ir.graph import Graph
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.read import load_module

if sys.version_info < (3, 11):
    pytest.skip("SpikingJelly 2.0 needs Python 3.11", allow_module_level=True)

from spikingjelly.activation_based import functional, layer, neuron, surrogate

Compare = Callable[..., tuple[Graph, int]]


def nodes(reset: float | None) -> dict[str, nn.Module]:
    common: dict[str, Any] = {"v_threshold": 0.6, "v_reset": reset}
    return {
        "if": neuron.IFNode(**common),
        "lif": neuron.LIFNode(tau=2.5, decay_input=True, **common),
        "lif, input not decayed": neuron.LIFNode(tau=2.5, decay_input=False, **common),
        "plif": neuron.ParametricLIFNode(init_tau=3.0, decay_input=True, **common),
        "plif, input not decayed": neuron.ParametricLIFNode(init_tau=3.0, decay_input=False, **common),
        "cuba": neuron.CUBALIFNode(c_decay=0.4, v_decay=0.7, **common),
        "ternary if": neuron.TernaryIFNode(**common),
        "ternary lif": neuron.TernaryLIFNode(tau=2.5, **common),
    }


@pytest.mark.parametrize("reset", [0.0, None, -0.2])
@pytest.mark.parametrize("kind", list(nodes(0.0)))
@pytest.mark.parametrize("mode", ["s", "m"])
def test_neurons_spike_as_in_spikingjelly(compare_spikes: Compare, kind: str, reset: float | None, mode: str) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(layer.Linear(10, 16), nodes(reset)[kind], layer.Linear(16, 8), nodes(reset)[kind])
    with torch.no_grad():
        model[0].weight *= 4
        model[2].weight *= 4
    functional.set_step_mode(model, mode)
    graph, spikes = compare_spikes(model, (10,), sequence=mode == "m")
    assert spikes > 100
    assert graph["1"].compare is Rule.GE
    assert (graph["1"].threshold_low is not None) == kind.startswith("ternary")


@pytest.mark.parametrize("mode", ["s", "m"])
def test_a_convolutional_network_spikes_as_in_spikingjelly(compare_spikes: Compare, mode: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        layer.Conv2d(2, 4, 3, padding=1, bias=False),
        layer.BatchNorm2d(4),
        neuron.LIFNode(tau=2.0, v_threshold=0.3, surrogate_function=surrogate.ATan()),
        layer.MaxPool2d(2),
        layer.Conv2d(4, 4, 3, padding=1, groups=2),
        neuron.IFNode(v_threshold=0.4, v_reset=None),
        layer.AvgPool2d(2),
        layer.Dropout(0.3),
        layer.Flatten(),
        layer.Linear(16, 6),
        neuron.ParametricLIFNode(v_threshold=0.2),
    )
    model[1].running_mean.normal_().mul_(0.1)
    model[1].running_var.uniform_(0.2, 1)
    functional.set_step_mode(model, mode)
    graph, spikes = compare_spikes(model, (2, 8, 8), sequence=mode == "m")
    assert spikes > 1000
    assert any("training mode" in note for note in graph.notes)


def test_containers_over_time_are_read(compare_spikes: Compare) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        layer.SeqToANNContainer(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)),
        neuron.IFNode(v_threshold=0.3, step_mode="m"),
        layer.MultiStepContainer(nn.Flatten(), nn.Linear(48, 6), neuron.LIFNode(v_threshold=0.2)),
        nn.Linear(6, 4),
        neuron.IFNode(v_threshold=0.1, step_mode="m"),
    )
    graph = load_module(model, (1, 6, 6), 40)
    assert [node.name for node in graph.nodes][1:4] == ["0.0", "0.1", "1"]
    model.eval()
    x = torch.rand(40, 6, 1, 6, 6) < 0.4
    with torch.no_grad():
        expected = model.double()(x.double()).transpose(0, 1)
    from tern2lava.sim.reference.real import run_float

    found = run_float(graph, {"input": x.transpose(0, 1).numpy()}).spikes["4"]
    assert expected.sum() > 100
    assert (found == expected.numpy()).all()


@pytest.mark.parametrize("mode", ["s", "m"])
def test_recurrent_containers_spike_as_in_spikingjelly(compare_spikes: Compare, mode: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        layer.LinearRecurrentContainer(neuron.LIFNode(v_threshold=0.2), 10, 10, step_mode=mode),
        layer.Linear(10, 8, step_mode=mode),
        layer.ElementWiseRecurrentContainer(neuron.IFNode(), lambda a, b: a + b, step_mode=mode),
    )
    graph, spikes = compare_spikes(model, (10,), sequence=mode == "m")
    assert spikes > 300
    assert graph["0.input"].weight.shape == (10, 10)


def test_the_hidden_state_of_a_used_network_is_no_part_of_the_graph(compare_spikes: Compare) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(layer.Linear(10, 8), neuron.IFNode())
    fresh, _ = compare_spikes(model, (10,))
    model(torch.rand(6, 10))
    assert load_module(model, (10,), 40)["1"].v_init == fresh["1"].v_init == 0


def multi(module: nn.Module) -> nn.Module:
    functional.set_step_mode(module, "m")
    return module


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        (lambda: [nn.Conv2d(1, 2, 3), multi(neuron.IFNode())], r"0 .*: requires layers that all read single steps"),
        (lambda: [multi(layer.Flatten()), nn.Linear(36, 2), neuron.IFNode()], "set one step_mode"),
        (lambda: [neuron.IFNode(surrogate_function=surrogate.Sigmoid(spiking=False))], "step function"),
        (lambda: [neuron.QIFNode()], "QIFNode; known are"),
        (lambda: [neuron.CUBALIFNode(c_decay=1.5)], "c_decay: requires a decay factor"),
        (lambda: [layer.ElementWiseRecurrentContainer(neuron.IFNode(), lambda a, b: a * b)], "another element_wise"),
        (lambda: [layer.LinearRecurrentContainer(neuron.QIFNode(), 6, 6)], "one neuron layer in a recurrent container"),
    ],
)
def test_what_has_no_exact_form_is_refused_by_name(layers: Callable[[], list[nn.Module]], why: str) -> None:
    from tern2lava.errors import InputError

    with pytest.raises((UnsupportedError, InputError), match=why) as caught:
        load_module(nn.Sequential(*layers()), (1, 6, 6), 4)
    assert "\n" not in str(caught.value)
