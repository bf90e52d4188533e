import numpy as np
import pytest
import torch
from torch import nn

from nodes import node
from tern2lava.compiler.ir.graph import Compare, Dense, Graph, Neuron, Reset
from tern2lava.frontends.modules.read import load_module
from tern2lava.train.dropout import DropConnectConv2d, DropConnectLinear
from tern2lava.train.neurons.alif import ALIF
from tern2lava.train.neurons.plif import PLIF
from tern2lava.train.surrogate import ArcTangent


def read(neuron: nn.Module) -> Graph:
    torch.manual_seed(0)
    return load_module(nn.Sequential(DropConnectLinear(4, 3, p=0.5), neuron).eval(), (4,), 6)


@pytest.mark.parametrize(
    ("reset", "expected"), [("zero", Reset.ZERO), ("subtract", Reset.SUBTRACT), ("none", Reset.NONE)]
)
def test_a_plif_is_read_as_it_steps(reset: str, expected: Reset) -> None:
    graph = read(PLIF(tau=4.0, threshold=0.5, spike_grad=ArcTangent(), reset=reset, recurrent=nn.Linear(3, 3)))
    found = node(graph, "1", Neuron)
    assert (found.reset, found.reset_delay, found.compare) == (expected, False, Compare.GT)
    assert float(np.unique(found.alpha_v)[0]) == pytest.approx(0.75)
    assert float(np.unique(found.gain_v)[0]) == pytest.approx(0.25)
    assert {"1.previous", "1.recurrent"} < {each.name for each in graph.nodes}
    assert isinstance(graph["0"], Dense)
    assert not any("own run" in note for note in graph.notes)


def test_an_alif_is_read_as_it_steps() -> None:
    graph = read(ALIF(alpha=0.75, rho=0.5, jump=0.25, threshold=0.5, spike_grad=ArcTangent()))
    found = node(graph, "1", Neuron)
    assert (found.reset, found.reset_delay) == (Reset.SUBTRACT, True)
    assert float(np.unique(found.alpha_v)[0]) == pytest.approx(0.75)
    assert float(np.unique(found.gain_v)[0]) == 1.0
    assert not any("own run" in note for note in graph.notes)


def test_dropconnect_is_left_out_as_dropout_is() -> None:
    torch.manual_seed(0)
    neuron = PLIF(tau=2.0, threshold=0.5, spike_grad=ArcTangent())
    dropped = nn.Sequential(DropConnectConv2d(1, 2, 3, p=0.5), neuron)
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), neuron)
    plain.load_state_dict(dropped.state_dict())
    graphs = [load_module(net, (1, 4, 4), 4) for net in (dropped.train(), plain)]
    assert np.array_equal(graphs[0]["0"].weight, graphs[1]["0"].weight)  # type: ignore[union-attr]
    assert any("dropout and batch normalisation are read as in evaluation" in note for note in graphs[0].notes)
