"""How populations are cut into windows for cores with a crossbar.

What decides is how columns add up: smaller windows need fewer axons (a lower fold) but overlap more, and each overlap
copies the neurons in it on the cores before. See windows.py for what windows, folds and copies are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Input, Population
from tern2lava.compiler.ir.shapes import Ints, Reals, size
from tern2lava.compiler.ir.slices import incoming, source_shape
from tern2lava.compiler.mapper.crossbar.first_fit import Filler, Plan, Target, copies_of, single_targets
from tern2lava.compiler.mapper.crossbar.joint_search import choose_together
from tern2lava.compiler.mapper.crossbar.windows import (
    bits_of,
    fold_of,
    grids,
    read_together,
    spans,
    window_neurons,
    window_sources,
    windows,
    with_readers,
)
from tern2lava.compiler.mapper.tiling.grids import Cuts
from tern2lava.compiler.mapper.tiling.tile_population import hint
from tern2lava.counts import count
from tern2lava.errors import CapacityError

Grids = dict[str, tuple[Cuts, ...]]
# Plans of each population that are remembered.
_KNOWN = 2


@dataclass(frozen=True)
class Way:
    """A way to cut a population: its grid, the fold that it needs, and how many windows it has. before: cores that
    copies take on the cores that feed it; estimate: these and its own."""

    grid: tuple[Cuts, ...]
    fold: int
    windows: int
    before: float
    estimate: float


class Planner:
    """Chooses windows for the cores that `filler` fills."""

    def __init__(self, filler: Filler) -> None:
        self.filler = filler
        self.graph, self.profile, self.options = filler.graph, filler.profile, filler.options
        self.crossbar, self.columns, self.each = filler.crossbar, filler.columns, filler.each
        self.populations = filler.populations
        self.single = single_targets(filler.profile)
        self.bits = {p.name: bits_of(self.graph, p, self.profile) for p in self.populations}
        self._groups = read_together(self.graph)
        self._plans: dict[str, dict[tuple[tuple[Cuts, ...], int], Plan]] = {}

    def one_by_one(self, tried: int) -> Grids:
        """A grid for each population, readers first. tried: how many ways to cut each are filled on trial."""
        chosen: Grids = {}
        reads: dict[str, set[Target]] = {}
        for population in reversed(self.populations):
            grid = self._grid(population, copies_of(self.graph, self.profile, population, reads), tried)
            chosen[population.name] = grid
            reads[population.name] = {r for w in windows(self.graph, population, grid) for r in w.reads}
        return chosen

    def together(self) -> Grids | None:
        """The same where all are chosen together; None where a target is a core, or no choice was found."""
        return None if self.single else choose_together(self.graph, self.profile)

    def plans(self, chosen: Grids) -> dict[str, Plan]:
        """A plan for each population."""
        fold = {
            p.name: fold_of(self.profile, int(window_sources(self.graph, p, chosen[p.name]).max()))
            for p in self.populations
        }
        fold = with_readers(fold, self._groups)
        return {p.name: self._plan(p, chosen[p.name], fold[p.name]) for p in self.populations}

    def _plan(self, population: Population, grid: tuple[Cuts, ...], fold: int) -> Plan:
        """The same object for the same grid and fold, so that what follows from it is known too."""
        known = self._plans.setdefault(population.name, {})
        if (grid, fold) not in known:
            if len(known) == _KNOWN:
                del known[next(iter(known))]
            found = windows(self.graph, population, grid)
            known[grid, fold] = Plan(population, found, self.bits[population.name], fold)
        return known[grid, fold]

    def ways(self, population: Population, copies: Ints) -> list[Way]:
        """Ways to cut a population whose neurons have `copies` copies, by the cores that they are estimated to take
        here and, by copies, on the cores that feed it. Raises CapacityError where there is none."""
        found: list[Way] = []
        mean, least = float(copies.mean()), 0
        # Columns of the neuron with most copies at a fold of 1; what no fold mends is refused where cores are filled.
        widest = int(copies.max()) * self.bits[population.name]
        widest = widest if widest <= self.columns else 1
        delay = max((p.delay for p in incoming(self.graph, population)), default=0)
        slots = self.crossbar.timeslots.value
        for grid in grids(self.graph, population):
            sources, neurons = window_sources(self.graph, population, grid), window_neurons(grid)
            most = int(sources.max())
            fold = fold_of(self.profile, most)
            least = min(least, most) if least else most
            if fold > self.crossbar.fold.value or (delay + 1) * fold > slots or widest * fold > self.columns:
                continue
            columns = np.asarray(neurons * mean * self.bits[population.name] * fold, np.float64)
            full, rest = np.divmod(columns, self.columns)
            share = np.maximum(rest / self.columns, sources * self.each / (self.crossbar.inputs.value * fold))
            share = np.where(rest > 0, share if self.options.share_cores else 1.0, 0.0)
            before = self._upstream(population, grid, columns)
            found.append(Way(grid, fold, sources.size, before, float(full.sum() + share.sum()) + before))
        if not found:
            have = self.crossbar.inputs.value * self.crossbar.fold.value
            if least * self.each > have:
                used = least * self.each
                raise CapacityError(population.name, "in_axons", used, have, hint("in_axons", used, have))
            fold = fold_of(self.profile, least)
            if (delay + 1) * fold > slots:
                raise CapacityError(
                    population.name, "time slots for its delay", (delay + 1) * fold, slots,
                    f"shorten the paths that it must wait for to {count(max(0, slots // fold - 1), 'step')}",
                )  # fmt: skip
            used = widest * fold
            text = hint("dendrites", used, self.columns)
            raise CapacityError(population.name, "columns for one neuron", used, self.columns, text)
        return sorted(found, key=lambda way: (way.estimate, way.windows))

    def _grid(self, population: Population, copies: Ints, tried: int) -> tuple[Cuts, ...]:
        """The best way to cut a population: of the `tried` best by estimate and the one with fewest windows, filling
        shows which it is; of one, no filling."""
        found = self.ways(population, copies)
        if len(found) == 1 or tried == 1:
            return found[0].grid
        best = [*found[:tried], min(found[tried:], key=lambda way: way.windows, default=found[0])]

        def cores(way: Way) -> tuple[float, int]:
            plan = Plan(population, windows(self.graph, population, way.grid), self.bits[population.name], way.fold)
            return self._alone(plan, copies) + way.before, way.windows

        return min(best, key=cores).grid

    def _alone(self, plan: Plan, copies: Ints) -> float:
        """Cores that a population takes if none but its own windows share them, the last one by what it holds."""
        name = plan.population.name
        cores = self.filler.cores({name: plan}, {name: copies})
        rest = min(core.columns for core in cores)
        return len(cores) - 1 + (rest / self.columns if self.options.share_cores else 1.0)

    def _upstream(self, population: Population, grid: tuple[Cuts, ...], columns: Reals) -> float:
        """Cores that copies of the neurons which feed a population take, if it is cut so."""
        total = 0.0
        for projection in incoming(self.graph, population):
            source = projection.inputs[0]
            if isinstance(self.graph[source], Input):
                continue
            seen = spans(projection, grid)
            if self.single:
                cores = np.ceil(columns / self.columns)
                each = np.full(columns.size, seen) if isinstance(seen, int) else _outer(seen)
                targets = float((each * cores).sum()) * self.each
            else:
                targets = float(seen) if isinstance(seen, int) else float(_outer(seen).sum())
            extra = targets - size(source_shape(projection))
            total += max(0.0, extra) * self.bits[source] / self.columns
        return total


def _outer(seen: tuple[Ints, ...]) -> Ints:
    return np.multiply.outer(np.multiply.outer(seen[0], seen[1]), seen[2]).reshape(-1)
