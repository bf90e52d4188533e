"""Placement by Mt-KaHyPar, which partitions hypergraphs and maps them onto a target graph (optional package)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tern2lava.compiler.ir import Array
from tern2lava.compiler.placement.curves import along, hilbert_order
from tern2lava.compiler.placement.problem import Problem
from tern2lava.errors import MissingPackageError, UnsupportedError

# Its Steiner objective takes hypergraphs of up to so many blocks.
LARGEST = 64
_initializer: list[Any] = []


def place_mtkahypar(problem: Problem, seed: int) -> Array:
    """Mt-KaHyPar's own mapping of the traffic graph onto the mesh, one core a slot (T. Heuer, "A Direct k-Way
    Hypergraph Partitioning Algorithm for Optimizing the Steiner Tree Metric", ALENEX 2024).

    Raises MissingPackageError without the package and UnsupportedError beyond LARGEST cores.
    """
    try:
        import mtkahypar
    except ImportError:
        raise MissingPackageError("mtkahypar", "pip install 'tern2lava[mapping]'") from None
    n = problem.cores
    if n > LARGEST:
        raise UnsupportedError("placement", f"mtkahypar maps up to {LARGEST} cores", f"{n} cores", "use auto")
    order = hilbert_order(problem)
    if n < 2 or (problem.allowed >= 0).any():
        return along(problem, order)
    slots = order[:n]
    if not _initializer:
        _initializer.append(mtkahypar.initialize(min(2, os.cpu_count() or 1), print_warnings=False))
    kahypar = _initializer[0]
    mtkahypar.set_seed(seed)
    context = kahypar.context_from_preset(mtkahypar.PresetType.DETERMINISTIC)
    context.set_mapping_parameters(n, 1e-9)
    context.logging = False
    traffic = problem.traffic().tocoo()
    upper = traffic.row < traffic.col
    edges = list(zip(traffic.row[upper].tolist(), traffic.col[upper].tolist(), strict=True))
    weights = np.maximum(1, np.rint(traffic.data[upper] * (1_000 / traffic.data.max(initial=1e-9)))).astype(int)
    graph = kahypar.create_hypergraph(
        context, n, len(edges), [list(edge) for edge in edges], [1] * n, weights.tolist()
    )
    far = np.rint(problem.distances()[np.ix_(slots, slots)]).astype(int)
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    # Several cores at one router are no hop apart; a target graph's edges need a weight.
    target = kahypar.create_target_graph(context, n, len(pairs), pairs, [max(1, int(far[a, b])) for a, b in pairs])
    mapped = graph.map_onto_graph(target, context)
    block = np.array([mapped.block_id(core) for core in range(n)])
    if np.unique(block).size != n:
        raise UnsupportedError("placement", "mtkahypar puts one core on a slot", "two on one", "use auto")
    result: Array = slots[block]
    return result
