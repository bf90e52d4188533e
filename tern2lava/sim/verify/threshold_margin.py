"""How near real membrane potentials came to their thresholds on given data, measured against the integers' error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.certify.certificate import ErrorTerms, error_terms
from tern2lava.compiler.certify.lattice import decided, lattice, real_gains
from tern2lava.compiler.ir.graph import Compare, Graph, Population, Reset
from tern2lava.compiler.ir.shapes import Bools, Reals, Spikes
from tern2lava.compiler.neurons.mechanism import kinds_of
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reference.real import NeuronState, run_float


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


def measure_band(real: Graph, program: Graph, inputs: Mapping[str, Spikes]) -> tuple[Band, ...]:
    """The bands of run_band alone."""
    return run_band(real, program, inputs)[0]


def run_band(
    real: Graph, program: Graph, inputs: Mapping[str, Spikes], *, states: bool = False
) -> tuple[tuple[Band, ...], Trace]:
    """One Band per population of `program` that is in `real` too (relays are not), from a float run of `real` (TERNARY,
    after fold_scale) on `inputs`, and the trace of that run (states: with potentials).

    The bound runs along with the data instead of assuming the worst case: with the terms of certificate.error_terms,
        E_u <- f_u E_u + d_u |U| S + r_u        E_v <- f_v E_v + d_v |V| S + E_u + r_v
    0 after a reset to zero, plus the rounding of the amount after a subtraction. A bias that is there for a threshold's
    sake moves integer potentials by a known d: d <- f_v d + offset, 0 after a reset to zero. A neuron-timestep is near
    its threshold unless v S + d - E_v and v S + d + E_v are on that side of the code on which v is of the threshold;
    none is in neurons that are proven to spike alike within the data's steps (lattice.decided), and all are in neurons
    with a mechanism through which errors are not followed (Mechanism.error_follows). The error of the adaptation a is
    bounded apart; it is 0 before the first spike:
        E_b <- f_a E_b + d_a |a| S + t_a + |gain_a - its real value| s_previous
    of which (|reset_amount - its real value| + E_b) s_previous goes into E_v in the step after a spike, and which is
    added to it where v - a meets the threshold.
    """
    populations = [population for population in program.of_kind(Population) if population.name in real.by_name]
    steps = next(iter(inputs.values())).shape[1]
    trackers = {population.name: Tracker(real, program, population, steps) for population in populations}

    def observe(name: str, state: NeuronState, met: Reals) -> None:
        trackers[name].step(state, met)

    trace = run_float(real, inputs, states=states, observe=observe)
    return tuple(tracker.band() for tracker in trackers.values()), trace


class Tracker:
    """Running error bound of one population over `steps` steps, arrays (batch, neurons) in membrane units."""

    def __init__(self, real: Graph, program: Graph, population: Population, steps: int) -> None:
        neuron = real.neuron(population.name)
        self.name = population.name
        self.reset = population.reset
        self.terms: ErrorTerms = error_terms(real, program, population)
        self.flat = {
            key: np.broadcast_to(value, population.shape).reshape(1, -1) for key, value in self.terms.arrays.items()
        }
        self.followed = all(mechanism.error_follows() for mechanism in kinds_of(population))
        self.rearm, self.adapts = population.rearm, population.gain_a is not None
        self.threshold = np.broadcast_to(neuron.threshold, population.shape).reshape(1, -1)
        self.code = np.broadcast_to(population.threshold, population.shape).reshape(1, -1)
        self.low = self.low_code = None
        if neuron.threshold_low is not None and population.threshold_low is not None:
            self.low = np.broadcast_to(neuron.threshold_low, population.shape).reshape(1, -1)
            self.low_code = np.broadcast_to(population.threshold_low, population.shape).reshape(1, -1)
        self.compare = neuron.compare
        arithmetic = program.arithmetic
        assert arithmetic is not None
        self.top = arithmetic.threshold_max
        found = lattice(neuron, population, real_gains(real, program, population, self.terms.unit), arithmetic)
        offset = self.terms.arrays["offset"]
        alike = decided(neuron, population, offset, found, steps, arithmetic)
        self.alike = np.broadcast_to(alike, population.shape).reshape(1, -1)
        self.shift: Reals = np.zeros((1, 1))
        self.held: Bools | None = np.zeros((1, 1), bool) if population.refractory else None
        self.e_u: Reals = np.zeros((1, 1))
        self.e_v: Reals = self.flat["initial"]
        self.e_a: Reals = np.zeros((1, 1))
        self.a: Reals = np.zeros((1, 1))
        self.spiked: Reals = np.zeros((1, 1))
        self.u: Reals = np.zeros((1, 1))
        self.v = np.broadcast_to(neuron.v_init, population.shape).reshape(1, -1)
        self.cancelled: Reals = np.zeros((1, 1))
        self.integrates = neuron.integrates
        self.neuron_steps = self.near = 0
        self.closest = self.closest_eps = np.inf

    def step(self, state: NeuronState, met: Reals) -> Reals:
        """Account for one step: the state after it and the potentials that met the threshold.

        The result bounds the difference of integer and real potentials where they meet it, (batch, neurons).
        """
        flat, unit = self.flat, self.terms.unit
        before, e_before, shift_before = self.v, self.e_v, self.shift
        self.e_u = flat["factor_u"] * self.e_u + flat["drift_u"] * np.abs(self.u) * unit + flat["round_u"]
        self.e_v = flat["factor_v"] * self.e_v + flat["drift_v"] * np.abs(self.v) * unit + self.e_u + flat["round_v"]
        self.shift = flat["factor_v"] * self.shift + flat["offset"]
        if self.held is not None:
            # A potential that is held keeps its error.
            self.e_v = np.where(self.held, e_before, self.e_v)
            self.shift = np.where(self.held, shift_before, self.shift)
        if self.adapts:
            self._adapt(state)
        if self.integrates:
            # Nothing is met: the potential itself is read.
            self.u, self.v = state.u, state.v
            self.neuron_steps += met.size
            return np.asarray(np.broadcast_to(self.e_v, met.shape))
        error = self.e_v + self.e_a + flat["amount"] if self.rearm else self.e_v + self.e_a
        near = self._near(met, error, self.shift)
        if self.rearm and not self.terms.exact:
            # Whether it rearms is decided by the potential left after the last step.
            near = near | self._near(before, e_before, shift_before)
        if not self.followed and not self.terms.exact:
            near = np.ones_like(near)
        if self.held is not None:
            self.held = state.held > 0
        distance = np.abs(met - self.threshold)
        if self.low is not None:
            distance = np.minimum(distance, np.abs(met - self.low))
        self.neuron_steps += met.size
        self.closest = min(self.closest, float((distance / np.where(self.threshold, self.threshold, 1.0)).min()))
        self.near += int(np.count_nonzero(near))
        error = error + np.abs(self.shift)
        if self.adapts:
            self.a, self.spiked = state.a, np.abs(state.spiked)
        elif self.reset is Reset.ZERO:
            self.e_v = np.where(state.spiked != 0, 0.0, self.e_v)
            self.shift = np.where(state.spiked != 0, 0.0, self.shift)
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

    def _near(self, met: Reals, error: Reals, shift: Reals) -> Bools:
        """Where potentials with this error, moved by `shift`, may spike otherwise in integers, (batch, neurons)."""
        reach, greater = met * self.terms.unit + shift, self.compare is Compare.GT
        # How far the integer is from spiking otherwise: it must lie above its code, or not.
        fires = met > self.threshold if greater else met >= self.threshold
        near = self._within(np.where(fires, reach - self.code, self.code - reach + 1), met, error, self.threshold)
        if self.low is not None and self.low_code is not None:
            fires = met < self.low if greater else met <= self.low
            room = np.where(fires, self.low_code - reach, reach - self.low_code + 1)
            near = near | self._within(room, met, error, self.low)
        return near

    def _within(self, room: Reals, met: Reals, error: Reals, threshold: Reals) -> Bools:
        """Where `room` (last bits to the next integer potential that spikes otherwise) lies within the error."""
        unit = self.terms.unit
        # 1e-9 of the potential: float64 rounding of this reference itself, which whole numbers without error have not.
        noise = 1e-9 * (np.abs(met) + np.abs(threshold)) * unit + self.cancelled
        error = error + np.where((error == 0) & (room == np.rint(room)), 0.0, noise)
        # A potential that is held makes no spike, however near it is.
        counts = np.broadcast_to(~self.alike if self.held is None else ~self.alike & ~self.held, room.shape)
        if self.terms.exact:
            # Only a threshold that became the largest code is not executed as it is.
            counts = counts & (np.abs(threshold) * unit > self.top)
        else:
            ratio = np.divide(np.maximum(room, 0.0), error, out=np.full(room.shape, np.inf), where=counts & (error > 0))
            self.closest_eps = min(self.closest_eps, float(ratio.min()))
        return np.asarray((room <= error) & counts)

    def band(self) -> Band:
        return Band(
            population=self.name, neuron_steps=self.neuron_steps, near=self.near,
            closest=self.closest if np.isfinite(self.closest) else 0.0,
            closest_eps=self.closest_eps if np.isfinite(self.closest_eps) else None,
        )  # fmt: skip
