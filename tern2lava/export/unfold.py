"""Projections taken apart into the layers they stand for, so that exporters need to know one kind of layer only."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Conv2d, Delay, Dense, Graph, Node, Pool2d, PoolKind, Projection


def unfold(graph: Graph) -> Graph:
    """`graph` (NORMAL or TERNARY; IMPORTED as it is) with every Projection as Delay, Pool2d, and Dense or Conv2d.

    The last of them has the projection's name; weights are codes times scale. The result computes the same and keeps
    the level, though it holds kinds that the level forbids.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.extend(_layers(node) if isinstance(node, Projection) else (node,))
    return graph.with_nodes(nodes)


def _layers(projection: Projection) -> list[Node]:
    nodes: list[Node] = []
    name, source = projection.name, projection.inputs[0]
    if projection.delay:
        nodes.append(Delay(name=f"{name}.delay", inputs=(source,), steps=projection.delay))
        source = nodes[-1].name
    if projection.pooling is not None:
        window = projection.pooling.window
        pool = Pool2d(name=f"{name}.pool", inputs=(source,), kind=PoolKind.SUM, kernel=window, stride=window)
        nodes.append(pool)
        source = pool.name
    scale = projection.scale
    if scale.ndim:
        scale = scale.reshape(-1, *([1] * (projection.weight.ndim - 1)))
    weight = projection.weight.astype(np.float64) * scale
    if projection.geometry is None:
        nodes.append(Dense(name=name, inputs=(source,), weight=weight))
        return nodes
    g = projection.geometry
    nodes.append(
        Conv2d(
            name=name, inputs=(source,), weight=weight, stride=g.stride, padding=g.padding, dilation=g.dilation,
            groups=g.groups,
        )
    )  # fmt: skip
    return nodes
