"""Exact runs choose a threshold's code, an offset and a reset amount where no code is proven to keep every spike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify import probe
from tern2lava.compiler.certify.lattice import Gains
from tern2lava.compiler.certify.ranges import growth
from tern2lava.compiler.certify.source_integers import membrane_unit
from tern2lava.compiler.ir.graph import Arithmetic, Compare, Decays, Neuron, Population, Reset
from tern2lava.compiler.ir.shapes import Bools, Ints, broadcast
from tern2lava.effort import Effort

# An offset is this part of a weight at most, so that potentials stay what they are.
COARSEST = 32
# Spikes at risk that tell no choice from another: the plainer one is taken.
NOISE = 0.05
# A subtraction may fall short, so that an offset survives it, by less than this part of it.
SHORTEST = 1000

PARAMETERS = ("alpha_u", "alpha_v", "bias_u", "bias", "v_init", "threshold", "reset_amount")
CODED = ("decay_u", "decay_v", "bias_u", "bias", "v_init", "threshold", "reset_amount")


@dataclass(frozen=True, eq=False, kw_only=True)
class Kind:
    """Neurons with equal parameters: the neuron in units of `grain` last bits, its integers and how they decay, where
    they are in arrays of the population's parameters, and how many neurons they are."""

    single: probe.Single
    coded: dict[str, int]
    decays: Decays
    grain: int
    where: Bools
    neurons: int


def kinds_of(neuron: Neuron, population: Population, gains: Gains, wanted: Bools) -> list[Kind]:
    """The kinds of the `wanted` neurons, the most frequent first."""
    unit = membrane_unit(neuron, population)
    grain = int(np.gcd.reduce(np.concatenate([p.gain.reshape(-1) for p, _ in gains])))
    real = [np.asarray(getattr(neuron, name), np.float64) for name in PARAMETERS]
    coded = [np.asarray(getattr(population, name), np.float64) for name in CODED]
    marked, *stacked = np.broadcast_arrays(wanted, *real, *coded)
    rows = np.stack([array.reshape(-1) for array in stacked], axis=1)[marked.reshape(-1)]
    kinds, which, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    result = []
    for k in np.argsort(-counts, kind="stable"):
        where: Bools = np.zeros(marked.size, bool)
        where[np.flatnonzero(marked.reshape(-1))[which.reshape(-1) == k]] = True
        where = where.reshape(marked.shape)
        alpha_u, alpha_v, *scaled = (float(value) for value in kinds[k, : len(PARAMETERS)])
        bias_u, bias, v_init, threshold, amount = (value * unit / grain for value in scaled)
        single = probe.Single(
            alpha_u=alpha_u, alpha_v=alpha_v, bias_u=bias_u, bias=bias, v_init=v_init, threshold=threshold,
            amount=amount, compare=neuron.compare, reset=neuron.reset, refractory=neuron.refractory,
        )  # fmt: skip
        integers = dict(zip(CODED, (int(value) for value in kinds[k, len(PARAMETERS) :]), strict=True))
        neurons = int(np.count_nonzero(broadcast(where, population.shape)))
        kind = Kind(
            single=single, coded=integers, decays=population.decays, grain=grain, where=where, neurons=neurons
        )  # fmt: skip
        result.append(kind)
    return result


