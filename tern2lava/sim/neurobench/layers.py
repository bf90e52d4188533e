"""The layers of a network as NeuroBench sees them: what enters each, and how many synapses each input value meets.

NeuroBench (neurobench 2.3, metrics/) hooks into linear and convolution modules; here they are Dense and Conv2d nodes
of the graph as imported. What enters a layer is computed from the spikes of all populations, which come from a run
of the integers: every layer between (pooling, flattening, delays, sums) is executed in float64 on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.ir.check import shapes
from tern2lava.compiler.ir.graph import Conv2d, Dense, Graph, Input, Neuron, Node, Output, Projection
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Reals, Spikes, frozen, size
from tern2lava.errors import UnsupportedError
from tern2lava.sim.reference.real import RealRun
from tern2lava.sim.verify.adjoint import votes


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """A linear or convolution layer: how many of its weights there are and are zero, and for every value that enters it
    (flattened) how many synapses it meets whose weight is not zero (effective), and how many in all, without those into
    padding."""

    name: str
    weights: int
    zeros: int
    effective: Reals
    synapses: Reals


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """The layers with weights of an IMPORTED graph, in its order."""
    known = shapes(graph)
    return tuple(
        Layer(
            name=node.name, weights=int(node.weight.size), zeros=int(np.count_nonzero(node.weight == 0)),
            effective=_met(node, node.weight != 0, known), synapses=_met(node, np.ones_like(node.weight, bool), known),
        )
        for node in _weighted(graph)
    )  # fmt: skip


def _weighted(graph: Graph) -> tuple[Dense | Conv2d, ...]:
    return tuple(node for node in graph.nodes if isinstance(node, Dense | Conv2d))


def _met(node: Dense | Conv2d, counted: Array, known: Mapping[str, tuple[int, ...]]) -> Reals:
    """For every value that enters the layer, the synapses that it meets of those that are `counted`."""
    if isinstance(node, Dense):
        return np.asarray(counted.sum(axis=0), np.float64)
    before, behind = known[node.inputs[0]], known[node.name]
    geometry = ConvGeometry(
        in_shape=(before[0], before[1], before[2]), out_shape=(behind[0], behind[1], behind[2]), stride=node.stride,
        padding=node.padding, dilation=node.dilation, groups=node.groups,
    )  # fmt: skip
    projection = Projection(name=node.name, inputs=node.inputs, weight=frozen(counted, np.int8), geometry=geometry)
    found: Reals = votes(projection, np.ones((1, size(behind))), size(before))[0]
    return found


class Entering:
    """What enters the layers of an IMPORTED graph where its populations spike as they are told."""

    def __init__(self, graph: Graph) -> None:
        self.neurons = graph.of_kind(Neuron)
        self.graph = graph.with_nodes(_as_input(node) for node in graph.nodes if not isinstance(node, Output))

    def values(self, inputs: Mapping[str, Spikes], spikes: Mapping[str, Spikes]) -> dict[str, Reals]:
        """(samples, steps, values) by layer. inputs: (samples, steps, *shape); spikes: (samples, steps, neurons) of
        every population. Raises UnsupportedError where the run has no such population."""
        for node in self.neurons:
            found = spikes.get(node.name)
            if found is None or found.shape[2] != size(node.shape):
                raise UnsupportedError(
                    node.name, "the program has the populations of the network as imported", "another",
                    "measure the bundle of a network whose layers stay what they are",
                )  # fmt: skip
        own = {node.name: spikes[node.name] for node in self.neurons}
        run = RealRun(self.graph, len(next(iter(inputs.values()))))
        run.advance({**inputs, **own}, states=False)
        return {node.name: _flat(run.entering(node)) for node in _weighted(self.graph)}


def _as_input(node: Node) -> Node:
    return Input(name=node.name, shape=node.shape, levels=emitted_range(node)) if isinstance(node, Neuron) else node


def _flat(values: Reals) -> Reals:
    return values.reshape(*values.shape[:2], -1)
