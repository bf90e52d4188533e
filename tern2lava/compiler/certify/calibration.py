"""What calibration samples show of a network: the interface through which integers are chosen and ranges observed.

Every layer is fed the spikes of the reference, the real network in float64, and is reset by them, so that layers are
looked at apart and a spike that differs changes no other. sim/calibration.py runs them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from tern2lava.compiler.ir.graph import Arithmetic, Neuron, Population, Projection
from tern2lava.compiler.ir.shapes import Bools, Ints, Reals, Spikes
from tern2lava.compiler.options import U_MARGIN, V_MARGIN


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Largest magnitudes of current and membrane potential (or adaptation, if that is larger) of one layer on
    calibration samples, in units of its synapses' scale; they may go U_MARGIN and V_MARGIN times as far."""

    u: float
    v: float

    @property
    def u_limit(self) -> float:
        return U_MARGIN * self.u

    @property
    def v_limit(self) -> float:
        return V_MARGIN * self.v

    @property
    def largest(self) -> float:
        """What an accumulator has to hold."""
        return max(self.u_limit, self.v_limit)


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The calibration samples, as manifest and report say it: name of the file ("": arrays), SHA-256 of its bytes (of
    the values, in C order), how many samples there are, how many were run, and their steps."""

    file: str
    sha256: str
    samples: int
    run: int
    steps: int


@dataclass(frozen=True, eq=False, kw_only=True)
class RealRun:
    """One layer of the reference, arrays (samples, steps, neurons): the potentials that met the threshold, less what
    adaptation and rearming added to it, in units of its synapses' scale; its spikes; where it rested (refractory).
    reach_u, reach_v: the largest magnitudes of current and potential (or adaptation) of each neuron, (neurons,)."""

    met: Reals
    spikes: Spikes
    rested: Bools
    reach_u: Reals
    reach_v: Reals

    @property
    def observed(self) -> Observed:
        return Observed(u=float(self.reach_u.max(initial=0.0)), v=float(self.reach_v.max(initial=0.0)))

    def in_units(self, units: Reals) -> RealRun:
        """The same run, each neuron's potentials in units of its own, (neurons,)."""
        return replace(self, met=self.met / units, reach_u=self.reach_u / units, reach_v=self.reach_v / units)


@dataclass(frozen=True, eq=False, kw_only=True)
class IntegerRun:
    """The same layer in integers on the same samples, reset by the reference's spikes: potentials that met the
    threshold, (samples, steps, neurons), in last bits, less what adaptation and rearming added to it."""

    met: Ints


class Calibration(ABC):
    """Runs of the layers of one TERNARY graph on calibration samples."""

    told: Samples

    @abstractmethod
    def real(self, neuron: Neuron) -> RealRun:
        """The layer in real numbers."""

    @abstractmethod
    def integers(
        self, population: Population, projections: tuple[Projection, ...], arithmetic: Arithmetic
    ) -> IntegerRun:
        """The layer in the integers of `population` and `projections`, which feed it."""
