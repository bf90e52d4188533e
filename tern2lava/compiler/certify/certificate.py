"""The certificate: how far integer and real dynamics can part, and whether any accumulator can overflow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum

import numpy as np

from tern2lava.compiler.certify.calibration import Observed
from tern2lava.compiler.certify.lattice import drift, real_gains
from tern2lava.compiler.certify.offset import bias_offset
from tern2lava.compiler.certify.ranges import (
    FOREVER,
    Bounds,
    bounds,
    fits,
    input_range,
    on_shape,
    safe_steps,
    summed,
    summed_input,
    summed_twice,
)
from tern2lava.compiler.certify.rounding import boundary_moved, potential_step
from tern2lava.compiler.certify.source_integers import quantum_unit, strict_threshold
from tern2lava.compiler.certify.ties import Ties, examine
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Neuron, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Array, Ints, Reals, broadcast
from tern2lava.compiler.neurons.mechanism import kinds_of
from tern2lava.compiler.options import DEFAULT_STEPS, Options
from tern2lava.compiler.shown import Shown
from tern2lava.counts import count
from tern2lava.effort import Effort


class Verdict(str, Enum):
    """EXACT: integer and real dynamics spike alike for every input, within the steps of a sample. BOUNDED:
    |v_int / 2^e - v_real| <= eps while they have spiked alike. CONDITIONAL: as BOUNDED, while accumulators stay within
    ranges that were observed on calibration samples (Certificate.u_limit, v_limit; `verify` watches them). MEASURED: no
    useful bound holds; agreement is only observed."""

    EXACT = "EXACT"
    BOUNDED = "BOUNDED"
    CONDITIONAL = "CONDITIONAL"
    MEASURED = "MEASURED"


@dataclass(frozen=True, eq=False, kw_only=True)
class Certificate(Shown):
    """What is proven of one population, within `steps` steps of a sample.

    eps: per neuron (broadcasts to its shape), the largest difference between integer and real membrane potential
    where they meet the threshold (of rearming neurons, before what rearming takes off, which may be taken off in one
    alone), threshold rounding and adaptation included, in units of the synapses' scale (those of
    the TERNARY graph after fold_scale). eps_relative: the largest eps over its threshold, of neurons whose threshold
    is not 0; None where all are 0. safe_steps: steps for which no
    accumulator can overflow for any input (bounds.FOREVER: never); reason: why the verdict is what it is.
    u_limit, v_limit: how far accumulators go, in last bits: proven for every input, or, where `observed`, what
    calibration samples brought about times a margin, which other inputs may exceed.
    """

    population: str
    verdict: Verdict
    eps: Reals
    eps_relative: float | None
    steps: int
    safe_steps: int
    first_overflow: str
    u_limit: float
    v_limit: float
    state_max: int
    reason: str
    ties: Ties
    observed: bool = False

    def _shown(self) -> str:
        said = [repr(self.population), self.verdict.value, f"over {count(self.steps, 'step')}"]
        if self.eps_relative:
            said.append(f"eps/threshold {self.eps_relative:.2g}")
        return ", ".join([*said, self.reason])

    @property
    def no_overflow(self) -> bool:
        return self.safe_steps >= self.steps

    def to_dict(self) -> dict[str, object]:
        """The certificate as JSON values (eps as its largest value, None where errors have no bound)."""
        largest = float(np.max(self.eps))
        relative = self.eps_relative
        return {
            "population": self.population,
            "verdict": self.verdict.value,
            "eps": largest if math.isfinite(largest) else None,
            "eps_relative": relative if relative is not None and math.isfinite(relative) else None,
            "steps": self.steps,
            "no_overflow": self.no_overflow,
            "safe_steps": None if self.safe_steps >= FOREVER else self.safe_steps,
            "first_overflow": self.first_overflow or None,
            "u_limit": self.u_limit,
            "v_limit": self.v_limit,
            "state_max": self.state_max,
            "observed": self.observed,
            "reason": self.reason,
            "ties": asdict(self.ties),
        }


def certify(
    ternary: Graph, integer: Graph, options: Options, observed: Mapping[str, Observed] | None = None
) -> tuple[Certificate, ...]:
    """One certificate for each population of `integer`, lowered from `ternary` (after fold_scale). observed: ranges
    on calibration samples, by population, on which its bound may be conditional.

    The bound, in membrane units (S = 2^e to one unit of the real dynamics, f = 1 - decay / 2^D, d the difference
    between f and the real alpha, k = max(f, alpha)):
        e_u' = k_u e_u + t_u + d_u |U| + sum of |gain - scale S| |A| + |bias_u - its real value|
        e_v' = k_v e_v + t_v + d_v |V| + e_u' + |bias - ...| + |reset_amount - ...|
    from 0 and |v_init - ...|, over the steps of a sample; t is 1 if the decay truncates, 1/2 if it goes to the nearest
    whole number and 0 if it makes none; |A| and |U|, |V| are worst cases over all inputs (bounds.bounds), the latter of
    the integers x or of the real y alike, for f x - alpha y is both alpha (x - y) + (f - alpha) x and
    f (x - y) + (f - alpha) y. It holds by induction as long as both have spiked alike: a reset to zero only
    lowers it, a subtraction adds its rounding; a bias that is there for a threshold's sake (offset) counts as one that
    is rounded.
    eps is (e_v + |threshold - its real value|) / S; no real potential within eps of its threshold on some data proves
    equal spikes there.
    With an adaptive threshold, b' = f_a b + gain_a s_previous (integer, beside the real a'):
        e_b' = k_a e_b + t_a + d_a |B| + |gain_a - its real value|
    and since v' - b' meets the threshold, where v' has lost (reset_amount + b') s_previous, e_v takes in e_b once in
    each step (a neuron may spike in all of them), and eps once more: eps = (e_v + e_b + |threshold - ...|) / S.
    """
    assert integer.arithmetic is not None
    steps = options.steps or integer.steps or DEFAULT_STEPS
    result = []
    for population in integer.of_kind(Population):
        neuron = ternary.neuron(population.name)
        result.append(
            _certify(
                ternary, integer, neuron, population, integer.arithmetic, steps, options.effort,
                (observed or {}).get(population.name),
            )
        )  # fmt: skip
    return tuple(result)


def _certify(
    ternary: Graph, integer: Graph, neuron: Neuron, population: Population, arithmetic: Arithmetic, steps: int,
    effort: Effort, observed: Observed | None,
) -> Certificate:  # fmt: skip
    a_low, a_high = summed_input(integer, population.inputs, population.shape)
    found = bounds(population, a_low, a_high, arithmetic, steps)
    safe = safe_steps(population, a_low, a_high, arithmetic)
    terms = error_terms(ternary, integer, population)
    gains = real_gains(ternary, integer, population, terms.unit)
    offset = bias_offset(neuron, population, arithmetic)
    ties, kept = examine(neuron, population, gains, arithmetic, steps, offset, effort)
    u_limit, v_limit = np.maximum(-found.u_low, found.u_high), np.maximum(-found.met_low, found.met_high)
    conditional = observed is not None and safe < steps
    if observed is not None and conditional:
        most = arithmetic.state_max
        u_limit = np.minimum(u_limit, min(observed.u_limit * terms.unit, most))
        v_limit = np.minimum(v_limit, min(observed.v_limit * terms.unit, most))
    eps = _error(neuron, terms, found, u_limit, v_limit, offset, arithmetic, steps)
    unbounded = [mechanism.name for mechanism in kinds_of(population) if not mechanism.error_follows()]
    if unbounded and not terms.exact:
        eps = np.full(np.shape(eps), np.inf)
    if kept and not terms.exact:
        eps = (
            np.max(np.abs(drift(population.decay_v, offset, steps, arithmetic, population.decays)), axis=0) / terms.unit
        )
    relative, useful = _over_threshold(eps, neuron.level)
    if terms.exact and safe >= steps:
        verdict, reason = Verdict.EXACT, "nothing is rounded: decays, gains, biases and resets are whole numbers"
    elif kept and safe >= steps:
        verdict, reason = (
            Verdict.EXACT,
            f"nothing is rounded within {count(steps, 'step')}: potentials stay whole numbers",
        )
    elif safe >= steps and useful:
        verdict, reason = Verdict.BOUNDED, "rounded: " + ", ".join(terms.rounded)
    elif conditional and useful:
        verdict, reason = Verdict.CONDITIONAL, CONDITION + _rounded(terms)
    else:
        why = _why_measured(steps if conditional else safe, steps, eps, neuron.level)
        if unbounded and safe >= steps:
            why = f"no bound on errors is known for neurons of kind {', '.join(unbounded)}"
        verdict, reason = Verdict.MEASURED, f"{why}; rounded: {', '.join(terms.rounded) or 'nothing'}"
    return Certificate(
        population=population.name,
        verdict=verdict,
        eps=np.asarray(eps),
        eps_relative=relative,
        steps=steps,
        safe_steps=safe,
        first_overflow=_first_overflow(population, a_low, a_high, arithmetic, safe) if safe < steps else "",
        u_limit=float(np.max(u_limit)),
        v_limit=float(np.max(v_limit)),
        state_max=arithmetic.state_max,
        reason=reason,
        ties=ties,
        observed=conditional,
    )


def error_bound(ternary: Graph, integer: Graph, population: Population, steps: int) -> Reals:
    """eps (see certify) of one population of `integer` within `steps` steps, ranges being those of every input."""
    arithmetic, neuron = integer.arithmetic, ternary.neuron(population.name)
    assert arithmetic is not None
    a_low, a_high = summed_input(integer, population.inputs, population.shape)
    found = bounds(population, a_low, a_high, arithmetic, steps)
    u_limit, v_limit = np.maximum(-found.u_low, found.u_high), np.maximum(-found.met_low, found.met_high)
    offset = bias_offset(neuron, population, arithmetic)
    terms = error_terms(ternary, integer, population)
    return _error(neuron, terms, found, u_limit, v_limit, offset, arithmetic, steps)


def _error(
    neuron: Neuron, terms: ErrorTerms, found: Bounds, u_limit: Reals, v_limit: Reals, offset: Ints,
    arithmetic: Arithmetic, steps: int,
) -> Reals:  # fmt: skip
    """eps with these terms, ranges, and bias for the thresholds' sake (offset)."""
    t = terms.arrays
    keep_u, keep_v = np.maximum(t["factor_u"], neuron.alpha_u), np.maximum(t["factor_v"], neuron.alpha_v)
    sums_v, behind_u = summed(keep_v, steps), summed_twice(keep_u, keep_v, steps)
    fed_u = t["drift_u"] * u_limit + t["round_u"]
    fed_v = t["drift_v"] * v_limit + t["round_v"]
    silent = t["initial"] + fed_v * sums_v + fed_u * behind_u
    top = arithmetic.threshold_max
    never = (neuron.threshold * terms.unit > top) & (found.met_high + silent <= top) & (neuron.threshold_low is None)
    fed_b = np.where(never, 0.0, t["drift_a"] * found.adaptation + t["round_a"] + t["gain_a"])
    keep_a = np.maximum(t["factor_a"], neuron.alpha_a)
    e_b = fed_b * summed(keep_a, steps)
    fed_v = np.where(never, 0.0, t["amount"]) + np.abs(offset)
    e_v = silent + fed_v * sums_v + fed_b * summed_twice(keep_a, keep_v, steps)
    rounding = np.maximum(np.where(never, 0.0, t["threshold"]), t.get("threshold_low", 0.0))
    return np.zeros(()) if terms.exact else np.asarray((e_v + e_b + rounding) / terms.unit)


