"""Sparse matrices: that of a SparseLinear, what it makes of values, and that of a convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tern2lava.compiler.ir.graph import SparseLinear
from tern2lava.compiler.ir.shapes import ConvGeometry, Reals, size

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def sparse_matrix(node: SparseLinear, inputs: int) -> csr_matrix:
    """A (outputs, inputs) in float64; what stands twice at one place is added up, and what adds up to 0 is left out."""
    from scipy.sparse import coo_matrix

    values = np.broadcast_to(np.asarray(node.values, np.float64), node.rows.shape)
    matrix = coo_matrix((values, (node.rows, node.columns)), shape=(size(node.shape), inputs)).tocsr()
    matrix.eliminate_zeros()
    return matrix


def sparse_sums(node: SparseLinear, x: Reals) -> Reals:
    """A x for each x (batch, *shape of the input): (batch, outputs)."""
    flat = x.reshape(x.shape[0], -1)
    result: Reals = np.asarray((sparse_matrix(node, flat.shape[1]) @ flat.T).T)
    return result


def convolution_matrix(kernel: Reals, geometry: ConvGeometry) -> csr_matrix:
    """The matrix (outputs, inputs) of a convolution, images flattened in C order."""
    from scipy.sparse import coo_matrix

    (sy, sx), (top, _, left, _), (dy, dx) = geometry.stride, geometry.padding, geometry.dilation
    out, own, tap_y, tap_x = np.nonzero(kernel)
    per_group = kernel.shape[0] // geometry.groups
    channel = out // per_group * kernel.shape[1] + own
    y, x = np.arange(geometry.out_shape[1]), np.arange(geometry.out_shape[2])
    i = y * sy - top + (tap_y * dy)[:, None]
    j = x * sx - left + (tap_x * dx)[:, None]
    inside = ((i >= 0) & (i < geometry.in_shape[1]))[:, :, None] & ((j >= 0) & (j < geometry.in_shape[2]))[:, None, :]
    tap, at_y, at_x = np.nonzero(inside)
    rows = np.ravel_multi_index((out[tap], y[at_y], x[at_x]), geometry.out_shape)
    columns = np.ravel_multi_index((channel[tap], i[tap, at_y], j[tap, at_x]), geometry.in_shape)
    values = kernel[out[tap], own[tap], tap_y[tap], tap_x[tap]]
    return coo_matrix((values, (rows, columns)), shape=(size(geometry.out_shape), size(geometry.in_shape))).tocsr()
