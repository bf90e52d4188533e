"""One step of a population in compiled loops: leak, input, threshold and reset of ir.Population in one pass.

u and v are int32 where the program proves that no intermediate value needs more (see program.state_type), else int64.
Decay without a wide product: with m = |x| = 2^D h + l, 0 <= l < 2^D, factor f <= 2^D and half 0 or 2^(D - 1),
floor((m f + half) / 2^D) = h f + floor((l f + half) / 2^D), exactly; h f <= m, l f + half < 2^(2D), and what is left is
at most m.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Bytes, Ints
from tern2lava.sim.engine.bits import halved
from tern2lava.sim.engine.calls import States
from tern2lava.sim.engine.columns import ADAPTIVE, DISTINCT, HALF, REARM, REFRACTORY, RESET, SIGNED, STATES
from tern2lava.sim.engine.kernels import kernel

# Rows of `parameters`, each as long as there are sets of them, in the type of the states.
FACTOR_U, FACTOR_V, BIAS_U, BIAS, THRESHOLD, AMOUNT, V_INIT, THRESHOLD_LOW, FACTOR_A, GAIN_A = range(10)
PARAMETERS = 10
# Rows of the further states of neurons that do more than the plain equations: adaptation, last spike, steps held.
ADAPTATION, SPIKED, HELD = range(3)
FURTHER = 3
# What a spike does to v.
TO_ZERO, SUBTRACTS, STAYS = range(3)


@kernel(inline="always")  # type: ignore[untyped-decorator]
def decayed(x: Any, factor: Any, bits: Any, mask: Any, half: Any, kind: Any) -> Any:
    """x * factor / 2^bits cut towards 0 (half 0), or to the nearest, halves away from 0 (half 2^(bits - 1))."""
    magnitude = kind(abs(x))
    whole = halved(magnitude, bits)
    rest = kind(magnitude & mask)
    result = kind(kind(whole * factor) + halved(kind(kind(rest * factor) + half), bits))
    return result if x >= 0 else kind(-result)


@kernel(inline="always")  # type: ignore[untyped-decorator]
def wrapped(x: Any, m: Any, kind: Any) -> Any:
    """x brought back once into (-m, m]."""
    twice = kind(m + m)
    low = kind(x - twice)
    high = kind(x + twice)
    return low if x > m else (high if x <= kind(-m) else x)


@kernel(inline="always")  # type: ignore[untyped-decorator]
def clipped(x: Any, top: Any, kind: Any) -> Any:
    """x brought into [-top, top]."""
    return kind(min(max(x, kind(-top)), top))


@kernel
def step_alike(
    population: Ints, parameters: States, a: States, u: States, v: States, further: States, spikes: Bytes,
    decay_bits: int, state_bits: int,
) -> None:  # fmt: skip
    """One step of neurons (n,) with summed input a of which the same number follow each other with the same parameters.

    population: the row of the table (see columns). parameters: (PARAMETERS * sets,). spikes: (n,) uint8, written.
    further: unused.
    """
    sets = population[DISTINCT]
    inner = a.size // sets
    for c in range(sets):
        begin, end = c * inner, (c + 1) * inner
        _step_set(
            a[begin:end], u[begin:end], v[begin:end], spikes[begin:end], parameters[c:], sets, decay_bits, state_bits,
            population[RESET], population[HALF],
        )  # fmt: skip


@kernel
def _step_set(
    a: States, u: States, v: States, spikes: Bytes, parameters: States, sets: int, decay_bits: int, state_bits: int,
    reset: int, rounded_half: int,
) -> None:  # fmt: skip
    """One step of neurons (n,) with one set of parameters, each of which stands `sets` after the one before."""
    kind = a.dtype.type
    factor_u, factor_v = parameters[FACTOR_U * sets], parameters[FACTOR_V * sets]
    bias_u, bias = parameters[BIAS_U * sets], parameters[BIAS * sets]
    threshold = parameters[THRESHOLD * sets]
    amount = parameters[AMOUNT * sets] if reset == SUBTRACTS else kind(0)
    # The potential of a spiking neuron before the amount is taken off: all of its bits, or none.
    kept = kind(0) if reset == TO_ZERO else kind(-1)
    bits, mask, half = kind(decay_bits), kind((1 << decay_bits) - 1), kind(rounded_half)
    m = kind(1 << (state_bits - 1))
    top, full = kind(m - 1), kind(1 << decay_bits)
    if factor_u == 0:
        for i in range(a.size):
            u[i] = wrapped(kind(a[i] + bias_u), m, kind)
    else:
        for i in range(a.size):
            u[i] = wrapped(kind(decayed(u[i], factor_u, bits, mask, half, kind) + kind(a[i] + bias_u)), m, kind)
    if factor_v == full:
        for i in range(a.size):
            x = clipped(kind(v[i] + kind(u[i] + bias)), top, kind)
            fires = x > threshold
            v[i] = clipped(kind(kind(x & kept) - amount), top, kind) if fires else x
            spikes[i] = fires
    else:
        for i in range(a.size):
            x = clipped(kind(decayed(v[i], factor_v, bits, mask, half, kind) + kind(u[i] + bias)), top, kind)
            fires = x > threshold
            v[i] = clipped(kind(kind(x & kept) - amount), top, kind) if fires else x
            spikes[i] = fires


@kernel
def step_each(
    population: Ints, parameters: States, a: States, u: States, v: States, further: States, spikes: Bytes,
    decay_bits: int, state_bits: int,
) -> None:  # fmt: skip
    """One step of neurons (n,) with parameters (PARAMETERS * n,) of their own; see step_alike."""
    kind = a.dtype.type
    bits, mask, half = kind(decay_bits), kind((1 << decay_bits) - 1), kind(population[HALF])
    n, reset = a.size, population[RESET]
    kept = kind(0) if reset == TO_ZERO else kind(-1)
    times = kind(1) if reset == SUBTRACTS else kind(0)
    m = kind(1 << (state_bits - 1))
    top = kind(m - 1)
    # Several loops over few arrays each: a compiler vectorises a loop only while it can check that few overlap.
    factor_u, bias_u = parameters[FACTOR_U * n : (FACTOR_U + 1) * n], parameters[BIAS_U * n : (BIAS_U + 1) * n]
    for i in range(n):
        u[i] = wrapped(kind(decayed(u[i], factor_u[i], bits, mask, half, kind) + kind(a[i] + bias_u[i])), m, kind)
    factor_v, bias = parameters[FACTOR_V * n : (FACTOR_V + 1) * n], parameters[BIAS * n : (BIAS + 1) * n]
    for i in range(n):
        v[i] = clipped(kind(decayed(v[i], factor_v[i], bits, mask, half, kind) + kind(u[i] + bias[i])), top, kind)
    threshold, amount = parameters[THRESHOLD * n : (THRESHOLD + 1) * n], parameters[AMOUNT * n : (AMOUNT + 1) * n]
    for i in range(n):
        spikes[i] = v[i] > threshold[i]
    for i in range(n):
        x = v[i]
        v[i] = clipped(kind(kind(x & kept) - kind(amount[i] * times)), top, kind) if x > threshold[i] else x


@kernel
def step_further(
    population: Ints, parameters: States, a: States, u: States, v: States, further: States, spikes: Bytes,
    decay_bits: int, state_bits: int,
) -> None:  # fmt: skip
    """One step of neurons (n,) that hold after a spike, rearm, spike -1 too or adapt; spikes of -1 are written as 255.

    parameters: (PARAMETERS * n,). further: (FURTHER, states of the whole group). See step_alike.
    """
    kind = a.dtype.type
    bits, mask, half = kind(decay_bits), kind((1 << decay_bits) - 1), kind(population[HALF])
    m = kind(1 << (state_bits - 1))
    top, zero = kind(m - 1), kind(0)
    n, place, reset, refractory = a.size, population[STATES], population[RESET], population[REFRACTORY]
    rearm, signed, adaptive = population[REARM] != 0, population[SIGNED] != 0, population[ADAPTIVE] != 0
    factor_u, bias_u = parameters[FACTOR_U * n : (FACTOR_U + 1) * n], parameters[BIAS_U * n : (BIAS_U + 1) * n]
    factor_v, bias = parameters[FACTOR_V * n : (FACTOR_V + 1) * n], parameters[BIAS * n : (BIAS + 1) * n]
    grown_of, last_of = further[ADAPTATION, place : place + n], further[SPIKED, place : place + n]
    held_of = further[HELD, place : place + n]
    for i in range(n):
        u[i] = wrapped(kind(decayed(u[i], factor_u[i], bits, mask, half, kind) + kind(a[i] + bias_u[i])), m, kind)
        last = last_of[i]
        amount, threshold = parameters[AMOUNT * n + i], parameters[THRESHOLD * n + i]
        x = kind(decayed(v[i], factor_v[i], bits, mask, half, kind) + kind(u[i] + bias[i]))
        meets = threshold
        if adaptive:
            grown = kind(decayed(grown_of[i], parameters[FACTOR_A * n + i], bits, mask, half, kind))
            grown = clipped(kind(grown + kind(parameters[GAIN_A * n + i] * last)), top, kind)
            grown_of[i] = grown
            x = kind(x - kind(kind(amount + grown) * last))
            meets = kind(threshold + grown)
        x = clipped(x, top, kind)
        held = held_of[i]
        if held > 0:
            x = v[i]
        met = kind(x - amount) if rearm and v[i] > threshold else x
        spike = kind(1) if met > meets else zero
        if signed and met < parameters[THRESHOLD_LOW * n + i]:
            spike = kind(spike - kind(1))
        if refractory > 0:
            if held > 0:
                spike = zero
            held_of[i] = kind(refractory) if spike != 0 else kind(max(held - 1, 0))
        if spike != 0 and not adaptive:
            if reset == TO_ZERO:
                x = zero
            elif reset == SUBTRACTS:
                x = clipped(kind(x - kind(amount * spike)), top, kind)
        v[i] = x
        last_of[i] = spike
        spikes[i] = np.uint8(np.int8(spike))
