"""The linear map of a projection on dense activity: weight @ x, or the convolution, without scale, gain and delay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, D, Pooling, Reals, Shape, size


def windows2d(x: NDArray[D], kernel: tuple[int, int]) -> NDArray[D]:
    """All windows of `kernel` (height, width) of x (batch, channels, h, w): a view (batch, channels, y, x, kh, kw)."""
    return np.lib.stride_tricks.sliding_window_view(x, (1, 1, *kernel))[..., 0, 0, :, :]


def conv2d(x: Array, weight: Array, geometry: ConvGeometry) -> Reals:
    """y (batch, out, oh, ow) = cross-correlation of x (batch, in, h, w) with weight (out, in/groups, kh, kw).

    Computed in float64: exact for integer operands while every sum stays below 2^53.
    """
    top, bottom, left, right = geometry.padding
    padded = np.pad(x.astype(np.float64, copy=False), ((0, 0), (0, 0), (top, bottom), (left, right)))
    out, in_group, kh, kw = weight.shape
    (sy, sx), (dy, dx) = geometry.stride, geometry.dilation
    _, oh, ow = geometry.out_shape
    reach = ((kh - 1) * dy + 1, (kw - 1) * dx + 1)
    windows = windows2d(padded, reach)[:, :, ::sy, ::sx, ::dy, ::dx][:, :, :oh, :ow]
    batch = x.shape[0]
    per_group = out // geometry.groups
    kernels = weight.astype(np.float64).reshape(geometry.groups, per_group, -1)
    if in_group == per_group == 1:
        return np.asarray(np.einsum("bcyxij,cij->bcyx", windows, weight[:, 0].astype(np.float64)))
    result = np.empty((batch, out, oh, ow))
    for g in range(geometry.groups):
        columns = windows[:, g * in_group : (g + 1) * in_group].transpose(0, 2, 3, 1, 4, 5)
        product = columns.reshape(batch * oh * ow, -1) @ kernels[g].T
        result[:, g * per_group : (g + 1) * per_group] = product.reshape(batch, oh, ow, per_group).transpose(0, 3, 1, 2)
    return result


def pooled(pooling: Pooling, x: Array) -> Reals:
    """Sums (batch, windows) in float64 of x (batch, neurons), both flat in C order."""
    channels, rows, columns = pooling.out_shape
    (py, px), (_, height, width) = pooling.window, pooling.in_shape
    image = x.reshape(x.shape[0], channels, height, width)[:, :, : rows * py, : columns * px]
    windows = image.reshape(x.shape[0], channels, rows, py, columns, px).astype(np.float64)
    result: Reals = windows.sum(axis=(3, 5)).reshape(x.shape[0], -1)
    return result


def seen(reads: Box, x: NDArray[D]) -> NDArray[D]:
    """The values (batch, neurons of the box) of x (batch, neurons of the source) that lie in a box, in its order."""
    inside = tuple(slice(low, high) for low, high in zip(reads.lo, reads.hi, strict=True))
    whole = (slice(None), *inside)
    return x.reshape(x.shape[0], *reads.shape)[whole].reshape(x.shape[0], -1)


def accumulate(projection: Projection, x: Array) -> Reals:
    """Weighted input sums (batch, neurons of the target) in float64 for x (batch, neurons of the source)."""
    if projection.reads is not None:
        x = seen(projection.reads, x)
    if projection.pooling is not None:
        x = pooled(projection.pooling, x)
    if projection.geometry is None:
        result: Reals = x.astype(np.float64, copy=False) @ projection.weight.astype(np.float64).T
        return result
    shaped = x.reshape(x.shape[0], *projection.geometry.in_shape)
    return conv2d(shaped, projection.weight, projection.geometry).reshape(x.shape[0], -1)


def target_shape(projection: Projection) -> Shape:
    """Shape of what the projection computes: (out,) or (channels, height, width)."""
    if projection.geometry is None:
        return (int(projection.weight.shape[0]),)
    return projection.geometry.out_shape


def per_neuron(value: NDArray[D], projection: Projection) -> NDArray[D]:
    """A scale or gain of shape () or (out,) spread over the target's neurons, shape (neurons,)."""
    shape = target_shape(projection)
    if value.ndim == 0:
        return np.broadcast_to(value, (size(shape),))
    return np.repeat(value, size(shape) // shape[0])


def stored_weights(local: Projection) -> tuple[Array, int]:
    """The integers that a synapse must hold where gain is not per row (code * gain without its common power of two),
    and their width in bits, sign included; 2 for ternary codes."""
    gain = local.gain.reshape(-1)
    common = int(np.bitwise_or.reduce(gain))
    shift = (common & -common).bit_length() - 1 if common else 0
    scaled = gain >> shift
    if (scaled == 1).all():
        return local.weight, local.bits
    weights = local.weight.astype(np.int64) * scaled.reshape(-1, *([1] * (local.weight.ndim - 1)))
    return weights, code_bits(weights)


def code_bits(codes: Array) -> int:
    """Width in two's complement of integers: 2 for {-1, 0, 1}, else 3 or more."""
    low, high = int(codes.min(initial=0)), int(codes.max(initial=0))
    return 2 if low >= -1 and high <= 1 else max(3, max(high, -low - 1).bit_length() + 1)
