"""The linear map of a projection the other way: what each neuron of the source adds to chosen neurons of the target."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.linear import per_neuron
from tern2lava.compiler.ir.shapes import ConvGeometry, Pooling, Reals, size


def votes(projection: Projection, chosen: Reals, sources: int) -> Reals:
    """(batch, neurons of the source): for each, the sum of chosen[n] times gain and weight of its synapse to n.

    chosen: (batch, neurons of the target). It is the transpose of linear.accumulate times gain."""
    y = chosen * per_neuron(projection.gain, projection)
    if projection.geometry is None:
        x = y @ projection.weight.astype(np.float64)
    else:
        x = _conv_back(y, projection.weight.astype(np.float64), projection.geometry)
    if projection.pooling is not None:
        x = _pool_back(x, projection.pooling)
    if projection.reads is not None:
        whole = np.zeros((x.shape[0], sources))
        whole[:, projection.reads.flat()] = x
        x = whole
    return x


def _conv_back(y: Reals, weight: Reals, geometry: ConvGeometry) -> Reals:
    """(batch, in * h * w) of y (batch, out * oh * ow)."""
    batch, groups = y.shape[0], geometry.groups
    out, oh, ow = geometry.out_shape
    channels, height, width = geometry.in_shape
    top, bottom, left, right = geometry.padding
    (sy, sx), (dy, dx) = geometry.stride, geometry.dilation
    _, per_group, kh, kw = weight.shape
    padded = np.zeros((batch, channels, height + top + bottom, width + left + right))
    rows = y.reshape(batch, groups, out // groups, oh * ow)
    kernels = weight.reshape(groups, out // groups, per_group, kh, kw)
    for i in range(kh):
        for j in range(kw):
            part = np.matmul(kernels[..., i, j].transpose(0, 2, 1), rows).reshape(batch, channels, oh, ow)
            window = padded[:, :, i * dy : i * dy + sy * (oh - 1) + 1 : sy, j * dx : j * dx + sx * (ow - 1) + 1 : sx]
            window += part
    inside = padded[:, :, top : top + height, left : left + width]
    return np.ascontiguousarray(inside).reshape(batch, -1)


def _pool_back(x: Reals, pooling: Pooling) -> Reals:
    """(batch, neurons) of x (batch, windows): each neuron of a window counts as the window does."""
    channels, rows, columns = pooling.out_shape
    py, px = pooling.window
    whole = np.zeros((x.shape[0], *pooling.in_shape))
    spread = x.reshape(-1, channels, rows, columns).repeat(py, axis=2).repeat(px, axis=3)
    whole[:, :, : rows * py, : columns * px] = spread
    return whole.reshape(x.shape[0], size(pooling.in_shape))
