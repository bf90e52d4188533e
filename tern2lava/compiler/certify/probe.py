"""Exact runs of single neurons on drawn inputs: how many spikes a choice of integers keeps.

The oracle is rational arithmetic in Python's integers; nothing of it comes from the integers that are judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tern2lava.compiler.ir.graph import Compare, Decays, Reset
from tern2lava.compiler.ir.shapes import Bools, Ints, Reals

# Shares of a neuron's synapses that spike in a step.
RATES = (0.02, 0.1, 0.3)


@dataclass(frozen=True, kw_only=True)
class Single:
    """One neuron as ir.Neuron's equations have it, in units in which its inputs are whole numbers. All reals."""

    alpha_u: float
    alpha_v: float
    bias_u: float
    bias: float
    v_init: float
    threshold: float
    amount: float
    compare: Compare
    reset: Reset
    refractory: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Integers:
    """Choices of integers for one neuron, each array (choices,); see ir.Population. unit: last bits of one unit of
    input."""

    unit: int
    decay_bits: int
    decays: Decays
    state_max: int
    decay_u: int
    decay_v: int
    bias_u: int
    v_init: int
    bias: Ints
    threshold: Ints
    amount: Ints


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """What an exact run did, arrays (sequences, steps): spikes; ties, where the potential equalled the threshold; met,
    the potentials that met it; depth, steps since the potential was last a whole number."""

    spikes: Bools
    ties: Bools
    met: Reals
    depth: Ints


