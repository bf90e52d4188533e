"""The search for the integers of one population: unit, gains, decays, thresholds and rounding together.

Without samples a candidate is judged by proofs: no accumulator may overflow, potentials that meet their threshold
exactly keep their spikes (certify/ties.py), and the bound on errors is least. With calibration samples it is judged by
the spikes that change on them while the layer is fed the reference's: fewest win, then the smaller error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.calibration import Calibration, Observed, RealRun
from tern2lava.compiler.certify.certificate import error_bound
from tern2lava.compiler.certify.lattice import decided, lattice
from tern2lava.compiler.certify.offset import bias_offset, coded_bias
from tern2lava.compiler.certify.ranges import FOREVER
from tern2lava.compiler.certify.source_integers import membrane_unit, quantum_unit
from tern2lava.compiler.certify.ties import place, tie_note
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Neuron, Output, Population, Readout, Reset
from tern2lava.compiler.ir.shapes import Ints, Reals, Shape
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.balance import balanced
from tern2lava.compiler.passes.candidate import Candidate, candidate, gain_error, holds, largest_scale, loses_nothing
from tern2lava.compiler.passes.fit_thresholds import Fitted, Thresholds, count_changed
from tern2lava.compiler.target.rules import channel_gain
from tern2lava.compiler.target.stock_neuron import decays_allowed
from tern2lava.errors import UnsupportedError
from tern2lava.hw_profiles import Profile

# Parts of an octave in which units are looked for where powers of two round a gain. Chosen.
PARTS = 16
# Decay factors p / 2^a with a up to this are round numbers, whose potentials meet thresholds again and again, and whose
# resting points may be thresholds: cut towards zero they stay below them as exact potentials do. Chosen.
ROUND_DECAY = 4


# Share of the bound on errors below which integers are preferred where no samples judge them. Chosen: a bound that is
# not much smaller says nothing of spikes.
LESS = 0.75
# Spikes on all calibration samples that integers have to save to be preferred to simpler ones: proven ranges, powers of
# two, one threshold for all. Chosen.
GAINED = 0.05


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen for a population, for the report.

    unit: last bits of one unit of its synapses' scale. decays: how they become whole. thresholds, moved: how many there
    are, lower ones too, and how many were moved to pay for other roundings. Of calibration samples, None without them
    or where it is proven that no spike changes: how many were looked at, spikes of the reference in them, how many
    change with these integers, and how many with those chosen without samples. observed: the ranges that the unit was
    chosen for, None where it was for those of every input. finer: the finest unit whose accumulators hold what was
    observed, where that is finer than `unit` and samples let expect that spikes change; None elsewhere. before_moves:
    the population with its thresholds where they were, None where none was moved. furthest: the largest such move, in
    synapses.
    """

    population: str
    unit: float
    decays: Decays
    thresholds: int
    moved: int = 0
    samples: int | None = None
    spikes: int | None = None
    changed: int | None = None
    changed_before: int | None = None
    observed: Observed | None = None
    finer: float | None = None
    before_moves: Population | None = None
    real: Graph | None = None
    furthest: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Search:
    """Where and for what integers are looked for. steps: of a sample. start: latency of the population."""

    graph: Graph
    neuron: Neuron
    arithmetic: Arithmetic
    options: Options
    profile: Profile | None
    steps: int
    start: int

    @property
    def range_steps(self) -> int:
        """Steps in which accumulators are not to overflow."""
        return FOREVER if self.options.ranges == "proven" else self.steps

    def candidate(self, unit: float, **other: object) -> Candidate | None:
        return candidate(self.graph, self.neuron, self.arithmetic, unit, self.start, self.range_steps, **other)  # type: ignore[arg-type]


def choose(search: Search, calibration: Calibration | None) -> tuple[Candidate, Choice]:
    """The integers of one population, and what is to be said of the choice."""
    without = _by_proof(search)
    plain = Choice(
        population=search.neuron.name, unit=without.unit, decays=without.population.decays,
        thresholds=sum(codes.size for codes in _codes(without.population)),
    )  # fmt: skip
    if calibration is None or _proven(search, without) or _keeps_source_integers(search, without):
        return without, plain
    return _by_samples(search, calibration, without)


