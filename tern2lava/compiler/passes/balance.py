"""Channels measured in units of their own, so that a layer's integers have as many bits for each.

A channel whose weights' scale is small against its inputs reaches far in units of that scale, and a unit that holds it
leaves the other channels of its layer few bits. Where a target has a gain for each channel, potentials of each may be
measured in their own units, powers of two apart: the same real network.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Neuron, Projection
from tern2lava.compiler.ir.linear import target_shape
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.compiler.passes.fold_scale import divided


def balanced(graph: Graph, neuron: Neuron, reach: Reals) -> tuple[Graph, Reals] | None:
    """(`graph` with `neuron` and its projections in units of each channel's own, these units for each neuron), so that
    all channels reach equally far within a factor of two; None where they do, or where units are shared.

    reach: how far the potentials of each neuron go, flat."""
    projections = graph.projections(neuron.inputs)
    if neuron.quantum is not None or any(target_shape(p) != neuron.shape for p in projections):
        return None
    furthest = reach.reshape(neuron.shape[0], -1).max(axis=1)
    moving = furthest[furthest > 0]
    if moving.size == 0:
        return None
    units = np.exp2(np.rint(np.log2(np.where(furthest > 0, furthest, np.median(moving)) / np.median(moving))))
    if units.max() == units.min():
        return None
    on_shape = units.reshape(-1, *([1] * (len(neuron.shape) - 1)))
    changed: dict[str, Neuron | Projection] = {p.name: replace(p, scale=p.scale / units) for p in projections}
    changed[neuron.name] = divided(neuron, on_shape)
    rewritten = graph.with_nodes(changed.get(node.name, node) for node in graph.nodes)
    return rewritten, np.broadcast_to(on_shape, neuron.shape).reshape(-1)
