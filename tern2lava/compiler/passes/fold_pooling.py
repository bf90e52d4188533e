"""Pass: pooling becomes the convolution it is."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.check import shapes
from tern2lava.compiler.ir.graph import Conv2d, Graph, Node, Pool2d, PoolKind


def fold_pooling(graph: Graph) -> Graph:
    """The graph with every Pool2d rewritten as a depthwise convolution with a constant kernel.

    SUM: kernel 1. AVG: kernel 1 / (kh kw), a factor that merge_linear and fold_scale carry on into the synapses and
    thresholds behind it. Exact in real numbers.
    """
    known = shapes(graph)

    def rewrite(node: Node) -> Node:
        if not isinstance(node, Pool2d):
            return node
        channels = known[node.name][0]
        value = 1.0 / (node.kernel[0] * node.kernel[1]) if node.kind is PoolKind.AVG else 1.0
        return Conv2d(
            name=node.name,
            inputs=node.inputs,
            weight=np.full((channels, 1, *node.kernel), value),
            stride=node.stride,
            padding=node.padding,
            groups=channels,
        )

    return graph.with_nodes(map(rewrite, graph.nodes))
