"""Pass: real weights become integer codes times a scale."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Level, Neuron, Node, Projection
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.recognise_ternary import (
    LARGEST_CODE,
    TOLERANCE,
    CodedWeight,
    asymmetric_scales,
    recognise,
    recognise_whole,
    rounded,
    split_scales,
    twn,
    wider_integers,
)
from tern2lava.errors import UnsupportedError
from tern2lava.findings import alone, replaced

_RANGE = f"from {-LARGEST_CODE - 1} to {LARGEST_CODE}"


def ternarize(graph: Graph, options: Options) -> Graph:
    """The TERNARY graph: every weight is codes * scale, scale of the tensor or of the output channel.

    Exact where the weights are that already (alpha * {-1, 0, 1}; sums of such weights give small integers). Into
    neurons that compute in integers the scale is a power of two where that is possible (recognise_whole). A layer with
    two scales, as +a and -b, or with scales for blocks of its inputs becomes one projection for each, exactly
    (ternary.split_scales). Other weights are rounded after training where options.ternarize says so ("twn": to codes
    in {-1, 0, 1}, layers trained with wider integers too; "int8": to 8 bits), the relative error noted. Raises
    UnsupportedError for weights that are neither, with their distance from ternary.
    """
    notes: list[str] = []
    refused: set[str] = set()
    whole = {name for neuron in graph.of_kind(Neuron) if neuron.quantum is not None for name in neuron.inputs}
    taken = {node.name for node in graph.nodes}
    coded = {
        node.name: _coded(node, options, notes, taken, refused, whole=node.name in whole)
        for node in graph.nodes
        if isinstance(node, Projection)
    }
    nodes: dict[str, Node] = {}
    for node in graph.nodes:
        for each in coded.get(node.name, (node,)):
            nodes[each.name] = each
    for neuron in graph.of_kind(Neuron):
        parts = tuple(each for name in neuron.inputs for each in coded[name])
        if not refused.isdisjoint(neuron.inputs):
            replaced(neuron.name)
        neuron = replace(neuron, inputs=tuple(each.name for each in parts))
        if neuron.quantum is not None and any(_off_grid(each, neuron.quantum) for each in parts):
            neuron = replace(neuron, quantum=None)
            notes.append(f"{neuron.name}: its new weights are no whole numbers; read as real dynamics from here on")
        nodes[neuron.name] = neuron
    return graph.with_nodes(nodes.values(), level=Level.TERNARY, notes=notes)


def _off_grid(projection: Projection, quantum: Reals) -> bool:
    """Whether a projection's scale is no multiple of the integers in which its neuron computes."""
    steps = projection.scale.reshape(-1, 1) / quantum.reshape(1, -1)
    return bool(np.any(steps != np.rint(steps)))


def _coded(
    node: Projection, options: Options, notes: list[str], taken: set[str], refused: set[str], *, whole: bool
) -> tuple[Projection, ...]:
    found = recognise_whole(node.weight) if whole else recognise(node.weight)
    # +5 and -3 times a scale are integers too, but a layer trained with them was meant to be ternary.
    wider = found is not None and found.bits > 2 and node.weight.size == node.source_weights
    parts = None
    if not whole and (found is None or (wider and asymmetric_scales(node.weight) is not None)):
        parts = split_scales(node.weight)
    if parts is not None:
        return _split(node, parts, notes, taken)
    if found is not None and not (wider and options.ternarize == "twn"):
        _note_rounding(node, found.deviation, notes)
        if found.bits > 2:
            notes.append(f"{node.name}: codes are integers of {found.bits} bits, not ternary")
    elif options.ternarize == "twn":
        found = twn(node.weight)
        notes.append(f"{node.name}: ternarised after training (TWN), relative error {found.deviation:.3f}")
    elif options.ternarize == "int8":
        found = rounded(node.weight)
        notes.append(
            f"{node.name}: kept at {found.bits} bits, rounded after training, relative error {found.deviation:.2e}"
        )
    else:
        with alone():
            raise _refusal(node)
        # Where refusals are collected: what follows sees the nearest codes.
        found = twn(node.weight)
        refused.add(node.name)
    return (replace(node, weight=found.codes, scale=found.scale, bits=found.bits),)


def _note_rounding(node: Projection, deviation: float, notes: list[str]) -> None:
    if deviation > 0:
        notes.append(
            f"{node.name}: weights within {deviation:.1e} of scale x integers taken as such "
            f"(float rounding, limit {TOLERANCE:.1e})"
        )


def _split(
    node: Projection, parts: tuple[CodedWeight, ...], notes: list[str], taken: set[str]
) -> tuple[Projection, ...]:
    """One projection for each part: the first keeps the name, the others have a number."""
    _note_rounding(node, max(each.deviation for each in parts), notes)
    many = len(parts)
    notes.append(f"{node.name}: weights of {many} scales, kept exactly as {many} groups of ternary synapses")
    trained = node.source_weights or int(node.weight.size)
    result: list[Projection] = []
    for each in reversed(parts[1:]):
        name = next(n for k in count(2) if (n := f"{node.name}_{k}") not in taken)
        taken.add(name)
        own = max(1, min(int(np.count_nonzero(each.codes)), trained - len(parts)))
        trained -= own
        result.append(replace(node, name=name, weight=each.codes, scale=each.scale, bits=2, source_weights=own))
    first = replace(node, weight=parts[0].codes, scale=parts[0].scale, bits=2, source_weights=max(1, trained))
    return (first, *result)


def _refusal(node: Projection) -> UnsupportedError:
    hint = (
        "round it to 8 bits (--ternarize int8) or ternarise it (--ternarize twn): either changes the network, by the "
        "error that is reported"
    )
    wider = wider_integers(node.weight)
    if wider is not None:
        low, high, scale = wider
        found = f"{scale:g} times integers from {low:,} to {high:,}"
        return UnsupportedError(node.name, f"weights that are a scale times integers of 8 bits, {_RANGE}", found, hint)
    levels = np.unique(node.weight).size
    found = (
        f"{levels:,} different values, relative distance {twn(node.weight).deviation:.3f} from the nearest TWN codes"
    )
    rule = f"weights that are a scale times {{-1, 0, 1}}, or times integers {_RANGE}"
    return UnsupportedError(node.name, rule, found, hint)
