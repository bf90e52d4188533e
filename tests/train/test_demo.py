import json
from importlib import resources
from typing import Any

import pytest
import torch
from torch import nn

from tern2lava.train.data import digits
from tern2lava.train.describe import describe
from tern2lava.train.evaluate import accuracy
from tern2lava.train.network import NeuronModel, network
from tern2lava.train.trainer import TrainingOptions

pytest.importorskip("snntorch")
FOLDER = resources.files("tern2lava") / "demo"
METRICS = json.loads((FOLDER / "metrics.json").read_text())


def load(name: str) -> tuple[nn.Sequential, dict[str, Any]]:
    metrics = METRICS[name]
    neuron = NeuronModel(**metrics["neuron"])
    model = network(metrics["layers"], (1, 8, 8), neuron=neuron, batch_norm=metrics["batch_norm"])
    model.load_state_dict(torch.load(str(FOLDER / f"{name}.pt"), weights_only=True))
    return model.eval(), metrics


@pytest.mark.parametrize("name", ["mlp", "conv"])
def test_every_weight_of_a_demo_net_is_exactly_ternary(name: str) -> None:
    model, metrics = load(name)
    layers = [module for module in model if isinstance(module, nn.Linear | nn.Conv2d)]
    assert len(layers) == {"mlp": 2, "conv": 3}[name]
    for layer in layers:
        weight = layer.weight.detach()
        groups = weight.reshape(1, -1) if metrics["per"] == "tensor" else weight.flatten(1)
        for row in groups:
            magnitudes = row.abs()[row != 0].unique()
            assert magnitudes.numel() == 1
        assert 0.02 < float((weight == 0).float().mean()) < 0.8


@pytest.mark.parametrize(("name", "bar"), [("mlp", 0.95), ("conv", 0.97)])
def test_the_stated_accuracy_of_a_demo_net_is_true(name: str, bar: float) -> None:
    model, metrics = load(name)
    data = digits(seed=metrics["split_seed"])
    assert len(data.test_y) == metrics["test_samples"] >= 450
    assert accuracy(model, data, TrainingOptions(**metrics["options"])) == metrics["test_accuracy"] >= bar


@pytest.mark.parametrize("name", ["mlp", "conv"])
def test_the_net_yaml_of_a_demo_net_describes_its_model(name: str) -> None:
    model, metrics = load(name)
    assert (FOLDER / f"{name}.yaml").read_text() == describe(model, (1, 8, 8), metrics["options"]["steps"])
