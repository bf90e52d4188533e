"""The outputs of a traced graph: what the forward returns, as layers that are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Identity, Input, Neuron, Readout
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.modules.trace.over_steps import NotReadError
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.returned import Returned
from tern2lava.frontends.modules.trace.sums import Read, how_read
from tern2lava.frontends.outputs import ReadAs

Emit = Callable[[int], str]
"""The name of the node of an expression, which is added where there is none."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Chosen:
    """A layer that is read for what the forward returns at `path`. whole: the forward returns it for each step, and the
    scores are their sum; ends: functions of the scores that it returns instead, the outermost first."""

    path: str
    layer: ReadAs
    whole: bool
    ends: tuple[str, ...]


def choose(
    recorder: Recorder, returned: Sequence[Returned], builder: GraphBuilder, emit: Emit, source: str, notes: list[str]
) -> list[Chosen]:
    """What is read, with the layers that it takes added; `notes` is told how. Raises UnsupportedError where the first
    tensor that is returned is no readout."""
    found: list[Chosen] = []
    for item in returned:
        name = f"what the forward returns{f' as {item.path}' if item.path else ''}"
        try:
            read = how_read(recorder, item.symbol)
        except NotReadError as error:
            if not found:
                raise UnsupportedError(
                    source, "a forward that returns what a readout can be (docs/readouts.md)", f"{name}: {error}",
                    "choose readout=... to read the last layer's spikes or potentials instead",
                ) from None  # fmt: skip
            notes.append(f"{name} is not read: {error}")
            continue
        if found and read.whole and not read.by_layer and read.readout is not Readout.SPIKE_COUNT:
            notes.append(f"{name} is not read: {_what(recorder, read)}, for each step")
            continue
        layer = _layer(read, builder, emit)
        notes.append(f"{name} is read: {_what(recorder, read)}{_how(read)}")
        found.append(Chosen(path=item.path, layer=layer, whole=read.whole, ends=read.ends))
    return found


def told_instead(recorder: Recorder, returned: Sequence[Returned], readout: Readout, layers: Sequence[str]) -> str:
    """A note on a readout that was asked for, where the forward returns something else; empty where it does not."""
    if not returned:
        return ""
    try:
        read = how_read(recorder, returned[0].symbol)
    except NotReadError as error:
        what = f"no readout of ours ({error})"
    else:
        if read.readout is readout and recorder.expressions[read.key].label in layers and read.classes is None:
            return ""
        what = f"{_what(recorder, read)}{_how(read)}"
    return f"{readout.value} of {', '.join(layers)} is read as asked; the forward returns something else: {what}"


def prune(builder: GraphBuilder, layers: Sequence[str], notes: list[str]) -> set[str]:
    """The names of the nodes that stay: those that nothing in `layers` depends on are left out, and `notes` told which
    neurons are among them."""
    nodes = {node.name: node for node in builder.nodes}
    needed, waiting = set[str](), list(layers)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += nodes[name].inputs
    kept = [node for node in builder.nodes if node.name in needed or isinstance(node, Input)]
    dropped = [node.name for node in builder.nodes if node not in kept and isinstance(node, Neuron)]
    if dropped:
        notes.append(f"{', '.join(dropped)}: nothing that is read depends on it, left out")
    builder.nodes[:] = kept
    return needed


def _layer(read: Read, builder: GraphBuilder, emit: Emit) -> ReadAs:
    """The layer that is read for `read`."""
    name = emit(read.key)
    neurons = isinstance(next(node for node in builder.nodes if node.name == name), Neuron)
    readout, weights = read.readout, _weights(read)
    if neurons and read.by_layer:
        # Spikes as numbers: a layer that passes them on, which an integrator reads.
        through = f"{name}.spikes"
        builder.add(Identity(name=through, inputs=(name,)), name)
        name = through
    return ReadAs(layer=name, readout=readout, classes=read.classes, step_weights=weights, offset=read.offset)


def _weights(read: Read) -> Reals | None:
    """The step weights as an Output has them: None for 1 in every step, () for one number."""
    weights = read.weights
    if read.readout is Readout.MEMBRANE_LAST:
        weights = weights[-1:]
    if (weights == weights[0]).all():
        return None if weights[0] == 1.0 else np.asarray(weights[0])
    return weights


def _what(recorder: Recorder, read: Read) -> str:
    label = recorder.expressions[read.key].label
    of = {
        Readout.SPIKE_COUNT: "spikes", Readout.MEMBRANE_LAST: "the last potential",
        Readout.MEMBRANE_MAX: "the largest potential", Readout.MEMBRANE_SUM: "potentials",
        Readout.MEMBRANE_ARGMAX: "votes by the potential", Readout.MEMBRANE_SOFTMAX: "softmaxes of the potential",
    }  # fmt: skip
    if read.by_layer:
        return f"outputs of {label}{', the last' if read.readout is Readout.MEMBRANE_LAST else ''}"
    return f"{of[read.readout]} of {label}"


def _how(read: Read) -> str:
    """How scores are formed, in words."""
    parts = []
    if read.whole:
        parts.append("for each step, here their sum over the steps")
    weights = _weights(read)
    if weights is not None and weights.ndim:
        parts.append("with weights over the steps")
    elif weights is not None:
        parts.append(f"times {float(weights):.6g}")
    if read.classes is not None:
        parts.append(f"combined into {len(read.classes)} classes")
    if read.offset is not None:
        parts.append("with an offset")
    for end in read.ends:
        parts.append(f"scores are those before {end}, which keeps their order")
    return "".join(f", {part}" for part in parts)
