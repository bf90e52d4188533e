"""Numbers of groups such that groups that share sources or send each other spikes have near numbers."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee

from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.mapper.regroup.task import Task

# Groups up to which the eigenvectors are computed, dense matrices in seconds.
_DENSE = 600


def numbered(task: Task, group: Ints) -> Ints:
    """The same groups, numbered along the eigenvector of the second least eigenvalue of the Laplacian of what two
    groups share (M. Fiedler, "Algebraic connectivity of graphs", Czech. Math. J. 23, 1973), connected ones behind one
    another in the order of their first neurons."""
    names, first, compact = np.unique(group, return_index=True, return_inverse=True)
    groups = names.size
    if groups < 2:
        return np.asarray(compact, np.int64)
    touched = task.touched(compact)
    reads = csr_matrix((np.ones(touched.nnz), touched.indices, touched.indptr), shape=touched.shape)
    owned = np.flatnonzero(task.own >= 0)
    sends = csr_matrix((task.hop[owned], (owned, compact[task.own[owned]])), shape=reads.shape)
    sent = csr_matrix(reads.T @ sends)
    near = csr_matrix(reads.T @ csr_matrix(reads.multiply(task.axon[:, None])) + sent + sent.T)
    near.setdiag(0)
    near.eliminate_zeros()
    _, piece = connected_components(near, directed=False)
    place = np.zeros(groups)
    for number in range(int(piece.max()) + 1):
        mine = np.flatnonzero(piece == number)
        if mine.size < 3:
            place[mine] = first[mine]
            continue
        within = csr_matrix(near[mine][:, mine])
        if mine.size > _DENSE:
            place[mine[reverse_cuthill_mckee(within, symmetric_mode=True)]] = np.arange(mine.size)
            continue
        dense = within.toarray()
        laplacian = np.diag(dense.sum(axis=1)) - dense
        along = np.round(np.linalg.eigh(laplacian)[1][:, 1], 9)
        # The sign of an eigenvector is arbitrary: the group with the first neuron comes in the first half.
        place[mine] = along if along[first[mine].argmin()] <= 0 else -along
    began = np.array([first[piece == number].min() for number in range(int(piece.max()) + 1)])
    order = np.lexsort((first, place, began[piece]))
    rank = np.empty(groups, np.int64)
    rank[order] = np.arange(groups)
    result: Ints = rank[compact]
    return result
