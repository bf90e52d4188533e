"""Class scores and predictions from a trace, as the network's Output says: the one place where scores are formed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Graph, Level, Neuron, Output, Population, Readout
from tern2lava.compiler.ir.shapes import Array, D, Ints, Reals, broadcast
from tern2lava.counts import count
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.sim.data.trace import Trace


def scores(graph: Graph, trace: Trace, output: Output | None = None) -> Array:
    """Scores (batch, classes) of an Output, the first one by default, for any graph that made `trace`.

    In the source's units (ir.Output has the equations); of spikes whole numbers, int64, where all that they are
    multiplied by is. Raises InputError where the trace has another number of steps than step_weights.
    """
    chosen = output or graph.of_kind(Output)[0]
    return scores_of(chosen, read(graph, trace, chosen))


def all_scores(graph: Graph, trace: Trace) -> dict[str, Array]:
    """The scores of every Output, by its name."""
    return {output.name: scores(graph, trace, output) for output in graph.of_kind(Output)}


def running_scores(graph: Graph, trace: Trace) -> Array:
    """Scores after every step of the first Output, (batch, steps, classes), for a readout that sums over the steps.

    Raises UnsupportedError for membrane_last and membrane_max.
    """
    output = graph.of_kind(Output)[0]
    if output.readout in (Readout.MEMBRANE_LAST, Readout.MEMBRANE_MAX):
        raise UnsupportedError(output.name, "a score after every step", output.readout.value, "read membrane_sum")
    values = weighted(output, read(graph, trace, output))
    if output.readout.in_each_step:
        return np.asarray(values.cumsum(axis=1))
    return by_class(output, values.cumsum(axis=1, dtype=np.int64 if values.dtype.kind in "iu" else None))


def read(graph: Graph, trace: Trace, output: Output) -> Array:
    """What an Output reads, (batch, steps, neurons): spikes, or potentials in the source's units."""
    name = output.inputs[0]
    return trace.spikes[name] if output.readout is Readout.SPIKE_COUNT else potentials(graph, trace, name)


def scores_of(output: Output, values: Array) -> Array:
    """Scores (batch, classes) of what an Output has read, `values` (batch, steps, neurons)."""
    if output.readout is Readout.MEMBRANE_LAST:
        return by_class(output, weighted(output, values[:, -1:])[:, 0])
    values = weighted(output, values)
    if output.readout is Readout.MEMBRANE_MAX:
        return by_class(output, values[:, counted_steps(output, values.shape[1])].max(axis=1))
    total = values.sum(axis=1, dtype=np.int64 if values.dtype.kind in "iu" else None)
    return np.asarray(total) if output.readout.in_each_step else by_class(output, total)


def weighted(output: Output, values: Array) -> Array:
    """Each step's values times its weight; where scores are formed in each step, these times its weight."""
    if output.readout.in_each_step:
        values = votes(output, by_class(output, values))
    if output.step_weights is None:
        return values
    check_steps(output, values.shape[1])
    weights = output.step_weights
    if values.dtype.kind in "iu":
        values, weights = values.astype(np.int64), _whole(weights)
    return np.asarray(values * (weights if weights.ndim == 0 else weights[:, None]))


def by_class(output: Output, values: Array) -> Array:
    """classes @ values + offset along the last axis."""
    whole = values.dtype.kind in "iu"
    if output.classes is not None:
        values = values @ (_whole(output.classes) if whole else output.classes).T
    if output.offset is not None:
        values = values + (_whole(output.offset) if whole else output.offset)
    return np.asarray(values)


def reach(output: Output, values: Array) -> Reals:
    """What scores would be if nothing cancelled, (batch, classes): rounding moves sums by a share of it."""
    kept = output.readout if output.readout is Readout.MEMBRANE_LAST else Readout.MEMBRANE_SUM
    return scores_of(replace(_positive(output), readout=kept), np.abs(np.asarray(values, np.float64)))


def reach_of_steps(output: Output, values: Array) -> Reals:
    """The same of what scores are formed of in each step, (batch, steps, classes)."""
    return by_class(_positive(output), np.abs(np.asarray(values, np.float64)))


def _positive(output: Output) -> Output:
    return replace(
        output,
        classes=None if output.classes is None else np.abs(output.classes),
        offset=None if output.offset is None else np.abs(output.offset),
        step_weights=None if output.step_weights is None else np.abs(output.step_weights),
    )


def votes(output: Output, values: Reals) -> Reals:
    """What the classes of each step are given for `values` (batch, steps, classes): the softmax over the classes, or 1
    for the largest and 0 for the others."""
    if output.readout is Readout.MEMBRANE_ARGMAX:
        return np.asarray(values.argmax(axis=-1)[..., None] == np.arange(values.shape[-1]), np.float64)
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def counted_steps(output: Output, steps: int) -> Ints:
    """The numbers of the steps that a maximum is taken of."""
    weights = np.ones(()) if output.step_weights is None else output.step_weights
    return np.flatnonzero(np.broadcast_to(weights != 0, (steps,)))


def check_steps(output: Output, steps: int, where: object = None) -> None:
    """Raise InputError where `output` has a weight for each of another number of steps."""
    weights = output.step_weights
    if weights is not None and weights.ndim and len(weights) != steps:
        raise InputError(
            where or output.name,
            f"requires samples of {count(len(weights), 'step')}, for each of which its readout has a weight; found "
            f"{count(steps, 'step')}; give samples of as many, or a readout with one weight for all steps",
        )


def needs_states(graph: Graph) -> bool:
    """Whether an Output of `graph` reads membrane potentials."""
    return any(output.readout is not Readout.SPIKE_COUNT for output in graph.of_kind(Output))


def predictions(found: Array) -> Ints:
    """Class of the largest score, the lowest index among equals, (batch,)."""
    return np.asarray(found.argmax(axis=1))


def accuracy(found: Array, labels: Ints) -> float:
    """Share of samples whose prediction is the label."""
    return float((predictions(found) == labels).mean())


def _whole(numbers: Reals) -> Array:
    """`numbers` as int64 where all are whole, for counts of spikes to stay so."""
    whole = numbers == np.rint(numbers)
    return numbers.astype(np.int64) if whole.all() and (np.abs(numbers) < 1 << 31).all() else numbers


def potentials(graph: Graph, trace: Trace, name: str) -> Reals:
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
