from typing import Any

import pytest
import torch
from torch import nn

from tern2lava.train.groups import parameter_groups
from tern2lava.train.ternarize import ternaries, ternarize

snntorch = pytest.importorskip("snntorch")


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), snntorch.Leaky(beta=0.9, learn_beta=True), nn.Flatten(),
        nn.Linear(12, 4), nn.Linear(4, 2),
    )  # fmt: skip


def names(model: nn.Module, groups: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The names of the parameters in each group."""
    by_id = {id(parameter): name for name, parameter in model.named_parameters()}
    return {group["name"]: [by_id[id(parameter)] for parameter in group["params"]] for group in groups}


def test_decay_is_for_the_weights_alone_and_every_parameter_is_in_one_group() -> None:
    model = ternarize(net(), "learned", layers=["0", "4"])
    groups = parameter_groups(model, lr=0.1, weight_decay=0.01, scale_lr=0.5)
    found = names(model, groups)
    assert found == {
        "weights": ["0.parametrizations.weight.original", "4.parametrizations.weight.original", "5.weight"],
        "scales": [
            "0.parametrizations.weight.0.log_delta", "4.parametrizations.weight.0.log_delta",
            "4.parametrizations.weight.0.log_alpha",
        ],
        "rest": ["1.weight", "1.bias", "2.beta", "4.bias", "5.bias"],
    }  # fmt: skip
    assert sorted(name for group in found.values() for name in group) == sorted(
        name for name, _ in model.named_parameters()
    )
    settings = {group["name"]: (group["lr"], group["weight_decay"]) for group in groups}
    assert settings == {"weights": (0.1, 0.01), "scales": (0.5, 0.0), "rest": (0.1, 0.0)}


def test_decay_moves_no_scale() -> None:
    model = ternarize(nn.Sequential(nn.Linear(6, 4)), "learned")
    optimiser = torch.optim.SGD(parameter_groups(model, lr=0.1, weight_decay=1.0))
    ((_, _, ternary),) = ternaries(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"0.parametrizations.weight.original"}
    assert ternary.learns_scale
