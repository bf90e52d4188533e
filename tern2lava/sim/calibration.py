"""Layers run on calibration samples, in real numbers and in integers, each fed and reset by the reference's spikes."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.certify.calibration import Calibration, IntegerRun, RealRun, Samples
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Neuron, Population, Projection
from tern2lava.compiler.ir.linear import accumulate, per_neuron
from tern2lava.compiler.ir.shapes import Ints, Reals, Spikes, size
from tern2lava.compiler.progress import CALIBRATION, Progress, silent
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.reference.integer import PopulationState
from tern2lava.sim.reference.real import NeuronState, run_float


class SampleRuns(Calibration):
    """The layers of `real`, a TERNARY graph, on the first samples of `data`: as many as `effort` lets be run.

    The reference is the float64 run of the whole graph, of which `progress` is told. file, sha256: see Samples. Raises
    InputError for data without samples.
    """

    def __init__(
        self, real: Graph, data: SpikeData, effort: Effort = NORMAL, *, file: str = "", sha256: str = "",
        progress: Progress = silent,
    ) -> None:  # fmt: skip
        self.graph, self.effort, self.steps = real, effort, data.steps
        work = sum(_work(real, projection) for projection in real.of_kind(Projection)) * data.steps
        self.samples = min(data.samples, effort.calibrated_samples, max(1, effort.calibrated_work // max(1, work)))
        if self.samples < 1:
            raise InputError("calibration", "requires samples; found none; give spikes of typical inputs")
        self.told = Samples(file=file, sha256=sha256, samples=data.samples, run=self.samples, steps=data.steps)
        nodes: tuple[Input | Neuron, ...] = (*real.of_kind(Input), *real.of_kind(Neuron))
        neurons = sum(size(node.shape) for node in nodes)
        piece = max(1, effort.shard_values // max(1, neurons * data.steps))
        parts = []
        for begin in range(0, self.samples, piece):
            progress(CALIBRATION, begin, self.samples)
            values = data.values(begin, min(begin + piece, self.samples))
            run = run_float(real, values, states=False).spikes
            parts.append({**{name: v.reshape(*v.shape[:2], -1) for name, v in values.items()}, **run})
        progress(CALIBRATION, self.samples, self.samples)
        self.spikes: dict[str, Spikes] = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        self._summed: tuple[str, dict[str, Ints]] = ("", {})

    def real(self, neuron: Neuron) -> RealRun:
        forced = self.spikes[neuron.name][: self._held(neuron)]
        sums = self._sums(neuron)
        state = NeuronState(neuron, len(forced))
        met = np.empty(forced.shape)
        rested = np.zeros(forced.shape, bool)
        neurons = size(neuron.shape)
        reach_u, reach_v = np.zeros(neurons), np.zeros(neurons)
        for t in range(self.steps):
            x: Reals = np.zeros(met[:, t].shape)
            for projection in self.graph.projections(neuron.inputs):
                x += sums[projection.name][:, t] * per_neuron(projection.scale, projection)
            rested[:, t] = state.held > 0
            _, met[:, t] = state.step(x, forced[:, t])
            reach_u = np.maximum(reach_u, np.abs(state.u).max(axis=0))
            for potential in (met[:, t] + state.a, state.v, state.a):
                reach_v = np.maximum(reach_v, np.abs(potential).max(axis=0))
        return RealRun(met=met, spikes=forced, rested=rested, reach_u=reach_u, reach_v=reach_v)

    def integers(
        self, population: Population, projections: tuple[Projection, ...], arithmetic: Arithmetic
    ) -> IntegerRun:
        neuron = self.graph.neuron(population.name)
        forced = self.spikes[neuron.name][: self._held(neuron)].astype(np.int64)
        sums = self._sums(neuron)
        gains = {p.name: per_neuron(p.gain, p) for p in projections}
        state = PopulationState(population, arithmetic, len(forced))
        met = np.empty(forced.shape, np.int64)
        for t in range(self.steps):
            a = np.zeros(forced[:, t].shape, np.int64)
            for name, gain in gains.items():
                a += sums[name][:, t] * gain
            state.step(a, forced[:, t])
            met[:, t] = state.met
        return IntegerRun(met=met)

    def _held(self, neuron: Neuron) -> int:
        """Samples of which the potentials of a layer are held at a time."""
        return min(self.samples, max(1, self.effort.calibrated_values // max(1, size(neuron.shape) * self.steps)))

    def _sums(self, neuron: Neuron) -> dict[str, Ints]:
        """weight @ spikes of every projection that feeds `neuron`, (samples, steps, neurons), those of one neuron being
        kept."""
        if self._summed[0] != neuron.name:
            samples = self._held(neuron)
            self._summed = neuron.name, {
                p.name: self._projected(p, samples) for p in self.graph.projections(neuron.inputs)
            }  # fmt: skip
        return self._summed[1]

    def _projected(self, projection: Projection, samples: int) -> Ints:
        source = self.spikes[projection.inputs[0]][:samples]
        found = accumulate(projection, source.reshape(samples * self.steps, -1))
        sums = found.reshape(samples, self.steps, -1).astype(np.int64)
        late = min(projection.delay, self.steps)
        if late:
            sums = np.concatenate([np.zeros_like(sums[:, :late]), sums[:, : self.steps - late]], axis=1)
        return sums


def _work(graph: Graph, projection: Projection) -> int:
    """Multiply-accumulates of one step of a projection."""
    if projection.geometry is None:
        return int(projection.weight.size)
    return size(projection.geometry.out_shape) * int(projection.weight[0].size)
