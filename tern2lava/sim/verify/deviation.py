"""How far potentials of the integers part from the real ones on some inputs, where they meet thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.certify.source_integers import membrane_unit
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Population
from tern2lava.compiler.ir.shapes import Ints, Reals, Spikes
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import NeuronState, run_float


@dataclass(frozen=True, eq=False, kw_only=True)
class Parting:
    """What one population did on some samples, arrays (samples,).

    furthest: the largest |v / S - v_real| where potentials meet their threshold, in units of the synapses' scale (of S
    last bits), of steps up to which its spikes, and those of its sources, were alike; at: its step and neuron,
    (samples, 2). Of rearming neurons the potential is meant, without what rearming takes off for the comparison.
    differs: the first step in which its spikes differ while those of its sources do not; -1: none.
    """

    furthest: Reals
    at: Ints
    differs: Ints


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """The largest deviation of one population on some samples, where it is, and in how many of them its spikes differ
    though those of its sources do not. In units of the synapses' scale; bound: what its certificate states."""

    population: str
    deviation: float
    bound: float | None
    sample: int
    step: int
    neuron: int
    samples: int
    differing: int


class _Met:
    """Makes the states of an integer run that keep the potentials that met the threshold."""

    def __init__(self) -> None:
        self.met: dict[str, list[Ints]] = {}

    def __call__(self, population: Population, arithmetic: Arithmetic, batch: int) -> integer.PopulationState:
        kept = self.met.setdefault(population.name, [])

        class State(integer.PopulationState):
            def step(self, a: Ints, forced: Ints | None = None) -> Spikes:
                again = self.v > self.threshold
                spikes = super().step(a, forced)
                # What rearming takes off for the comparison is no part of the potential.
                kept.append(self.met + self.reset_amount * again if population.rearm else self.met)
                return spikes

        return State(population, arithmetic, batch)


@dataclass(frozen=True, eq=False, kw_only=True)
class BothRuns:
    """The real dynamics and the integers on the same inputs: their traces, and by population the potentials that met
    the threshold, (samples, steps, neurons) each, of rearming neurons without what rearming takes off."""

    real: Trace
    integers: Trace
    met_real: dict[str, Reals]
    met_integers: dict[str, Ints]


def run_both(real: Graph, program: Graph, inputs: Mapping[str, Spikes], *, states: bool = False) -> BothRuns:
    """Runs of `real` (TERNARY, after fold_scale) and `program` on `inputs`, (samples, steps, *shape) of each Input.
    states: with the potentials after the reset in the traces."""
    met: dict[str, list[Reals]] = {}
    before: dict[str, Reals] = {}

    def observe(name: str, state: NeuronState, found: Reals) -> None:
        if state.neuron.rearm:
            found = found + state.reset_amount * state.above(before.get(name, state.flat(state.neuron.v_init)))
            before[name] = state.v
        met.setdefault(name, []).append(np.broadcast_to(found, state.spiked.shape).copy())

    floats = run_float(real, inputs, states=states, observe=observe)
    recorder = _Met()
    integers = integer.run(program, inputs, states=states, make=recorder)
    return BothRuns(
        real=floats, integers=integers, met_real={name: np.stack(kept, axis=1) for name, kept in met.items()},
        met_integers={name: np.stack(kept, axis=1) for name, kept in recorder.met.items()},
    )  # fmt: skip


def part(real: Graph, program: Graph, inputs: Mapping[str, Spikes]) -> dict[str, Parting]:
    """The Parting of every population of `real` (TERNARY, after fold_scale) and `program` on `inputs`, (samples, steps,
    *shape) of each Input. Relays, which are in the program alone, have none."""
    runs = run_both(real, program, inputs)
    floats, integers = runs.real.spikes, runs.integers.spikes
    same = {name: (floats[name] == integers[name]).all(axis=2) for name in floats}
    return {name: _parting(real, program, name, same, runs.met_real[name], runs.met_integers[name]) for name in same}


def _parting(real: Graph, program: Graph, name: str, same: Mapping[str, Reals], met_real: Reals, met: Ints) -> Parting:
    neuron = real.neuron(name)
    unit = membrane_unit(neuron, program.population(name))
    own = same[name].astype(bool)
    fed = np.ones_like(own)
    for projection in real.projections(neuron.inputs):
        source = projection.inputs[0]
        if source in same and source != name:
            fed &= same[source].astype(bool)
    fed = np.logical_and.accumulate(fed, axis=1)
    before = np.logical_and.accumulate(np.concatenate([np.ones_like(own[:, :1]), own[:, :-1]], axis=1), axis=1)
    valid = fed & before
    apart = np.abs(met / unit - met_real) * valid[:, :, None]
    flat = apart.reshape(len(apart), -1)
    place = flat.argmax(axis=1)
    first = valid & ~own
    return Parting(
        furthest=flat[np.arange(len(flat)), place],
        at=np.stack(np.unravel_index(place, apart.shape[1:]), axis=1),
        differs=np.where(first.any(axis=1), first.argmax(axis=1), -1),
    )


def gathered(parts: Iterable[Mapping[str, Parting]], bounds: Mapping[str, float | None]) -> tuple[Deviation, ...]:
    """The Deviation of every population over all samples of some parts, in their order."""
    known: dict[str, list[Parting]] = {}
    for found in parts:
        for name, parting in found.items():
            known.setdefault(name, []).append(parting)
    result = []
    for name, pieces in known.items():
        furthest = np.concatenate([piece.furthest for piece in pieces])
        at = np.concatenate([piece.at for piece in pieces])
        sample = int(furthest.argmax())
        result.append(
            Deviation(
                population=name, deviation=float(furthest[sample]), bound=bounds.get(name), sample=sample,
                step=int(at[sample, 0]), neuron=int(at[sample, 1]), samples=len(furthest),
                differing=sum(int(np.count_nonzero(piece.differs >= 0)) for piece in pieces),
            )
        )  # fmt: skip
    return tuple(result)
