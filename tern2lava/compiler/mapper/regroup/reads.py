"""Which source reaches which neuron of a population, as a sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, hstack

from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Ints, size
from tern2lava.compiler.ir.slices import incoming

# Layers with more synapses than this share of all have much the same sources on each core, however they are grouped.
_SPARSE = 0.3
# Pairs of neurons with a source in common that are looked at, at most.
_PAIRS = 4e7


@dataclass(frozen=True, eq=False)
class Reads:
    """matrix (neurons, sources): 1 where a source has a synapse into a neuron, the sources of all projections side by
    side. itself (sources,): the neuron that a source is where the layer feeds itself, -1 for others."""

    matrix: csr_matrix
    itself: Ints


def reads_of(graph: Graph, population: Population) -> Reads | None:
    """The matrix of a population that plain dense layers feed; None where it is no such, or where its synapses are too
    many for groups to matter, or to be held against each other."""
    wires = incoming(graph, population)
    plain = all(p.geometry is None and p.pooling is None and p.reads is None for p in wires)
    if not wires or not plain or size(population.shape) < 2:
        return None
    nonzero = sum(int(np.count_nonzero(p.weight)) for p in wires)
    if not 0 < nonzero <= _SPARSE * sum(p.weight.size for p in wires):
        return None
    matrix = csr_matrix(hstack([csr_matrix(p.weight != 0, dtype=np.int32) for p in wires]))
    readers = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float64)
    if float((readers**2).sum()) > _PAIRS:
        return None
    own = [
        np.arange(p.weight.shape[1]) if p.inputs[0] == population.name else np.full(p.weight.shape[1], -1)
        for p in wires
    ]
    return Reads(matrix, np.concatenate(own).astype(np.int64))