def exact_run(kind: Kind, gains: Gains, steps: int, kinds: int, effort: Effort) -> tuple[Ints, int, probe.Outcome]:
    """Inputs (sequences, steps), how many of them were drawn (constant ones come last), and the neuron's own spikes.
    kinds: how many share the sequences that are run in all."""
    steps = min(steps, effort.exact_steps)
    drawn = probe.draw(_sums(gains, kind.grain), max(effort.least_sequences, effort.drawn_sequences // kinds), steps)
    threshold = kind.single.threshold
    held = probe.hold(int(np.ceil(2 * threshold)) if threshold < effort.held_threshold else 0, steps)
    inputs = np.concatenate([drawn, held])
    return inputs, len(drawn), probe.run_exact(kind.single, inputs)


def search(
    neuron: Neuron, population: Population, gains: Gains, arithmetic: Arithmetic, steps: int, halvings: int,
    wanted: Bools, effort: Effort, *, offsets: bool,
) -> tuple[Population, int]:  # fmt: skip
    """`population` with code, bias and reset amount of its `wanted` neurons chosen by exact runs, kind by kind, and for
    how many neurons. halvings: bits that a step adds to a potential; offsets: see ties.place."""
    shape = np.broadcast_shapes(*(np.shape(getattr(population, name)) for name in CODED), wanted.shape)
    names = ("threshold", "bias", "reset_amount")
    chosen = {name: np.broadcast_to(getattr(population, name), shape).astype(np.int64) for name in names}
    kinds = kinds_of(neuron, population, gains, wanted)[: effort.searched_kinds]
    for kind in kinds:
        inputs, drawn, exact = exact_run(kind, gains, steps, len(kinds), effort)
        choices = list(_choices(kind, arithmetic, effort, offsets=offsets))
        candidates = integers_of(kind, choices, arithmetic)
        found = probe.run_integer(kind.single, candidates, inputs)
        wrong = (found[0] != exact.spikes).sum(axis=(1, 2))
        risk = probe.spikes_at_risk(kind.single, exact, candidates, found, drawn, halvings)
        lost = wrong + risk
        best = choices[int(np.argmax(lost <= lost.min() + NOISE))]
        here = np.broadcast_to(kind.where, shape)
        for name, value in zip(names, best, strict=True):
            chosen[name][here] = value
    bias, amount = (
        getattr(population, name) if np.all(chosen[name] == getattr(population, name)) else chosen[name]
        for name in ("bias", "reset_amount")
    )
    placed = replace(population, threshold=chosen["threshold"], bias=bias, reset_amount=amount)
    return placed, sum(kind.neurons for kind in kinds)


def _sums(gains: Gains, grain: int) -> list[tuple[int, int, int]]:
    """For each projection how many positive and negative synapses a neuron has on average, and what a spike adds."""
    result = []
    for projection, _ in gains:
        codes = projection.weight.reshape(projection.weight.shape[0], -1)
        area = 1 if projection.pooling is None else projection.pooling.area
        positive, negative = np.maximum(codes, 0).sum() * area, -np.minimum(codes, 0).astype(np.int64).sum() * area
        rows = max(1, len(codes))
        gain = int(np.median(projection.gain)) // grain
        result.append((max(1, round(float(positive) / rows)), round(float(negative) / rows), gain))
    return result


def integers_of(kind: Kind, choices: list[tuple[int, int, int]], arithmetic: Arithmetic) -> probe.Integers:
    """The integers of a kind with each of `choices` (threshold, bias, reset amount)."""
    threshold, bias, amount = (np.array(column, np.int64) for column in zip(*choices, strict=True))
    return probe.Integers(
        unit=kind.grain, decay_bits=arithmetic.decay_bits, decays=kind.decays, state_max=arithmetic.state_max,
        decay_u=kind.coded["decay_u"], decay_v=kind.coded["decay_v"], bias_u=kind.coded["bias_u"],
        v_init=kind.coded["v_init"], bias=bias, threshold=threshold, amount=amount,
    )  # fmt: skip


def _choices(kind: Kind, arithmetic: Arithmetic, effort: Effort, *, offsets: bool) -> Iterator[tuple[int, int, int]]:
    """(threshold, bias, reset amount) to try, the plainest first; of equals the first is taken.

    An offset of 2^j, to the side that keeps ties, reached by a bias of (1 - alpha) 2^j: after a reset it is small and
    grows towards 2^j as the distance of real potentials from the threshold shrinks, so that the code stays between
    them at every depth. A subtraction that falls a little short keeps it from being used up.
    """
    neuron, coded = kind.single, kind.coded
    step, top = 1 << arithmetic.threshold_shift, arithmetic.threshold_max
    real = neuron.threshold * kind.grain
    bias, amount, decay = coded["bias"], coded["reset_amount"], coded["decay_v"]
    short = [less for less in effort.shortfalls if less == 0 or (offsets and less * SHORTEST <= amount)]
    if neuron.reset is not Reset.SUBTRACT:
        short = [0]
    least = int(np.ceil(real / step) - 1) * step
    at = int(np.floor(real / step)) * step
    plain = [coded["threshold"], at if neuron.compare is Compare.GT else least, int(np.rint(real / step)) * step]
    for less in short:
        yield from ((code, bias, amount - less) for code in dict.fromkeys(plain) if 0 <= code <= top)
    if not offsets:
        return
    adds_up = float(growth(np.asarray(decay), arithmetic, effort.exact_steps))
    if neuron.compare is Compare.GE and COARSEST * 2 * adds_up <= kind.grain:
        yield from ((at, bias + lift, amount - less) for lift in (1, 2) for less in short)
    sign = -1 if neuron.compare is Compare.GE else 1
    least_j, most_j = effort.offset_bits
    for j in range(least_j, most_j + 1):
        shift = sign << j if sign > 0 else -(1 << j)
        code = int(np.floor((real + shift) / step)) * step
        lifted = int(np.rint(decay * shift / (1 << arithmetic.decay_bits)))
        most = 1 << (arithmetic.bias_bits - 1)
        if not decay or not 0 <= code <= top or COARSEST * abs(shift) > kind.grain or abs(bias + lifted) + 2 > most:
            continue
        yield from ((code, bias + lifted + sign * more, amount - less) for more in (0, 1) for less in short)