def _by_proof(search: Search) -> Candidate:
    neuron = search.neuron
    chosen = _finest(search)
    if quantum_unit(neuron) is None:
        chosen = _placed(search, chosen)
        if _may_round(search, chosen) and not _proven(search, chosen):
            found = search.candidate(chosen.unit, decays=Decays.NEAREST)
            other = None if found is None or found.fits < chosen.fits else _placed(search, found)
            if other is not None and _errs_less(search, other, chosen):
                chosen = other
    if search.options.ranges == "proven" and not chosen.fits:
        raise UnsupportedError(
            neuron.name, "integers that no input can make overflow, in any number of steps",
            "accumulators that some input drives beyond their width", "ask for --range steps or calibrated",
        )  # fmt: skip
    return chosen


def _finest(search: Search) -> Candidate:
    """The candidate of the finest power of two (the coarsest at which nothing is lost) whose accumulators cannot
    overflow; where it rounds a gain, of the unit of its octave that rounds gains least."""
    graph, neuron, arithmetic = search.graph, search.neuron, search.arithmetic
    unit = quantum_unit(neuron)
    best = None if unit is None else search.candidate(unit)
    if best is not None:
        return best
    for e in range(arithmetic.gain_shift, arithmetic.gain_max_shift + 1):
        found = search.candidate(float(1 << e))
        if found is None or (best is not None and not found.fits):
            break
        best = found
        if not found.fits or loses_nothing(graph, neuron, arithmetic, float(1 << e)):
            break
    if best is None:
        raise UnsupportedError(
            neuron.name,
            f"thresholds of {arithmetic.threshold_bits} bits and biases of {arithmetic.bias_bits} bits (the target's)",
            f"a threshold of {float(np.max(neuron.threshold)):.6g} and a bias of "
            f"{float(np.max(np.abs(neuron.bias))):.6g} synapses, scales up to {largest_scale(graph, neuron):.6g}",
            "scale the layer's weights up, or its thresholds and biases down, and summed layers to like sizes",
        )
    for unit in _units_of_octave(search, best.unit)[:1]:
        found = search.candidate(unit)
        if found is None or not (found.fits or not best.fits):
            continue
        if _bias_error(neuron, found) <= _bias_error(neuron, best) and _errs_less(search, found, best):
            best = found
    return best


def _bias_error(neuron: Neuron, chosen: Candidate) -> float:
    """The largest error of a bias, in units of the synapses' scale."""
    population = chosen.population
    off = (population.bias / chosen.unit - neuron.bias, population.bias_u / chosen.unit - neuron.bias_u)
    return max(float(np.max(np.abs(each), initial=0.0)) for each in off)


def _keeps_source_integers(search: Search, chosen: Candidate) -> bool:
    """Whether the neurons compute in the integers of their source, none of them rounded."""
    return quantum_unit(search.neuron) == chosen.unit and chosen.fits and not np.any(_errors(search, chosen))


def _errors(search: Search, chosen: Candidate) -> Reals:
    """The bound on the errors of a candidate (certificate.error_bound)."""
    members = {node.name: node for node in search.graph.nodes} | {p.name: p for p in chosen.projections}
    integer = replace(search.graph.with_nodes(members.values()), arithmetic=search.arithmetic)
    return error_bound(search.graph, integer, chosen.population, search.steps)


def _errs_less(search: Search, found: Candidate, than: Candidate) -> bool:
    """Whether the bound on errors of `found`, in the mean over neurons, is below LESS times that of another."""
    return bool(np.mean(_errors(search, found)) < LESS * np.mean(_errors(search, than)))


