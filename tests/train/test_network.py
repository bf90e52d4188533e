from typing import Any

import pytest
import snntorch
import torch
from torch import nn

from nodes import part
from tern2lava.errors import InputError
from tern2lava.train.dropout import DropConnectLinear
from tern2lava.train.network import NeuronModel, network
from tern2lava.train.unroll import unroll

pytest.importorskip("snntorch")


def test_a_line_becomes_the_layers_it_names() -> None:
    model = network("16c3-p2-32c3s2g4-20-10", (1, 8, 8))
    names = [f"{name}:{type(module).__name__}" for name, module in model.named_children()]
    assert names == [
        "conv1:Conv2d", "bn1:BatchNorm2d", "lif1:Leaky", "pool1:AvgPool2d", "conv2:Conv2d", "bn2:BatchNorm2d",
        "lif2:Leaky", "flatten:Flatten", "fc3:Linear", "lif3:Leaky", "fc4:Linear", "lif4:Leaky",
    ]  # fmt: skip
    assert model.conv2.stride == (2, 2)
    assert model.conv2.groups == 4
    assert model.conv2.bias is None
    assert model.fc3.in_features == 32 * 2 * 2
    assert unroll(model.eval(), torch.zeros(3, 2, 1, 8, 8)).output.shape == (3, 2, 10)


def test_neurons_get_their_parameters() -> None:
    neuron = NeuronModel(beta=0.5, threshold=2.0, reset="zero", reset_delay=False)
    model = network("8-3", (4,), neuron=neuron, bias=True)
    first, second = (part(model, name, snntorch.Leaky) for name in ("lif1", "lif2"))
    assert float(first.beta) == 0.5
    assert float(second.threshold) == 2.0
    assert first.reset_mechanism == "zero"
    assert first.reset_delay is False
    assert isinstance(model.fc1, nn.Linear)
    assert model.fc1.bias is not None


def test_dropout_dropconnect_and_recurrent_weights_stand_where_the_line_says() -> None:
    model = network("d0.1-dc0.2-2c3-p2-p2-d0.3-dc0.4-8r-6-3", (1, 8, 8), bias=True)
    names = [f"{name}:{type(module).__name__}" for name, module in model.named_children()]
    assert names == [
        "drop0:Dropout", "conv1:DropConnectConv2d", "bn1:BatchNorm2d", "lif1:Leaky", "pool1:AvgPool2d",
        "pool1_2:AvgPool2d", "drop1:Dropout", "flatten:Flatten", "fc2:DropConnectLinear", "lif2:RLeaky", "fc3:Linear",
        "lif3:Leaky", "fc4:Linear", "lif4:Leaky",
    ]  # fmt: skip
    random: Any = model
    assert [random.drop0.p, random.conv1.p, random.drop1.p, random.fc2.p] == [0.1, 0.2, 0.3, 0.4]
    recurrent = part(model, "lif2.recurrent", DropConnectLinear)
    assert (recurrent.p, recurrent.weight.shape, recurrent.bias is None) == (0.4, (8, 8), False)
    assert part(network("8r-3", (4,)), "lif1.recurrent", nn.Linear).bias is None
    assert unroll(model.eval(), torch.zeros(3, 2, 1, 8, 8)).output.shape == (3, 2, 3)


@pytest.mark.parametrize(
    "line",
    [
        "16c4-10",
        "m2-10",
        "4c3-p2-m2-10",
        "4c3-m2",
        "10-3c3",
        "3c3g2-10",
        "p9-10",
        "16k3",
        "",
        "0c3",
        "0",
        "d1.2-10",
        "dc0-10",
        "10-d0.2",
        "10-dc0.2",
        "4c3r-10",
    ],
)
def test_a_line_that_does_not_fit_is_refused(line: str) -> None:
    with pytest.raises(InputError, match="layer"):
        network(line, (1, 8, 8))
