"""Recorded class scores held against the readout of the recorded run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Output, Readout
from tern2lava.compiler.ir.shapes import Array, Bools, Reals
from tern2lava.sim.data.readout import by_class, reach, reach_of_steps, read
from tern2lava.sim.data.readout import scores as read_out
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reading.compare import ScoreReading
from tern2lava.sim.reading.precision import Precision


@dataclass(frozen=True, eq=False, kw_only=True)
class OutputRun:
    """What the output population did: spikes (samples, steps, neurons); v, the float model's potentials after each
    step, and their errors (None: the readout needs none); known: samples in which no unrecorded spike is in doubt."""

    output: Output
    spikes: Array
    v: Reals | None
    error: Reals | None
    known: Bools


def read_scores(graph: Graph, run: OutputRun, recorded: Reals, precision: Precision, begin: int) -> ScoreReading:
    """The scores `recorded` (samples, classes) against the readout of `run`, equal or up to one positive factor.

    begin: the number of the first sample.
    """
    name, known = run.output.inputs[0], run.known
    count, left = int(np.count_nonzero(known)), int(np.count_nonzero(~known))
    trace = Trace(spikes={name: run.spikes}, v={} if run.v is None else {name: run.v})
    found = read_out(graph, trace, run.output)
    mine, mine_whole = found.astype(np.float64), found.dtype.kind in "iu"
    theirs = np.asarray(recorded, np.float64).reshape(len(run.spikes), -1)
    if theirs.shape != mine.shape:
        why = (
            f"scores of {theirs.shape[1]} classes were recorded, the readout gives {mine.shape[1]} (one for each "
            f"{'neuron' if run.output.classes is None else 'class'} of {name})"
        )
        return ScoreReading(samples=count, misread=count, left_out=left, why=why)
    room = _error(graph, run, trace, mine) + _rounding(graph, run, trace, mine, precision)
    for factor in (1.0, _factor(mine[known], theirs[known])):
        # Counts of spikes are held exactly; a factor is rounded.
        counts = factor == 1.0 and run.v is None and precision.bits >= 24 and mine_whole
        wrong = known & (np.abs(theirs - factor * mine) > (0.0 if counts else factor * room)).any(axis=1)
        if not wrong.any():
            return ScoreReading(samples=count, factor=factor, left_out=left)
    wrong = known & (np.abs(theirs - mine) > room).any(axis=1)
    misread = int(np.count_nonzero(wrong))
    sample = begin + int(np.flatnonzero(wrong)[0])
    why = (
        f"scores of {misread:,} of {count:,} samples are not {run.output.readout.value} of {name}, the first of sample "
        f"{sample} (say the readout that the classes are read with, or record what makes them: docs/oracle.md)"
    )
    return ScoreReading(samples=count, misread=misread, left_out=left, why=why)


def _error(graph: Graph, run: OutputRun, trace: Trace, scores: Reals) -> Reals:
    """The error of the scores that the potentials' errors leave."""
    if run.error is None:
        return np.zeros(scores.shape)
    output = run.output
    size = None if output.classes is None else np.abs(output.classes).T
    classes = run.error if size is None else run.error @ size
    weight = np.abs(np.ones(()) if output.step_weights is None else output.step_weights)
    each = weight if weight.ndim == 0 else weight[:, None]
    if output.readout.in_each_step:
        values = by_class(output, read(graph, trace, output))
        return np.asarray((each * _vote_error(output, values, classes)).sum(axis=1))
    match output.readout:
        case Readout.MEMBRANE_LAST:
            return np.asarray(classes[:, -1] * weight)
        case Readout.MEMBRANE_MAX:
            largest = (each * run.error).max(axis=1)
            return np.asarray(largest if size is None else largest @ size)
        case _:
            return np.asarray((each * classes).sum(axis=1))


def _vote_error(output: Output, values: Reals, error: Reals) -> Reals:
    """The error of what the classes of each step are given for `values` (batch, steps, classes) within `error`."""
    if output.readout is Readout.MEMBRANE_SOFTMAX:
        # A softmax moves by half the largest move at most: the rows of its derivative add up to 2 p (1 - p).
        return np.asarray(np.broadcast_to(np.minimum(0.5 * error.max(axis=-1, keepdims=True), 1.0), values.shape))
    near = values + error >= (values - error).max(axis=-1, keepdims=True)
    return np.asarray(near & (near.sum(axis=-1, keepdims=True) > 1), np.float64)


def _rounding(graph: Graph, run: OutputRun, trace: Trace, scores: Reals, precision: Precision) -> Reals:
    """What rounding can move in the sums that a framework forms scores by."""
    output, values = run.output, read(graph, trace, run.output)
    terms = float(values.shape[1]) + 2.0
    if output.plain and not output.readout.in_each_step:
        size = np.abs(scores) if run.v is None else np.abs(values).sum(axis=1)
        return precision.of_sum(np.asarray(terms), size)
    if output.readout.in_each_step:
        sizes = reach_of_steps(output, values)
        moved = precision.of_sum(np.asarray(values.shape[2] + 3.0), sizes)
        votes_moved = _vote_error(output, by_class(output, values), moved)
        weight = np.abs(np.ones(()) if output.step_weights is None else output.step_weights)
        total = ((weight if weight.ndim == 0 else weight[:, None]) * votes_moved).sum(axis=1)
        return np.asarray(total + precision.of_sum(np.asarray(terms + 8.0), np.abs(scores)))
    return precision.of_sum(np.asarray(terms + values.shape[2] + 2.0), reach(output, values))


def _factor(mine: Reals, theirs: Reals) -> float:
    """The positive number that `mine` times it comes nearest to `theirs`; 1 where there is none."""
    square = float((mine * mine).sum())
    factor = float((mine * theirs).sum()) / square if square else 1.0
    return factor if factor > 0 else 1.0
