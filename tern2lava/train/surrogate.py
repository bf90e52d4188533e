"""Spikes with an arc-tangent surrogate gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def slope_of(shift: Tensor, slope: float) -> Tensor:
    """Surrogate derivative of a spike by v - threshold: (a/2) / (1 + (pi/2 * a * shift)^2), a = slope.

    Fang et al., arXiv 2007.05785; the same curve as snntorch.surrogate.atan(alpha=slope).
    """
    return (math.pi / 2 * slope * shift).square_().add_(1.0).reciprocal_().mul_(slope / 2)


class Spike(torch.autograd.Function):
    """Forward: 1 where shift > 0, else 0. Backward: slope_of."""

    @staticmethod
    def forward(ctx: Any, shift: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(shift)
        ctx.slope = slope
        return (shift > 0).to(shift.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (shift,) = ctx.saved_tensors
        return gradients[0] * slope_of(shift, ctx.slope), None


@dataclass(frozen=True)
class ArcTangent:
    """A spike_grad for snnTorch neurons: spikes with the arc-tangent surrogate."""

    slope: float = 2.0

    def __call__(self, shift: Tensor) -> Tensor:
        result: Tensor = Spike.apply(shift, self.slope)
        return result
