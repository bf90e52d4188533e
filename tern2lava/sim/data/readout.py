"""Class scores and predictions from a trace, as the network's Output says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Graph, Level, Neuron, Output, Population, Readout
from tern2lava.compiler.ir.shapes import Array, D, Ints, Reals, broadcast
from tern2lava.errors import UnsupportedError
from tern2lava.sim.data.trace import Trace


def scores(graph: Graph, trace: Trace, output: Output | None = None) -> Array:
    """Scores (batch, neurons of the output population) in the source's units, for any graph that made `trace`."""
    chosen = output or graph.of_kind(Output)[0]
    name = chosen.inputs[0]
    if chosen.readout is Readout.SPIKE_COUNT:
        return np.asarray(trace.spikes[name].sum(axis=1, dtype=np.int64))
    membrane = _membrane(graph, trace, name)
    if chosen.readout is Readout.MEMBRANE_LAST:
        return np.asarray(membrane[:, -1])
    if chosen.readout is Readout.MEMBRANE_MAX:
        return np.asarray(membrane.max(axis=1))
    assert chosen.readout is Readout.MEMBRANE_SUM
    return np.asarray(membrane.sum(axis=1))


def running_scores(graph: Graph, trace: Trace) -> Array:
    """Scores after every step of the first Output, (batch, steps, neurons), for a readout that sums over the steps.

    Raises UnsupportedError for membrane_last and membrane_max.
    """
    output = graph.of_kind(Output)[0]
    name = output.inputs[0]
    if output.readout is Readout.SPIKE_COUNT:
        return np.asarray(trace.spikes[name].cumsum(axis=1, dtype=np.int64))
    if output.readout is not Readout.MEMBRANE_SUM:
        raise UnsupportedError(output.name, "a score after every step", output.readout.value, "read membrane_sum")
    return np.asarray(_membrane(graph, trace, name).cumsum(axis=1))


def needs_states(graph: Graph) -> bool:
    """Whether an Output of `graph` reads membrane potentials."""
    return any(output.readout is not Readout.SPIKE_COUNT for output in graph.of_kind(Output))


def predictions(found: Array) -> Ints:
    """Class of the largest score, the lowest index among equals, (batch,)."""
    return np.asarray(found.argmax(axis=1))


def accuracy(found: Array, labels: Ints) -> float:
    """Share of samples whose prediction is the label."""
    return float((predictions(found) == labels).mean())


def _membrane(graph: Graph, trace: Trace, name: str) -> Reals:
    """Membrane potential (batch, steps, neurons) as the source recorded it."""
    node = graph[name]
    assert isinstance(node, Neuron | Population)

    def flat(value: NDArray[D]) -> NDArray[D]:
        return broadcast(value, node.shape).reshape(1, 1, -1)

    v = trace.v[name].astype(np.float64)
    if node.record_before_reset:
        v = v + trace.spikes[name] * flat(node.reset_amount)
    unit = node.lsb if isinstance(node, Population) else node.unit
    if graph.level is Level.IMPORTED:
        return v
    return v * flat(unit) + flat(node.origin)
