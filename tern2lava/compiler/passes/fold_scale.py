"""Pass: scales leave the synapses for the thresholds and biases of the neurons they feed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from tern2lava.compiler.ir import Array, Compare, Graph, Neuron, Node, Projection, compact, size
from tern2lava.compiler.linear import target_shape


def fold_scale(graph: Graph) -> Graph:
    """The graph with every neuron measured in units of its first projection's scale s, codes unchanged.

    threshold, bias, bias_u, v_init and reset_amount are divided by s (of the neuron's channel where scales are per
    channel) and unit is multiplied by it; the scale of a further projection becomes its ratio to s. Exact in real
    numbers; the threshold's quotient is rounded away from the values that must not cross it (down for >, up for >=),
    so that no integer sum of codes changes sides.
    """
    scales: dict[str, Array] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Neuron) and node.inputs:
            projections = [p for name in node.inputs if isinstance(p := graph[name], Projection)]
            s = projections[0].scale
            for projection in projections:
                scales[projection.name] = projection.scale / s
            nodes.append(_divided(node, _on_shape(s, projections[0], node)))
        else:
            nodes.append(node)
    return graph.with_nodes(
        replace(n, scale=scales[n.name]) if isinstance(n, Projection) and n.name in scales else n for n in nodes
    )


def _on_shape(scale: Array, projection: Projection, neuron: Neuron) -> Array:
    """A scale () or (out,) shaped to broadcast to the neuron's shape."""
    if scale.ndim == 0:
        return scale
    if len(neuron.shape) == 1:
        return np.repeat(scale, size(target_shape(projection)) // scale.shape[0])
    if target_shape(projection) == neuron.shape:
        return scale.reshape(-1, *([1] * (len(neuron.shape) - 1)))
    return np.repeat(scale, size(neuron.shape) // scale.shape[0]).reshape(neuron.shape)


def _divided(neuron: Neuron, s: Array) -> Neuron:
    return replace(
        neuron,
        threshold=compact(divide(neuron.threshold, s, up=neuron.compare is Compare.GE), neuron.shape),
        bias=compact(neuron.bias / s, neuron.shape),
        bias_u=compact(neuron.bias_u / s, neuron.shape),
        v_init=compact(neuron.v_init / s, neuron.shape),
        reset_amount=compact(neuron.reset_amount / s, neuron.shape),
        unit=neuron.unit * s,
    )


def divide(a: Array, b: Array, *, up: bool) -> Array:
    """a / b as the largest float64 not above the exact quotient (`up`: the smallest not below it), element by element.

    A correctly rounded quotient can land on an integer that the exact one only comes near to; this one cannot cross.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    pairs, where = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1, return_inverse=True)
    quotients = pairs[0] / pairs[1]
    for i, quotient in enumerate(quotients):
        product, wanted = Fraction(quotient) * Fraction(pairs[1, i]), Fraction(pairs[0, i])
        if pairs[1, i] < 0:
            product, wanted = -product, -wanted
        if up and product < wanted:
            quotients[i] = np.nextafter(quotient, np.inf)
        elif not up and product > wanted:
            quotients[i] = np.nextafter(quotient, -np.inf)
    result: Array = quotients[where.ravel()].reshape(a.shape)
    return result
