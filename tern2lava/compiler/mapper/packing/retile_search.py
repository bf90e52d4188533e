"""Other grids for one population at a time, kept where the parts then take fewer cores.

Populations are cut first as if each were alone, or under limits that are the same for all. What fills a core best is
often uneven: a layer that takes memory leaves neurons free, and another, cut finer, fills them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Population
from tern2lava.compiler.ir.shapes import Array, Ints
from tern2lava.compiler.ir.slices import incoming
from tern2lava.compiler.mapper.cost.core_cost import RESOURCES, CostModel, PartCost
from tern2lava.compiler.mapper.packing.first_fit import SUMMED, Packing, first_fit, orders
from tern2lava.compiler.mapper.tiling.fan_out import Feeds
from tern2lava.compiler.mapper.tiling.joint_search import GridChooser
from tern2lava.compiler.mapper.tiling.tile_population import exceeded
from tern2lava.errors import CapacityError

Cut = list[tuple[Box, PartCost]]
# Parts that are packed in all tries together, which bounds the time; grids that are tried for each population.
_WORK = 60_000
_TRIES = 24
_ROUNDS = 3


@dataclass(eq=False)
class Refiner:
    """Where the search stands. pins: the chip of each population's cores, -1 for any."""

    model: CostModel
    populations: tuple[Population, ...]
    limit: dict[str, int]
    chooser: GridChooser
    feeds: Feeds
    pins: dict[str, int]
    cuts: dict[str, Cut]
    out: dict[str, Ints] = field(default_factory=dict)
    _known: dict[tuple[str, tuple[Box, ...]], Cut | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for population in self.populations:
            self.feeds.set_targets(population, [cost.blocks for _, cost in self.cuts[population.name]])
        for population in self.populations:
            self.out[population.name] = self._out_axons(population, self.cuts[population.name])

    def search(self, good: float) -> dict[str, Cut]:
        """The cuts with the fewest cores that were found; ends at `good` cores or fewer."""
        best, work = self._score(self.cuts, {}), 0
        sources = {p.name: self._sources(p) for p in self.populations}
        for _ in range(_ROUNDS):
            before = best
            for population in sorted(self.populations, key=lambda p: -len(self.cuts[p.name])):
                found: Cut | None = None
                old = self.cuts[population.name]
                for cut in self._alternatives(population):
                    work += sum(len(c) for c in self.cuts.values()) - len(old) + len(cut)
                    if best[0] <= good or work > _WORK:
                        break
                    self.feeds.set_targets(population, [cost.blocks for _, cost in cut])
                    cuts = self.cuts | {population.name: cut}
                    out = {p.name: self._out_axons(p, cuts[p.name]) for p in sources[population.name]}
                    if any((axons > self.limit["out_axons"]).any() for axons in out.values()):
                        continue
                    score = self._score(cuts, out)
                    if score < best:
                        best, found, kept = score, cut, out
                self.feeds.set_targets(population, [cost.blocks for _, cost in found or old])
                if found is not None:
                    self.cuts[population.name] = found
                    self.out |= kept
            if best[0] <= good or work > _WORK or best == before:
                break
        return self.cuts

    def _sources(self, population: Population) -> list[Population]:
        """The population and those that feed it: whose output axons its cut decides."""
        names = {p.inputs[0] for p in incoming(self.model.graph, population)} | {population.name}
        return [p for p in self.populations if p.name in names]

    def _out_axons(self, population: Population, cut: Cut) -> Ints:
        return self.feeds.out_axons_of(population, [box for box, _ in cut])

    def _score(self, cuts: dict[str, Cut], out: dict[str, Ints]) -> tuple[float, ...]:
        """(cores, how unevenly they are filled, negative): the more uneven, the nearer is one to being empty."""
        rows: list[Array] = []
        pins: list[int] = []
        for population in reversed(self.populations):
            name = population.name
            cut = cuts[name]
            table = np.array([[cost.used.get(r, 0) for r in RESOURCES] for _, cost in cut], np.int64)
            table[:, RESOURCES.index("out_axons")] = out.get(name, self.out[name]) if self.out else 0
            rows.append(table)
            pins += [self.pins[name]] * len(cut)
        need, pin = np.concatenate(rows), np.array(pins, np.int64)
        most = np.array([self.limit[name] for name in RESOURCES], np.int64)
        best: tuple[float, ...] = ()
        for order in orders(need, most):
            core = first_fit(need[order], pin[order], most)
            load = np.zeros((int(core.max()) + 1, SUMMED))
            np.add.at(load, core, need[order][:, :SUMMED])
            fill = float(((load / most[:SUMMED]).max(axis=1) ** 2).sum())
            score = (float(len(load)), -round(fill, 6))
            best = score if not best or score < best else best
        return best

    def _alternatives(self, population: Population) -> list[Cut]:
        """Grids whose boxes all fit on a core, apart from output axons."""
        found = []
        for boxes in self.chooser.alternatives(population, self.limit, _TRIES):
            key = (population.name, tuple(boxes))
            if key not in self._known:
                self._known[key] = self._cut(population, boxes)
            cut = self._known[key]
            if cut is not None and [box for box, _ in cut] != [box for box, _ in self.cuts[population.name]]:
                found.append(cut)
        return found

    def _cut(self, population: Population, boxes: Sequence[Box]) -> Cut | None:
        result: Cut = []
        for box in (boxes[len(boxes) // 2], *boxes):
            try:
                cost = self.model.part(population, box, as_stored=True)
            except CapacityError:
                return None
            if exceeded(cost.used, self.limit):
                return None
            result.append((box, cost))
        return result[1:]


def cuts_of(packing: Packing) -> dict[str, Cut]:
    """The boxes of each population in a packing, with their costs."""
    result: dict[str, Cut] = {}
    for part in sorted(packing.parts, key=lambda part: part.box.lo):
        used = {name: value for name, value in part.used.items() if name != "out_axons"}
        result.setdefault(part.population, []).append((part.box, PartCost(used, part.blocks)))
    return result