def _rounded(terms: ErrorTerms) -> str:
    return f"rounded: {', '.join(terms.rounded) or 'nothing'}"


def _over_threshold(eps: Reals, threshold: Reals) -> tuple[float | None, bool]:
    """The largest eps over a threshold that is not 0 (None where all are 0), and whether every eps is below its
    threshold, or below one weight where that is 0: then it says something."""
    eps, threshold = np.broadcast_arrays(eps, threshold)
    positive = threshold > 0
    relative = float(np.max(eps[positive] / threshold[positive])) if positive.any() else None
    return relative, bool(np.all(eps < np.where(positive, threshold, 1.0)))


def _why_measured(safe: int, steps: int, eps: Reals, threshold: Reals) -> str:
    """Why nothing useful is proven."""
    if safe < steps:
        return f"an accumulator can overflow after {count(safe, 'step')}"
    zero = "" if np.all(threshold > 0) else ", or one weight where it is 0"
    return f"the bound exceeds the threshold{zero}"


CONDITION = "observed, conditional: while accumulators stay in the ranges that calibration samples showed; "
# Error terms of what is added to a threshold, 0 where nothing is.
ADAPTATION = ("factor_a", "drift_a", "round_a", "gain_a")


@dataclass(frozen=True, eq=False, kw_only=True)
class ErrorTerms:
    """Where integer and real dynamics of a population part, in membrane units (`unit` of them to one real unit).

    arrays, each broadcasting to the population's shape: factor_u, factor_v (f = 1 - decay / 2^D); drift_u, drift_v
    (|f - alpha|); round_u (what its decay moves u, gains and bias_u), round_v (of v, and bias), offset (what was added
    to a bias for the threshold's sake, with its sign), amount (of a subtraction), initial (of v), threshold,
    threshold_low (where there is one); of adaptive thresholds factor_a, drift_a, round_a (what its decay moves the
    adaptation) and gain_a (of what a spike adds). rounded: names of what is not exact; exact: nothing is, for ever.
    """

    unit: float
    arrays: dict[str, Array]
    rounded: tuple[str, ...]

    @property
    def exact(self) -> bool:
        return not self.rounded


