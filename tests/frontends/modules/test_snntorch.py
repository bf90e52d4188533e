"""Every neuron of snnTorch spikes as in snnTorch, in every reset mode and with every recurrence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from nodes import node, part
from tern2lava.compiler.ir.graph import ChannelAffine, Conv2d, Dense, Graph, Neuron, Reset
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.modules.read import load_module
from tern2lava.train.ternarize import ternarize

Compare = Callable[..., tuple[Graph, int]]
MODES = [("subtract", True), ("subtract", False), ("zero", True), ("zero", False), ("none", True)]


def parameters(kind: type[nn.Module], count: int) -> dict[str, Any]:
    """Decays and thresholds per neuron, some decays outside of [0, 1], which snnTorch clamps."""
    values = {"beta": torch.rand(count) * 1.3 - 0.15, "threshold": torch.rand(count) + 0.2, "learn_beta": True}
    if kind in (snn.Synaptic, snn.RSynaptic):
        values["alpha"] = torch.rand(count) * 1.3 - 0.15
    return values


CASES = [
    (kind, recurrence, reset, delay)
    for kind, recurrence in (
        (snn.Leaky, None),
        (snn.Synaptic, None),
        (snn.RLeaky, "dense"),
        (snn.RLeaky, "one to one"),
        (snn.RSynaptic, "dense"),
        (snn.RSynaptic, "one to one"),
    )
    for reset, delay in MODES
    if kind is not snn.RSynaptic or delay  # snnTorch 1.0 cannot run the others
]


@pytest.mark.parametrize(("kind", "recurrence", "reset", "delay"), CASES)
def test_neurons_spike_as_in_snntorch(
    compare_spikes: Compare, kind: type[nn.Module], recurrence: str | None, reset: str, delay: bool
) -> None:
    torch.manual_seed(4)
    feedback = {"linear_features": 16} if recurrence == "dense" else {"all_to_all": False, "V": torch.randn(16)}
    neuron = kind(
        **parameters(kind, 16), init_hidden=True, reset_mechanism=reset, reset_delay=delay,
        **(feedback if recurrence else {}),
    )  # fmt: skip
    model = nn.Sequential(nn.Linear(10, 16), neuron)
    with torch.no_grad():
        part(model, "0", nn.Linear).weight *= 4
    graph, spikes = compare_spikes(model, (10,))
    assert spikes > 300
    assert node(graph, "1", Neuron).reset is Reset(reset)
    drops = kind is not snn.Leaky and reset == "zero" and delay
    assert node(graph, "1", Neuron).refractory == int(drops)
    assert ("1.recurrent" in graph.by_name) == (recurrence is not None)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("circuit", [{"beta": 0.8}, {"R": 5.0, "C": 2.0, "time_step": 3.0}])
def test_lapicques_neuron_is_a_resistor_and_a_capacitor(
    compare_spikes: Compare, circuit: dict[str, float], reset: str
) -> None:
    torch.manual_seed(4)
    neuron = snn.Lapicque(**circuit, threshold=0.3, init_hidden=True, reset_mechanism=reset)
    graph, spikes = compare_spikes(nn.Sequential(nn.Linear(10, 16), neuron), (10,))
    assert spikes > 100
    assert node(graph, "1", Neuron).reset_delay == (reset != "none")


def test_a_circuit_that_loses_more_than_all_in_a_step_is_refused() -> None:
    model = nn.Sequential(nn.Linear(3, 2), snn.Lapicque(beta=0.1, init_hidden=True))
    with pytest.raises(InputError, match=r"1 - time_step / \(R C\)"):
        load_module(model, (3,), 4)


def test_a_convolution_feeds_back(compare_spikes: Compare) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        snn.RLeaky(beta=0.8, conv2d_channels=3, kernel_size=(3, 5), init_hidden=True, threshold=0.4),
        snn.RSynaptic(
            alpha=0.5, beta=0.6, all_to_all=False, V=torch.randn(3, 1, 1), init_hidden=True, threshold=0.5
        ),
    )  # fmt: skip
    graph, spikes = compare_spikes(model, (2, 5, 6))
    assert spikes > 1000
    assert node(graph, "1.recurrent", Conv2d).padding == (1, 1, 2, 2)
    assert node(graph, "2.recurrent", ChannelAffine).gain.shape == (3,)


def test_ternarised_layers_and_recurrences_are_read(compare_spikes: Compare) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 16), snn.RLeaky(beta=0.8, linear_features=16, init_hidden=True, threshold=0.4))
    graph, spikes = compare_spikes(ternarize(model), (10,))
    assert spikes > 500
    assert np.unique(np.abs(node(graph, "1.recurrent", Dense).weight)).size == 2


def test_a_weight_per_position_and_an_impossible_reset_are_refused() -> None:
    def network(neuron: nn.Module) -> nn.Module:
        return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), neuron)

    neuron = snn.RLeaky(beta=0.8, all_to_all=False, V=torch.randn(3, 5, 6), init_hidden=True)
    with pytest.raises(UnsupportedError, match=r"one per channel, where .*; found weights of shape \(3, 5, 6\)"):
        load_module(network(neuron), (2, 5, 6), 4)
    neuron = snn.RSynaptic(alpha=0.5, beta=0.6, all_to_all=False, init_hidden=True, reset_delay=False)
    with pytest.raises(UnsupportedError, match="which snnTorch 1.0 cannot run"):
        load_module(network(neuron), (2, 5, 6), 4)


def test_max_pooling_of_spikes_is_an_or(compare_spikes: Compare) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.MaxPool2d((2, 1), stride=1, padding=(1, 0)),
        nn.Conv2d(2, 4, 3),
        snn.Leaky(beta=0.7, threshold=0.3, init_hidden=True),
        nn.Dropout(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.LazyLinear(5),
        snn.Leaky(beta=0.7, threshold=0.1, init_hidden=True),
    )
    with torch.no_grad():
        model(torch.zeros(1, 2, 9, 8))
    graph, spikes = compare_spikes(model, (2, 9, 8), density=0.1)
    assert spikes > 1000
    assert sum("the maximum of spikes is their OR, a population of" in note for note in graph.notes) == 2


def test_max_pooling_that_gives_places_is_refused() -> None:
    pool = nn.MaxPool2d(2, return_indices=True)
    with pytest.raises(UnsupportedError, match=r"0 \(MaxPool2d\)"):
        load_module(nn.Sequential(pool, nn.Flatten(), nn.Linear(4, 2), snn.Leaky(beta=0.5)), (1, 5, 5), 4)


def test_the_maximum_of_currents_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), snn.Leaky(beta=0.5, init_hidden=True))
    with pytest.raises(UnsupportedError, match=r"maximum of what 0 \(Conv2d\) gives out; move it behind the neurons"):
        load_module(model, (1, 6, 6), 4)
    with pytest.raises(UnsupportedError, match=r"maximum of what input \(Input\)"):
        load_module(nn.Sequential(nn.MaxPool2d(2), snn.Leaky(beta=0.5)), (1, 6, 6), 4, levels=(-1, 1))
