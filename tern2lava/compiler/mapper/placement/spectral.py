"""Spectral placement: cores at the eigenvectors of their traffic, then both halved again and again together."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, diags, identity
from scipy.sparse.linalg import eigsh

from tern2lava.compiler.ir.shapes import Array, Ints, Reals
from tern2lava.compiler.mapper.placement.curves import along, hilbert_order
from tern2lava.compiler.mapper.placement.problem import Problem

_DENSE = 400


def place_spectral(problem: Problem, seed: int) -> Ints:
    """The best of eight orientations of the embedding on the first slots of the Hilbert order.

    K. M. Hall, "An r-dimensional quadratic placement algorithm", Management Science 17(3), 1970: the eigenvectors of
    the Laplacian D - W with the least eigenvalues above 0 place cores so that sum w_ij (x_i - x_j)^2 is least.
    """
    order = hilbert_order(problem)
    if problem.cores < 4 or (problem.allowed >= 0).any():
        return along(problem, order)
    region = order[: problem.cores]
    vectors = embedding(problem.traffic(), seed)
    best: Array | None = None
    for flip_x, flip_y, swap in np.ndindex(2, 2, 2):
        x, y = vectors[:, 0] * (1 - 2 * flip_x), vectors[:, 1] * (1 - 2 * flip_y)
        slot = _halve(problem, region, *((y, x) if swap else (x, y)))
        best = slot if best is None or problem.cost(slot) < problem.cost(best) else best
    assert best is not None
    return best


def embedding(traffic: csr_matrix, seed: int) -> Reals:
    """Eigenvectors 2 and 3 of the normalised symmetric traffic (cores, cores), as (cores, 2)."""
    cores = int(traffic.shape[0])
    degree = np.asarray(traffic.sum(axis=1)).reshape(-1)
    scale = diags(1 / np.sqrt(np.maximum(degree, 1e-12)))
    normal = scale @ traffic @ scale + identity(cores)
    if cores <= _DENSE:
        vectors = np.linalg.eigh(normal.toarray())[1][:, -2:-4:-1]
    else:
        start = np.random.default_rng(seed).standard_normal(cores)
        values, found = eigsh(normal, k=3, which="LA", v0=start, tol=1e-3, maxiter=2000)
        vectors = found[:, np.argsort(values)[::-1][1:3]]
    # The sign of an eigenvector is arbitrary: the largest entry is made positive.
    sign = np.sign(vectors[np.abs(vectors).argmax(axis=0), [0, 1]])
    result: Reals = scale @ (vectors * sign)
    return result


def _halve(problem: Problem, region: Ints, x: Reals, y: Reals) -> Ints:
    """Cores (at x, y) and slots halved along the region's longer side until one is left of each."""
    slot = np.empty(problem.cores, np.int64)
    todo = [(np.arange(problem.cores), region)]
    while todo:
        cores, slots = todo.pop()
        if cores.size == 1:
            slot[cores[0]] = slots[0]
            continue
        row, col = problem.row[slots], problem.col[slots]
        if np.ptp(col) >= np.ptp(row):
            slots, cores = slots[np.lexsort((row, col))], cores[np.argsort(x[cores], kind="stable")]
        else:
            slots, cores = slots[np.lexsort((col, row))], cores[np.argsort(y[cores], kind="stable")]
        half = cores.size // 2
        todo += [(cores[:half], slots[:half]), (cores[half:], slots[half:])]
    return slot
