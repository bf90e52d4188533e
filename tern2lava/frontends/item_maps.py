"""Linear maps of the items of a layer: windows and means, axis by axis, moves, and transposed convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import ConvGeometry, Ints, Reals, Shape, size
from tern2lava.compiler.ir.sparse import convolution_matrix
from tern2lava.errors import InputError


@dataclass(frozen=True, eq=False, kw_only=True)
class ItemMap:
    """What GraphBuilder.sparse takes: entries `values` at (rows, columns) of a matrix onto items of `shape`."""

    shape: Shape
    rows: Ints
    columns: Ints
    values: Reals


def along_axes(shape: Shape, axes: Mapping[int, Reals]) -> ItemMap:
    """The map of items of `shape` that multiplies axis a by the matrix axes[a] (out, in), each for itself.

    Of the matrices A, B, ... entry (i, j, ...; k, l, ...) is A[i, k] B[j, l] ...
    """
    out = tuple(axes[a].shape[0] if a in axes else n for a, n in enumerate(shape))
    rows, columns, values = np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1)
    for a, length in enumerate(shape):
        if a in axes:
            row, column = np.nonzero(axes[a])
            value = axes[a][row, column]
        else:
            row = column = np.arange(length)
            value = np.ones(length)
        rows = (rows[:, None] * out[a] + row).reshape(-1)
        columns = (columns[:, None] * length + column).reshape(-1)
        values = (values[:, None] * value).reshape(-1)
    return ItemMap(shape=out, rows=rows, columns=columns, values=values)


def windows(
    where: object, length: int, kernel: int, stride: int, padding: int = 0, dilation: int = 1, *, ceil: bool = False
) -> Reals:
    """Ones (windows, length) where a window of pooling sees an element, as torch places them; with `ceil` the last may
    reach beyond the input and its padding."""
    reach = dilation * (kernel - 1) + 1
    room = length + 2 * padding - reach
    count = (-(-room // stride) if ceil else room // stride) + 1
    # The last window has to begin inside the input or its left padding.
    if ceil and (count - 1) * stride >= length + padding:
        count -= 1
    if count < 1:
        raise InputError(
            where, f"requires windows no larger than the padded input of {length + 2 * padding}; found {reach}; make "
            "them smaller or pad more",
        )  # fmt: skip
    result = np.zeros((count, length))
    for window in range(count):
        taps = window * stride - padding + dilation * np.arange(kernel)
        result[window, taps[(taps >= 0) & (taps < length)]] = 1.0
    return result


def window_sizes(length: int, kernel: int, stride: int, padding: int, count: int, *, padded: bool) -> Reals:
    """What torch divides `count` windows of an average by (count,): their elements, those of the padding too."""
    begin = np.arange(count) * stride - padding
    end = np.minimum(begin + kernel, length + padding)
    if not padded:
        begin, end = np.maximum(begin, 0), np.minimum(end, length)
    return (end - begin).astype(np.float64)


def adaptive(length: int, count: int) -> Reals:
    """Ones (count, length): window i of adaptive pooling goes from floor(i n / count) to ceil((i + 1) n / count)."""
    result = np.zeros((count, length))
    for i in range(count):
        result[i, i * length // count : -(-(i + 1) * length // count)] = 1.0
    return result


def means(ones: Reals) -> Reals:
    """The matrix of the means over the windows that `ones` shows."""
    return np.asarray(ones / ones.sum(axis=1, keepdims=True))


def transposed_convolution(
    where: object, shape: Sequence[int], weight: Reals, stride: Sequence[int], padding: Sequence[int],
    output_padding: Sequence[int], dilation: Sequence[int], groups: int,
) -> ItemMap:  # fmt: skip
    """torch's transposed convolution of an image (channels, height, width), weight (in, out/groups, kh, kw): the
    transpose of the convolution with that weight from the larger image to the smaller."""
    if len(shape) != 3 or weight.ndim != 4 or shape[0] != weight.shape[0]:
        found = f"{tuple(shape)} for a weight of {weight.shape}"
        raise InputError(where, f"requires an image of as many channels as the weight; found {found}; mend the shape")
    outs = []
    for a in (0, 1):
        reach = dilation[a] * (weight.shape[2 + a] - 1) + output_padding[a] + 1
        outs.append((shape[1 + a] - 1) * stride[a] - 2 * padding[a] + reach)
    target = (weight.shape[1] * groups, outs[0], outs[1])
    geometry = ConvGeometry(
        in_shape=target, out_shape=(shape[0], shape[1], shape[2]), stride=(stride[0], stride[1]),
        padding=(padding[0], padding[0], padding[1], padding[1]), dilation=(dilation[0], dilation[1]), groups=groups,
    )  # fmt: skip
    matrix = convolution_matrix(weight, geometry).tocoo()
    return ItemMap(
        shape=target, rows=matrix.col.astype(np.int64), columns=matrix.row.astype(np.int64), values=matrix.data
    )


def moved(codes: Reals) -> ItemMap:
    """The map whose output k takes its input's element codes[k] - 1, and nothing where that is 0."""
    flat = codes.reshape(-1)
    rows = np.flatnonzero(flat)
    return ItemMap(shape=codes.shape, rows=rows, columns=flat[rows].astype(np.int64) - 1, values=np.ones(()))


def grouped_means(length: int, count: int, where: object) -> Reals:
    """The means (length / count, length) of each `count` elements in a row."""
    if length % count:
        raise InputError(where, f"requires a multiple of {count} elements; found {length}; mend the layer in front")
    return np.kron(np.eye(length // count), np.full((1, count), 1.0 / count))


def items(shape: Shape) -> Reals:
    """The elements of a shape, counted from 1 in C order."""
    return np.arange(1.0, size(shape) + 1).reshape(shape)
