"""The matrix of a SparseLinear, and what it makes of values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tern2lava.compiler.ir.graph import SparseLinear
from tern2lava.compiler.ir.shapes import Reals, size

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
