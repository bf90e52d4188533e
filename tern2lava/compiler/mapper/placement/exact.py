"""Proven placements of few cores, by OR-tools' CP-SAT (optional package)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.mapper.placement.annealing import improve
from tern2lava.compiler.mapper.placement.curves import place_hilbert
from tern2lava.compiler.mapper.placement.problem import Problem
from tern2lava.counts import count
from tern2lava.errors import UnsupportedError
from tern2lava.extras import require

LARGEST = 12
_UNITS = 1000


@dataclass(frozen=True, eq=False)
class Proof:
    """slot: the best placement found; bound: no placement costs less; optimal: whether the two were shown to meet (to
    one part in a thousand of the largest traffic, to which weights are rounded down)."""

    slot: Array
    bound: float
    optimal: bool


def prove(problem: Problem, seed: int = 0, seconds: float = 20.0) -> Proof:
    """The best placement of at most LARGEST cores, and how far from the optimum it can be.

    Each core has a row, a column and a chip; slots differ; the sum of traffic times distances is minimised. Raises
    MissingPackageError without OR-tools and UnsupportedError for more cores.
    """
    require("mapping", "ortools")
    from ortools.sat.python import cp_model

    n = problem.cores
    if n > LARGEST:
        raise UnsupportedError(
            "placement", f"at most {count(LARGEST, 'core')} for exact", f"{count(n, 'core')}", "use auto"
        )
    largest = max(problem.weight.max(initial=0.0), problem.host.max(initial=0.0), 1e-12)
    unit = largest / _UNITS
    model = cp_model.CpModel()
    at = problem.coordinates
    slot = [model.new_int_var(0, problem.slots - 1, f"slot{i}") for i in range(n)]
    model.add_all_different(slot)
    low, high = at.min(axis=0).tolist(), at.max(axis=0).tolist()
    place = [[model.new_int_var(low[a], high[a], f"at{i}_{a}") for a in range(4)] for i in range(n)]
    rows = [(s, *map(int, at[s])) for s in range(problem.slots)]
    for i in range(n):
        mine = rows
        if problem.allowed[i] >= 0:
            mine = [row for row in rows if problem.chip[row[0]] == problem.allowed[i]]
        model.add_allowed_assignments([slot[i], *place[i]], mine)
    terms = []
    price = (1.0, 1.0, problem.chip_hops, problem.chip_hops)

    def charge(weight: float, one: list[object], other: list[object], name: str) -> None:
        for axis in range(4):
            reach = int(np.ptp(at[:, axis])) + int(abs(problem.host_at[axis] - at[:, axis]).max())
            units = int(weight * price[axis] / unit)
            if reach and units:
                apart = model.new_int_var(0, reach, f"{name}_{axis}")
                model.add_abs_equality(apart, one[axis] - other[axis])  # type: ignore[operator]
                terms.append(units * apart)

    for i in range(n):
        if problem.host[i] > 0:
            charge(float(problem.host[i]), list(place[i]), [int(v) for v in problem.host_at], f"host{i}")
        for k in range(problem.first[i], problem.first[i + 1]):
            j = int(problem.neighbour[k])
            if j > i:
                charge(float(problem.weight[k]), list(place[i]), list(place[j]), f"d{i}_{j}")
    model.minimize(sum(terms))
    start = improve(problem, place_hilbert(problem, seed), seed)
    for i in range(n):
        model.add_hint(slot[i], int(start[i]))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 2
    solver.parameters.random_seed = seed
    status = solver.solve(model)
    found = start
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        solved = np.array([solver.value(v) for v in slot])
        found = solved if problem.cost(solved) < problem.cost(start) else start
    return Proof(found, solver.best_objective_bound * unit, status == cp_model.OPTIMAL)
