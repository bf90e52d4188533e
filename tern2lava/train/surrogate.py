"""Spikes with a surrogate gradient: the curves that stand for the derivative of a step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tern2lava.registry import Registry


def slope_of(shift: Tensor, slope: float) -> Tensor:
    """Surrogate derivative of a spike by v - threshold: (a/2) / (1 + (pi/2 * a * shift)^2), a = slope.

    Fang et al., arXiv 2007.05785; the same curve as snntorch.surrogate.atan(alpha=slope).
    """
    return (math.pi / 2 * slope * shift).square_().add_(1.0).reciprocal_().mul_(slope / 2)


def exponential(shift: Tensor, slope: float) -> Tensor:
    """SLAYER's spike escape rate, scaled to an area of 1: (a/2) exp(-a |shift|), a = slope.

    Shrestha and Orchard, NeurIPS 2018 (arXiv 1810.08646), section 3.1.
    """
    return (-slope * shift.abs()).exp_().mul_(slope / 2)


def fast_sigmoid(shift: Tensor, slope: float) -> Tensor:
    """1 / (1 + a |shift|)^2, a = slope: the derivative of a fast sigmoid, scaled to 1 at the threshold.

    Zenke and Ganguli, Neural Computation 30, 2018 (arXiv 1705.11146); as snntorch.surrogate.fast_sigmoid.
    """
    return (slope * shift.abs()).add_(1.0).square_().reciprocal_()


def triangle(shift: Tensor, slope: float) -> Tensor:
    """max(0, 1 - a |shift|), a = slope. Esser et al., PNAS 113, 2016 (arXiv 1603.08270), with a = 1 there."""
    return (1.0 - slope * shift.abs()).clamp_(min=0.0)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A surrogate derivative by name: derivative(v - threshold, slope). what: its equation, for the docs."""

    name: str
    what: str
    derivative: Callable[[Tensor, float], Tensor]


SURROGATES: Registry[Curve] = Registry("surrogate")
for _curve in (
    Curve(name="arctan", what="(a/2) / (1 + (pi/2 a x)^2)", derivative=slope_of),
    Curve(name="slayer", what="(a/2) exp(-a abs(x))", derivative=exponential),
    Curve(name="fast_sigmoid", what="1 / (1 + a abs(x))^2", derivative=fast_sigmoid),
    Curve(name="triangle", what="max(0, 1 - a abs(x))", derivative=triangle),
):
    SURROGATES.add(_curve)


class Spike(torch.autograd.Function):
    """Forward: 1 where shift > 0, else 0. Backward: derivative(shift, slope)."""

    @staticmethod
    def forward(ctx: Any, shift: Tensor, derivative: Callable[[Tensor, float], Tensor], slope: float) -> Tensor:
        ctx.save_for_backward(shift)
        ctx.derivative, ctx.slope = derivative, slope
        return (shift > 0).to(shift.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (shift,) = ctx.saved_tensors
        return gradients[0] * ctx.derivative(shift, ctx.slope), None, None


@dataclass(frozen=True)
class ArcTangent:
    """A spike_grad for snnTorch neurons: spikes with the arc-tangent surrogate."""

    slope: float = 2.0

    def __call__(self, shift: Tensor) -> Tensor:
        result: Tensor = Spike.apply(shift, slope_of, self.slope)
        return result


@dataclass(frozen=True)
class Surrogate:
    """A spike_grad with any curve."""

    curve: Curve
    slope: float

    def __call__(self, shift: Tensor) -> Tensor:
        result: Tensor = Spike.apply(shift, self.curve.derivative, self.slope)
        return result


def surrogate(name: str, slope: float) -> Callable[[Tensor], Tensor]:
    """The spike_grad of that name; InputError, with all there are, for another."""
    return ArcTangent(slope) if name == "arctan" else Surrogate(SURROGATES.get(name, "network.surrogate"), slope)
