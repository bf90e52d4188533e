"""Placements that lay the cores in the order of the network along a curve through the slots."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Ints
from tern2lava.compiler.mapper.placement.problem import Problem


def hilbert_index(row: Ints, col: Ints) -> Ints:
    """Position of each cell along a Hilbert curve through the least square of 2^k cells a side that holds them all.

    D. Hilbert, "Ueber die stetige Abbildung einer Linie auf ein Flaechenstueck", Math. Annalen 38 (1891): in each of
    four quadrants the curve is the same, turned so that the ends meet.
    """
    x, y = col.astype(np.int64).copy(), row.astype(np.int64).copy()
    side = 1
    while side <= max(int(x.max(initial=0)), int(y.max(initial=0))):
        side *= 2
    index = np.zeros(x.shape, np.int64)
    half = side // 2
    while half:
        right, lower = (x & half) > 0, (y & half) > 0
        index += half * half * ((3 * right) ^ lower)
        flip = ~lower & right
        x, y = (
            np.where(flip, half - 1 - (x & (half - 1)), x & (half - 1)),
            np.where(flip, half - 1 - (y & (half - 1)), y & (half - 1)),
        )
        x, y = np.where(lower, x, y), np.where(lower, y, x)
        half //= 2
    return index


def hilbert_order(problem: Problem) -> Ints:
    """All slots, chip by chip along a Hilbert curve of chips, on each chip along one of routers."""
    rank = hilbert_index(problem.chip_row, problem.chip_col)
    row, col = problem.row - problem.row.min(), problem.col - problem.col.min()
    inside = np.zeros(problem.slots, np.int64)
    for chip in np.unique(problem.chip):
        mine = np.flatnonzero(problem.chip == chip)
        inside[mine] = hilbert_index(row[mine] - row[mine].min(), col[mine] - col[mine].min())
    order: Ints = np.lexsort((problem.number, inside, rank))
    return order


def along(problem: Problem, order: Ints) -> Ints:
    """The cores in order on the slots in `order`, each on the first that is left and that it may lie on."""
    if (problem.allowed < 0).all():
        return np.array(order[: problem.cores])
    slot = np.full(problem.cores, -1, np.int64)
    left = list(order.tolist())
    for pinned in (True, False):
        for core in np.flatnonzero((problem.allowed >= 0) == pinned):
            chip = problem.allowed[core]
            at = next(k for k, s in enumerate(left) if chip < 0 or problem.chip[s] == chip)
            slot[core] = left.pop(at)
    return slot


def place_linear(problem: Problem, seed: int) -> Ints:
    """In order on the first slots, router by router, row by row, chip by chip."""
    return along(problem, np.argsort(problem.number, kind="stable"))


def place_random(problem: Problem, seed: int) -> Array:
    """Anywhere on the chips that are used."""
    return along(problem, np.random.default_rng(seed).permutation(problem.slots))


def place_hilbert(problem: Problem, seed: int) -> Ints:
    """In order along a Hilbert curve (as Jin et al., ASPLOS 2023, doi 10.1145/3582016.3582038, begin)."""
    return along(problem, hilbert_order(problem))
