"""Neurons in an order in which those with sources in common stand near each other."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee

from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.mapper.regroup.reads import Reads


def order_of(reads: Reads) -> Ints:
    """All neurons, int64: one connected part of the network behind the other, those of each in the order of E. Cuthill
    and J. McKee, "Reducing the bandwidth of sparse symmetric matrices", Proc. 24th ACM Nat. Conf., 1969, of the graph
    in which neurons are joined that have a source in common or feed each other."""
    matrix = reads.matrix
    neurons = matrix.shape[0]
    joined = csr_matrix(matrix @ matrix.T)
    loops = np.flatnonzero(reads.itself >= 0)
    if loops.size:
        own = csr_matrix(matrix[:, loops])
        back = csr_matrix((own.data, reads.itself[loops][own.indices], own.indptr), shape=(neurons, neurons))
        joined = csr_matrix(joined + back + back.T)
    along = np.asarray(reverse_cuthill_mckee(joined, symmetric_mode=True), np.int64)
    _, part = connected_components(joined, directed=False)
    # Parts in the order of their first neuron, so that what stands in order already stays so.
    first = np.full(part.max() + 1, neurons, np.int64)
    np.minimum.at(first, part, np.arange(neurons))
    result: Ints = along[np.argsort(first[part[along]], kind="stable")]
    return result
