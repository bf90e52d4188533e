import pytest
import snntorch
import torch
from torch import nn

from nodes import part
from tern2lava.errors import InputError
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


@pytest.mark.parametrize("line", ["16c4-10", "10-3c3", "3c3g2-10", "p9-10", "16k3", "", "0c3"])
def test_a_line_that_does_not_fit_is_refused(line: str) -> None:
    with pytest.raises(InputError, match="layer"):
        network(line, (1, 8, 8))