def _units_of_octave(search: Search, unit: float) -> list[float]:
    """Units from `unit` up to twice as large that round gains to less than half the error, best first; none where
    gains are exact."""
    error = gain_error(search.graph, search.neuron, search.arithmetic, unit)
    if error == 0 or not _any_gain(search):
        return []
    most = 1 << search.arithmetic.gain_max_shift
    others = [other for part in range(1, PARTS) if (other := unit * (1 + part / PARTS)) <= most]
    ranked = sorted((gain_error(search.graph, search.neuron, search.arithmetic, other), other) for other in others)
    return [other for found, other in ranked if found < error / 2]


def _has_gains(search: Search, chosen: Candidate) -> bool:
    """Whether the target has the gains of a candidate (target/rules.py)."""
    if search.profile is None:
        return True
    _, missing = channel_gain(search.profile)
    return all(missing(projection) is None for projection in chosen.projections)


def _code_bits(search: Search) -> int | None:
    """The widest product of code and gain that the target's synapses hold; None where it has gains beside them."""
    if search.profile is None or _any_gain(search):
        return None
    return max(search.profile.synapse.weight_bits.value)


def _any_gain(search: Search) -> bool:
    """Whether the target has gains that are no power of two."""
    return search.profile is None or search.profile.synapse.channel_gain.value


def _may_round(search: Search, chosen: Candidate) -> bool:
    """Whether decays to nearest are the target's, and err less than truncation: 1/2 instead of 1 last bit a step."""
    population, whole = chosen.population, 1 << search.arithmetic.decay_bits
    decays = (population.decay_u, population.decay_v, population.decay_a)
    if not any(np.any((decay > 0) & (decay < whole)) for decay in decays):
        return False
    if Decays.NEAREST not in decays_allowed(search.profile, population):
        return False
    return not _rests_on_threshold(search, chosen)


def _rests_on_threshold(search: Search, chosen: Candidate) -> bool:
    """Whether potentials may come ever nearer to a threshold and not reach it, as the drive of half a threshold does
    where a step halves them: to nearest they would. So it is where decays are round numbers, or where the drive that
    leads to a threshold can be a sum of synapses."""
    population, unit = chosen.population, membrane_unit(search.neuron, chosen.population)
    gains = [(p, search.graph.projection(p.name).scale * unit) for p in chosen.projections]
    found = lattice(search.neuron, population, gains, search.arithmetic)
    if not found.grain:
        return False
    if found.exact and found.halvings <= ROUND_DECAY:
        return True
    kept = (1.0 - search.neuron.alpha_v) * (1.0 - search.neuron.alpha_u)
    drive = (search.neuron.threshold * kept * unit - search.neuron.bias * unit) / found.grain
    return bool(np.any((drive != 0) & (np.abs(drive - np.rint(drive)) < 1e-9 * np.abs(drive))))


def _proven(search: Search, chosen: Candidate) -> bool:
    """Whether every neuron is proven to spike as in real numbers for every input."""
    neuron, population, arithmetic = search.neuron, chosen.population, search.arithmetic
    unit = membrane_unit(neuron, population)
    if not chosen.fits:
        return False
    gains = [(p, search.graph.projection(p.name).scale * unit) for p in chosen.projections]
    found = lattice(neuron, population, gains, arithmetic)
    offset = bias_offset(neuron, population, arithmetic)
    return bool(np.all(decided(neuron, population, offset, found, search.steps, arithmetic)))


def _placed(search: Search, chosen: Candidate) -> Candidate:
    """`chosen` with its thresholds placed (ties.place); without offsets where a bias with one has no code, or where
    a potential with one could overflow and without could not."""
    graph, neuron, arithmetic, steps = search.graph, search.neuron, search.arithmetic, search.steps
    population = chosen.population
    unit = membrane_unit(neuron, population)
    gains = [(p, graph.projection(p.name).scale * unit) for p in chosen.projections]
    for allowed in (True, False) if _offsets_allowed(search) else (False,):
        placed = place(neuron, population, gains, arithmetic, steps, search.options.effort, offsets=allowed)
        moved = placed.population
        bias = coded_bias(moved.bias.astype(np.float64), arithmetic)
        held = holds(graph, moved, chosen.projections, arithmetic, search.range_steps)
        if bias is not None and np.all(bias == moved.bias) and (held or not chosen.fits):
            break
    top = arithmetic.threshold_max
    moved = replace(moved, threshold=np.minimum(moved.threshold, top).astype(np.int64))
    return replace(chosen, population=moved, notes=(*chosen.notes, *tie_note(neuron.name, placed, arithmetic)))


