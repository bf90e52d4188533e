"""Where thresholds' codes lie: between the last potential that must not fire and the first that must.

A bound on how far integer and real potentials part is no bound on spikes: a net of round numbers meets its thresholds
exactly, again and again, and a code rounded to the wrong side loses every such spike. So each threshold gets, in this
order: a code with no potential on its wrong side, which a lattice (compiler/lattice.py) proves for the steps of a
sample; such a code with a bias of one last bit, which lifts potentials off a coarser lattice of codes; else the code,
offset and reset amount under which exact runs of the neuron (compiler/probe.py) change the fewest spikes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler import probe
from tern2lava.compiler.ir import Arithmetic, Array, Compare, Neuron, Population, Reset, broadcast
from tern2lava.compiler.lattice import Gains, Lattice, decided, fires_from, lattice, tie_possible

# Kinds of neurons (sets of parameters) of a population that are run exactly; others take the code of the exact side.
MOST_PROBED = 48
# Sequences drawn for each rate, shared among the kinds but not below FEWEST; constant inputs are held for thresholds
# below MOST_HELD synapses.
DRAWN, FEWEST, MOST_HELD = 400, 64, 64
# Offsets are 2^j last bits for these j: a bias that shifts the potentials of a decaying neuron by 2^j in the end.
SHIFTS = range(4, 17)
# Last bits by which a subtraction may fall short, so that an offset survives it.
SHORT = (0, 1, 2, 4)


@dataclass(frozen=True, eq=False, kw_only=True)
class Placed:
    """A population with its thresholds placed, and for how many neurons exact runs chose (0: a proof did for all whose
    potentials can meet their threshold)."""

    population: Population
    chosen: int = 0


def place(
    neuron: Neuron, population: Population, gains: Gains, arithmetic: Arithmetic, steps: int, *, offsets: bool
) -> Placed:
    """`population` (lowered from `neuron` of the TERNARY graph, thresholds yet anywhere) with thresholds placed for
    `steps` steps. gains: see lattice.lattice. offsets: whether a bias and a reset amount may be moved by last bits to
    pay for a code that is missing; they never are where potentials are read."""
    unit = float(np.max(neuron.unit / population.lsb))
    found = lattice(neuron, population, gains, arithmetic)
    step = 1 << arithmetic.threshold_shift
    real = neuron.threshold * unit
    simple = _simple(neuron)
    code = _exact_side(neuron, real, found, steps, step)
    spacing = found.spacing(steps)
    if spacing:
        first = fires_from(real, neuron.compare, spacing)
        below = np.floor((first - 1) / step) * step
        code = np.where((code < first - spacing) | (code >= first), np.maximum(below, 0), code)
    placed = replace(population, threshold=code, threshold_low=_lower(neuron, unit, found, steps, arithmetic))
    proven = decided(neuron, placed, np.zeros(()), found, steps, arithmetic)
    if spacing and offsets and simple and neuron.compare is Compare.GE:
        lifted = np.where(proven, code, np.floor(real / step) * step)
        offset = np.where(proven, 0, 1)
        other = replace(population, threshold=lifted, bias=population.bias + offset)
        works = decided(neuron, other, offset, found, steps, arithmetic) & ~proven
        if works.any():
            code, proven = np.where(works, lifted, code), proven | works
            placed = replace(population, threshold=code, bias=np.where(works, population.bias + 1, population.bias))
    unproven = ~proven & tie_possible(real, found, steps)
    if not unproven.any() or not simple or not gains:
        return Placed(population=placed)
    if not found.exact:
        # Only potentials that nothing has decayed yet are known to meet the threshold; a last bit lifts them over it.
        lift = unproven & (code < np.floor(real / step) * step)
        if not offsets or not lift.any():
            return Placed(population=placed)
        code = np.where(lift, code + step, code)
        bias = np.where(lift, population.bias + 1, population.bias)
        return Placed(population=replace(population, threshold=code, bias=bias))
    return _probed(neuron, placed, gains, arithmetic, steps, found.halvings, unproven, offsets=offsets)


def _simple(neuron: Neuron) -> bool:
    """Whether the neuron is one that compiler.probe can run."""
    return neuron.threshold_low is None and not neuron.rearm and neuron.gain_a is None and neuron.quantum is None


def _exact_side(neuron: Neuron, real: Array, found: Lattice, steps: int, step: int) -> Array:
    """Codes (last bits) on the side of the threshold on which no potential that equals it changes its spike; the
    nearest code where codes are coarse and no potential can equal it."""
    side = np.floor(real / step) if neuron.compare is Compare.GT else np.ceil(real / step) - 1
    if step == 1:
        return np.asarray(side)
    tie = tie_possible(real, found, steps)
    return np.asarray(np.where(tie, side, np.rint(real / step)) * step)


def _lower(neuron: Neuron, unit: float, found: Lattice, steps: int, arithmetic: Arithmetic) -> Array | None:
    """Codes of the lower thresholds: those of the upper ones mirrored; beyond the largest code they become it."""
    if neuron.threshold_low is None:
        return None
    step, real = 1 << arithmetic.threshold_shift, neuron.threshold_low * unit
    side = np.ceil(real / step) if neuron.compare is Compare.GT else np.floor(real / step) + 1
    code = np.asarray(np.where(tie_possible(real, found, steps) | (step == 1), side, np.rint(real / step)) * step)
    spacing = found.spacing(steps)
    if spacing:
        last = -fires_from(-real, neuron.compare, spacing)
        above = (np.floor(last / step) + 1) * step
        code = np.where((code <= last) | (code > last + spacing), np.minimum(above, 0), code)
    return np.asarray(np.maximum(code, -arithmetic.threshold_max).astype(np.int64))


PARAMETERS = ("alpha_u", "alpha_v", "bias_u", "bias", "v_init", "threshold", "reset_amount")
CODED = ("decay_u", "decay_v", "bias_u", "bias", "v_init", "threshold", "reset_amount")


def _probed(
    neuron: Neuron, population: Population, gains: Gains, arithmetic: Arithmetic, steps: int, halvings: int,
    wanted: Array, *, offsets: bool,
) -> Placed:  # fmt: skip
    """`population` with code, bias and reset amount of its `wanted` neurons chosen by exact runs, kind by kind."""
    unit = float(np.max(neuron.unit / population.lsb))
    grain = int(np.gcd.reduce(np.concatenate([p.gain.reshape(-1) for p, _ in gains])))
    real = [np.asarray(getattr(neuron, name), np.float64) for name in PARAMETERS]
    coded = [np.asarray(getattr(population, name), np.int64) for name in CODED]
    stacked = np.broadcast_arrays(wanted, *real, *coded)
    shape = stacked[0].shape
    rows = np.stack([array.reshape(-1).astype(np.float64) for array in stacked[1:]], axis=1)
    rows[~stacked[0].reshape(-1)] = np.nan
    kinds, which, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True, equal_nan=True)
    sums = _sums(gains, grain)
    ran = min(steps, probe.STEPS)
    chosen = {"threshold": stacked[-2].copy(), "bias": stacked[-4].copy(), "reset_amount": stacked[-1].copy()}
    count = 0
    order = [k for k in np.argsort(-counts, kind="stable") if not np.isnan(kinds[k, 0])][:MOST_PROBED]
    for k in order:
        alpha_u, alpha_v, *scaled = kinds[k, : len(PARAMETERS)]
        bias_u, bias, v_init, threshold, amount = (value * unit / grain for value in scaled)
        single = probe.Single(
            alpha_u=alpha_u, alpha_v=alpha_v, bias_u=bias_u, bias=bias, v_init=v_init, threshold=threshold,
            amount=amount, compare=neuron.compare, reset=neuron.reset, refractory=neuron.refractory,
        )  # fmt: skip
        integers = dict(zip(CODED, (int(value) for value in kinds[k, len(PARAMETERS) :]), strict=True))
        choices = list(_choices(single, integers, grain, arithmetic, offsets=offsets))
        drawn = probe.draw(sums, max(FEWEST, DRAWN // len(order)), ran)
        held = probe.hold(int(np.ceil(2 * threshold)) if threshold < MOST_HELD else 0, ran)
        inputs = np.concatenate([drawn, held])
        exact = probe.run_exact(single, inputs)
        candidates = _integers(integers, choices, grain, arithmetic)
        found = probe.run_integer(single, candidates, inputs)
        wrong = found[0] != exact.spikes
        risk = probe.spikes_at_risk(single, exact, candidates, found, len(drawn), halvings)
        best = int(np.argmin(wrong.sum(axis=(1, 2)) + risk))
        here = (which.reshape(-1) == k).reshape(shape)
        for name, value in zip(("threshold", "bias", "reset_amount"), choices[best], strict=True):
            chosen[name][here] = value
        count += int(np.count_nonzero(broadcast(here, population.shape)))
    bias, amount = (
        getattr(population, name) if np.all(chosen[name] == getattr(population, name)) else chosen[name]
        for name in ("bias", "reset_amount")
    )
    placed = replace(population, threshold=chosen["threshold"], bias=bias, reset_amount=amount)
    return Placed(population=placed, chosen=count)


def _sums(gains: Gains, grain: int) -> list[tuple[int, int, int]]:
    """For each projection how many positive and negative synapses a neuron has on average, and what a spike adds."""
    result = []
    for projection, _ in gains:
        codes = projection.weight.reshape(projection.weight.shape[0], -1)
        area = 1 if projection.pooling is None else projection.pooling.area
        positive, negative = np.maximum(codes, 0).sum() * area, np.maximum(-codes, 0).sum() * area
        rows = max(1, len(codes))
        gain = int(np.median(projection.gain)) // grain
        result.append((max(1, round(float(positive) / rows)), round(float(negative) / rows), gain))
    return result


def _integers(
    coded: dict[str, int], choices: list[tuple[int, int, int]], grain: int, arithmetic: Arithmetic
) -> probe.Integers:
    threshold, bias, amount = (np.array(column, np.int64) for column in zip(*choices, strict=True))
    return probe.Integers(
        unit=grain, decay_bits=arithmetic.decay_bits, state_max=arithmetic.state_max, decay_u=coded["decay_u"],
        decay_v=coded["decay_v"], bias_u=coded["bias_u"], v_init=coded["v_init"], bias=bias, threshold=threshold,
        amount=amount,
    )  # fmt: skip


def _choices(
    neuron: probe.Single, coded: dict[str, int], grain: int, arithmetic: Arithmetic, *, offsets: bool
) -> Iterator[tuple[int, int, int]]:
    """(threshold, bias, reset amount) to try, the plainest first; of equals the first is taken.

    An offset of 2^j, to the side that keeps ties, reached by a bias of (1 - alpha) 2^j: after a reset it is small and
    grows towards 2^j as the distance of real potentials from the threshold shrinks, so that the code stays between
    them at every depth. A subtraction that falls a little short keeps it from being used up.
    """
    step, top = 1 << arithmetic.threshold_shift, arithmetic.threshold_max
    real = neuron.threshold * grain
    bias, amount, decay = coded["bias"], coded["reset_amount"], coded["decay_v"]
    short = SHORT if offsets and neuron.reset is Reset.SUBTRACT else (0,)
    least = int(np.ceil(real / step) - 1) * step
    at = int(np.floor(real / step)) * step
    plain = [coded["threshold"], at if neuron.compare is Compare.GT else least, int(np.rint(real / step)) * step]
    for less in short:
        yield from ((code, bias, amount - less) for code in dict.fromkeys(plain))
    if not offsets:
        return
    if neuron.compare is Compare.GE:
        yield from ((at, bias + lift, amount - less) for lift in (1, 2) for less in short)
    sign = -1 if neuron.compare is Compare.GE else 1
    for j in SHIFTS:
        shift = sign << j if sign > 0 else -(1 << j)
        code = int(np.floor((real + shift) / step)) * step
        lifted = int(np.rint(decay * shift / (1 << arithmetic.decay_bits)))
        most = 1 << (arithmetic.bias_bits - 1)
        if not decay or not 0 <= code <= top or 32 * abs(shift) > grain or abs(bias + lifted) + 2 > most:
            continue
        yield from ((code, bias + lifted + sign * more, amount - less) for more in (0, 1) for less in short)


def tie_note(name: str, placed: Placed, arithmetic: Arithmetic) -> tuple[str, ...]:
    """One line on neurons for which no code is proven to keep every spike; none where there are no such."""
    if not placed.chosen:
        return ()
    step = 1 << arithmetic.threshold_shift
    codes = f"multiples of {step} last bits" if step > 1 else "whole last bits"
    return (
        f"{name}: {placed.chosen:,} thresholds have no code (of {codes}) between the last potential that must not fire "
        "and the first that must; exact runs chose the code, bias and reset amount that change the fewest spikes",
    )
