"""Pass: real neuron parameters become the target's integers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.offset import coded_bias
from tern2lava.compiler.certify.ranges import bounds, fits, summed_input
from tern2lava.compiler.certify.rounding import never_spikes
from tern2lava.compiler.certify.source_integers import membrane_unit, quantum_unit, strict_threshold
from tern2lava.compiler.certify.ties import place, tie_note
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Graph,
    Level,
    Neuron,
    Node,
    Output,
    Population,
    Projection,
    Readout,
    Reset,
)
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.compiler.neurons.mechanism import kinds_of, with_fields
from tern2lava.compiler.options import DEFAULT_STEPS, Options
from tern2lava.compiler.passes.retime import chip_delay, pipeline_latencies
from tern2lava.effort import Effort
from tern2lava.errors import UnsupportedError
from tern2lava.hw_profiles import Profile


def to_integer(graph: Graph, arithmetic: Arithmetic, options: Options, profile: Profile | None = None) -> Graph:
    """The INTEGER graph: chip time, integer decays, thresholds, biases and gains. Certified by certificate.certify.

    With 2^e membrane units to one ternary unit and D decay bits:
        decay = round((1 - alpha) 2^D)      gain = round(scale 2^e), a multiple of 2^gain_shift
        bias, bias_u, v_init, reset_amount = round(x 2^e)
        threshold, a multiple of 2^threshold_shift: see ties.place, which may move bias and reset_amount by last bits
        where `profile` (None: any target) lets neurons have a bias of their own
    e is the least one where nothing is lost by it (no leak, no fractions), else the largest for which no accumulator
    can overflow within the steps of a sample and every threshold and bias has a code. Latencies are those of
    retime.pipeline_latencies. Neurons that compute in integers already (quantum) keep theirs: their membrane unit is
    the quantum. Raises UnsupportedError for a decay outside [0, 1] and for thresholds that have no code.
    """
    steps = options.steps or graph.steps or DEFAULT_STEPS
    latency = pipeline_latencies(graph)
    notes: list[str] = []
    nodes: dict[str, Node] = {node.name: node for node in graph.nodes}
    for neuron in graph.of_kind(Neuron):
        _check(neuron, arithmetic)
        chosen = _choose_scale(graph, neuron, arithmetic, steps, latency[neuron.name])
        if quantum_unit(neuron) is None:
            offsets = _offsets_allowed(graph, neuron, profile)
            chosen = _placed(graph, neuron, chosen, arithmetic, steps, options.effort, offsets=offsets)
        notes += chosen.notes
        nodes[neuron.name] = chosen.population
        for projection in chosen.projections:
            delay = chip_delay(projection, neuron.name, latency)
            nodes[projection.name] = replace(projection, delay=delay, scale=np.ones(()))
    return replace(
        graph.with_nodes(nodes.values(), level=Level.INTEGER, notes=notes), arithmetic=arithmetic, steps=graph.steps
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Candidate:
    population: Population
    projections: tuple[Projection, ...]
    fits: bool
    notes: tuple[str, ...] = ()


def _check(neuron: Neuron, arithmetic: Arithmetic) -> None:
    factors = (("alpha_u", neuron.alpha_u), ("alpha_v", neuron.alpha_v), ("alpha_a", neuron.alpha_a))
    for name, value in factors:
        if np.any(value < 0) or np.any(value > 1):
            raise UnsupportedError(
                neuron.name,
                "decay factors in [0, 1]",
                f"{name} {float(np.max(np.abs(value))):g}",
                "retrain, or clip",
            )
    if np.any(neuron.threshold < 0) or (neuron.compare is Compare.GE and np.any(neuron.threshold <= 0)):
        raise UnsupportedError(
            neuron.name,
            "positive thresholds",
            f"{float(np.min(neuron.threshold)):g} in units of the synapses' scale",
            "retrain with a positive threshold",
        )
    for mechanism in kinds_of(neuron):
        mechanism.refuse_values(neuron)
    if neuron.reset is Reset.SUBTRACT and np.any(neuron.reset_amount < 0):
        raise UnsupportedError(
            neuron.name,
            "a subtracting reset that lowers the potential",
            f"reset amount {float(np.min(neuron.reset_amount)):g} in units of the synapses' scale",
            "retrain with a positive reset amount",
        )


def _largest_scale(graph: Graph, neuron: Neuron) -> float:
    scales = (p.scale for p in graph.projections(neuron.inputs))
    return max((float(np.max(scale)) for scale in scales), default=0.0)


def _choose_scale(graph: Graph, neuron: Neuron, arithmetic: Arithmetic, steps: int, start: int) -> _Candidate:
    unit = quantum_unit(neuron)
    best = None if unit is None else _candidate(graph, neuron, arithmetic, unit, start, steps)
    if best is not None:
        return best
    for e in range(arithmetic.gain_shift, arithmetic.gain_max_shift + 1):
        candidate = _candidate(graph, neuron, arithmetic, float(1 << e), start, steps)
        if candidate is None or (best is not None and not candidate.fits):
            break
        best = candidate
        if not candidate.fits or loses_nothing(graph, neuron, arithmetic, float(1 << e)):
            break
    if best is None:
        raise UnsupportedError(
            neuron.name,
            f"thresholds of {arithmetic.threshold_bits} bits and biases of {arithmetic.bias_bits} bits (the target's)",
            f"a threshold of {float(np.max(neuron.threshold)):.6g} and a bias of "
            f"{float(np.max(np.abs(neuron.bias))):.6g} synapses, scales up to {_largest_scale(graph, neuron):.6g}",
            "scale the layer's weights up, or its thresholds and biases down, and summed layers to like sizes",
        )
    return best


def _offsets_allowed(graph: Graph, neuron: Neuron, profile: Profile | None) -> bool:
    """Whether biases and reset amounts may be moved to pay for a missing code: not where potentials are read, nor where
    the target has no bias for each neuron, or lets no neuron with one rest until its input arrives."""
    read = any(neuron.name in o.inputs and o.readout is not Readout.SPIKE_COUNT for o in graph.of_kind(Output))
    if read or profile is None:
        return not read
    return (
        profile.neuron.per_neuron_bias.value
        and profile.neuron.late_start.value == "population"
        and (neuron.reset is not Reset.SUBTRACT or profile.neuron.subtracts.value == "any")
    )


def _placed(
    graph: Graph, neuron: Neuron, candidate: _Candidate, arithmetic: Arithmetic, steps: int, effort: Effort, *,
    offsets: bool,
) -> _Candidate:  # fmt: skip
    """`candidate` with its thresholds placed (ties.place); without offsets where a bias with one has no code, or where
    a potential with one could overflow and without could not."""
    population = candidate.population
    unit = membrane_unit(neuron, population)
    gains = [(p, graph.projection(p.name).scale * unit) for p in candidate.projections]
    for allowed in (True, False) if offsets else (False,):
        placed = place(neuron, population, gains, arithmetic, steps, effort, offsets=allowed)
        moved = placed.population
        bias = coded_bias(moved.bias.astype(np.float64), arithmetic)
        held = _holds(graph, moved, candidate.projections, arithmetic, steps)
        if bias is not None and np.all(bias == moved.bias) and (held or not candidate.fits):
            break
    top = arithmetic.threshold_max
    moved = replace(moved, threshold=np.minimum(moved.threshold, top).astype(np.int64))
    return replace(candidate, population=moved, notes=(*candidate.notes, *tie_note(neuron.name, placed, arithmetic)))


def _holds(
    graph: Graph, population: Population, projections: tuple[Projection, ...], arithmetic: Arithmetic, steps: int
) -> bool:
    """Whether no accumulator of `population` can overflow within `steps` steps."""
    members = {node.name: node for node in graph.nodes} | {p.name: p for p in projections}
    low, high = summed_input(graph.with_nodes(members.values()), population.inputs, population.shape)
    return bool(np.all(fits(population, bounds(population, low, high, arithmetic, steps), arithmetic)))


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


def _candidate(
    graph: Graph, neuron: Neuron, arithmetic: Arithmetic, unit: float, start: int, steps: int
) -> _Candidate | None:
    """The population with `unit` membrane units to one ternary unit; None where a threshold or bias has no code, or
    where one spike adds more than a membrane holds.

    A threshold beyond the largest code that its neuron cannot reach within `steps` becomes the largest code: the
    neuron never fires either way.
    """
    whole, most = 1 << arithmetic.decay_bits, arithmetic.state_max
    step = float(1 << arithmetic.gain_shift)
    if _largest_scale(graph, neuron) * unit > most:
        return None
    projections = tuple(
        replace(p, gain=(np.maximum(np.rint(p.scale * unit / step), 1) * step).astype(np.int64))
        for p in graph.projections(neuron.inputs)
    )
    bias, bias_u = coded_bias(neuron.bias * unit, arithmetic), coded_bias(neuron.bias_u * unit, arithmetic)
    if bias is None or bias_u is None:
        return None
    on_lattice = loses_nothing(graph, neuron, arithmetic, unit)
    threshold = _threshold(neuron, arithmetic, unit, on_lattice)
    top = arithmetic.threshold_max
    unreachable = threshold > top
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
    )
    for mechanism in kinds_of(neuron):
        population = with_fields(population, mechanism.lowered(neuron, unit, arithmetic, on_lattice))
    members = {node.name: node for node in graph.nodes} | {p.name: p for p in projections}
    a_low, a_high = summed_input(graph.with_nodes(members.values()), neuron.inputs, neuron.shape)
    found = bounds(population, a_low, a_high, arithmetic, steps)
    if np.any(unreachable & (found.met_high > top)):
        return None
    if not all(mechanism.has_codes(neuron, found.met_low, unit, arithmetic) for mechanism in kinds_of(neuron)):
        return None
    return _Candidate(
        population=population,
        projections=projections,
        fits=bool(np.all(fits(population, found, arithmetic))) and _resets_fit(neuron, population, arithmetic),
        notes=_notes(neuron.name, int(np.count_nonzero(np.broadcast_to(unreachable, neuron.shape)))),
    )


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
