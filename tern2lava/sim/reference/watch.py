"""What the accumulators of the integer reference held while it ran: how far they went, and where they overflowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Population, Reset
from tern2lava.compiler.ir.shapes import Bools, Ints, Spikes
from tern2lava.sim.reference.integer import PopulationState

# Certificates add up in float64, whose rounding must not make a potential at the end of its range one beyond it.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest |u| and |v| that a population's certificate states, in last bits (Certificate.u_limit, v_limit)."""

    u: float
    v: float


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What one population's accumulators did on some data. Counts are of neuron-timesteps, of which `neuron_steps` were
    watched; magnitudes are those before anything is wrapped or clipped, in last bits.

    u_largest, v_largest: largest magnitude of the current and of the potential. u_limit, v_limit: what the certificate
    states (None: it has none, as relays). u_wrapped, v_clipped, adaptation_clipped: how often each overflowed; clipping
    before a reset to zero is left out, for the spike and what follows are the same without it. left: how often the
    current or the potential was beyond what the certificate states.
    """

    population: str
    neuron_steps: int
    state_max: int
    u_largest: int
    v_largest: int
    u_limit: float | None
    v_limit: float | None
    u_wrapped: int
    v_clipped: int
    adaptation_clipped: int
    left: int

    @property
    def overflows(self) -> int:
        return self.u_wrapped + self.v_clipped + self.adaptation_clipped

    @property
    def stayed(self) -> bool:
        """Whether nothing overflowed and nothing was beyond the certificate's limits."""
        return not (self.overflows or self.left)


class Watch:
    """Makes the states of a run of sim.reference.integer (its `make`) and gathers what they held."""

    def __init__(self, limits: Mapping[str, Limits]) -> None:
        self.limits = limits
        self.states: list[WatchedState] = []

    def __call__(self, population: Population, arithmetic: Arithmetic, batch: int) -> PopulationState:
        self.states.append(WatchedState(population, arithmetic, batch, self.limits.get(population.name)))
        return self.states[-1]

    def watched(self) -> tuple[Watched, ...]:
        """One Watched for each population, in the order of the run."""
        return tuple(state.watched() for state in self.states)


class WatchedState(PopulationState):
    """The state of a population that notes what is wrapped, clipped or beyond `limits` in each step."""

    def __init__(self, population: Population, arithmetic: Arithmetic, batch: int, limits: Limits | None) -> None:
        super().__init__(population, arithmetic, batch)
        self.limits = limits
        self.u_most = self.v_most = 1 << 62
        if limits is not None:
            self.u_most, self.v_most = (floor(min(most * (1 + ROUNDING), 2.0**62)) for most in (limits.u, limits.v))
        self.steps = self.u_largest = self.v_largest = 0
        self.counts: Counter[str] = Counter()
        self.noted: dict[str, Bools] = {}

    def step(self, a: Ints, forced: Ints | None = None) -> Spikes:
        self.noted.clear()
        spikes = super().step(a, forced)
        self.steps += 1
        if "v" in self.noted and self.reset is Reset.ZERO:
            # It spikes and becomes 0, clipped or not.
            self.noted["v"] = self.noted["v"] & (self.spiked == 0)
        for what, where in self.noted.items():
            self.counts[what] += int(np.count_nonzero(where))
        return spikes

    def wrapped(self, u: Ints) -> Ints:
        result = super().wrapped(u)
        largest = _magnitude(u)
        self.u_largest = max(self.u_largest, largest)
        if largest > self.arithmetic.state_max:
            self._note("u", result != u)
        if largest > self.u_most:
            self._note("left", np.abs(u) > self.u_most)
        return result

    def clipped(self, v: Ints) -> Ints:
        largest = _magnitude(v)
        self.v_largest = max(self.v_largest, largest)
        if largest > self.arithmetic.state_max:
            self._note("v", np.abs(v) > self.arithmetic.state_max)
        if largest > self.v_most:
            self._note("left", np.abs(v) > self.v_most)
        return PopulationState.clip(self, v)

    def clip(self, x: Ints) -> Ints:
        """x clipped; it is a state of a mechanism, since potentials are clipped by `clipped`."""
        if _magnitude(x) > self.arithmetic.state_max:
            self._note("adaptation", np.abs(x) > self.arithmetic.state_max)
        return super().clip(x)

    def _note(self, what: str, where: Bools) -> None:
        self.noted[what] = self.noted[what] | where if what in self.noted else where

    def watched(self) -> Watched:
        """What was noted so far."""
        return Watched(
            population=self.population.name, neuron_steps=self.steps * self.v.size,
            state_max=self.arithmetic.state_max, u_largest=self.u_largest, v_largest=self.v_largest,
            u_limit=None if self.limits is None else self.limits.u,
            v_limit=None if self.limits is None else self.limits.v,
            u_wrapped=self.counts["u"], v_clipped=self.counts["v"], adaptation_clipped=self.counts["adaptation"],
            left=self.counts["left"],
        )  # fmt: skip


def together(parts: Iterable[Watched]) -> Watched:
    """What one population's accumulators did on all of several parts of the data, one at least."""
    found = list(parts)
    first = found[0]
    return Watched(
        population=first.population, neuron_steps=sum(part.neuron_steps for part in found), state_max=first.state_max,
        u_largest=max(part.u_largest for part in found), v_largest=max(part.v_largest for part in found),
        u_limit=first.u_limit, v_limit=first.v_limit, u_wrapped=sum(part.u_wrapped for part in found),
        v_clipped=sum(part.v_clipped for part in found),
        adaptation_clipped=sum(part.adaptation_clipped for part in found), left=sum(part.left for part in found),
    )  # fmt: skip


def _magnitude(x: Ints) -> int:
    return max(int(x.max()), -int(x.min())) if x.size else 0