def error_terms(ternary: Graph, integer: Graph, population: Population) -> ErrorTerms:
    """The error terms of one population of `integer`, lowered from `ternary` (after fold_scale)."""
    arithmetic = integer.arithmetic
    neuron = ternary.neuron(population.name)
    assert arithmetic is not None
    whole = float(1 << arithmetic.decay_bits)
    unit = float(np.max(neuron.unit / population.lsb))
    subtracts = population.reset is Reset.SUBTRACT
    factor_u, factor_v = 1.0 - population.decay_u / whole, 1.0 - population.decay_v / whole
    drift_u, drift_v = np.abs(factor_u - neuron.alpha_u), np.abs(factor_v - neuron.alpha_v)
    gains = _gain_error(ternary, integer, population, unit)
    bias_u = np.abs(population.bias_u - neuron.bias_u * unit)
    offset = bias_offset(neuron, population, arithmetic)
    bias = np.abs(population.bias - offset - neuron.bias * unit)
    amount = np.abs(population.reset_amount - neuron.reset_amount * unit) if subtracts else np.zeros(())
    initial = np.abs(population.v_init - neuron.v_init * unit)
    threshold = population.threshold.astype(np.float64) if neuron.integrates else neuron.threshold * unit
    further: dict[str, Reals] = dict.fromkeys(ADAPTATION, np.zeros(()))
    for mechanism in kinds_of(population):
        further |= mechanism.error_terms(neuron, population, unit, whole)
    off = (drift_u, drift_v, gains, bias_u, bias, amount, initial, further["drift_a"], further["gain_a"])
    # Source and target truncate alike where nothing else parts them.
    cuts = population.decays is Decays.TRUNCATE
    alike = quantum_unit(neuron) == unit and cuts and not any(np.any(value > 0) for value in off)
    if alike:
        rounds_u = rounds_v = np.zeros(())
        threshold = threshold if neuron.integrates else strict_threshold(neuron, unit)
    else:
        each = population.decays.off
        if neuron.quantum is not None and not cuts:
            # The source cuts, the target does not: what both move may point apart.
            each += float(np.max(neuron.quantum)) * unit
        rounds_u, rounds_v = (each * _partly(decay, whole) for decay in (population.decay_u, population.decay_v))
    causes = {
        "current decay": rounds_u + drift_u,
        "membrane decay": rounds_v + drift_v,
        "scale of a projection": gains,
        "bias": np.asarray(np.max(bias_u) + np.max(bias)),
        "offset of the threshold": np.asarray(np.max(np.abs(offset))),
        "reset amount": amount,
        "initial potential": initial,
        "adaptation": further["drift_a"] + further["round_a"] + further["gain_a"],
        **{name: value for name, value in further.items() if "." in name},
    }
    rounded = [name for name, value in causes.items() if np.any(value > 0)]
    # Truncated potentials take every value; others only multiples of the lattice, where all that moves them does.
    if alike and np.any(_partly(population.decay_u, whole) + _partly(population.decay_v, whole)):
        met_exactly = not np.any(threshold != population.threshold)
    else:
        met_exactly = _on_threshold_lattice(integer, population, float(1 << arithmetic.threshold_shift))
        if any(mechanism.delays_reset for mechanism in kinds_of(population)):
            # to_integer rounds their thresholds to the nearest code, whatever potentials lie on.
            step = potential_step(integer, population, whole)
            moved = boundary_moved(threshold, population.threshold, neuron.compare, step, arithmetic.threshold_max)
            met_exactly &= not np.any(moved > 0)
    if not rounded and not met_exactly and not neuron.integrates:
        rounded = ["threshold"]
    arrays = {
        "factor_u": factor_u, "factor_v": factor_v, "drift_u": drift_u, "drift_v": drift_v,
        "round_u": rounds_u + gains + bias_u, "round_v": rounds_v + bias, "offset": offset,
        "amount": amount, "initial": initial,
        "threshold": np.abs(population.threshold - threshold), **further,
    }  # fmt: skip
    return ErrorTerms(unit=unit, arrays=arrays, rounded=tuple(rounded))


