"""The certificate: how far integer and real dynamics can part, and whether any accumulator can overflow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from tern2lava.compiler.bounds import FOREVER, Bounds, bounds, fits, growth, on_shape, safe_steps, summed_input
from tern2lava.compiler.ir import Arithmetic, Array, Graph, Neuron, Population, Projection, Reset, broadcast
from tern2lava.compiler.options import DEFAULT_STEPS, Options


class Verdict(str, Enum):
    """EXACT: integer and real dynamics spike alike for every input. BOUNDED: |v_int / 2^e - v_real| <= eps while they
    have spiked alike. MEASURED: no useful bound holds; agreement is only observed."""

    EXACT = "EXACT"
    BOUNDED = "BOUNDED"
    MEASURED = "MEASURED"


@dataclass(frozen=True, eq=False, kw_only=True)
class Certificate:
    """What is proven of one population, within `steps` steps of a sample.

    eps: per neuron (broadcasts to its shape), the largest difference between integer and real membrane potential
    where they meet the threshold, threshold rounding included, in units of the synapses' scale (those of the TERNARY
    graph after fold_scale). eps_relative: the largest eps over its threshold. safe_steps: steps for which no
    accumulator can overflow (bounds.FOREVER: never); reason: why the verdict is what it is.
    """

    population: str
    verdict: Verdict
    eps: Array
    eps_relative: float
    steps: int
    safe_steps: int
    first_overflow: str
    u_limit: float
    v_limit: float
    state_max: int
    reason: str

    @property
    def no_overflow(self) -> bool:
        return self.safe_steps >= self.steps

    def to_dict(self) -> dict[str, object]:
        """The certificate as JSON values (eps as its largest value)."""
        return {
            "population": self.population,
            "verdict": self.verdict.value,
            "eps": float(np.max(self.eps)),
            "eps_relative": self.eps_relative,
            "steps": self.steps,
            "no_overflow": self.no_overflow,
            "safe_steps": None if self.safe_steps >= FOREVER else self.safe_steps,
            "first_overflow": self.first_overflow or None,
            "u_limit": self.u_limit,
            "v_limit": self.v_limit,
            "state_max": self.state_max,
            "reason": self.reason,
        }


def certify(ternary: Graph, integer: Graph, options: Options) -> tuple[Certificate, ...]:
    """One certificate for each population of `integer`, lowered from `ternary` (after fold_scale).

    The bound, in membrane units (S = 2^e to one unit of the real dynamics, f = 1 - decay / 2^D, d the difference
    between f and the real alpha, growth(f, n) = min(n, 1 / (1 - f)) bounding the sum of n powers of f):
        e_u <= g(f_u, n) * (t_u + d_u |U| S + sum of |gain - scale S| |A| + |bias_u - its real value|)
        e_v <= g(f_v, n) * (t_v + d_v |V| S + e_u + |bias - ...| + |reset_amount - ...|) + |v_init - ...|
    where g = growth / (1 - growth d), for |U| and |V| are bounded by the integers plus the error itself; t = 1 if the
    decay truncates and 0 otherwise, and |U|, |V|, |A| are worst cases over all inputs (bounds.bounds). It holds by induction as long as both have spiked alike: a reset to zero only lowers it, a
    subtraction adds its rounding. eps is (e_v + |threshold - its real value|) / S; no real potential within eps of its
    threshold on some data proves equal spikes there.
    """
    assert integer.arithmetic is not None
    steps = options.steps or integer.steps or DEFAULT_STEPS
    result = []
    for population in integer.of_kind(Population):
        neuron = ternary[population.name]
        assert isinstance(neuron, Neuron)
        result.append(_certify(ternary, integer, neuron, population, integer.arithmetic, steps))
    return tuple(result)


def _certify(
    ternary: Graph, integer: Graph, neuron: Neuron, population: Population, arithmetic: Arithmetic, steps: int
) -> Certificate:
    a_low, a_high = summed_input(integer, population.inputs, population.shape)
    found = bounds(population, a_low, a_high, arithmetic, steps)
    safe = safe_steps(population, a_low, a_high, arithmetic)
    unit = _unit(neuron, population)
    error, sources = _error(ternary, integer, neuron, population, arithmetic, steps, found, unit)
    lattice_exact = not sources
    top = float(((1 << arithmetic.threshold_bits) - 1) << arithmetic.threshold_shift)
    never = (neuron.threshold * unit > top) & (found.met_high + error <= top)
    rounding = np.abs(population.threshold - neuron.threshold * unit)
    eps = np.where(lattice_exact, 0.0, (error + np.where(never, 0.0, rounding)) / unit)
    relative = float(np.max(eps / np.maximum(np.abs(neuron.threshold), 1e-300)))
    if lattice_exact and safe >= steps:
        verdict, reason = Verdict.EXACT, "nothing is rounded: decays, gains, biases and resets are whole numbers"
    elif safe >= steps and np.all(np.isfinite(eps)) and relative < 1.0:
        verdict, reason = Verdict.BOUNDED, "rounded: " + ", ".join(sources)
    else:
        why = f"an accumulator can overflow after {safe} steps" if safe < steps else "the bound exceeds the threshold"
        verdict, reason = Verdict.MEASURED, f"{why}; rounded: {', '.join(sources) or 'nothing'}"
    return Certificate(
        population=population.name,
        verdict=verdict,
        eps=eps,
        eps_relative=relative,
        steps=steps,
        safe_steps=safe,
        first_overflow=_first_overflow(population, a_low, a_high, arithmetic, safe) if safe < steps else "",
        u_limit=float(np.max(np.maximum(-found.u_low, found.u_high))),
        v_limit=float(np.max(np.maximum(-found.met_low, found.met_high))),
        state_max=arithmetic.state_max,
        reason=reason,
    )


def _unit(neuron: Neuron, population: Population) -> float:
    """Membrane units to one unit of the real dynamics: 2^e."""
    return float(np.max(neuron.unit / population.lsb))


def _error(
    ternary: Graph,
    integer: Graph,
    neuron: Neuron,
    population: Population,
    arithmetic: Arithmetic,
    steps: int,
    found: Bounds,
    unit: float,
) -> tuple[Array, list[str]]:
    """(bound of |v_int - unit * v_real| before the threshold, what is rounded)."""
    whole = float(1 << arithmetic.decay_bits)
    sources: list[str] = []

    def note(name: str, value: Array) -> Array:
        if np.any(value > 0) and name not in sources:
            sources.append(name)
        return value

    def magnitude(low: Array, high: Array) -> Array:
        return np.maximum(-low, high)

    drift_u = np.abs((1.0 - population.decay_u / whole) - neuron.alpha_u)
    drift_v = np.abs((1.0 - population.decay_v / whole) - neuron.alpha_v)
    truncates_u = ((population.decay_u > 0) & (population.decay_u < whole)).astype(np.float64)
    truncates_v = ((population.decay_v > 0) & (population.decay_v < whole)).astype(np.float64)
    gains: Array = np.zeros(())
    for name in population.inputs:
        real, coded = ternary[name], integer[name]
        assert isinstance(real, Projection)
        assert isinstance(coded, Projection)
        off = np.abs(coded.gain - real.scale * unit)
        low, high = summed_input(integer, (name,), population.shape)
        gain = np.maximum(on_shape(np.asarray(coded.gain, np.float64), coded, population.shape), 1.0)
        gains = gains + on_shape(off, coded, population.shape) * magnitude(low, high) / gain
    off_u = note("bias", np.abs(population.bias_u - neuron.bias_u * unit))
    e_u = _accumulated(population.decay_u, drift_u, arithmetic, steps) * (
        note("current decay", truncates_u + drift_u * magnitude(found.u_low, found.u_high))
        + note("scale of a projection", gains)
        + off_u
    )
    off_v = note("bias", np.abs(population.bias - neuron.bias * unit))
    off_reset: Array = np.zeros(())
    if population.reset is Reset.SUBTRACT:
        off_reset = note("reset amount", np.abs(population.reset_amount - neuron.reset_amount * unit))
    noise = note("membrane decay", truncates_v + drift_v * magnitude(found.met_low, found.met_high))
    off_init = note("initial potential", np.abs(population.v_init - neuron.v_init * unit))
    e_v = _accumulated(population.decay_v, drift_v, arithmetic, steps) * (noise + e_u + off_v + off_reset) + off_init
    lattice = float(1 << arithmetic.threshold_shift)
    moving = [population.bias, population.bias_u, population.v_init]
    if population.reset is Reset.SUBTRACT:
        moving.append(population.reset_amount)
    moving += [p.gain for name in population.inputs if isinstance(p := integer[name], Projection)]
    if not sources and any(np.any(np.mod(value, lattice) != 0) for value in moving):
        sources.append("threshold")
    return e_v, sources


def _accumulated(decay: Array, drift: Array, arithmetic: Arithmetic, steps: int) -> Array:
    """growth / (1 - growth * drift): the sum of errors that feed on themselves; infinite where it has no bound."""
    sums = growth(decay, arithmetic, steps)
    room = 1.0 - sums * drift
    return np.asarray(np.where(room > 0, sums / np.maximum(room, 1e-300), np.inf))


def _first_overflow(population: Population, a_low: Array, a_high: Array, arithmetic: Arithmetic, safe: int) -> str:
    """Where the first accumulator can overflow: its neuron (of the channel's first position) and the step."""
    ok = fits(population, bounds(population, a_low, a_high, arithmetic, safe + 1), arithmetic)
    where = np.argwhere(~broadcast(np.asarray(ok), population.shape))[0]
    return f"{population.name}{where.tolist()} at step {safe + 1}"
