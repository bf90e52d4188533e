"""A Leaky layer over all time steps on the processor, in the compiled loops of leaky_kernels.py."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tern2lava.compiler.ir.shapes import Array

#: Neurons below which a second thread does not pay.
NEURONS_A_THREAD = 1 << 15


def is_fused(x: Tensor, beta: Tensor, threshold: Tensor) -> bool:
    """Whether the loops take this input: float32 on the processor, one beta and one threshold for the layer."""
    return (
        x.device.type == "cpu" and x.dtype == beta.dtype == threshold.dtype == torch.float32
        and beta.numel() == 1 and threshold.numel() == 1 and x.numel() > 0
    )  # fmt: skip


class FusedLeaky(torch.autograd.Function):
    """LeakyRun (leaky_run.py) in one pass, of the same numbers bit for bit; with `steps`, x is (batch, *shape) and the
    same in every step, and its gradient is the sum over the steps from the last.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, steps: int | None, beta: float, threshold: float, slope: float, zero: bool, subtract: bool,
        delay: bool,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        from tern2lava.train.neurons import leaky_kernels

        x = dense(x.detach(), over_time=steps is None)
        count = len(x) if steps is None else steps
        neurons = x.numel() if steps is not None else x.numel() // count
        spikes = torch.empty_like(x) if steps is None else _repeated(x, steps)
        met = torch.empty_like(spikes)
        flat, fired, shifts = as_array(x), as_array(spikes), as_array(met)
        b, v = np.float32(beta), np.float32(threshold)

        def run(begin: int, end: int) -> None:
            leaky_kernels.forward(
                flat, fired, shifts, b, v, zero, subtract, delay, neurons, count, steps is not None, begin, end
            )

        in_threads(run, neurons)
        ctx.save_for_backward(spikes if zero else x.new_empty(0), met)
        ctx.beta, ctx.slope, ctx.zero, ctx.constant = beta, slope, zero, steps is not None
        ctx.set_materialize_grads(False)
        return spikes, met

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        from tern2lava.train.neurons import leaky_kernels

        spikes, met = ctx.saved_tensors
        steps, neurons = len(met), met.numel() // len(met)
        result = torch.empty_like(met[0] if ctx.constant else met)
        by_spike, by_met = (_like(gradient, met) for gradient in gradients)
        arrays = by_spike, by_met, as_array(spikes), as_array(met), as_array(result)
        inner, outer = np.float32(math.pi / 2 * ctx.slope), np.float32(ctx.slope / 2)

        def run(begin: int, end: int) -> None:
            leaky_kernels.backward(
                *arrays, np.float32(ctx.beta), inner, outer, ctx.zero, neurons, steps, ctx.constant, begin, end
            )

        in_threads(run, neurons)
        return result, None, None, None, None, None, None, None


def dense(x: Tensor, *, over_time: bool) -> Tensor:
    """x, or a copy of it, in memory without gaps and, over_time, step after step; within a step in any order."""
    ordered = torch.empty_like(x)
    if ordered.stride() != x.stride():
        ordered.copy_(x)
        x = ordered
    if over_time and len(x) > 1 and x.stride(0) != x.numel() // len(x):
        return x.contiguous()
    return x


def as_array(x: Tensor) -> Array:
    """The numbers of a dense tensor in the order of its memory."""
    result: Array = x.detach().as_strided((x.numel(),), (1,)).numpy()
    return result


def in_threads(run: Callable[[int, int], None], neurons: int) -> None:
    """run(begin, end) for all neurons, shared among as many threads as torch uses; the numbers are the same."""
    parts = max(1, min(torch.get_num_threads(), neurons // NEURONS_A_THREAD))
    if parts == 1:
        run(0, neurons)
        return
    ends = [neurons * i // parts for i in range(parts + 1)]
    for done in [_pool().submit(run, begin, end) for begin, end in itertools.pairwise(ends)]:
        done.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(torch.get_num_threads(), thread_name_prefix="neurons")


def _repeated(x: Tensor, steps: int) -> Tensor:
    """An empty tensor of `steps` times x, each in the memory order of x."""
    return torch.empty_strided((steps, *x.shape), (x.numel(), *x.stride()), dtype=x.dtype)


def _like(gradient: Tensor | None, met: Tensor) -> Array:
    """A gradient in the memory order of met; an empty array where there is none."""
    if gradient is None:
        return np.empty(0, np.float32)
    if gradient.stride() != met.stride():
        gradient = torch.empty_like(met).copy_(gradient)
    return as_array(gradient)
