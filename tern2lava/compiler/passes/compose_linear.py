"""Composition of linear layers: the matrix or convolution that two of them in a row are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.ir.check import conv_shape
from tern2lava.compiler.ir.graph import Add, ChannelAffine, Conv2d, Delay, Dense, Flatten, Identity, Node, SparseLinear
from tern2lava.compiler.ir.linear import conv2d
from tern2lava.compiler.ir.shapes import ConvGeometry, Pooling, Reals, Shape, broadcast, conv_out, size
from tern2lava.compiler.ir.sparse import sparse_matrix
from tern2lava.errors import UnsupportedError

# A product of two layers is formed only below this many weights; above it the network is surely not meant so.
LARGEST_PRODUCT = 1 << 27


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearMap:
    """x -> weight x + bias, `delay` steps later.

    weight: (out, in) where geometry is None, else (out, in/groups, kh, kw); None stands for `factor` times the
    identity. pooling: sums that are formed before it. bias: an array of `shape`, the output shape.
    """

    weight: Reals | None
    geometry: ConvGeometry | None
    bias: Reals
    shape: Shape
    delay: int = 0
    pooling: Pooling | None = None
    factor: float = 1.0


def identity(shape: Shape) -> LinearMap:
    """The identity on `shape` as a depthwise 1x1 convolution."""
    channels = _image(shape)[0]
    geometry = ConvGeometry(
        in_shape=_image(shape),
        out_shape=_image(shape),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
        groups=channels,
    )
    return LinearMap(weight=np.ones((channels, 1, 1, 1)), geometry=geometry, bias=np.zeros(shape), shape=shape)


def written_out(linear: LinearMap) -> LinearMap:
    """The same map with a weight."""
    if linear.weight is not None:
        return linear
    one = identity(linear.shape)
    assert one.weight is not None
    return replace(linear, weight=one.weight * linear.factor, geometry=one.geometry, factor=1.0)


def apply(before: LinearMap | None, node: Node, source: Shape) -> LinearMap:
    """The map `node` after `before` (None: the identity on `source`). Raises UnsupportedError where none exists."""
    if before is None:
        before = LinearMap(weight=None, geometry=None, bias=np.zeros(source), shape=source)
    match node:
        case Delay():
            if np.any(before.bias):
                raise UnsupportedError(
                    node.name, "a delay stands before biases", "a bias in front of it", "move the bias behind the delay"
                )
            return replace(before, delay=before.delay + node.steps)
        case Flatten():
            return replace(before, bias=before.bias.reshape(-1), shape=(size(before.shape),))
        case Identity() | Add():
            return before
        case Dense():
            return _then_dense(before, node)
        case Conv2d():
            return _then_conv(before, node)
        case SparseLinear():
            return _then_sparse(before, node)
        case ChannelAffine():
            return _then_affine(before, node)
        case _:
            raise AssertionError(f"{node.name} is not linear")


def _image(shape: Shape) -> tuple[int, int, int]:
    """`shape` as (channels, height, width): a vector is channels of one pixel."""
    if len(shape) == 3:
        return (shape[0], shape[1], shape[2])
    return (size(shape), 1, 1)


def _then_affine(before: LinearMap, node: ChannelAffine) -> LinearMap:
    gain, offset = broadcast(node.gain, before.shape), broadcast(node.offset, before.shape)
    bias = before.bias * gain + offset
    before = written_out(before)
    assert before.weight is not None
    rows = before.weight.shape[0]
    row_gain = gain.reshape(rows, -1)[:, 0].reshape(-1, *([1] * (before.weight.ndim - 1)))
    if before.geometry is not None and np.any(gain.reshape(rows, -1) != gain.reshape(rows, -1)[:, :1]):
        raise UnsupportedError(
            node.name, "a gain behind a convolution is per channel", "a gain per position", "flatten after the gain"
        )
    return replace(before, weight=before.weight.astype(np.float64) * row_gain, bias=bias)


def _then_dense(before: LinearMap, node: Dense) -> LinearMap:
    second = node.weight.astype(np.float64)
    bias = second @ before.bias.reshape(-1)
    if node.bias is not None:
        bias = bias + node.bias
    if before.weight is None:
        weight = second * before.factor
    elif before.geometry is None:
        weight = second @ before.weight.astype(np.float64)
    else:
        _refuse_large(node.name, second.shape[0] * size(before.geometry.in_shape))
        weight = _dense_after_conv(second, before.weight.astype(np.float64), before.geometry)
    return replace(before, weight=weight, geometry=None, bias=bias, shape=(second.shape[0],), factor=1.0)


def _then_sparse(before: LinearMap, node: SparseLinear) -> LinearMap:
    matrix = sparse_matrix(node, size(before.shape))
    read = before.weight if before.geometry is None else None
    inputs = matrix.shape[1] if read is None else read.shape[1]
    _refuse_large(node.name, max(size(node.shape) * inputs, matrix.shape[0] * matrix.shape[1]))
    dense = _then_dense(before, Dense(name=node.name, weight=matrix.toarray()))
    return replace(dense, bias=dense.bias.reshape(node.shape), shape=node.shape)


def _refuse_large(name: str, weights: int) -> None:
    if weights > LARGEST_PRODUCT:
        raise UnsupportedError(
            name,
            "two linear layers in a row form one matrix",
            f"a product of {weights:,} weights",
            "put a neuron layer between them",
        )


def _dense_after_conv(dense: Reals, kernel: Reals, geometry: ConvGeometry) -> Reals:
    """The matrix (rows, inputs) of dense (rows, outputs of the convolution) after the convolution: its transpose."""
    rows = dense.shape[0]
    _, height, width = geometry.in_shape
    out, in_group, kh, kw = kernel.shape
    _, oh, ow = geometry.out_shape
    top, bottom, left, right = geometry.padding
    (sy, sx), (dy, dx) = geometry.stride, geometry.dilation
    grid = dense.reshape(rows, geometry.groups, out // geometry.groups, oh, ow)
    kernels = kernel.reshape(geometry.groups, out // geometry.groups, in_group, kh, kw)
    padded = np.zeros((rows, geometry.groups, in_group, height + top + bottom, width + left + right))
    for i in range(kh):
        for j in range(kw):
            ys, xs = slice(i * dy, i * dy + sy * (oh - 1) + 1, sy), slice(j * dx, j * dx + sx * (ow - 1) + 1, sx)
            padded[:, :, :, ys, xs] += np.einsum("rgoyx,goc->rgcyx", grid, kernels[:, :, :, i, j])
    return padded[:, :, :, top : top + height, left : left + width].reshape(rows, -1)


def _then_conv(before: LinearMap, node: Conv2d) -> LinearMap:
    in_shape = _image(before.shape)
    out_shape = conv_shape(node, in_shape)
    own = ConvGeometry(
        in_shape=in_shape,
        out_shape=out_shape,
        stride=node.stride,
        padding=node.padding,
        dilation=node.dilation,
        groups=node.groups,
    )
    weight = node.weight.astype(np.float64)
    bias = conv2d(before.bias.reshape(1, *in_shape), weight, own)[0]
    if node.bias is not None:
        bias = bias + node.bias.reshape(-1, 1, 1)
    if before.weight is None and before.pooling is None and _is_pooling(node):
        pooling = Pooling(in_shape=in_shape, window=node.stride)
        return replace(before, pooling=pooling, factor=float(weight.flat[0]), bias=bias, shape=out_shape)
    if before.weight is None:
        if before.pooling is not None:
            _refuse_padded_remainder(node.name, before.pooling, own, node.weight.shape)
        return replace(before, weight=weight * before.factor, geometry=own, bias=bias, shape=out_shape, factor=1.0)
    if before.geometry is None:
        matrix = before.weight.astype(np.float64)
        _refuse_large(node.name, matrix.shape[1] * max(size(in_shape), size(out_shape)))
        columns = conv2d(matrix.T.reshape(-1, *in_shape), weight, own)
        return replace(before, weight=columns.reshape(len(columns), -1).T, bias=bias, shape=out_shape)
    return _conv_after_conv(before, node.name, weight, own, bias)


def _is_pooling(node: Conv2d) -> bool:
    """Whether a convolution sums windows that touch, times one factor: what fold_pooling makes of such a Pool2d."""
    out, in_group, kh, kw = node.weight.shape
    tiles = (kh, kw) == node.stride and kh * kw > 1 and not any(node.padding) and node.dilation == (1, 1)
    return tiles and in_group == 1 and node.groups == out and bool(np.all(node.weight == node.weight.flat[0]))


def _refuse_padded_remainder(name: str, pooling: Pooling, own: ConvGeometry, weight: Shape) -> None:
    """Zeros behind the last window must not fall on rows that pooling left out: the two have no common convolution."""
    for a in (0, 1):
        rest = pooling.in_shape[1 + a] - pooling.out_shape[1 + a] * pooling.window[a]
        last = (own.out_shape[1 + a] - 1) * own.stride[a] - own.padding[2 * a] + own.dilation[a] * (weight[2 + a] - 1)
        if rest and last >= pooling.out_shape[1 + a]:
            raise UnsupportedError(
                name,
                "padding between two linear layers meets whole windows only",
                f"windows of {pooling.window[a]} on {pooling.in_shape[1 + a]} inputs, then padding",
                "put a neuron layer between pooling and convolution, or crop the input to whole windows",
            )


def _conv_after_conv(before: LinearMap, name: str, second: Reals, own: ConvGeometry, bias: Reals) -> LinearMap:
    """One convolution for two: kernel position s1 d2 j + d1 i holds the sum of products of taps i and j."""
    assert before.weight is not None
    assert before.geometry is not None
    first, inner = before.weight.astype(np.float64), before.geometry
    reach = [(first.shape[2 + a] - 1) * inner.dilation[a] + 1 for a in (0, 1)]
    kernel = [reach[a] + inner.stride[a] * own.dilation[a] * (second.shape[2 + a] - 1) for a in (0, 1)]
    padding: list[int] = []
    for a in (0, 1):
        low, high = own.padding[2 * a], own.padding[2 * a + 1]
        length, count = inner.in_shape[1 + a], inner.out_shape[1 + a]
        inner_low = inner.padding[2 * a]
        # Zeros between the two layers must stay zeros: no window that starts or ends outside the inner output may
        # touch the input.
        if (low and reach[a] > inner.stride[a] + inner_low) or (high and inner.stride[a] * count - inner_low < length):
            raise UnsupportedError(
                name,
                "padding between two linear layers meets whole windows only",
                f"windows of {reach[a]} at stride {inner.stride[a]} on {length} inputs, then padding {max(low, high)}",
                "put a neuron layer between pooling and convolution, or crop the input to whole windows",
            )
        stride = inner.stride[a] * own.stride[a]
        before_input = inner_low + inner.stride[a] * low
        needed = (own.out_shape[1 + a] - 1) * stride + kernel[a] - length - before_input
        padding += [before_input, max(needed, 0)]
        assert conv_out(length, kernel[a], stride, before_input + max(needed, 0), 1) >= own.out_shape[1 + a]
    weight = np.zeros((*_composed_channels(name, first, inner, second, own), *kernel))
    groups = inner.in_shape[0] // weight.shape[1]
    for i in range(second.shape[2]):
        for j in range(second.shape[3]):
            y, x = inner.stride[0] * own.dilation[0] * i, inner.stride[1] * own.dilation[1] * j
            product = _channel_product(first, inner, second[:, :, i, j], own)
            weight[:, :, y : y + reach[0] : inner.dilation[0], x : x + reach[1] : inner.dilation[1]] += product
    geometry = ConvGeometry(
        in_shape=inner.in_shape,
        out_shape=own.out_shape,
        stride=(inner.stride[0] * own.stride[0], inner.stride[1] * own.stride[1]),
        padding=(padding[0], padding[1], padding[2], padding[3]),
        dilation=(1, 1),
        groups=groups,
    )
    return replace(before, weight=weight, geometry=geometry, bias=bias, shape=own.out_shape)


def _composed_channels(
    name: str, first: Reals, inner: ConvGeometry, second: Reals, own: ConvGeometry
) -> tuple[int, int]:
    """(out, in per group) of the composed kernel; one of the two must be depthwise or both ungrouped."""
    depthwise_first = inner.groups == inner.in_shape[0] == first.shape[0]
    depthwise_second = own.groups == own.in_shape[0]
    if depthwise_first:
        return (second.shape[0], second.shape[1])
    if depthwise_second and second.shape[0] == own.in_shape[0]:
        return (second.shape[0], first.shape[1])
    if inner.groups == own.groups == 1:
        return (second.shape[0], first.shape[1])
    raise UnsupportedError(
        name,
        "two convolutions in a row form one",
        f"groups {inner.groups} then {own.groups}",
        "put a neuron layer between them",
    )


def _channel_product(first: Reals, inner: ConvGeometry, tap: Reals, own: ConvGeometry) -> Reals:
    """Kernel (out, in per group, kh, kw) of `first` followed by the single tap (out, mid per group) of the second."""
    if inner.groups == inner.in_shape[0] == first.shape[0]:
        out, mid = tap.shape
        per_group = out // own.groups
        channel = (np.arange(out) // per_group)[:, None] * mid + np.arange(mid)[None, :]
        return np.asarray(tap[:, :, None, None] * first[channel, 0])
    if own.groups == own.in_shape[0]:
        return np.asarray(tap[:, :1, None, None] * first)
    return np.asarray(np.einsum("om,mikl->oikl", tap, first))
