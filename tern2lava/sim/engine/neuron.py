"""One step of a population in compiled loops: leak, input, threshold and reset of ir.Population in one pass.

u and v are int32 where the program proves that no intermediate value needs more (see program.state_type), else int64.
Decay without a wide product: with m = |x| = 2^D h + l, 0 <= l < 2^D, and factor f <= 2^D,
floor(m f / 2^D) = h f + floor(l f / 2^D), exactly; h f <= m, l f < 2^(2D).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from tern2lava.compiler.ir import Array
from tern2lava.sim.engine.bits import halved

# Rows of `parameters`, each (channels,) or (neurons,) in the type of the states.
FACTOR_U, FACTOR_V, BIAS_U, BIAS, THRESHOLD, AMOUNT, V_INIT, THRESHOLD_LOW, FACTOR_A, GAIN_A = range(10)
PARAMETERS = 10
# Rows of the further states of neurons that do more than the plain equations: adaptation, last spike, steps held.
ADAPTATION, SPIKED, HELD = range(3)
FURTHER = 3
# What a spike does to v.
TO_ZERO, SUBTRACTS, STAYS = range(3)


@njit(nogil=True, cache=True, inline="always")  # type: ignore[untyped-decorator]
def decayed(x: Any, factor: Any, bits: Any, mask: Any, kind: Any) -> Any:
    """trunc(x * factor / 2^bits) towards 0."""
    magnitude = kind(abs(x))
    whole = halved(magnitude, bits)
    rest = kind(magnitude & mask)
    result = kind(kind(whole * factor) + halved(kind(rest * factor), bits))
    return result if x >= 0 else kind(-result)


@njit(nogil=True, cache=True, inline="always")  # type: ignore[untyped-decorator]
def wrapped(x: Any, m: Any, kind: Any) -> Any:
    """x brought back once into (-m, m]."""
    twice = kind(m + m)
    low = kind(x - twice)
    high = kind(x + twice)
    return low if x > m else (high if x <= kind(-m) else x)


@njit(nogil=True, cache=True, inline="always")  # type: ignore[untyped-decorator]
def clipped(x: Any, top: Any, kind: Any) -> Any:
    """x brought into [-top, top]."""
    return kind(min(max(x, kind(-top)), top))


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def step_alike(
    a: Array, u: Array, v: Array, spikes: Array, parameters: Array, decay_bits: int, state_bits: int, reset: int
) -> None:
    """One step of neurons (n,) with the same parameters (PARAMETERS,). reset: TO_ZERO, SUBTRACTS or STAYS.

    spikes: (n,) uint8 of 0 and 1, written.
    """
    kind = a.dtype.type
    factor_u, factor_v = parameters[FACTOR_U], parameters[FACTOR_V]
    bias_u, bias = parameters[BIAS_U], parameters[BIAS]
    threshold = parameters[THRESHOLD]
    amount = parameters[AMOUNT] if reset == SUBTRACTS else kind(0)
    # The potential of a spiking neuron before the amount is taken off: all of its bits, or none.
    kept = kind(0) if reset == TO_ZERO else kind(-1)
    bits, mask = kind(decay_bits), kind((1 << decay_bits) - 1)
    m = kind(1 << (state_bits - 1))
    top, full = kind(m - 1), kind(1 << decay_bits)
    if factor_u == 0:
        for i in range(a.size):
            u[i] = wrapped(kind(a[i] + bias_u), m, kind)
    else:
        for i in range(a.size):
            u[i] = wrapped(kind(decayed(u[i], factor_u, bits, mask, kind) + kind(a[i] + bias_u)), m, kind)
    if factor_v == full:
        for i in range(a.size):
            x = clipped(kind(v[i] + kind(u[i] + bias)), top, kind)
            fires = x > threshold
            v[i] = clipped(kind(kind(x & kept) - amount), top, kind) if fires else x
            spikes[i] = fires
    else:
        for i in range(a.size):
            x = clipped(kind(decayed(v[i], factor_v, bits, mask, kind) + kind(u[i] + bias)), top, kind)
            fires = x > threshold
            v[i] = clipped(kind(kind(x & kept) - amount), top, kind) if fires else x
            spikes[i] = fires


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def step_each(
    a: Array, u: Array, v: Array, spikes: Array, parameters: Array, decay_bits: int, state_bits: int, reset: int
) -> None:
    """One step of neurons (n,) with parameters (PARAMETERS, n) of their own; see step_alike."""
    kind = a.dtype.type
    bits, mask = kind(decay_bits), kind((1 << decay_bits) - 1)
    kept = kind(0) if reset == TO_ZERO else kind(-1)
    times = kind(1) if reset == SUBTRACTS else kind(0)
    m = kind(1 << (state_bits - 1))
    top = kind(m - 1)
    # Several loops over few arrays each: a compiler vectorises a loop only while it can check that few overlap.
    factor_u, bias_u = parameters[FACTOR_U], parameters[BIAS_U]
    for i in range(a.size):
        u[i] = wrapped(kind(decayed(u[i], factor_u[i], bits, mask, kind) + kind(a[i] + bias_u[i])), m, kind)
    factor_v, bias = parameters[FACTOR_V], parameters[BIAS]
    for i in range(a.size):
        v[i] = clipped(kind(decayed(v[i], factor_v[i], bits, mask, kind) + kind(u[i] + bias[i])), top, kind)
    threshold, amount = parameters[THRESHOLD], parameters[AMOUNT]
    for i in range(a.size):
        spikes[i] = v[i] > threshold[i]
    for i in range(a.size):
        x = v[i]
        v[i] = clipped(kind(kind(x & kept) - kind(amount[i] * times)), top, kind) if x > threshold[i] else x


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def step_further(
    a: Array, u: Array, v: Array, further: Array, spikes: Array, parameters: Array, decay_bits: int, state_bits: int,
    reset: int, refractory: int, rearm: bool, signed: bool, adaptive: bool,
) -> None:  # fmt: skip
    """One step of neurons (n,) that hold after a spike, rearm, spike -1 too or adapt; spikes of -1 are written as 255.

    further: (FURTHER, n). parameters: (PARAMETERS, n). reset: TO_ZERO, SUBTRACTS or STAYS.
    """
    kind = a.dtype.type
    bits, mask = kind(decay_bits), kind((1 << decay_bits) - 1)
    m = kind(1 << (state_bits - 1))
    top, zero = kind(m - 1), kind(0)
    factor_u, factor_v, bias_u, bias = parameters[0], parameters[1], parameters[2], parameters[3]
    for i in range(a.size):
        u[i] = wrapped(kind(decayed(u[i], factor_u[i], bits, mask, kind) + kind(a[i] + bias_u[i])), m, kind)
        last = further[SPIKED, i]
        amount, threshold = parameters[AMOUNT, i], parameters[THRESHOLD, i]
        x = kind(decayed(v[i], factor_v[i], bits, mask, kind) + kind(u[i] + bias[i]))
        meets = threshold
        if adaptive:
            grown = kind(decayed(further[ADAPTATION, i], parameters[FACTOR_A, i], bits, mask, kind))
            grown = clipped(kind(grown + kind(parameters[GAIN_A, i] * last)), top, kind)
            further[ADAPTATION, i] = grown
            x = kind(x - kind(kind(amount + grown) * last))
            meets = kind(threshold + grown)
        x = clipped(x, top, kind)
        held = further[HELD, i]
        if held > 0:
            x = v[i]
        met = kind(x - amount) if rearm and v[i] > threshold else x
        spike = kind(1) if met > meets else zero
        if signed and met < parameters[THRESHOLD_LOW, i]:
            spike = kind(spike - kind(1))
        if refractory > 0:
            if held > 0:
                spike = zero
            further[HELD, i] = kind(refractory) if spike != 0 else kind(max(held - 1, 0))
        if spike != 0 and not adaptive:
            if reset == TO_ZERO:
                x = zero
            elif reset == SUBTRACTS:
                x = clipped(kind(x - kind(amount * spike)), top, kind)
        v[i] = x
        further[SPIKED, i] = spike
        spikes[i] = np.uint8(np.int8(spike))
