"""Pass: batch normalisation (and any per-channel gain and offset) moves into the linear layer before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.graph import ChannelAffine, Conv2d, Dense, Graph, Node, Pool2d, PoolKind
from tern2lava.compiler.ir.shapes import Reals


def fold_batchnorm(graph: Graph) -> Graph:
    """The graph with gain * (W x + b) + offset rewritten as (gain W) x + (gain b + offset), row by row.

    Exact in real numbers. A negative gain flips the signs of its row. A ChannelAffine behind an average pooling
    without padding is moved before it first: avg(g x + o) = g avg(x) + o. One that does not follow a linear layer
    stays for merge_linear.
    """
    nodes = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        if not isinstance(node, ChannelAffine) or len(node.inputs) != 1:
            continue
        current = graph.with_nodes(nodes.values())
        affine = current[node.name]
        assert isinstance(affine, ChannelAffine)
        pooled = current[affine.inputs[0]]
        commutes = isinstance(pooled, Pool2d) and pooled.kind is PoolKind.AVG and not any(pooled.padding)
        linear = current[pooled.inputs[0]] if commutes else pooled
        chain = [linear, pooled] if commutes else [linear]
        if not isinstance(linear, Dense | Conv2d) or any(len(current.consumers(n.name)) != 1 for n in chain):
            continue
        nodes[linear.name] = _scaled(linear, affine.gain, affine.offset)
        nodes.pop(affine.name)
        nodes = {name: _reading(n, affine.name, pooled.name) for name, n in nodes.items()}
    return graph.with_nodes(nodes.values())


def _scaled(linear: Dense | Conv2d, gain: Reals, offset: Reals) -> Dense | Conv2d:
    rows = int(linear.weight.shape[0])
    gains = np.broadcast_to(np.asarray(gain, np.float64), (rows,))
    bias = np.zeros(rows) if linear.bias is None else np.asarray(linear.bias, np.float64)
    weight = linear.weight.astype(np.float64) * gains.reshape(-1, *([1] * (linear.weight.ndim - 1)))
    return replace(linear, weight=weight, bias=bias * gains + np.broadcast_to(offset, (rows,)))


def _reading(node: Node, old: str, new: str) -> Node:
    """`node` reading `new` wherever it read `old`."""
    if old not in node.inputs:
        return node
    return replace(node, inputs=tuple(new if name == old else name for name in node.inputs))
