"""Placement as the quadratic assignment problem that it is, by SciPy's fast approximate solver."""

from __future__ import annotations

import numpy as np
from scipy.optimize import quadratic_assignment

from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.mapper.placement.curves import along, hilbert_order
from tern2lava.compiler.mapper.placement.problem import Problem
from tern2lava.counts import count
from tern2lava.errors import UnsupportedError

LARGEST = 512


def place_quadratic(problem: Problem, seed: int) -> Ints:
    """The assignment found by FAQ (J. T. Vogelstein et al., PLoS ONE 10(4), 2015) for cores, empty slots and the host,
    which is a core fixed at its slot. UnsupportedError beyond LARGEST cores: its matrices are dense."""
    if problem.cores > LARGEST:
        raise UnsupportedError(
            "placement",
            f"at most {count(LARGEST, 'core')} for quadratic",
            f"{count(problem.cores, 'core')}",
            "use auto or spectral",
        )
    order = hilbert_order(problem)
    if (problem.allowed >= 0).any():
        return along(problem, order)
    slots = order[: problem.cores]
    n = problem.cores
    flow, far = np.zeros((n + 1, n + 1)), np.zeros((n + 1, n + 1))
    flow[:n, :n] = problem.traffic().toarray()
    flow[n, :n] = flow[:n, n] = problem.host
    far[:n, :n] = problem.distances(slots)
    far[n, :n] = far[:n, n] = problem.host_distances()[slots]
    fixed = np.array([[n, n]])
    result = quadratic_assignment(
        flow, far, method="faq", options={"partial_match": fixed, "rng": np.random.default_rng(seed)}
    )
    found: Ints = slots[result.col_ind[:n]]
    return found
