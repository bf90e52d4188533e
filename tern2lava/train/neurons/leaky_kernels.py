"""A Leaky layer over all time steps in compiled loops: one pass over memory forward, one backward.

Each neuron's numbers are those of the torch operations in leaky_run.py, in their order and in float32: the compiler
neither reorders them nor fuses a product with a sum (no fastmath).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from tern2lava.compiler.ir.shapes import Array

#: Neurons that pass through all steps together; their potentials stay in the processor's nearest cache.
BLOCK = 2048


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def forward(
    x: Array, spikes: Array, met: Array, beta: Any, threshold: Any, zero: bool, subtract: bool, delay: bool,
    neurons: int, steps: int, constant: bool, begin: int, end: int,
) -> None:  # fmt: skip
    """Writes spikes and met (steps * neurons,) of the neurons begin to end - 1.

    x: (steps * neurons,), or (neurons,) where it is constant.
    """
    one, none = np.float32(1), np.float32(0)
    mem = np.empty(BLOCK, np.float32)
    for first in range(begin, end, BLOCK):
        size = min(BLOCK, end - first)
        mem[:] = none
        for t in range(steps):
            here = t * neurons + first
            source = x[first : first + size] if constant else x[here : here + size]
            fired, shifts = spikes[here : here + size], met[here : here + size]
            if zero:
                for i in range(size):
                    reset = one if mem[i] > threshold else none
                    m = beta * ((one - reset) * mem[i]) + source[i]
                    shifts[i] = m - threshold
                    spike = one if shifts[i] > none else none
                    fired[i] = spike
                    mem[i] = m if delay else m - (spike - reset) * m
            elif subtract:
                for i in range(size):
                    reset = one if mem[i] > threshold else none
                    m = (beta * mem[i] + source[i]) - reset * threshold
                    shifts[i] = m - threshold
                    spike = one if shifts[i] > none else none
                    fired[i] = spike
                    mem[i] = m if delay else m - (spike - reset) * threshold
            else:
                for i in range(size):
                    m = beta * mem[i] + source[i]
                    shifts[i] = m - threshold
                    fired[i] = one if shifts[i] > none else none
                    mem[i] = m


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def backward(
    by_spike: Array, by_met: Array, spikes: Array, met: Array, result: Array, beta: Any, inner: Any, outer: Any,
    zero: bool, neurons: int, steps: int, constant: bool, begin: int, end: int,
) -> None:  # fmt: skip
    """Writes the gradient to x of the neurons begin to end - 1: (steps * neurons,), or (neurons,), summed over the
    steps from the last, where x is constant.

    by_spike, by_met: gradients to spikes and met, empty where there are none. The surrogate's slope at a shift is
    outer / (1 + (inner * shift)^2). spikes is read where a spike sets the potential to zero.
    """
    one, none = np.float32(1), np.float32(0)
    later, gradient = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for first in range(begin, end, BLOCK):
        size = min(BLOCK, end - first)
        later[:] = none
        for back in range(steps):
            here = (steps - 1 - back) * neurons + first
            shifts = met[here : here + size]
            if by_spike.size:
                spiked = by_spike[here : here + size]
                for i in range(size):
                    u = inner * shifts[i]
                    gradient[i] = spiked[i] * (one / (u * u + one) * outer)
            else:
                gradient[:] = none
            if by_met.size:
                shifted = by_met[here : here + size]
                for i in range(size):
                    gradient[i] = gradient[i] + shifted[i]
            if zero:
                fired = spikes[here : here + size]
                for i in range(size):
                    later[i] = gradient[i] + later[i] * beta * (one - fired[i])
            else:
                for i in range(size):
                    later[i] = gradient[i] + later[i] * beta
            if not constant:
                target = result[here : here + size]
                for i in range(size):
                    target[i] = later[i]
            elif back == 0:
                target = result[first : first + size]
                for i in range(size):
                    target[i] = later[i]
            else:
                target = result[first : first + size]
                for i in range(size):
                    target[i] = target[i] + later[i]
