"""Pooling written out: projections whose weight repeats itself instead, for executions that know no pooled axons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Projection
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Pooling, frozen


def unpooled_graph(graph: Graph) -> Graph:
    """The same network with no pooling in its projections."""
    nodes = [unpooled(node) if isinstance(node, Projection) else node for node in graph.nodes]
    return graph.with_nodes(nodes)


def unpooled(projection: Projection) -> Projection:
    """The same linear map without pooling: every weight stands once for each neuron of its window.

    weight[..., py * i + a, px * j + b] = weight[..., i, j] for 0 <= a < py, 0 <= b < px, zero where no window is.
    """
    pooling = projection.pooling
    if pooling is None:
        return projection
    trained = projection.source_weights or int(projection.weight.size)
    if projection.geometry is None:
        weight = _repeated_rows(projection.weight, pooling)
        return replace(projection, weight=frozen(weight), pooling=None, source_weights=trained)
    weight, geometry = _repeated_kernel(projection.weight, projection.geometry, pooling)
    return replace(projection, weight=frozen(weight), geometry=geometry, pooling=None, source_weights=trained)


def _repeated_rows(weight: Array, pooling: Pooling) -> Array:
    rows = weight.reshape(weight.shape[0], *pooling.out_shape)
    rows = rows.repeat(pooling.window[0], axis=2).repeat(pooling.window[1], axis=3)
    rest = [(0, pooling.in_shape[1 + a] - rows.shape[2 + a]) for a in (0, 1)]
    return np.pad(rows, ((0, 0), (0, 0), *rest)).reshape(weight.shape[0], -1)


def _repeated_kernel(weight: Array, own: ConvGeometry, pooling: Pooling) -> tuple[Array, ConvGeometry]:
    """Kernel and geometry on the image in front of the pooling. No output sees rows that pooling leaves out (refused in
    compose), so that padding behind the last window may begin among them."""
    reach = [own.dilation[a] * (weight.shape[2 + a] - 1) + 1 for a in (0, 1)]
    spread = np.zeros((*weight.shape[:2], *reach), weight.dtype)
    spread[:, :, :: own.dilation[0], :: own.dilation[1]] = weight
    kernel = spread.repeat(pooling.window[0], axis=2).repeat(pooling.window[1], axis=3)
    padding: list[int] = []
    for a in (0, 1):
        window = pooling.window[a]
        rest = pooling.in_shape[1 + a] - window * pooling.out_shape[1 + a]
        padding += [window * own.padding[2 * a], max(0, window * own.padding[2 * a + 1] - rest)]
    geometry = ConvGeometry(
        in_shape=pooling.in_shape, out_shape=own.out_shape,
        stride=(own.stride[0] * pooling.window[0], own.stride[1] * pooling.window[1]),
        padding=(padding[0], padding[1], padding[2], padding[3]), dilation=(1, 1), groups=own.groups,
    )  # fmt: skip
    return kernel, geometry
