"""A Leaky layer over all time steps as one autograd function: in torch operations, or fused (leaky_fused.py)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tern2lava.train.neurons.leaky_fused import FusedLeaky, is_fused
from tern2lava.train.surrogate import slope_of


class LeakyRun(torch.autograd.Function):
    """A Leaky layer over all steps: x (steps, batch, *shape) -> (spikes, v - threshold at the comparison).

    Forward is the arithmetic of snntorch.Leaky (see leaky.run_leaky). The reset carries no gradient, so that
        dL/dv_t = dL/dmet_t + dL/ds_t * slope_of(v_t - threshold) + carry_t * dL/dv_{t+1},   dL/dx_t = dL/dv_t,
    carry_t = beta, or beta * (1 - s_t) where a spike sets the membrane potential to zero. Only for beta and threshold
    without gradient. `zero`: reset to zero; `subtract`: reset by subtraction; neither: no reset.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, beta: Tensor, threshold: Tensor, slope: float, zero: bool, subtract: bool, delay: bool
    ) -> tuple[Tensor, Tensor]:
        spikes, met = x.new_empty(x.shape), x.new_empty(x.shape)
        mem = torch.zeros_like(x[0])
        for t in range(len(x)):
            reset = (mem > threshold).to(x.dtype) if zero or subtract else None
            if zero and reset is not None:
                mem = (1 - reset) * mem
            mem = torch.mul(mem, beta).add_(x[t])
            if subtract and reset is not None:
                mem.sub_(reset * threshold)
            torch.sub(mem, threshold, out=met[t])
            torch.gt(met[t], 0, out=spikes[t])
            if not delay and reset is not None:
                mem = mem - (spikes[t] - reset) * (threshold if subtract else mem)
        ctx.save_for_backward(spikes if zero else x.new_empty(0), met, beta)
        ctx.slope, ctx.zero = slope, zero
        ctx.set_materialize_grads(False)
        return spikes, met

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        spikes, met, beta = ctx.saved_tensors
        by_spike, by_met = gradients
        result = torch.empty_like(met)
        later: Tensor | None = None
        for t in reversed(range(len(met))):
            now = result[t]
            if by_spike is None:
                now.zero_()
            else:
                torch.mul(by_spike[t], slope_of(met[t], ctx.slope), out=now)
            if by_met is not None:
                now.add_(by_met[t])
            if later is not None:
                carried = later * beta
                now.add_(carried.mul_(1 - spikes[t]) if ctx.zero else carried)
            later = now
        return result, None, None, None, None, None, None


def leaky_run(
    x: Tensor, beta: Tensor, threshold: Tensor, slope: float, *, reset: str, delay: bool, steps: int | None = None
) -> tuple[Tensor, Tensor]:
    """(spikes, met) of LeakyRun; reset is "zero", "subtract" or "none". With `steps`, x is (batch, *shape) and the same
    in every step."""
    zero, subtract = reset == "zero", reset == "subtract"
    result: tuple[Tensor, Tensor]
    if is_fused(x, beta, threshold):
        result = FusedLeaky.apply(x, steps, beta.item(), threshold.item(), slope, zero, subtract, delay)
    else:
        x = x if steps is None else x.expand(steps, *x.shape)
        result = LeakyRun.apply(x, beta, threshold, slope, zero, subtract, delay)
    return result
