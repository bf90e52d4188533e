"""Windows of cores with a crossbar as they come out when cores are filled: chosen by estimate, then changed on trial.

Estimates leave out how whole neurons and windows fit cores. Where filling is quick, populations are cut in other ways,
one at a time, and what takes fewer cores is kept; where few cores are missing, for longer, until the network fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.mapper.crossbar.first_fit import Core, Target, copies_of, single_targets
from tern2lava.compiler.mapper.crossbar.window_search import Grids, Planner
from tern2lava.errors import CapacityError

_ROUNDS = 12
# Ways to cut a population that are filled to see how many cores they take.
_TRIED = 6
# Ways to cut a population that are tried with the others as they are, and how often all populations are gone through.
_WAYS, _SWEEPS, _SWEEPS_TO_FIT = 12, 3, 12
# Segments that may be filled by trials: some seconds; and a minute or two where cores are over those of the target by
# no more than this.
_WORK, _WORK_TO_FIT, _NEAR = 240_000, 4_000_000, 1.05


@dataclass(frozen=True, eq=False)
class Settled:
    """Cores of windows in these grids, and how often each neuron stands on its core."""

    grids: Grids
    cores: list[Core]
    copies: dict[str, Ints]

    @property
    def key(self) -> tuple[int, int]:
        """What makes it better: fewer cores, then fewer columns."""
        return len(self.cores), sum(core.columns for core in self.cores)

    @property
    def segments(self) -> int:
        return sum(len(core.segments) for core in self.cores)


def estimated(planner: Planner) -> list[Settled]:
    """Cores of windows chosen one by one, by estimate and filled on trial, and all together; the fewest first."""
    chosen = [planner.one_by_one(tried) for tried in (1, _TRIED)]
    jointly = planner.together()
    chosen += [] if jointly is None else [jointly]
    return sorted((settled(planner, grids) for grids in chosen), key=lambda each: each.key)


def refined(planner: Planner, starts: list[Settled], least: int) -> Settled:
    """The fewest cores that changes of one population make of these, the best of which is the first. least: cores that
    no choice goes below."""
    best, left = starts[0], _WORK
    for start in starts:
        if len(best.cores) > least:
            found, left = _improved(planner, start, left)
            best = min(best, found, key=lambda each: each.key)
    system = planner.profile.system
    have = system.chips * (system.cores_per_chip - planner.options.spare_cores)
    if have < len(best.cores) <= _NEAR * have:
        best, _ = _improved(planner, best, _WORK_TO_FIT, have)
    return best


def _improved(planner: Planner, best: Settled, left: int, enough: int = 0) -> tuple[Settled, int]:
    """The best that changes of one population at a time make of it, or the first of `enough` cores, and the work
    left."""
    for _ in range(_SWEEPS if not enough else _SWEEPS_TO_FIT):
        before = best.key
        for population in reversed(planner.populations):
            for way in planner.ways(population, best.copies[population.name])[:_WAYS]:
                if way.grid == best.grids[population.name]:
                    continue
                left -= best.segments
                if left < 0:
                    return best, left
                try:
                    trial = settled(planner, best.grids | {population.name: way.grid})
                except CapacityError:
                    continue
                best = min(best, trial, key=lambda each: each.key)
                if len(best.cores) <= enough:
                    return best, left
        if best.key == before:
            break
    return best, left


def settled(planner: Planner, grids: Grids) -> Settled:
    """Windows of these grids on cores. Raises CapacityError where copies do not settle or fit no core."""
    filler, plans = planner.filler, planner.plans(grids)
    wide: dict[str, Iterable[Target]] = {
        name: {read for window in plan.windows for read in window.reads} for name, plan in plans.items()
    }
    graph, profile, populations = filler.graph, filler.profile, filler.populations
    copies = {p.name: copies_of(graph, profile, p, wide) for p in populations}
    cores = filler.cores(plans, copies)
    for _ in range(_ROUNDS if single_targets(profile) else 0):
        # A target is a core here: copies follow from how the readers were filled, and change how they are.
        reached: dict[str, list[Target]] = {p.name: [] for p in populations}
        for core in cores:
            for segment in core.segments:
                reached[segment.plan.population.name] += segment.window.reads
        found = {p.name: copies_of(graph, profile, p, reached) for p in populations}
        if all(np.array_equal(found[name], copies[name]) for name in found):
            break
        copies = found
        cores = filler.cores(plans, copies)
    else:
        if single_targets(profile):
            raise CapacityError(
                populations[0].name, "rounds to settle copies in a loop of layers", _ROUNDS + 1, _ROUNDS,
                "cut the loop, or let fewer layers read those in it",
            )  # fmt: skip
    return Settled(grids, cores, copies)
