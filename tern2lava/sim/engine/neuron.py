"""One step of a population in compiled loops: leak, input, threshold and reset of ir.Population in one pass.

u and v are int32 where the program proves that no intermediate value needs more (see program.state_type), else int64.
Decay without a wide product: with m = |x| = 2^D h + l, 0 <= l < 2^D, and factor f <= 2^D,
floor(m f / 2^D) = h f + floor(l f / 2^D), exactly; h f <= m, l f < 2^(2D).
"""

from __future__ import annotations

from typing import Any

from numba import njit

from tern2lava.compiler.ir import Array
from tern2lava.sim.engine.bits import halved

# Rows of `parameters`, each (channels,) or (neurons,) in the type of the states.
FACTOR_U, FACTOR_V, BIAS_U, BIAS, THRESHOLD, AMOUNT, V_INIT = range(7)
PARAMETERS = 7


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
    a: Array, u: Array, v: Array, spikes: Array, parameters: Array, decay_bits: int, state_bits: int, keep: int
) -> None:
    """One step of neurons (n,) with the same parameters (PARAMETERS,). keep: -1 (all bits), or 0 for a reset to zero.

    spikes: (n,) uint8 of 0 and 1, written. The subtracted amount is 0 unless spikes subtract.
    """
    kind = a.dtype.type
    factor_u, factor_v = parameters[FACTOR_U], parameters[FACTOR_V]
    bias_u, bias = parameters[BIAS_U], parameters[BIAS]
    threshold, amount = parameters[THRESHOLD], parameters[AMOUNT]
    bits, mask, kept = kind(decay_bits), kind((1 << decay_bits) - 1), kind(keep)
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
    a: Array, u: Array, v: Array, spikes: Array, parameters: Array, decay_bits: int, state_bits: int, keep: int
) -> None:
    """One step of neurons (n,) with parameters (PARAMETERS, n) of their own; see step_alike."""
    kind = a.dtype.type
    bits, mask, kept = kind(decay_bits), kind((1 << decay_bits) - 1), kind(keep)
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
        v[i] = clipped(kind(kind(x & kept) - amount[i]), top, kind) if x > threshold[i] else x
