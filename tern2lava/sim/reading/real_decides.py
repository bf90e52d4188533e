"""The float model's run: what was trained, in real numbers, where a framework's rounding decides nothing.

A weight of 1 / 3 in float32 is 0.33333334. Three of them meet a threshold of 1 in a framework, whose sum rounds to 1,
and exceed it in float64, whose does not. So two runs are made: of the graph as imported, and of its real dynamics, in
which weights are codes and a threshold is 3 of them (passes/fold_scale.meant). Where they spike alike there is one
float model. Where they do not, and the rounding of the weights' own precision explains every difference
(compare.py, with the second run in the place of the recorded one), the second is the float model, for it has no
such rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Conv2d, Dense, Graph
from tern2lava.compiler.ir.shapes import Spikes
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reading.oracle import Oracle
from tern2lava.sim.reading.run import read
from tern2lava.sim.reference.real import run_float


@dataclass(frozen=True, eq=False, kw_only=True)
class FloatRun:
    """A run of the float model: the graph that made it, its trace, and in how many neuron-timesteps float64 rounds a
    potential to the other side of its threshold than the numbers that are meant."""

    graph: Graph
    trace: Trace
    ties: int = 0


def run_float_model(imported: Graph, real: Graph, folded: Trace, inputs: Mapping[str, Spikes]) -> FloatRun:
    """The float model on `inputs`. real, folded: the TERNARY graph after fold_scale and its trace."""
    plain = run_float(imported, inputs)
    if plain.spikes.keys() != folded.spikes.keys():
        return FloatRun(graph=imported, trace=plain)
    ties = sum(int(np.count_nonzero(plain.spikes[name] != folded.spikes[name])) for name in plain.spikes)
    if not ties or _misread(imported, folded, inputs):
        return FloatRun(graph=imported, trace=plain)
    return FloatRun(graph=real, trace=folded, ties=ties)


def _misread(imported: Graph, folded: Trace, inputs: Mapping[str, Spikes]) -> bool:
    """Whether more than rounding lies between the imported graph and the folded run."""
    oracle = Oracle(spikes=folded.spikes, v={}, dtype="float32" if _single(imported) else "float64")
    return read(imported, inputs, oracle).misreadings > 0


def _single(graph: Graph) -> bool:
    """Whether all weights of the network are numbers of float32."""
    weights = [node.weight for node in graph.nodes if isinstance(node, Dense | Conv2d)]
    return all(np.array_equal(weight.astype(np.float32), weight) for weight in weights)
