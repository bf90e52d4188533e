"""How often each neuron of a program spikes on data, for the traffic between its cores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import Reals, Spikes
from tern2lava.effort import NORMAL, Effort
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import stream
from tern2lava.sim.verify.shard import shard_size


def measured_rates(program: Graph, data: SpikeData, effort: Effort = NORMAL) -> dict[str, Reals]:
    """Mean spikes per step of every neuron, by input and population, shaped as they are: the fast engine runs all
    samples of `data`, a piece at a time. An input of any value other than 0 is a spike."""
    piece = shard_size(program, data.steps, effort)
    shapes = {n.name: n.shape for n in program.of_kind(Input)} | {p.name: p.shape for p in program.of_kind(Population)}
    total = {name: np.zeros(shape) for name, shape in shapes.items()}

    def count() -> Iterator[dict[str, Spikes]]:
        for begin in range(0, data.samples, piece):
            part = data.values(begin, begin + piece)
            for name, values in part.items():
                total[name] += np.count_nonzero(values, axis=(0, 1))
            yield part

    for run in stream(prepare(program, effort=effort), count(), states=False):
        for name, values in run.trace.spikes.items():
            total[name] += np.count_nonzero(values, axis=(0, 1)).reshape(total[name].shape)
    return {name: value / (data.samples * data.steps) for name, value in total.items()}
