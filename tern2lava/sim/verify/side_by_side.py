"""One sample in the float model and in integers, side by side: spikes, and potentials where they meet thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Neuron, Population
from tern2lava.compiler.ir.shapes import Reals, Spikes, broadcast, size
from tern2lava.sim.data.readout import needs_states, predictions, scores
from tern2lava.sim.executable import Executable
from tern2lava.sim.reading.real_decides import run_float_model
from tern2lava.sim.verify.deviation import BothRuns, run_both


@dataclass(frozen=True, eq=False, kw_only=True)
class PopulationRun:
    """One population, arrays (steps, neurons): spikes of the float model and of the integers, and the potentials that
    met the threshold in both, in the source's units; threshold (neurons,), in the source's units too: the float
    model's, infinite where there is none."""

    name: str
    float_spikes: Spikes
    integer_spikes: Spikes
    float_v: Reals
    integer_v: Reals
    threshold: Reals

    @property
    def differs(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Where a spike is another, (steps, neurons)."""
        return np.asarray(self.float_spikes != self.integer_spikes)


@dataclass(frozen=True, kw_only=True)
class First:
    """The first spike that differs: population, step (from 1), neuron. Of several in one step the one of the first
    population, which the others may follow from."""

    population: str
    step: int
    neuron: int


@dataclass(frozen=True, eq=False, kw_only=True)
class SideBySide:
    """A sample's run. predicted_float, predicted_integer: the predicted class; None where there is one output."""

    steps: int
    populations: tuple[PopulationRun, ...]
    first: First | None
    predicted_float: int | None
    predicted_integer: int | None


def side_by_side(executable: Executable, inputs: Mapping[str, Spikes]) -> SideBySide:
    """The float model and the integer reference on one sample, (1, steps, *shape) of each Input. Relays, which are in
    the program alone, and the spikes that integers of neurons without a threshold would make are left out."""
    real, program = executable.real, executable.program
    states = any(needs_states(graph) for graph in (real, program))
    runs = run_both(real, program, inputs, states=states)
    model = run_float_model(executable.imported, real, runs.real, inputs)
    found = tuple(_population(executable, runs, name, spikes[0]) for name, spikes in model.trace.spikes.items())
    wanted, given = scores(model.graph, model.trace), scores(program, runs.integers)
    several = wanted.shape[1] > 1
    return SideBySide(
        steps=next(iter(inputs.values())).shape[1],
        populations=found,
        first=_first(found),
        predicted_float=int(predictions(wanted)[0]) if several else None,
        predicted_integer=int(predictions(given)[0]) if several else None,
    )


def _population(executable: Executable, runs: BothRuns, name: str, spikes: Spikes) -> PopulationRun:
    neuron, population = executable.real.neuron(name), executable.program.population(name)

    def flat(value: Reals, node: Neuron | Population) -> Reals:
        return broadcast(np.asarray(value, np.float64), node.shape).reshape(1, size(node.shape))

    imported = executable.imported[name]
    integrates = isinstance(imported, Neuron) and imported.integrates
    unit, origin = flat(neuron.unit, neuron), flat(neuron.origin, neuron)
    threshold = np.full((1, spikes.shape[1]), np.inf) if integrates else flat(neuron.threshold, neuron) * unit + origin
    return PopulationRun(
        name=name,
        float_spikes=spikes,
        integer_spikes=spikes if integrates else runs.integers.spikes[name][0],
        float_v=runs.met_real[name][0] * unit + origin,
        integer_v=runs.met_integers[name][0] * flat(population.lsb, population) + flat(population.origin, population),
        threshold=threshold[0],
    )


def _first(found: tuple[PopulationRun, ...]) -> First | None:
    """The first difference, by step and then by population."""
    best: First | None = None
    for run in found:
        step, neuron = (int(at[0]) if at.size else -1 for at in np.nonzero(run.differs))
        if step >= 0 and (best is None or step + 1 < best.step):
            best = First(population=run.name, step=step + 1, neuron=neuron)
    return best
