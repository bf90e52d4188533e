"""Batch norm's running statistics anew, for weights that no longer change."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tern2lava.train.unroll import unroll


def reestimate(model: nn.Sequential, batches: Iterable[tuple[Tensor, int | None]]) -> None:
    """Replaces the running means and variances of every batch norm of `model` by their plain means over `batches`, each
    an input as unroll takes it after the model (x, steps); the weights are as they are, all else is as in evaluation.

    The running statistics of training are an exponential mean over weights and codes that were still changing.
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    model.eval()
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean of all batches that follow
        layer.train()
    with torch.no_grad():
        for x, steps in batches:
            unroll(model, x, steps)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.eval()