def _partly(decay: Ints, whole: float) -> Reals:
    """1 where a decay makes whole numbers of others, 0 where it keeps or forgets everything."""
    return np.asarray((decay > 0) & (decay < whole), np.float64)


def _gain_error(ternary: Graph, integer: Graph, population: Population, unit: float) -> Reals:
    """Sum over projections of |gain - scale * unit| times the largest |weight @ spikes|; partial sums that relays bring
    are added up first."""
    found: dict[str, tuple[Projection, Ints, Ints]] = {}
    for name in population.inputs:
        coded = integer.projection(name)
        low, high = whole_range(coded, integer)
        if coded.part_of in found:
            coded, least, most = found[coded.part_of]
            low, high = least + low, most + high
        found[coded.part_of or name] = (coded, low, high)
    total: Reals = np.zeros(())
    for name, (coded, low, high) in found.items():
        real = ternary.projection(name)
        off = np.abs(coded.gain - real.scale * unit) * np.maximum(-low, high)
        total = total + on_shape(off, coded, population.shape)
    return total


def whole_range(projection: Projection, graph: Graph) -> tuple[Ints, Ints]:
    """bounds.input_range; for the partial sums of a relay that a fan-in was split over, the range of what it sums."""
    source = graph[projection.inputs[0]]
    if not (projection.part_of and isinstance(source, Population) and source.levels is not None):
        return input_range(projection, graph)
    ranges = [whole_range(p, graph) for p in graph.projections(source.inputs)]
    return np.sum([low for low, _ in ranges], axis=0), np.sum([high for _, high in ranges], axis=0)


def _on_threshold_lattice(integer: Graph, population: Population, lattice: float) -> bool:
    """Whether potentials only ever take multiples of the threshold lattice."""
    moving = [population.bias, population.bias_u, population.v_init]
    if population.reset is Reset.SUBTRACT:
        moving.append(population.reset_amount)
    for mechanism in kinds_of(population):
        moving += mechanism.moving(population)
    moving += [p.gain for p in integer.projections(population.inputs)]
    return not any(np.any(np.mod(value, lattice) != 0) for value in moving)


def _first_overflow(population: Population, a_low: Reals, a_high: Reals, arithmetic: Arithmetic, safe: int) -> str:
    """Where the first accumulator can overflow: its neuron (of the channel's first position) and the step."""
    ok = fits(population, bounds(population, a_low, a_high, arithmetic, safe + 1), arithmetic)
    where = np.argwhere(~broadcast(np.asarray(ok), population.shape))[0]
    return f"{population.name}{where.tolist()} at step {safe + 1}"
