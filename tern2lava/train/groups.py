"""Parameters in groups for an optimiser: what weight decay may touch, scales, and all else."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from tern2lava.train.ternarize import LAYERS, parametrizations, ternaries


def parameter_groups(
    model: nn.Module, *, lr: float, weight_decay: float = 0.0, scale_lr: float | None = None
) -> list[dict[str, Any]]:
    """The parameters of `model` in groups as torch's optimisers take them, each with its `name`, each parameter once.

    weights: of Linear and convolution layers, of ternarised ones the full-precision weights; weight_decay is theirs
    alone. scales: alpha, thresholds and steps of quantisers, at scale_lr (None: lr). rest: biases, batch norm,
    parameters of neurons. Decay on a scale held as a logarithm draws it to 1, and on a batch norm's gain or a neuron's
    decay to 0, whatever the task says. Empty groups are left out. Call it after ternarize.
    """
    scales = [parameter for _, _, ternary in ternaries(model) for parameter in ternary.parameters()]
    weights = [weight for module in model.modules() if isinstance(module, LAYERS) for weight in _weight(module)]
    known = {id(parameter) for parameter in (*scales, *weights)}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups = [
        {"name": "weights", "params": weights, "lr": lr, "weight_decay": weight_decay},
        {"name": "scales", "params": scales, "lr": lr if scale_lr is None else scale_lr, "weight_decay": 0.0},
        {"name": "rest", "params": rest, "lr": lr, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _weight(module: nn.Module) -> list[nn.Parameter]:
    """The parameter behind the weight of a layer."""
    if parametrize.is_parametrized(module, "weight"):
        return [parametrizations(module).original]
    return [module.weight] if isinstance(module.weight, nn.Parameter) else []
