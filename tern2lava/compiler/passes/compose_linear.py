"""Composition of linear layers: the matrix or convolution that several of them in a row are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tern2lava.compiler.ir.check import conv_shape
from tern2lava.compiler.ir.graph import Add, ChannelAffine, Conv2d, Delay, Dense, Flatten, Identity, Node, SparseLinear
from tern2lava.compiler.ir.linear import conv2d
from tern2lava.compiler.ir.shapes import ConvGeometry, Pooling, Reals, Shape, broadcast, size
from tern2lava.compiler.ir.sparse import convolution_matrix, sparse_matrix
from tern2lava.compiler.passes.compose_conv import Kernel, conv_after_conv
from tern2lava.compiler.passes.recognise_convolution import Image, as_convolution
from tern2lava.errors import UnsupportedError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# An entry of a sparse matrix takes as much memory, while it is made, as this many weights.
LARGE_ENTRY = 8
# A product of two layers is formed only below this many weights; above it the network is surely not meant so.
LARGEST_PRODUCT = 1 << 27


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearMap:
    """x -> weight x, `delay` steps later.

    weight: (out, in) where geometry is None, else (out, in/groups, kh, kw). Where it is None, the map is `matrix`
    (out, in), which is neither yet, or, without one, `factor` times the identity. pooling: sums that are formed before
    it. source, shape: of what comes in (in front of the pooling) and goes out.
    """

    weight: Reals | None
    geometry: ConvGeometry | None
    source: Shape
    shape: Shape
    delay: int = 0
    pooling: Pooling | None = None
    factor: float = 1.0
    matrix: csr_matrix | None = None

    def with_matrix(self, matrix: csr_matrix, shape: Shape) -> LinearMap:
        """The map of `matrix` instead, behind the same delay and pooling."""
        return replace(self, weight=None, geometry=None, factor=1.0, matrix=matrix, shape=shape)

    def with_weight(self, weight: Reals, geometry: ConvGeometry | None, shape: Shape) -> LinearMap:
        """The map of `weight` instead, behind the same delay and pooling."""
        return replace(self, weight=weight, geometry=geometry, factor=1.0, matrix=None, shape=shape)


def identity(shape: Shape) -> LinearMap:
    """The identity on `shape`."""
    return LinearMap(weight=None, geometry=None, source=shape, shape=shape)


def written_out(name: str, linear: LinearMap) -> LinearMap:
    """The same map with a weight: a convolution where it is one, else a matrix. UnsupportedError, naming the layer
    `name`, where that has more than LARGEST_PRODUCT weights."""
    if linear.weight is not None:
        return linear
    image = _image(linear.shape)
    if linear.matrix is None:
        geometry = ConvGeometry(
            in_shape=image, out_shape=image, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=image[0]
        )
        return linear.with_weight(np.full((image[0], 1, 1, 1), linear.factor), geometry, linear.shape)
    _refuse_large(name, linear.matrix.shape[0] * linear.matrix.shape[1])
    return linear.with_weight(np.asarray(linear.matrix.toarray()), None, linear.shape)


def apply(before: LinearMap, node: Node) -> LinearMap:
    """The map `node`, without its bias, after `before`."""
    match node:
        case Delay():
            return replace(before, delay=before.delay + node.steps)
        case Flatten():
            return replace(before, shape=(size(before.shape),))
        case Identity() | Add():
            return before
        case Dense():
            return _then_dense(before, node.name, node.weight.astype(np.float64))
        case Conv2d():
            return _then_conv(before, node.name, conv_kernel(node, before.shape))
        case SparseLinear():
            return _then_sparse(before, node)
        case ChannelAffine():
            return _then_gain(before, node.name, broadcast(node.gain, before.shape))
        case _:
            raise AssertionError(f"{node.name} is not linear")


def offset(node: Node, inputs: Reals, shape: Shape) -> Reals:
    """What `node` makes of constant `inputs`, an array of `shape`."""
    match node:
        case Delay():
            if np.any(inputs):
                raise UnsupportedError(
                    node.name, "a delay stands before biases", "a bias in front of it", "move the bias behind the delay"
                )
            return inputs
        case Dense():
            given: Reals = node.weight.astype(np.float64) @ inputs.reshape(-1)
            return given if node.bias is None else np.asarray(given + node.bias)
        case Conv2d():
            weight, own = conv_kernel(node, inputs.shape)
            given = conv2d(inputs.reshape(1, *own.in_shape), weight, own)[0]
            return given if node.bias is None else np.asarray(given + node.bias.reshape(-1, 1, 1))
        case SparseLinear():
            moved: Reals = sparse_matrix(node, inputs.size) @ inputs.reshape(-1)
            return moved.reshape(shape)
        case ChannelAffine():
            return inputs * broadcast(node.gain, inputs.shape) + broadcast(node.offset, inputs.shape)
        case _:
            return inputs.reshape(shape)


def conv_kernel(node: Conv2d, shape: Shape) -> Kernel:
    """Weight and geometry of a convolution on an input of `shape`."""
    source = _image(shape)
    geometry = ConvGeometry(
        in_shape=source, out_shape=conv_shape(node, source), stride=node.stride, padding=node.padding,
        dilation=node.dilation, groups=node.groups,
    )  # fmt: skip
    return node.weight.astype(np.float64), geometry


def _image(shape: Shape) -> Image:
    """`shape` as (channels, height, width): a vector is channels of one pixel."""
    if len(shape) == 3:
        return (shape[0], shape[1], shape[2])
    return (size(shape), 1, 1)


def _matrix(name: str, before: LinearMap) -> csr_matrix:
    """The map behind its pooling as a matrix (out, in); UnsupportedError at `name` where that is too large."""
    from scipy.sparse import csr_matrix, identity

    if before.matrix is not None:
        return before.matrix
    if before.weight is None:
        return identity(size(before.shape), format="csr") * before.factor
    if before.geometry is None:
        return csr_matrix(before.weight)
    return _of_conv(name, (before.weight, before.geometry))


def _of_conv(name: str, own: Kernel) -> csr_matrix:
    kernel, geometry = own
    _refuse_large(name, LARGE_ENTRY * int(np.count_nonzero(kernel)) * size(geometry.out_shape[1:]))
    return convolution_matrix(kernel, geometry)


def _then_gain(before: LinearMap, name: str, gain: Reals) -> LinearMap:
    """gain * x after `before`, gain an array of its shape."""
    if before.weight is None and before.matrix is None:
        if np.all(gain == gain.flat[0]):
            return replace(before, factor=before.factor * float(gain.flat[0]))
        if before.pooling is None:
            before = written_out(name, before)
    if before.weight is not None:
        rows = gain.reshape(before.weight.shape[0], -1)
        if before.geometry is None or np.all(rows == rows[:, :1]):
            scaled = before.weight * rows[:, 0].reshape(-1, *([1] * (before.weight.ndim - 1)))
            return replace(before, weight=scaled)
    from scipy.sparse import diags

    return before.with_matrix((diags(gain.reshape(-1)) @ _matrix(name, before)).tocsr(), before.shape)


def _then_dense(before: LinearMap, name: str, second: Reals) -> LinearMap:
    shape = (second.shape[0],)
    if before.matrix is not None:
        _refuse_large(name, second.shape[0] * before.matrix.shape[1])
        return before.with_weight(np.ascontiguousarray((before.matrix.T @ second.T).T), None, shape)
    if before.weight is None:
        return before.with_weight(second * before.factor, None, shape)
    if before.geometry is None:
        return before.with_weight(second @ before.weight.astype(np.float64), None, shape)
    _refuse_large(name, second.shape[0] * size(before.geometry.in_shape))
    return before.with_weight(_dense_after_conv(second, before.weight, before.geometry), None, shape)


def _then_conv(before: LinearMap, name: str, own: Kernel) -> LinearMap:
    """The convolution `own` after `before`; a matrix where the two are no convolution together."""
    weight, geometry = own
    shape = geometry.out_shape
    if before.weight is None and before.matrix is None:
        if before.pooling is None and _is_pooling(own):
            pooling = Pooling(in_shape=geometry.in_shape, window=geometry.stride)
            return replace(before, pooling=pooling, factor=before.factor * float(weight.flat[0]), shape=shape)
        if before.pooling is not None and _pads_a_remainder(before.pooling, own):
            matrix = _of_conv(name, (weight * before.factor, geometry)) @ _of_pooling(name, before.pooling)
            return replace(before.with_matrix(matrix.tocsr(), shape), pooling=None)
        return before.with_weight(weight * before.factor, geometry, shape)
    if before.weight is not None and before.geometry is not None and before.geometry.out_shape == geometry.in_shape:
        both = conv_after_conv((before.weight, before.geometry), own)
        if both is not None:
            return before.with_weight(*both, shape)
    return _as_kernel(before.with_matrix((_of_conv(name, own) @ _matrix(name, before)).tocsr(), shape))


def _then_sparse(before: LinearMap, node: SparseLinear) -> LinearMap:
    """A SparseLinear after `before`: a new shape where it moves nothing, a convolution where it is one."""
    own, source, target = sparse_matrix(node, size(before.shape)), _image(before.shape), _image(node.shape)
    if own.shape[0] == own.shape[1] == own.nnz and (own.indices == np.arange(own.nnz)).all() and (own.data == 1).all():
        return replace(before, shape=node.shape)
    kernel = as_convolution(own, source, target)
    if kernel is not None:
        return _then_conv(before, node.name, kernel)
    if before.weight is not None and before.geometry is None:
        return before.with_weight(np.asarray(own @ before.weight), None, node.shape)
    return _as_kernel(before.with_matrix((own @ _matrix(node.name, before)).tocsr(), node.shape))


def _as_kernel(linear: LinearMap) -> LinearMap:
    """The same map as a convolution where its matrix is one."""
    assert linear.matrix is not None
    seen = _image(linear.source) if linear.pooling is None else linear.pooling.out_shape
    kernel = as_convolution(linear.matrix, seen, _image(linear.shape))
    return linear if kernel is None else linear.with_weight(*kernel, linear.shape)


def _is_pooling(own: Kernel) -> bool:
    """Whether a convolution sums windows that touch, times one factor: what fold_pooling makes of such a Pool2d."""
    weight, geometry = own
    out, in_group, kh, kw = weight.shape
    tiles = (kh, kw) == geometry.stride and kh * kw > 1 and not any(geometry.padding) and geometry.dilation == (1, 1)
    return tiles and in_group == 1 and geometry.groups == out and bool(np.all(weight == weight.flat[0]))


def _pads_a_remainder(pooling: Pooling, own: Kernel) -> bool:
    """Whether zeros behind the last window fall on rows that pooling left out: then they have no common convolution."""
    weight, geometry = own
    for a in (0, 1):
        rest = pooling.in_shape[1 + a] - pooling.out_shape[1 + a] * pooling.window[a]
        reach = geometry.dilation[a] * (weight.shape[2 + a] - 1)
        last = (geometry.out_shape[1 + a] - 1) * geometry.stride[a] - geometry.padding[2 * a] + reach
        if rest and last >= pooling.out_shape[1 + a]:
            return True
    return False


def _of_pooling(name: str, pooling: Pooling) -> csr_matrix:
    channels = pooling.in_shape[0]
    geometry = ConvGeometry(
        in_shape=pooling.in_shape, out_shape=pooling.out_shape, stride=pooling.window, padding=(0, 0, 0, 0),
        dilation=(1, 1), groups=channels,
    )  # fmt: skip
    return _of_conv(name, (np.ones((channels, 1, *pooling.window)), geometry))


def _refuse_large(name: str, weights: int) -> None:
    if weights > LARGEST_PRODUCT:
        raise UnsupportedError(
            name,
            f"at most {LARGEST_PRODUCT:,} weights where layers in a row are no convolution together",
            f"a product of {weights:,} weights",
            "make the image or the number of channels smaller, or put a neuron layer between them (both change the "
            "network)",
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
