"""How near real membrane potentials came to their thresholds on given data, measured against the integers' error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.certificate import ErrorTerms, error_terms
from tern2lava.compiler.ir import Array, Graph, Neuron, Population, Reset
from tern2lava.sim.float import NeuronState, run_float


@dataclass(frozen=True, kw_only=True)
class Band:
    """What is proven of one population on the data that was run.

    near of neuron_steps real potentials came within the error bound of their threshold; with none, integer and real
    dynamics provably spiked alike (given alike inputs). closest: the least distance from a threshold, relative to it
    (absolute where the threshold is 0). closest_eps: the least distance in units of the error bound there, None where
    nothing is rounded; above 1 nothing is near.
    """

    population: str
    neuron_steps: int
    near: int
    closest: float
    closest_eps: float | None = None


def measure_band(real: Graph, program: Graph, inputs: Mapping[str, Array]) -> tuple[Band, ...]:
    """One Band per population of `program` that is in `real` too (relays are not), from a float run of `real` (TERNARY,
    after fold_scale) on `inputs`.

    The bound runs along with the data instead of assuming the worst case: with the terms of certificate.error_terms,
        E_u <- f_u E_u + d_u |U| S + r_u        E_v <- f_v E_v + d_v |V| S + E_u + r_v
    0 after a reset to zero, plus the rounding of the amount after a subtraction; a neuron-step is near its threshold
    where |v - threshold| S <= E_v + threshold rounding. Adaptation a has an error of its own, 0 before the first spike,
        E_b <- f_a E_b + d_a |a| S + t_a + |gain_a - its real value| s_previous
    of which (|reset_amount - its real value| + E_b) s_previous goes into E_v in the step after a spike, and which is
    added to it where v - a meets the threshold. A threshold that became the largest code because it is never
    reached counts as near where v S + E_v exceeds that code.
    """
    populations = [population for population in program.of_kind(Population) if population.name in real.by_name]
    trackers = {population.name: Tracker(real, program, population) for population in populations}

    def observe(name: str, state: NeuronState, met: Array) -> None:
        trackers[name].step(state, met)

    run_float(real, inputs, states=False, observe=observe)
    return tuple(tracker.band() for tracker in trackers.values())


class Tracker:
    """Running error bound of one population, arrays (batch, neurons) in membrane units."""

    def __init__(self, real: Graph, program: Graph, population: Population) -> None:
        neuron = real[population.name]
        assert isinstance(neuron, Neuron)
        self.name = population.name
        self.reset = population.reset
        self.terms: ErrorTerms = error_terms(real, program, population)
        self.flat = {
            key: np.broadcast_to(value, population.shape).reshape(1, -1) for key, value in self.terms.arrays.items()
        }
        self.rearm, self.adapts = population.rearm, population.gain_a is not None
        self.threshold = np.broadcast_to(neuron.threshold, population.shape).reshape(1, -1)
        self.low = None
        if neuron.threshold_low is not None:
            self.low = np.broadcast_to(neuron.threshold_low, population.shape).reshape(1, -1)
        assert program.arithmetic is not None
        self.top = program.arithmetic.threshold_max
        self.held: Array | None = np.zeros((1, 1), bool) if population.refractory else None
        self.e_u: Array = np.zeros((1, 1))
        self.e_v: Array = self.flat["initial"]
        self.e_a: Array = np.zeros((1, 1))
        self.a: Array = np.zeros((1, 1))
        self.spiked: Array = np.zeros((1, 1))
        self.u: Array = np.zeros((1, 1))
        self.v = np.broadcast_to(neuron.v_init, population.shape).reshape(1, -1)
        self.cancelled: Array = np.zeros((1, 1))
        self.neuron_steps = self.near = 0
        self.closest = self.closest_eps = np.inf

    def step(self, state: NeuronState, met: Array) -> Array:
        """Account for one step: the state after it and the potentials that met the threshold.

        The result bounds the difference of integer and real potentials where they meet it, (batch, neurons).
        """
        flat, unit = self.flat, self.terms.unit
        before, e_before = self.v, self.e_v
        self.e_u = flat["factor_u"] * self.e_u + flat["drift_u"] * np.abs(self.u) * unit + flat["round_u"]
        self.e_v = flat["factor_v"] * self.e_v + flat["drift_v"] * np.abs(self.v) * unit + self.e_u + flat["round_v"]
        if self.held is not None:
            # A potential that is held keeps its error.
            self.e_v = np.where(self.held, e_before, self.e_v)
        if self.adapts:
            self._adapt(state)
        error = self.e_v + self.e_a + flat["amount"] if self.rearm else self.e_v + self.e_a
        near = self._near(met, error)
        if self.rearm and not self.terms.exact:
            # Whether it rearms is decided by the potential left after the last step.
            near = near | self._near(before, e_before)
        self._approach(met, error)
        if self.held is not None:
            # It makes no spike, however near it is.
            near = near & ~self.held
            self.held = state.held > 0
        distance = np.abs(met - self.threshold)
        if self.low is not None:
            distance = np.minimum(distance, np.abs(met - self.low))
        self.neuron_steps += met.size
        self.closest = min(self.closest, float((distance / np.where(self.threshold, self.threshold, 1.0)).min()))
        self.near += int(np.count_nonzero(near))
        if self.adapts:
            self.a, self.spiked = state.a, np.abs(state.spiked)
        elif self.reset is Reset.ZERO:
            self.e_v = np.where(state.spiked != 0, 0.0, self.e_v)
        elif self.reset is Reset.SUBTRACT:
            self.e_v = self.e_v + np.abs(state.spiked) * flat["amount"]
        self.u, self.v = state.u, state.v
        return np.asarray(np.broadcast_to(error, met.shape))

    def _adapt(self, state: NeuronState) -> None:
        """Carry the error of the adaptation on by one step, and into the potential where it was subtracted."""
        flat, unit = self.flat, self.terms.unit
        # While nothing was added yet, nothing decays and nothing is cut off.
        truncated = np.where((self.a != 0) | (self.e_a > 0), flat["round_a"], 0.0)
        drifted = flat["drift_a"] * np.abs(self.a) * unit
        self.e_a = flat["factor_a"] * self.e_a + drifted + truncated + flat["gain_a"] * self.spiked
        self.e_v = self.e_v + (flat["amount"] + self.e_a) * self.spiked
        # What float64 rounds off where a risen threshold is taken from a potential that is as large.
        self.cancelled = 1e-9 * (np.abs(state.v) + np.abs(state.a)) * unit

    def _approach(self, met: Array, error: Array) -> None:
        """Note the least distance from a threshold in units of the error bound, of potentials that may spike."""
        if self.terms.exact:
            return
        pairs = [(np.abs(met - self.threshold), self.flat["threshold"], self.threshold)]
        if self.low is not None:
            pairs.append((np.abs(met - self.low), self.flat["threshold_low"], self.low))
        for distance, rounding, threshold in pairs:
            bound = error + rounding
            counts = (bound > 0) & (np.abs(threshold) * self.terms.unit <= self.top)
            if self.held is not None:
                counts = counts & ~self.held
            ratio = np.divide(distance * self.terms.unit, bound, out=np.full(met.shape, np.inf), where=counts)
            self.closest_eps = min(self.closest_eps, float(ratio.min()))

    def _near(self, met: Array, error: Array) -> Array:
        """Where potentials with this error may spike otherwise in integers, (batch, neurons).

        A threshold cut to the largest code is met by no real potential; the integer must not meet the code either.
        """
        unit = self.terms.unit
        result = self._near_one(met, error, self.threshold, self.flat["threshold"], met * unit)
        if self.low is not None:
            result = result | self._near_one(met, error, self.low, self.flat["threshold_low"], -met * unit)
        return result

    def _near_one(self, met: Array, error: Array, threshold: Array, rounding: Array, height: Array) -> Array:
        unit = self.terms.unit
        # 1e-9 of the potential: float64 rounding of this reference itself.
        slack = 1e-9 * (np.abs(met) + np.abs(threshold)) * unit + self.cancelled
        if self.terms.exact:
            near: Array = np.zeros(met.shape, bool)
        else:
            near = np.abs(met - threshold) * unit <= error + rounding + slack
        cut = np.abs(threshold) * unit > self.top
        return np.where(cut, height + error + 1e-9 * np.abs(height) > self.top, near) if cut.any() else near

    def band(self) -> Band:
        return Band(
            population=self.name, neuron_steps=self.neuron_steps, near=self.near,
            closest=self.closest if np.isfinite(self.closest) else 0.0,
            closest_eps=self.closest_eps if np.isfinite(self.closest_eps) else None,
        )  # fmt: skip