def draw(sums: list[tuple[int, int, int]], rows: int, steps: int, seed: int = 0) -> Ints:
    """Whole numbers (sequences, steps) as a neuron's summed inputs take them, `rows` for each of RATES.

    sums: for each projection how many positive and negative synapses a neuron has and what a spike adds. Each synapse
    spikes with one of the rates, in three of four sequences drawn anew in each step, else once for all steps, as from
    a static image.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for rate in RATES:
        for length in (steps, steps, steps, 1):
            total = np.zeros((max(1, rows // 4), length), np.int64)
            for positive, negative, gain in sums:
                total += gain * (rng.binomial(positive, rate, total.shape) - rng.binomial(negative, rate, total.shape))
            parts.append(np.broadcast_to(total, (len(total), steps)))
    return np.concatenate(parts)


def hold(highest: int, steps: int) -> Ints:
    """Every constant input from 1 to `highest`, held for all steps, (highest, steps)."""
    return np.repeat(np.arange(1, highest + 1)[:, None], steps, axis=1)


def run_exact(neuron: Single, inputs: Ints) -> Outcome:
    """The neuron's own spikes on `inputs` (sequences, steps), in rational arithmetic.

    Potentials are kept as whole numbers over a common denominator that grows by 2^a in each step.
    """
    alphas = [Fraction(neuron.alpha_u), Fraction(neuron.alpha_v)]
    a = max(alpha.denominator.bit_length() - 1 for alpha in alphas)
    p_u, p_v = (int(alpha * (1 << a)) for alpha in alphas)
    reals = [Fraction(x) for x in (neuron.bias_u, neuron.bias, neuron.v_init, neuron.threshold, neuron.amount)]
    common = math.lcm(*(x.denominator for x in reals))
    bias_u, bias, v_init, threshold, amount = (int(x * common) for x in reals)
    zero = np.zeros(len(inputs), object)
    u, v, scale = zero, zero + v_init, 1
    held = np.zeros(len(inputs), np.int64)
    spikes, ties, met = np.zeros(inputs.shape, bool), np.zeros(inputs.shape, bool), np.zeros(inputs.shape)
    for t in range(inputs.shape[1]):
        before = v << a if a else v
        scale <<= a
        u = p_u * u + (inputs[:, t].astype(object) * common + bias_u) * scale
        v = p_v * v + u + bias * scale
        free = held == 0
        v = np.where(free, v, before)
        level = threshold * scale
        ties[:, t] = (v == level) & free
        met[:, t] = v / (scale * common)
        fired = (v > level) if neuron.compare is Compare.GT else (v >= level)
        spikes[:, t] = fired = fired.astype(bool) & free
        if neuron.reset is Reset.ZERO:
            v = np.where(fired, 0, v)
        elif neuron.reset is Reset.SUBTRACT:
            v = np.where(fired, v - amount * scale, v)
        held = np.where(fired, neuron.refractory, np.maximum(held - 1, 0))
    return Outcome(spikes=spikes, ties=ties, met=met, depth=_depth(neuron, spikes))


def _depth(neuron: Single, spikes: Bools) -> Ints:
    """Steps for which a potential has decayed since the start, or since the last reset to zero."""
    depth = np.zeros(spikes.shape, np.int64)
    for t in range(1, spikes.shape[1]):
        depth[:, t] = depth[:, t - 1] + 1
        if neuron.reset is Reset.ZERO and neuron.alpha_u == 0:
            depth[:, t] = np.where(spikes[:, t - 1], 0, depth[:, t])
    return depth


def run_integer(neuron: Single, chosen: Integers, inputs: Ints) -> tuple[Bools, Ints]:
    """Spikes and the potentials that met the threshold, (choices, sequences, steps), of the integers on the same
    inputs, by the equations of ir.Population while no accumulator overflows."""
    top, bits = chosen.state_max, chosen.decay_bits
    whole, half = 1 << bits, 1 << bits - 1 if chosen.decays is Decays.NEAREST else 0

    def decayed(x: Ints, decay: int) -> Ints:
        product = x * (whole - decay)
        return np.asarray(np.sign(product) * (np.abs(product) + half >> bits))

    bias, threshold, amount = (x[:, None] for x in (chosen.bias, chosen.threshold, chosen.amount))
    shape = (len(chosen.threshold), len(inputs))
    u, v = np.zeros(shape, np.int64), np.full(shape, chosen.v_init, np.int64)
    held = np.zeros(shape, np.int64)
    spikes, met = np.zeros((*shape, inputs.shape[1]), bool), np.zeros((*shape, inputs.shape[1]), np.int64)
    for t in range(inputs.shape[1]):
        u = decayed(u, chosen.decay_u) + inputs[:, t] * chosen.unit + chosen.bias_u
        free = held == 0
        v = np.where(free, np.clip(decayed(v, chosen.decay_v) + u + bias, -top, top), v)
        fired = (v > threshold) & free
        spikes[:, :, t], met[:, :, t] = fired, v
        if neuron.reset is Reset.ZERO:
            v = np.where(fired, 0, v)
        elif neuron.reset is Reset.SUBTRACT:
            v = np.where(fired, np.clip(v - amount, -top, top), v)
        if neuron.refractory:
            held = np.where(fired, neuron.refractory, np.maximum(held - 1, 0))
    return spikes, met


def spikes_at_risk(
    neuron: Single, exact: Outcome, chosen: Integers, found: tuple[Bools, Ints], drawn: int, halvings: int
) -> Reals:
    """Spikes (choices,) that runs on other inputs can be expected to change, from the errors of the first `drawn` runs.

    An input more or less in the last step moves a potential by whole units, and lands it within half a unit of the
    threshold as often as potentials lie there. Then a spike changes where the threshold itself would be met and is not
    (ties), or where a potential lies between it and where the integers really fire; none does within one spacing of
    it. halvings: bits that a step adds to a potential.
    """
    spikes, met = found
    agreed = np.logical_and.accumulate(spikes == exact.spikes, axis=2)[:, :drawn]
    real, level = exact.met[:drawn] * chosen.unit, neuron.threshold * chosen.unit
    near = float(np.mean(np.abs(exact.met[:drawn] - neuron.threshold) < 0.5))
    over = level + met[:, :drawn] - real - chosen.threshold[:, None, None]
    spacing = chosen.unit * np.exp2(-np.minimum(halvings * exact.depth[:drawn], 60.0))
    apart = exact.met[:drawn] - neuron.threshold
    lost = (apart == np.rint(apart)) & (over > 0 if neuron.compare is Compare.GT else over <= 0)
    between = np.maximum(np.abs(over) - spacing, 0.0) / chosen.unit
    return np.asarray(((lost + between) * agreed).sum(axis=(1, 2)) * near)
