"""How layers are read: the Outputs of a graph, and integrators behind linear layers that no neurons follow."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tern2lava.compiler.ir.graph import Input, Neuron, Node, Output, Readout
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.counts import count
from tern2lava.errors import UnsupportedError

if TYPE_CHECKING:
    from tern2lava.frontends.builder import GraphBuilder


@dataclass(frozen=True, eq=False, kw_only=True)
class ReadAs:
    """A layer that is read, and how scores are formed of it (ir.Output); readout None: as it is usual for the layer."""

    layer: str
    readout: Readout | None = None
    classes: Reals | None = None
    step_weights: Reals | None = None
    offset: Reals | None = None


def formed_by_host(output: Output) -> str:
    """What the host computes of what the output population gives, beyond counts or potentials; empty where nothing."""
    parts = []
    if output.readout.in_each_step:
        word = "softmaxes" if output.readout is Readout.MEMBRANE_SOFTMAX else "votes for the largest"
        parts.append(f"{word} of each step, added up")
    if output.classes is not None:
        classes, neurons = output.classes.shape
        parts.append(f"{count(neurons, 'neuron')} combined into {count(classes, 'score')}")
    if output.step_weights is not None:
        each = f"a weight for each of {len(output.step_weights):,} steps" if output.step_weights.ndim else "one factor"
        parts.append(each)
    if output.offset is not None:
        parts.append("an offset added")
    return ", ".join(parts)


def add_output(builder: GraphBuilder, read: ReadAs, where: object) -> None:
    """An Output that reads a layer, a linear one by an integrator of its own. UnsupportedError where a layer has no
    potential to be read, or no spikes to be counted."""
    last = next(node for node in builder.nodes if node.name == read.layer)
    population, readout = last.name, read.readout
    if not isinstance(last, Neuron):
        population, readout = _summed(builder, last, read, where)
    elif last.integrates and readout is None:
        readout = Readout.MEMBRANE_LAST
        builder.notes.append(f"{last.name}: potentials are read at the last step (else: say a readout)")
    free = next(
        name
        for name in itertools.chain(["output"], (f"output_{n}" for n in itertools.count(1)))
        if name not in builder.shape
    )
    found = Output(
        name=free, inputs=(population,), readout=readout or Readout.SPIKE_COUNT, classes=read.classes,
        step_weights=read.step_weights, offset=read.offset,
    )  # fmt: skip
    builder.add(found, where)
    told = formed_by_host(found)
    if told:
        builder.notes.append(f"{free}: the host forms scores from {population}: {told}")


def _summed(builder: GraphBuilder, last: Node, read: ReadAs, where: object) -> tuple[str, Readout]:
    """The integrator that a linear layer's outputs y_t are read by, and how: their sum (of readout None and
    membrane_sum), the last, the largest, or what else is formed of them in each step."""
    if isinstance(last, Input) or not any(isinstance(node, Neuron) for node in builder.nodes):
        raise UnsupportedError(
            last.name, "a network that ends in neurons, or in a linear layer behind some", type(last).__name__,
            "put a neuron layer before it",
        )  # fmt: skip
    if read.readout is Readout.SPIKE_COUNT:
        raise UnsupportedError(
            last.name, "spikes to be counted", f"a {type(last).__name__} without neurons, whose outputs are numbers",
            "read membrane_sum (the sum of its outputs over the steps), membrane_last (its last output) or "
            "membrane_max",
        )  # fmt: skip
    weighted = read.step_weights is not None and read.step_weights.ndim > 0
    sums = read.readout in (None, Readout.MEMBRANE_SUM) and not weighted
    kind = "sum" if sums else "read"
    name = next(n for i in itertools.count(1) if (n := f"{last.name}.{kind}{i if i > 1 else ''}") not in builder.shape)
    builder.integrator(name, (last.name,), where, alpha_v=np.full((), float(sums)))
    what = "sums its outputs over the steps" if sums else "holds its output of each step"
    if sums and read.readout is None:
        what += ", which is what is read (else: say a readout)"
    builder.notes.append(f"{last.name} has no neurons: {name}, an integrator without a threshold, {what}")
    return name, Readout.MEMBRANE_LAST if sums else read.readout or Readout.MEMBRANE_SUM
