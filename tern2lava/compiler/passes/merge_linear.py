"""Pass: everything linear between two populations becomes one Projection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.check import shapes
from tern2lava.compiler.ir.graph import Add, Conv2d, Delay, Dense, Graph, Input, Level, Neuron, Node, Output, Projection
from tern2lava.compiler.ir.shapes import Reals, Shape, broadcast, compact
from tern2lava.compiler.passes.compose_linear import apply, identity, offset, written_out
from tern2lava.errors import UnsupportedError
from tern2lava.findings import alone, replaced

_SOURCES = (Input, Neuron)


def merge_linear(graph: Graph) -> Graph:
    """The NORMAL graph: one Projection for each path of linear layers, its bias in the neuron it feeds.

    A path W2 (W1 x + b1) + b2 becomes (W2 W1) x + (W2 b1 + b2); several paths into one neuron are summed there.
    Where the neuron has no current memory (alpha_u = 0) its bias_u moves into bias. Exact in real numbers.
    Raises UnsupportedError for linear layers that have no common matrix or convolution (see compose.apply) and for an
    output that is not a population.
    """
    known = shapes(graph)
    taken = {node.name for node in graph.nodes if isinstance(node, Input | Neuron | Output)}
    nodes: list[Node] = []
    for node in graph.nodes:
        match node:
            case Input():
                nodes.append(node)
            case Neuron():
                with alone() as each:
                    projections, bias = _merge(graph, node, known, taken)
                    nodes.extend(projections)
                    nodes.append(_with_bias(replace(node, inputs=tuple(p.name for p in projections)), bias))
                if each.refused:
                    replaced(node.name)
                    nodes.append(replace(node, inputs=()))
            case Output():
                with alone():
                    _check_output(graph, node)
                nodes.append(node)
            case _:
                pass
    return graph.with_nodes(nodes, level=Level.NORMAL)


def _check_output(graph: Graph, node: Output) -> None:
    if len(node.inputs) != 1 or not isinstance(graph[node.inputs[0]], Neuron):
        raise UnsupportedError(
            node.name,
            "an output that reads one population of neurons",
            ", ".join(node.inputs) or "nothing",
            "end the network with a neuron layer (reset none for a membrane readout)",
        )


def _paths(graph: Graph, name: str, visiting: tuple[str, ...] = ()) -> list[tuple[str, list[Node]]]:
    """Every way back from `name` to a population: (its name, linear nodes from there on)."""
    node = graph[name]
    if isinstance(node, _SOURCES):
        return [(name, [])]
    if name in visiting:
        raise UnsupportedError(
            name, "a neuron layer in every loop", " -> ".join((*visiting, name)), "put a neuron layer into the loop"
        )
    return [
        (source, [*chain, node]) for given in node.inputs for source, chain in _paths(graph, given, (*visiting, name))
    ]


def _merge(graph: Graph, neuron: Neuron, known: dict[str, Shape], taken: set[str]) -> tuple[list[Projection], Reals]:
    projections: list[Projection] = []
    bias: Reals = np.zeros(neuron.shape)
    for given in neuron.inputs:
        bias = bias + _offset(graph, given, known).reshape(neuron.shape)
        for source, chain in _paths(graph, given):
            linear = identity(known[source])
            for node in chain:
                linear = apply(linear, node)
            linear = written_out(chain[-1].name if chain else source, linear)
            assert linear.weight is not None
            projections.append(
                Projection(
                    name=_name(chain, source, neuron.name, taken),
                    inputs=(source,),
                    weight=linear.weight,
                    geometry=linear.geometry,
                    delay=linear.delay,
                    pooling=linear.pooling,
                    source_weights=sum(_trained_weights(node) for node in chain),
                )
            )
    return projections, bias


def _offset(graph: Graph, name: str, known: dict[str, Shape]) -> Reals:
    """What a node gives out, an array of its shape, where no population spikes: the biases on all ways to it."""
    node = graph[name]
    if isinstance(node, _SOURCES):
        return np.zeros(known[name])
    first, *rest = (_offset(graph, given, known) for given in node.inputs)
    return offset(node, sum((other.reshape(first.shape) for other in rest), first), known[name])


def _trained_weights(node: Node) -> int:
    """Weights of a layer that were trained; none in a pooling, which fold_pooling made a constant depthwise kernel."""
    if not isinstance(node, Dense | Conv2d):
        return 0
    constant = isinstance(node, Conv2d) and node.weight.shape[1] == 1 and np.ptp(node.weight) == 0
    return 0 if constant else int(node.weight.size)


def _name(chain: list[Node], source: str, target: str, taken: set[str]) -> str:
    """A free name for a projection: that of its last weighted layer, else source_to_target."""
    weighted = [n.name for n in chain if isinstance(n, Dense | Conv2d)]
    other = [n.name for n in chain if not isinstance(n, Add | Delay)]
    base = (weighted or other or [f"{source}_to_{target}"])[-1]
    name, count = base, 2
    while name in taken:
        name, count = f"{base}_{count}", count + 1
    taken.add(name)
    return name


def _with_bias(neuron: Neuron, bias: Reals) -> Neuron:
    bias_u = compact(broadcast(neuron.bias_u, neuron.shape) + bias, neuron.shape)
    if not np.any(bias_u):
        return replace(neuron, bias_u=np.zeros(()))
    if np.all(neuron.alpha_u == 0):
        total = compact(broadcast(neuron.bias, neuron.shape) + broadcast(bias_u, neuron.shape), neuron.shape)
        return replace(neuron, bias_u=np.zeros(()), bias=total)
    return replace(neuron, bias_u=bias_u)
