"""Recorded class scores held against the readout of the recorded run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Output, Readout
from tern2lava.compiler.ir.shapes import Array, Bools, Reals
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
    mine = read_out(graph, trace, run.output).astype(np.float64)
    theirs = np.asarray(recorded, np.float64).reshape(len(run.spikes), -1)
    if theirs.shape != mine.shape:
        why = (
            f"scores of {theirs.shape[1]} classes were recorded, the readout gives {mine.shape[1]} (one for each "
            f"neuron of {name})"
        )
        return ScoreReading(samples=count, misread=count, left_out=left, why=why)
    weight = np.abs(mine) if run.v is None else np.abs(run.v).sum(axis=1)
    room = _error(run, mine) + precision.of_sum(np.asarray(run.spikes.shape[1] + 2.0), weight)
    for factor in (1.0, _factor(mine[known], theirs[known])):
        # Counts of spikes are held exactly; a factor is rounded.
        counts = factor == 1.0 and run.v is None and precision.bits >= 24
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


def _error(run: OutputRun, scores: Reals) -> Reals:
    """The error of the scores that the potentials' errors leave."""
    if run.error is None:
        return np.zeros(scores.shape)
    match run.output.readout:
        case Readout.MEMBRANE_LAST:
            return np.asarray(run.error[:, -1])
        case Readout.MEMBRANE_MAX:
            return np.asarray(run.error.max(axis=1))
        case _:
            return np.asarray(run.error.sum(axis=1))


def _factor(mine: Reals, theirs: Reals) -> float:
    """The positive number that `mine` times it comes nearest to `theirs`; 1 where there is none."""
    square = float((mine * mine).sum())
    factor = float((mine * theirs).sum()) / square if square else 1.0
    return factor if factor > 0 else 1.0
