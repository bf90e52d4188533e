"""The float model held against a recorded run of many samples, some at a time."""

from __future__ import annotations

from dataclasses import replace

from tern2lava.compiler.ir.graph import Graph, Input, Neuron
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.progress import Progress
from tern2lava.effort import NORMAL, Effort
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.reading.compare import Reading, merged
from tern2lava.sim.reading.oracle import Oracle
from tern2lava.sim.reading.run import read

STAGE = "framework's own run"


def recorded_steps(data: SpikeData) -> int:
    """Steps of the input as it was given, before any padding."""
    return int(next(iter(data.inputs.values())).shape[1])


def read_all(
    graph: Graph, data: SpikeData, oracle: Oracle, *, steps: int = 0, samples: int | None = None,
    progress: Progress | None = None, effort: Effort = NORMAL,
) -> Reading:  # fmt: skip
    """The first `samples` (None: all) of a recorded run on `data` held against `graph` (IMPORTED).

    steps: those that the network was compiled for (0: as the graph says). `progress(stage, done, total)` counts
    samples.
    """
    graph = replace(graph, steps=steps or graph.steps)
    count = data.samples if samples is None else min(samples, data.samples)
    length = recorded_steps(data)
    nodes: tuple[Input | Neuron, ...] = (*graph.of_kind(Input), *graph.of_kind(Neuron))
    at_once = max(1, effort.reading_values // max(1, length * sum(size(node.shape) for node in nodes)))
    parts = []
    for begin in range(0, count, at_once):
        if progress is not None:
            progress(STAGE, begin, count)
        end = min(begin + at_once, count)
        inputs = {name: values[:, :length] for name, values in data.values(begin, end).items()}
        parts.append(read(graph, inputs, oracle.slice(begin, end), begin=begin))
    if progress is not None:
        progress(STAGE, count, count)
    return merged(parts)
