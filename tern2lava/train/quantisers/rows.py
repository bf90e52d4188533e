"""Weights in groups that share a scale, and what quantisers make of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class StraightThrough(torch.autograd.Function):
    """Forward: `hard`, bit for bit. Backward: the gradient goes to `soft` (Bengio et al., arXiv 1308.3432)."""

    @staticmethod
    def forward(ctx: Any, hard: Tensor, soft: Tensor) -> Tensor:
        return hard.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        return None, gradients[0]


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """`hard` with the gradient of `soft`."""
    result: Tensor = StraightThrough.apply(hard, soft)
    return result


def rows(weight: Tensor, per: str) -> Tensor:
    """View (groups, weights): one group for the tensor, or one per output channel."""
    return weight.reshape(1, -1) if per == "tensor" else weight.reshape(weight.shape[0], -1)


def threshold_for_sparsity(magnitude: Tensor, sparsity: float) -> Tensor:
    """(groups, 1): the magnitude at or below which a fraction `sparsity` (rounded to whole weights) of a group lies.

    The largest magnitudes of a group, where they are not zero, lie above it in any case: a few weights whose fraction
    rounds to all of them, or weights of one magnitude (as ternary ones are), do not all become zero.
    """
    zeros = round(sparsity * magnitude.shape[1])
    if zeros == 0:
        return magnitude.new_zeros((magnitude.shape[0], 1))
    found = magnitude.kthvalue(zeros, dim=1, keepdim=True).values
    largest = magnitude.amax(1, keepdim=True)
    return torch.minimum(found, magnitude.where(magnitude < largest, 0.0).amax(1, keepdim=True))


def mean_above(magnitude: Tensor, delta: Tensor) -> Tensor:
    """(groups, 1): mean of the magnitudes above delta, the scale of least squared error for that support; 0 if none."""
    kept = magnitude > delta
    return (magnitude * kept).sum(1, keepdim=True) / kept.sum(1, keepdim=True).clamp(min=1)


def signs_above(w: Tensor, delta: Tensor) -> Tensor:
    """Codes in {-1, 0, +1} without gradient: the sign of w where |w| > delta (never -0.0)."""
    w, delta = w.detach(), delta.detach()
    return (w > delta).to(w.dtype) - (w < -delta).to(w.dtype)