def _offsets_allowed(search: Search) -> bool:
    """Whether biases and reset amounts may be moved to pay for a missing code: not where potentials are read, nor where
    the target has no bias for each neuron, or lets no neuron with one rest until its input arrives."""
    neuron, profile = search.neuron, search.profile
    outputs = search.graph.of_kind(Output)
    read = any(neuron.name in o.inputs and o.readout is not Readout.SPIKE_COUNT for o in outputs)
    if read or profile is None:
        return not read
    return (
        profile.neuron.per_neuron_bias.value
        and profile.neuron.late_start.value == "population"
        and (neuron.reset is not Reset.SUBTRACT or profile.neuron.subtracts.value == "any")
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Judged:
    """A candidate, what became of its thresholds, its potentials on the samples, and in whose units these are."""

    candidate: Candidate
    fitted: Fitted
    met: Ints
    bench: _Bench


class _Bench:
    """Where candidates of one search are judged on the real `run` of the layer."""

    def __init__(self, search: Search, run: RealRun, calibration: Calibration) -> None:
        self.search, self.run, self.calibration = search, run, calibration
        self._sides: dict[Shape, Thresholds] = {}

    def judge(self, chosen: Candidate) -> _Judged:
        """`chosen` with its thresholds fitted."""
        arithmetic = self.search.arithmetic
        met = self.calibration.integers(chosen.population, chosen.projections, arithmetic).met
        best = None
        for shape in _threshold_shapes(self.search, chosen.population):
            if shape not in self._sides:
                self._sides[shape] = Thresholds(self.search.neuron, self.run, shape)
            found = self._sides[shape].fit(chosen.population, met, chosen.unit, arithmetic)
            if best is None or found.expected < best.expected - GAINED:
                best = found
        assert best is not None
        return _Judged(candidate=chosen, fitted=best, met=met, bench=self)

    def best(self, start: _Judged, without: Candidate) -> _Judged:
        """The best of the candidates in the units of this search and of `start`: every rounding at the first unit, then
        the better one at others."""
        best, units = start, _finest_units(self.search, self.run, without)
        tries: list[tuple[float, Decays | None]] = [(unit, decays) for unit in units[:1] for decays in Decays]
        tries += [(unit, None) for unit in units[1:]]
        for unit, asked in tries:
            each = _candidate_of(self.search, self.run, without, unit, asked or best.candidate.population.decays)
            if each is not None:
                found = self.judge(each)
                if found.fitted.expected < best.fitted.expected - GAINED:
                    best = found
        return best


def _by_samples(search: Search, calibration: Calibration, without: Candidate) -> tuple[Candidate, Choice]:
    """The candidate that changes the fewest spikes on the samples, `without` among them."""
    neuron = search.neuron
    run = calibration.real(neuron)
    bench = _Bench(search, run, calibration)
    before = bench.judge(without)
    best = bench.best(before, without)
    if search.options.ranges == "calibrated" and search.profile is not None and _any_gain(search):
        own = balanced(search.graph, neuron, run.reach_v)
        if own is not None:
            graph, units = own
            other = replace(search, graph=graph, neuron=graph.neuron(neuron.name))
            best = _Bench(other, run.in_units(units), calibration).best(best, without)
    run = best.bench.run
    plain, fitted = best.candidate, best.fitted
    chosen = replace(plain, population=fitted.population)
    codes, nominal = _codes(chosen.population), _codes(plain.population)
    calibrated = search.options.ranges == "calibrated"
    settled = calibrated or fitted.expected <= GAINED
    finest = 0.0 if settled else max(_observed_units(search, run.observed), default=0.0)
    choice = Choice(
        population=neuron.name, unit=chosen.unit, decays=chosen.population.decays,
        thresholds=sum(each.size for each in codes), moved=fitted.moved, samples=len(run.met),
        spikes=int(np.count_nonzero(run.spikes)), changed=count_changed(chosen.population, run, best.met),
        changed_before=count_changed(without.population, run, before.met),
        before_moves=plain.population if fitted.moved else None,
        furthest=max(float(np.max(np.abs(a - b))) for a, b in zip(codes, nominal, strict=True)) / chosen.unit,
        observed=run.observed if calibrated else None,
        real=None if best.bench is bench else best.bench.search.graph, finer=finest if finest > chosen.unit else None,
    )  # fmt: skip
    return chosen, choice


def _codes(population: Population) -> tuple[Ints, ...]:
    """The codes of thresholds, and of lower ones where there are any."""
    low = population.threshold_low
    return (population.threshold,) if low is None else (population.threshold, low)


def _observed(search: Search, run: RealRun) -> Observed | None:
    """The ranges that accumulators have to hold; None: those of every input."""
    return run.observed if search.options.ranges == "calibrated" else None


def _finest_units(search: Search, run: RealRun, without: Candidate) -> list[float]:
    """The finest units whose accumulators hold every input, or what was observed where `ranges` asks for no more; none
    where nothing ever arrived, which says nothing."""
    if run.observed.largest == 0:
        return []
    observed = _observed(search, run)
    if observed is None:
        return [without.unit, *_units_of_octave(search, without.unit)[:2]]
    return _observed_units(search, observed)


def _candidate_of(search: Search, run: RealRun, without: Candidate, unit: float, decays: Decays) -> Candidate | None:
    """The candidate with this unit and rounding, its thresholds placed; None where the target has no such one."""
    found = search.candidate(unit, observed=_observed(search, run), decays=decays, code_bits=_code_bits(search))
    if found is None or not (found.fits or not without.fits):
        return None
    if decays not in decays_allowed(search.profile, found.population):
        return None
    # What rests just below a threshold may be missing from the samples.
    if decays is Decays.NEAREST and _rests_on_threshold(search, found):
        return None
    return _placed(search, found)


def _observed_units(search: Search, observed: Observed) -> list[float]:
    """Units for which accumulators hold what was `observed`: the largest power of two, the largest of all, and of those
    not much smaller the one that rounds gains least; none where nothing ever arrived."""
    if observed.largest == 0:
        return []
    arithmetic, step = search.arithmetic, 1 << search.arithmetic.gain_shift
    most = min(arithmetic.state_max / max(observed.largest, 1.0), 2.0**arithmetic.gain_max_shift)
    while most >= step:
        power = 2.0 ** math.floor(math.log2(most))
        found = search.candidate(power, observed=observed, code_bits=_code_bits(search))
        if found is not None and _has_gains(search, found):
            break
        most /= 2
    else:
        return []
    largest = max(float(most // step * step), power)
    if not _any_gain(search):
        return [power]
    units = [power, largest]
    if gain_error(search.graph, search.neuron, arithmetic, largest) > 0:
        others = [max(largest * (1 - part / (4 * PARTS)) // step * step, step) for part in range(PARTS)]
        units.append(min(others, key=lambda unit: gain_error(search.graph, search.neuron, arithmetic, unit)))
    return list(dict.fromkeys(units))


def _threshold_shapes(search: Search, population: Population) -> list[Shape]:
    """How thresholds may differ between neurons: as they do, and, where the target has one for each neuron, as decays,
    biases and gains do, whose roundings they pay for."""
    shapes = [np.shape(population.threshold)]
    profile = search.profile
    if profile is not None and profile.core.threshold_sets.value >= profile.core.neurons.value:
        parameters = (population.decay_u, population.decay_v, population.decay_a, population.bias, population.bias_u)
        shapes.append(np.broadcast_shapes(*(np.shape(value) for value in parameters), shapes[0]))
    return list(dict.fromkeys(shapes))
