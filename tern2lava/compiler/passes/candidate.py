"""What a population becomes with a unit: the integers of one candidate, and whether its accumulators hold them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.calibration import Observed
from tern2lava.compiler.certify.offset import coded_bias
from tern2lava.compiler.certify.ranges import bounds, fits, summed_input
from tern2lava.compiler.certify.rounding import never_spikes
from tern2lava.compiler.certify.source_integers import membrane_unit, quantum_unit, strict_threshold
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Neuron, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.neurons.mechanism import kinds_of, with_fields


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """population: its integers with `unit` membrane units to one ternary unit. projections: those that feed it. fits:
    whether no accumulator can overflow (does, where ranges were observed)."""

    population: Population
    projections: tuple[Projection, ...]
    unit: float
    fits: bool
    notes: tuple[str, ...] = ()


def largest_scale(graph: Graph, neuron: Neuron) -> float:
    scales = (p.scale for p in graph.projections(neuron.inputs))
    return max((float(np.max(scale)) for scale in scales), default=0.0)


def loses_nothing(graph: Graph, neuron: Neuron, arithmetic: Arithmetic, unit: float) -> bool:
    """Whether integers with `unit` units to one ternary unit execute `neuron` exactly.

    That is so where nothing decays partly, gains, biases and resets are whole, and all lie on the lattice of
    representable thresholds (multiples of 2^threshold_shift), so that no rounding ever happens.
    """
    lattice = float(1 << arithmetic.threshold_shift)
    whole = [neuron.bias, neuron.bias_u, neuron.v_init]
    if neuron.reset is Reset.SUBTRACT:
        whole.append(neuron.reset_amount)
    scales = [p.scale for p in graph.projections(neuron.inputs)]
    return (
        all(mechanism.loses_nothing(neuron, unit, lattice) for mechanism in kinds_of(neuron))
        and bool(np.all((neuron.alpha_v == 0) | (neuron.alpha_v == 1)))
        and bool(np.all((neuron.alpha_u == 0) | (neuron.alpha_u == 1)))
        and all(bool(np.all(np.mod(value * unit, lattice) == 0)) for value in (*whole, *scales))
    )


def candidate(
    graph: Graph, neuron: Neuron, arithmetic: Arithmetic, unit: float, start: int, steps: int,
    decays: Decays = Decays.TRUNCATE, observed: Observed | None = None, code_bits: int | None = None,
) -> Candidate | None:  # fmt: skip
    """The population with `unit` membrane units to one ternary unit; None where a threshold or bias has no code, or
    where one spike adds more than a membrane holds.

    A threshold beyond the largest code that its neuron cannot reach within `steps`, or does not in the ranges that were
    `observed`, becomes the largest code: the neuron never fires either way. code_bits: widest product of code and gain
    that a synapse holds, but for a power of two; None where gains are held apart.
    """
    whole, most = 1 << arithmetic.decay_bits, arithmetic.state_max
    if largest_scale(graph, neuron) * unit > most:
        return None
    projections = tuple(
        replace(p, gain=coded_gain(p.scale, unit, arithmetic, None if code_bits is None else code_bits - p.bits + 1))
        for p in graph.projections(neuron.inputs)
    )
    bias, bias_u = coded_bias(neuron.bias * unit, arithmetic), coded_bias(neuron.bias_u * unit, arithmetic)
    if bias is None or bias_u is None:
        return None
    on_lattice = loses_nothing(graph, neuron, arithmetic, unit)
    threshold = _threshold(neuron, arithmetic, unit, on_lattice)
    top = arithmetic.threshold_max
    unreachable = (threshold > top) & np.full(neuron.threshold.shape, not neuron.integrates)
    population = Population(
        name=neuron.name,
        inputs=neuron.inputs,
        shape=neuron.shape,
        decay_u=np.rint((1.0 - neuron.alpha_u) * whole).astype(np.int64),
        decay_v=np.rint((1.0 - neuron.alpha_v) * whole).astype(np.int64),
        bias_u=bias_u,
        bias=bias,
        threshold=np.minimum(threshold, top).astype(np.int64),
        reset=neuron.reset,
        # Beyond the state's width they saturate; the rounding is refused unless it never happens (rounding_limits).
        reset_amount=np.rint(np.minimum(neuron.reset_amount * unit, most)).astype(np.int64),
        v_init=np.rint(np.clip(neuron.v_init * unit, -most, most)).astype(np.int64),
        lsb=neuron.unit / unit,
        origin=neuron.origin,
        record_before_reset=neuron.record_before_reset,
        start=start,
        decay_a=np.rint((1.0 - neuron.alpha_a) * whole).astype(np.int64),
        decays=decays,
    )
    for mechanism in kinds_of(neuron):
        population = with_fields(population, mechanism.lowered(neuron, unit, arithmetic, on_lattice))
    members = {node.name: node for node in graph.nodes} | {p.name: p for p in projections}
    a_low, a_high = summed_input(graph.with_nodes(members.values()), neuron.inputs, neuron.shape)
    found = bounds(population, a_low, a_high, arithmetic, steps)
    reach_low, reach_high = found.met_low, found.met_high
    held = bool(np.all(fits(population, found, arithmetic)))
    if observed is not None:
        limit = observed.v_limit * unit
        reach_low, reach_high = np.maximum(reach_low, -limit), np.minimum(reach_high, limit)
        held = observed.largest * unit <= most
    if np.any(unreachable & (reach_high > top)):
        return None
    if not all(mechanism.has_codes(neuron, reach_low, unit, arithmetic) for mechanism in kinds_of(neuron)):
        return None
    return Candidate(
        population=population,
        projections=projections,
        unit=unit,
        fits=held and _resets_fit(neuron, population, arithmetic),
        notes=_notes(neuron.name, int(np.count_nonzero(np.broadcast_to(unreachable, neuron.shape)))),
    )


def coded_gain(scale: Reals, unit: float, arithmetic: Arithmetic, bits: int | None = None) -> Ints:
    """Gains of `scale`, the nearest multiples of 2^gain_shift that are not 0 and have at most `bits` significant bits
    (None: any number)."""
    step = float(1 << arithmetic.gain_shift)
    if bits is not None:
        # One bit less, for what is rounded up may take one more.
        largest = float(np.max(scale, initial=0.0)) * unit
        step = max(step, 2.0 ** (math.frexp(largest)[1] - max(bits - 1, 1)))
    return np.asarray((np.maximum(np.rint(scale * unit / step), 1) * step).astype(np.int64))


def gain_error(graph: Graph, neuron: Neuron, arithmetic: Arithmetic, unit: float) -> float:
    """The largest relative error of a gain with `unit`."""
    worst = 0.0
    for projection in graph.projections(neuron.inputs):
        real = projection.scale * unit
        off = np.abs(coded_gain(projection.scale, unit, arithmetic) - real)
        worst = max(worst, float(np.max(off / np.where(real > 0, real, 1.0), initial=0.0)))
    return worst


def holds(
    graph: Graph, population: Population, projections: tuple[Projection, ...], arithmetic: Arithmetic, steps: int
) -> bool:
    """Whether no accumulator of `population` can overflow within `steps` steps."""
    members = {node.name: node for node in graph.nodes} | {p.name: p for p in projections}
    low, high = summed_input(graph.with_nodes(members.values()), population.inputs, population.shape)
    return bool(np.all(fits(population, bounds(population, low, high, arithmetic, steps), arithmetic)))


def _resets_fit(neuron: Neuron, population: Population, arithmetic: Arithmetic) -> bool:
    """Whether every subtraction that can happen takes off an amount that the state holds."""
    if neuron.reset is not Reset.SUBTRACT:
        return True
    fit = neuron.reset_amount * membrane_unit(neuron, population) <= arithmetic.state_max
    return bool(np.all(fit | never_spikes(neuron, population, arithmetic)))


def _notes(name: str, unreachable: int) -> tuple[str, ...]:
    if not unreachable:
        return ()
    return (f"{name}: {unreachable:,} neurons can never reach their threshold; it became the largest code",)


def _threshold(neuron: Neuron, arithmetic: Arithmetic, unit: float, on_lattice: bool) -> Reals:
    """A strict integer threshold: the nearest code, which ties.place moves to where it belongs; of sources that compute
    in these integers already the one that they have."""
    lattice = float(1 << arithmetic.threshold_shift)
    if quantum_unit(neuron) != unit:
        return np.asarray(np.rint(neuron.threshold * unit / lattice) * lattice)
    strict = strict_threshold(neuron, unit) / lattice
    return np.asarray((np.floor(strict) if on_lattice else np.rint(strict)) * lattice)
