"""The integers that change the fewest spikes of calibration samples, while the layer is fed the reference's."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.calibration import Calibration, Observed, RealRun
from tern2lava.compiler.certify.rounding import bias_shift
from tern2lava.compiler.ir.graph import Decays, Population, Reset
from tern2lava.compiler.ir.shapes import Shape
from tern2lava.compiler.passes.balance import balanced
from tern2lava.compiler.passes.candidate import Candidate, gain_error
from tern2lava.compiler.passes.fit_thresholds import Fitted, Thresholds, count_changed
from tern2lava.compiler.passes.search import (
    PARTS,
    Choice,
    Search,
    any_gain,
    code_bits,
    codes_of,
    has_gains,
    placed_in,
    rests_on_threshold,
    units_of_octave,
)
from tern2lava.compiler.target.stock_neuron import decays_allowed

# Spikes on all calibration samples that integers have to save to be preferred to simpler ones: proven ranges, powers of
# two, one threshold for all. Chosen.
GAINED = 0.05


@dataclass(frozen=True, eq=False, kw_only=True)
class _Judged:
    """A candidate, what became of its thresholds, the spikes of the samples that change, and in whose units it is."""

    candidate: Candidate
    fitted: Fitted
    changed: int
    bench: _Bench

    def saves(self, beside: _Judged) -> bool:
        """Whether fewer spikes can be expected to change than with another candidate, and on the samples no more do."""
        return self.changed <= beside.changed and self.fitted.expected < beside.fitted.expected - GAINED


class _Bench:
    """Where candidates of one search are judged on the real `run` of the layer."""

    def __init__(self, search: Search, run: RealRun, calibration: Calibration) -> None:
        self.search, self.run, self.calibration = search, run, calibration
        self._sides: dict[Shape, Thresholds] = {}

    def judge(self, chosen: Candidate, *, move: bool) -> _Judged:
        """`chosen`, with its thresholds moved if `move`."""
        arithmetic = self.search.arithmetic
        met = self.calibration.integers(chosen.population, chosen.projections, arithmetic).met
        best = None
        for shape in _threshold_shapes(self.search, chosen.population):
            if shape not in self._sides:
                self._sides[shape] = Thresholds(self.search.neuron, self.run, shape)
            found = self._sides[shape].fit(chosen.population, met, chosen.unit, arithmetic, move=move)
            if best is None or found.expected < best.expected - GAINED:
                best = found
        assert best is not None
        changed = count_changed(best.population, self.run, met)
        return _Judged(candidate=chosen, fitted=best, changed=changed, bench=self)

    def best(self, start: _Judged, without: Candidate, *, move: bool) -> _Judged:
        """The best of the candidates in the units of this search and of `start`: every rounding at the first unit, then
        the better one at others."""
        best, units = start, _finest_units(self.search, self.run, without)
        tries: list[tuple[float, Decays | None]] = [(unit, decays) for unit in units[:1] for decays in Decays]
        tries += [(unit, None) for unit in units[1:]]
        for unit, asked in tries:
            each = _candidate_of(self.search, self.run, without, unit, asked or best.candidate.population.decays)
            if each is not None:
                found = self.judge(each, move=move)
                best = found if found.saves(best) else best
        return best


def by_samples(search: Search, calibration: Calibration, without: Candidate) -> tuple[Candidate, Choice]:
    """The candidate that changes the fewest spikes on the samples, `without` among them."""
    neuron = search.neuron
    run = calibration.real(neuron)
    bench = _Bench(search, run, calibration)
    before = bench.judge(without, move=False)
    # Where no spike changes on the samples, they do not say where thresholds belong.
    move = before.changed > 0
    start = bench.judge(without, move=move)
    best = bench.best(start if start.saves(before) else before, without, move=move)
    if search.options.ranges == "calibrated" and search.profile is not None and any_gain(search):
        own = balanced(search.graph, neuron, run.reach_v)
        if own is not None:
            graph, units = own
            other = replace(search, graph=graph, neuron=graph.neuron(neuron.name))
            best = _Bench(other, run.in_units(units), calibration).best(best, without, move=move)
    run = best.bench.run
    plain, fitted = best.candidate, best.fitted
    chosen = replace(plain, population=fitted.population)
    codes, nominal = codes_of(chosen.population), codes_of(plain.population)
    calibrated = search.options.ranges == "calibrated"
    settled = calibrated or fitted.expected <= GAINED
    finest = 0.0 if settled else max(_observed_units(search, run.observed), default=0.0)
    choice = Choice(
        population=neuron.name, unit=chosen.unit, decays=chosen.population.decays,
        thresholds=sum(each.size for each in codes), moved=fitted.moved, samples=len(run.met),
        spikes=int(np.count_nonzero(run.spikes)), changed=best.changed,
        changed_before=before.changed,
        before_moves=plain.population if fitted.moved else None,
        furthest=max(float(np.max(np.abs(a - b))) for a, b in zip(codes, nominal, strict=True)) / chosen.unit,
        observed=run.observed if calibrated else None,
        real=None if best.bench is bench else best.bench.search.graph, finer=finest if finest > chosen.unit else None,
    )  # fmt: skip
    return chosen, choice


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
        return [without.unit, *units_of_octave(search, without.unit)[:2]]
    return _observed_units(search, observed)


def _candidate_of(search: Search, run: RealRun, without: Candidate, unit: float, decays: Decays) -> Candidate | None:
    """The candidate with this unit and rounding, its thresholds placed; None where the target has no such one."""
    found = search.candidate(unit, observed=_observed(search, run), decays=decays, code_bits=code_bits(search))
    if found is None or not (found.fits or not without.fits):
        return None
    if decays not in decays_allowed(search.profile, found.population):
        return None
    if _loss(search, found) > search.options.allow_rounding:
        return None
    # What rests just below a threshold may be missing from the samples.
    if decays is Decays.NEAREST and rests_on_threshold(search, found):
        return None
    return placed_in(search, found)


def _loss(search: Search, chosen: Candidate) -> float:
    """The largest share by which rounding moves a threshold or a reset amount, or biases a potential: what
    rounding_limits refuses."""
    neuron, population, unit = search.neuron, chosen.population, chosen.unit
    pairs = [(neuron.threshold, population.threshold)]
    if neuron.reset is Reset.SUBTRACT:
        pairs.append((neuron.reset_amount, population.reset_amount))
    shares = [bias_shift(neuron, population, search.arithmetic, search.steps)]
    for real, code in pairs:
        within = (real > 0) & (real * unit <= search.arithmetic.threshold_max)
        shares.append(np.where(within, np.abs(code - real * unit) / np.where(real > 0, real * unit, 1.0), 0.0))
    return max(float(np.max(share, initial=0.0)) for share in shares)


def _observed_units(search: Search, observed: Observed) -> list[float]:
    """Units for which accumulators hold what was `observed`: the largest power of two, the largest of all, and of those
    not much smaller the one that rounds gains least; none where nothing ever arrived."""
    if observed.largest == 0:
        return []
    arithmetic, step = search.arithmetic, 1 << search.arithmetic.gain_shift
    most = min(arithmetic.state_max / max(observed.largest, 1.0), 2.0**arithmetic.gain_max_shift)
    while most >= step:
        power = 2.0 ** math.floor(math.log2(most))
        found = search.candidate(power, observed=observed, code_bits=code_bits(search))
        if found is not None and has_gains(search, found):
            break
        most /= 2
    else:
        return []
    largest = max(float(most // step * step), power)
    if not any_gain(search):
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
