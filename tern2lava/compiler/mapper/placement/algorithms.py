"""The placement algorithms by name."""

from __future__ import annotations

from collections.abc import Callable

from tern2lava.compiler.ir.shapes import Array, Ints
from tern2lava.compiler.mapper.placement.annealing import BUDGET, improve
from tern2lava.compiler.mapper.placement.curves import place_hilbert, place_linear, place_random
from tern2lava.compiler.mapper.placement.exact import prove
from tern2lava.compiler.mapper.placement.hypergraph import place_mtkahypar
from tern2lava.compiler.mapper.placement.problem import Problem
from tern2lava.compiler.mapper.placement.quadratic import place_quadratic
from tern2lava.compiler.mapper.placement.spectral import place_spectral

# Up to this number of cores auto also tries the quadratic assignment, and anneals from several starts.
SMALL = 160
TINY = 24
# Up to this number of cores it anneals from the Hilbert curve too, as long as that takes.
_BOTH = 2_000
# More cores than that are annealed for _LONGER x the time: on 5,000 cores, 6 % fewer hops for 2 seconds.
_LONGER = 4
_RESTARTS = 6


def place_search(problem: Problem, seed: int) -> Ints:
    """Annealing from the Hilbert curve."""
    return improve(problem, place_hilbert(problem, seed), seed)


def place_exact(problem: Problem, seed: int) -> Array:
    """What CP-SAT finds, at most as costly as annealing."""
    return prove(problem, seed).slot


def place_auto(problem: Problem, seed: int) -> Ints:
    """The best of Hilbert, linear and spectral (and for few cores the quadratic assignment), then annealed; few cores
    are annealed from each of them, more than once, many from the Hilbert curve too."""
    starts = [place_hilbert(problem, seed), place_linear(problem, seed), place_spectral(problem, seed)]
    if problem.cores <= SMALL:
        starts.append(place_quadratic(problem, seed))
    starts.sort(key=problem.cost)
    if problem.cores > SMALL:
        # A hot start would undo what the eigenvectors know of a large network.
        budget = BUDGET if problem.cores <= _BOTH else _LONGER * BUDGET
        cold = improve(problem, starts[0], seed, budget, heat=0.05)
        return min((cold, place_search(problem, seed)), key=problem.cost) if problem.cores <= _BOTH else cold
    rounds = _RESTARTS if problem.cores <= TINY else 1
    tried = [
        improve(problem, start, seed + turn, BUDGET // (len(starts) * rounds), heat)
        for start in starts
        for turn, heat in zip(range(rounds), (0.5, 0.1, 1.0, 0.3, 0.5, 0.1), strict=False)
    ]
    return min(tried, key=problem.cost)


PLACEMENTS: dict[str, Callable[[Problem, int], Array]] = {
    "auto": place_auto,
    "exact": place_exact,
    "hilbert": place_hilbert,
    "linear": place_linear,
    "mtkahypar": place_mtkahypar,
    "quadratic": place_quadratic,
    "random": place_random,
    "search": place_search,
    "spectral": place_spectral,
}
# The package of the addition "mapping" that an algorithm needs.
NEEDS = {"exact": "ortools", "mtkahypar": "mtkahypar"}
