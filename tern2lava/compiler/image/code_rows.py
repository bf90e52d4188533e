"""The matrix in which a projection's codes are stored: one row for each input axon, or for each channel of them."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import Codes, Shape


def code_rows(weight: Codes, groups: int = 1) -> Codes:
    """Codes (rows, columns). Dense (neurons, axons): a row for each axon, its neurons as columns. Convolution (channels
    out, channels in / groups, kh, kw): a row for each input channel, the kernel taps of the channels it feeds."""
    if weight.ndim == 2:
        return np.ascontiguousarray(weight.T)
    out, in_group = weight.shape[:2]
    split = weight.reshape(groups, out // groups, in_group, *weight.shape[2:])
    return np.ascontiguousarray(split.swapaxes(1, 2)).reshape(groups * in_group, -1)


def rows_shape(shape: Shape, groups: int = 1) -> tuple[int, int]:
    """Rows and columns for a weight of this shape."""
    if len(shape) == 2:
        return shape[1], shape[0]
    return groups * shape[1], shape[0] // groups * shape[2] * shape[3]


def from_code_rows(rows: Codes, shape: Shape, groups: int = 1) -> Codes:
    """The weight that `code_rows` gave the matrix of."""
    if len(shape) == 2:
        return np.ascontiguousarray(rows.T)
    split = rows.reshape(groups, shape[1], shape[0] // groups, *shape[2:])
    return np.ascontiguousarray(split.swapaxes(1, 2)).reshape(shape)
