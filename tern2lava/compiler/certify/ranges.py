"""Worst cases of every accumulator over all inputs: how large u and v can become, and from which step on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Neuron, Node, Population, Projection, Reset
from tern2lava.compiler.ir.linear import target_shape
from tern2lava.compiler.ir.shapes import Bools, D, Ints, Reals, Shape, size
from tern2lava.compiler.neurons.mechanism import Mechanism, Ranges, kinds_of

FOREVER = 1 << 40


@dataclass(frozen=True, eq=False, kw_only=True)
class Bounds:
    """Ranges that hold after any number of steps up to the one asked for, per neuron (arrays that broadcast to the
    population's shape, float64, in units of the membrane's last bit).

    u: current. met: membrane potential that meets the threshold. adaptation:
    largest magnitude of what an adaptive threshold adds.
    """

    u_low: Reals
    u_high: Reals
    met_low: Reals
    met_high: Reals
    adaptation: Reals


def emitted_range(source: Node) -> tuple[int, int]:
    """Least and largest value that neurons or an Input emit."""
    if isinstance(source, Input):
        return source.levels
    assert isinstance(source, Neuron | Population)
    low, high = 0, 1
    for mechanism in kinds_of(source):
        low, high = mechanism.emits(source, low, high)
    return low, high


def payload_width(low: int, high: int) -> int:
    """Bits of a spike that carries any integer from low to high."""
    return max(abs(low), abs(high)).bit_length() + (low < 0)


def input_range(projection: Projection, graph: Graph) -> tuple[Ints, Ints]:
    """Least and largest weight @ spikes of each output channel over all activity of the source, shapes (out,)."""
    low, high = emitted_range(graph[projection.inputs[0]])
    if projection.pooling is not None:
        low, high = low * projection.pooling.area, high * projection.pooling.area
    codes = projection.weight.reshape(projection.weight.shape[0], -1).astype(np.int64)
    positive, negative = np.maximum(codes, 0).sum(axis=1), np.minimum(codes, 0).sum(axis=1)
    return (positive * min(low, 0) + negative * max(high, 0), positive * max(high, 0) + negative * min(low, 0))


def on_shape(channels: NDArray[D], projection: Projection, shape: Shape) -> NDArray[D]:
    """An array (out,) of a projection's channels (or ()) shaped to broadcast to the target population's `shape`."""
    if channels.ndim == 0:
        return channels
    if target_shape(projection) == shape:
        return channels.reshape(-1, *([1] * (len(shape) - 1)))
    return np.repeat(channels, size(shape) // channels.shape[0]).reshape(shape)


def summed_input(graph: Graph, names: tuple[str, ...], shape: Shape) -> tuple[Reals, Reals]:
    """Least and largest sum over projections of gain * (weight @ spikes), arrays that broadcast to `shape`."""
    low: Reals = np.zeros(())
    high: Reals = np.zeros(())
    for name in names:
        projection = graph.projection(name)
        least, most = input_range(projection, graph)
        low = low + on_shape(least * projection.gain, projection, shape)
        high = high + on_shape(most * projection.gain, projection, shape)
    return low, high


def growth(decay: Ints, arithmetic: Arithmetic, steps: int) -> Reals:
    """Upper bound of the sum over k < steps of f^k, f = 1 - decay / 2^D: (1 - f^steps) / (1 - f), or steps at f = 1."""
    return summed(1.0 - np.asarray(decay, np.float64) / float(1 << arithmetic.decay_bits), steps)


def summed(alpha: Reals, steps: int) -> Reals:
    """Upper bound of the sum over k < steps of alpha^k: what errors of 1 in each step add up to while they decay."""
    rate = 1.0 - np.asarray(alpha, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        # -expm1(n log1p(-r)) is 1 - (1 - r)^n without cancellation; the factor covers its rounding.
        partial = -np.expm1(float(steps) * np.log1p(-rate)) / rate * (1 + 1e-12)
    partial = np.where(rate >= 1, 1.0, np.minimum(partial, float(steps)))
    return np.asarray(np.where(rate > 0, partial, float(steps)))


# Steps beyond which summed_twice takes the product of the two sums.
MOST_SUMMED = 4096


def summed_twice(first: Reals, second: Reals, steps: int) -> Reals:
    """Upper bound of the sum over k < steps of second^k summed(first, steps - k): what errors of 1 in each step add up
    to in a state that decays by `second`, which takes them in from one that decays by `first`."""
    if steps > MOST_SUMMED:
        return np.asarray(summed(first, steps) * summed(second, steps))
    shape = np.broadcast_shapes(np.shape(first), np.shape(second))
    rows = np.stack([np.broadcast_to(alpha, shape).reshape(-1) for alpha in (first, second)], axis=1)
    pairs, which = np.unique(rows, axis=0, return_inverse=True)
    inner, outer = np.zeros(len(pairs)), np.zeros(len(pairs))
    for _ in range(steps):
        inner = pairs[:, 0] * inner + 1.0
        outer = pairs[:, 1] * outer + inner
    # The factor covers the rounding of as many sums.
    return np.asarray((outer * (1 + 1e-11))[which.reshape(-1)].reshape(shape))


def bounds(population: Population, a_low: Reals, a_high: Reals, arithmetic: Arithmetic, steps: int) -> Bounds:
    """Ranges over `steps` steps, from interval arithmetic on the equations of ir.Population.

    u is a geometric sum of inputs; between resets v is a geometric sum of u + bias that starts at most at what makes
    no spike: the threshold, with what mechanisms add to it (after a spike at 0, or reset_amount lower). No decay makes
    a magnitude larger; one that cuts leaves at most f |x| of it, one to the nearest at most f |x| + 1/2, so that the
    geometric sums grow by half a last bit in each step.
    """
    g_u = growth(population.decay_u, arithmetic, steps)
    g_v = growth(population.decay_v, arithmetic, steps)
    u_low = -_summed(population, population.decay_u, -np.minimum(a_low + population.bias_u, 0), g_u, arithmetic, steps)
    u_high = _summed(population, population.decay_u, np.maximum(a_high + population.bias_u, 0), g_u, arithmetic, steps)
    down, up = np.minimum(u_low + population.bias, 0), np.maximum(u_high + population.bias, 0)
    start, amount, kinds = population.v_init, population.reset_amount, kinds_of(population)
    adaptation: Reals = sum((_adaptation(m, population, arithmetic, steps) for m in kinds), np.zeros(()))
    met_high = np.maximum(start, 0) + _summed(population, population.decay_v, up, g_v, arithmetic, steps)
    met_low = np.minimum(start, 0) - _summed(population, population.decay_v, -down, g_v, arithmetic, steps)
    if population.reset is not Reset.NONE:
        rest = population.threshold + adaptation
        for mechanism in kinds:
            rest = rest + mechanism.above_threshold(population)
        ceiling = np.maximum(np.maximum(rest, start), 0) + up
        if population.reset is Reset.SUBTRACT:
            # A spike may be followed by another before the potential is back below the threshold.
            ceiling = ceiling + float(steps) * np.maximum(up - amount, 0)
        met_high = np.minimum(ceiling, met_high + adaptation)
    if population.reset is Reset.SUBTRACT:
        met_low = met_low + np.minimum(population.threshold - amount, 0)
    found = Ranges(met_low=met_low, met_high=met_high, down=down, up=up, adaptation=adaptation, steps=steps)
    for mechanism in kinds:
        mechanism.widen(population, found)
    return Bounds(
        u_low=u_low, u_high=u_high, met_low=found.met_low,
        met_high=found.met_high, adaptation=np.asarray(adaptation),
    )  # fmt: skip


def _summed(
    population: Population, decay: Ints, fed: Reals, sums: Reals, arithmetic: Arithmetic, steps: int
) -> Reals:  # fmt: skip
    """The largest magnitude of a state that takes in at most `fed` >= 0 in each of `steps` steps; sums: its growth.

    To the nearest, half a last bit may come to it in each step, but it never grows by its decay alone, nor beyond K,
    the largest whole number up to L + 1/2, L = fed / (1 - f): K becomes f K + fed <= max(K, L) < K + 1/2, whose nearest
    whole number is K or below, and what lies lower stays lower.
    """
    if population.decays is Decays.TRUNCATE:
        return np.asarray(sums * fed)
    partly = (decay > 0) & (decay < 1 << arithmetic.decay_bits)
    most = np.minimum(sums * (fed + np.where(partly & (fed > 0), 0.5, 0.0)), float(steps) * fed)
    return np.asarray(np.minimum(most, growth(decay, arithmetic, FOREVER) * fed + 0.5))


def _adaptation(mechanism: Mechanism, population: Population, arithmetic: Arithmetic, steps: int) -> Reals:
    """The largest magnitude of what a mechanism adds to the threshold."""
    added = mechanism.adaptation(population, lambda d: growth(d, arithmetic, steps))
    if added is None:
        return np.zeros(())
    if population.decays is Decays.TRUNCATE:
        return added
    partly = [(d > 0) & (d < 1 << arithmetic.decay_bits) for d in mechanism.own_decays(population)]
    halves: Reals = sum(
        (0.5 * p * growth(d, arithmetic, steps) for p, d in zip(partly, mechanism.own_decays(population), strict=True)),
        np.zeros(()),
    )
    for_ever = mechanism.adaptation(population, lambda d: growth(d, arithmetic, FOREVER))
    assert for_ever is not None
    return np.asarray(np.where(added > 0, np.minimum(added + halves, for_ever + 0.5 * len(partly)), 0.0))


def fits(population: Population, found: Bounds, arithmetic: Arithmetic) -> Bools:
    """Whether u cannot wrap and v cannot saturate (per neuron, broadcastable booleans).

    A neuron that resets to zero may saturate at the top: it spikes and becomes 0 either way.
    """
    top = arithmetic.state_max
    ok = (found.u_low >= -top) & (found.u_high <= top) & (found.met_low >= -top) & (found.adaptation <= top)
    if population.reset is Reset.ZERO:
        return np.asarray(ok & (population.threshold < top))
    return np.asarray(ok & (found.met_high <= top))


def safe_steps(population: Population, a_low: Reals, a_high: Reals, arithmetic: Arithmetic) -> int:
    """The number of steps for which no accumulator of `population` can overflow; FOREVER where none ever can."""

    def safe(steps: int) -> bool:
        return bool(np.all(fits(population, bounds(population, a_low, a_high, arithmetic, steps), arithmetic)))

    if safe(FOREVER):
        return FOREVER
    low, high = 0, 1
    while safe(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if safe(middle) else (low, middle)
    return low
