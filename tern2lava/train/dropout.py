"""Dropout and dropconnect: what is random in training, on or off at evaluation, and drawn again after an interruption.

Dropout (torch's own nn.Dropout, one mask for each sample and time step; Srivastava et al., JMLR 15, 2014, and for
uncertainty in spiking networks Sun, Yin and Bohte, arXiv 2304.10191) leaves out spikes. Dropconnect (Wan et al., ICML
2013) leaves out weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.dropout import _DropoutNd


class DropConnectLinear(nn.Linear):
    """A Linear that in training leaves out each weight with probability p and divides the others by 1 - p.

    The mask is put over what the layer computes with, of a ternarised one over alpha * t: a code left out is a zero
    where one of -1 and +1 stood, so that every thinned network is ternary, with the scale of the whole one. Over the
    full-precision weights below it would move the scale and the threshold that are means over them. One mask for each
    forward pass: all samples and, unrolled, all time steps of a batch.
    """

    def __init__(self, inputs: int, outputs: int, *, p: float, bias: bool = True) -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.p = p

    def drawn(self) -> Tensor:
        """The weight, with a mask drawn anew in training."""
        return functional.dropout(self.weight, self.p, self.training)

    def forward(self, input: Tensor) -> Tensor:
        """The layer's product with the drawn weight."""
        return functional.linear(input, self.drawn(), self.bias)


class DropConnectConv2d(nn.Conv2d):
    """A Conv2d whose weights are left out as those of a DropConnectLinear."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, p: float, **geometry: Any) -> None:
        super().__init__(inputs, outputs, kernel, **geometry)
        self.p = p

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        dropped = functional.dropout(weight, self.p, self.training)
        result: Tensor = super()._conv_forward(input, dropped, bias)
        return result


RANDOM: tuple[type[nn.Module], ...] = (_DropoutNd, DropConnectLinear, DropConnectConv2d)


def once(recurrent: nn.Module) -> Callable[[Tensor], Tensor]:
    """The map that a recurrent layer is, with its weight read (ternarised, a mask drawn) once for all steps."""
    if isinstance(recurrent, DropConnectLinear):
        return partial(functional.linear, weight=recurrent.drawn(), bias=recurrent.bias)
    if isinstance(recurrent, nn.Linear):
        return partial(functional.linear, weight=recurrent.weight, bias=recurrent.bias)
    return recurrent


def set_dropout(model: nn.Module, on: bool) -> None:
    """Draws masks in every dropout and dropconnect layer of `model` (or in none), whatever mode the rest is in."""
    for module in model.modules():
        if isinstance(module, RANDOM):
            module.train(on)


def is_random(model: nn.Module) -> bool:
    """Whether a forward pass of `model` draws masks."""
    return any(isinstance(module, RANDOM) and module.training for module in model.modules())


@contextmanager
def drawn_from(model: nn.Module, seed: int) -> Iterator[None]:
    """Masks within it are those of `seed`, whatever was drawn before; torch's own generators are left as they were."""
    if not is_random(model):
        yield
        return
    cuda = {tensor.device for tensor in model.parameters() if tensor.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(cuda)):
        torch.manual_seed(seed)
        yield
