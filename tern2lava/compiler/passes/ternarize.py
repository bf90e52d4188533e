"""Pass: real weights become integer codes times a scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir import Array, Graph, Level, Neuron, Node, Projection
from tern2lava.compiler.options import Options
from tern2lava.compiler.ternary import TOLERANCE, asymmetric_scales, recognise, recognise_whole, twn
from tern2lava.errors import UnsupportedError


def ternarize(graph: Graph, options: Options) -> Graph:
    """The TERNARY graph: every weight is codes * scale, scale of the tensor or of the output channel.

    Exact where the weights are that already (alpha * {-1, 0, 1}; sums of such weights give small integers). Into
    neurons that compute in integers the scale is a power of two where that is possible (recognise_whole). Where
    options.ternarize is "twn", other weights are ternarised after training and the relative error noted. Raises
    UnsupportedError for weights that are neither, with their distance from ternary, and for a layer whose weights take
    two scales, +a and -b.
    """
    notes: list[str] = []
    whole = {
        name for neuron in graph.of_kind(Neuron) if neuron.quantum is not None for name in neuron.inputs
    }
    nodes = {
        node.name: _coded(node, options, notes, whole=node.name in whole) if isinstance(node, Projection) else node
        for node in graph.nodes
    }
    for neuron in graph.of_kind(Neuron):
        if neuron.quantum is not None and any(_off_grid(nodes[name], neuron.quantum) for name in neuron.inputs):
            nodes[neuron.name] = replace(neuron, quantum=None)
            notes.append(f"{neuron.name}: its new weights are no whole numbers; read as real dynamics from here on")
    return graph.with_nodes(nodes.values(), level=Level.TERNARY, notes=notes)


def _off_grid(node: Node, quantum: Array) -> bool:
    """Whether a projection's scale is no multiple of the integers in which its neuron computes."""
    assert isinstance(node, Projection)
    steps = node.scale.reshape(-1, 1) / quantum.reshape(1, -1)
    return bool(np.any(steps != np.rint(steps)))


def _coded(node: Projection, options: Options, notes: list[str], *, whole: bool) -> Node:
    found = recognise_whole(node.weight) if whole else recognise(node.weight)
    # +5 and -3 times a scale are integers too, but a layer trained with them was meant to be ternary.
    as_trained = node.weight.size == node.source_weights
    if found is not None and found.bits > 2 and as_trained and asymmetric_scales(node.weight) is not None:
        found = None
    if found is not None:
        if found.deviation > 0:
            notes.append(
                f"{node.name}: weights within {found.deviation:.1e} of scale x integers taken as such "
                f"(float rounding, limit {TOLERANCE:.1e})"
            )
        if found.bits > 2:
            notes.append(f"{node.name}: codes are integers of {found.bits} bits, not ternary")
    elif options.ternarize == "twn":
        found = twn(node.weight)
        notes.append(f"{node.name}: ternarised after training (TWN), relative error {found.deviation:.3f}")
    else:
        raise _refusal(node)
    return replace(node, weight=found.codes, scale=found.scale, bits=found.bits)


def _refusal(node: Projection) -> UnsupportedError:
    rule = "weights are a scale times {-1, 0, 1}"
    pair = asymmetric_scales(node.weight)
    if pair is not None:
        return UnsupportedError(
            node.name,
            rule,
            f"two scales, +{pair[0]:.6g} and -{pair[1]:.6g}",
            "train with one symmetric scale, or ask for --ternarize twn and read the error it reports",
        )
    levels = np.unique(node.weight).size
    return UnsupportedError(
        node.name,
        rule,
        f"{levels:,} different values, relative distance {twn(node.weight).deviation:.3f} from the nearest TWN codes",
        "train the layer with ternary weights, or ask for --ternarize twn and read the error it reports",
    )
