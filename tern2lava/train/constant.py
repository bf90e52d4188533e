"""Layers without state on an input that is the same in every time step: one pass in the place of one for each step."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

#: Modules that do the same with equal inputs; what is not here runs in every step.
STEADY: tuple[type[nn.Module], ...] = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.AvgPool1d, nn.AvgPool2d, nn.MaxPool1d, nn.MaxPool2d,
    nn.AdaptiveAvgPool2d, nn.Flatten, nn.Unflatten, nn.Identity, nn.ReLU, _BatchNorm,
)  # fmt: skip


def is_steady(module: nn.Module, x: Tensor) -> bool:
    """Whether one pass over x (batch, *shape) tells what the module does in every step.

    Not so: dropout in training, which draws anew in each, and batch norm in training on one value a channel, which
    torch refuses, though the values of several steps are more than one.
    """
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return not module.training or module.p == 0
    if isinstance(module, _BatchNorm):
        return not has_one_value(module, x)
    return isinstance(module, STEADY)


def run_steady(module: nn.Module, x: Tensor, steps: int) -> Tensor:
    """module(x), with the state that a run over `steps` equal steps would leave.

    Mean and variance over n values are those over steps * n values of which each is there `steps` times, and so is
    what batch norm computes. Its running variance though takes the unbiased one, variance * N / (N - 1) for N values:
    here N = steps * n, as of all steps, equal to theirs but for the rounding of float32.
    """
    if not isinstance(module, _BatchNorm) or not _uses_batch(module) or module.running_var is None:
        result: Tensor = module(x)
        return result
    before = module.running_var.clone()
    result = module(x)
    count, tracked = x.numel() // x.shape[1], module.num_batches_tracked
    momentum = module.momentum if module.momentum is not None else 1.0 / float(tracked or 1)
    kept = before * (1.0 - momentum)
    unbiased = (count - 1) / count * (steps * count / (steps * count - 1))
    # .data: autograd holds the buffer for the backward pass, which in training does not read it.
    module.running_var.data.copy_(kept + (module.running_var - kept) * unbiased)
    return result


def has_one_value(module: nn.Module, x: Tensor) -> bool:
    """Whether the module is a batch norm that would take its statistics over one value of each channel of x."""
    return isinstance(module, _BatchNorm) and _uses_batch(module) and x.numel() == x.shape[1]


def _uses_batch(module: _BatchNorm) -> bool:
    """Whether a batch norm takes the statistics of its batch."""
    return module.training or module.running_mean is None
