"""Partitions that take each population from the coarsest of several cuts in which none of its parts works too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.compiler.mapper.packing.first_fit import Part
from tern2lava.compiler.mapper.partition import Partition, renumbered
from tern2lava.compiler.mapper.routing.connections import connections
from tern2lava.compiler.mapper.routing.routes import entries
from tern2lava.hw_profiles import Profile


def mixed(graph: Graph, profile: Profile, cuts: Sequence[Partition], work: Sequence[Reals], most: float) -> Partition:
    """Parts of `cuts` (coarsest first), a core each: every population from the first cut in which none of its parts has
    more than `most` work, or from that in which the largest has least. work: of the parts of each cut.

    Output axons are counted anew, since they depend on how the targets are cut; see `fits`.
    """
    populations = graph.of_kind(Population)
    chosen: list[Part] = []
    for population in populations:
        ranked = []
        for index, (found, each) in enumerate(zip(cuts, work, strict=True)):
            mine = [at for at, part in enumerate(found.parts) if part.population == population.name]
            peak = float(each[mine].max())
            ranked.append((peak > most, peak if peak > most else 0.0, index, mine))
        *_, index, mine = min(ranked)
        chosen += [cuts[index].parts[at] for at in mine]
    base = cuts[0]
    alone = tuple(replace(part, core=index) for index, part in enumerate(chosen))
    result = renumbered(populations, alone, base.limit, base.total, base.density)
    wired = connections(graph, result)
    out = np.zeros(len(result.parts), np.int64)
    inside = wired.part >= 0
    np.add.at(out, wired.part[inside], entries(graph, result, profile, wired, np.zeros_like(wired.neurons))[inside])
    counted = tuple(
        replace(part, used=part.used | {"out_axons": int(axons)}) for part, axons in zip(result.parts, out, strict=True)
    )
    return renumbered(populations, counted, base.limit, base.total, base.density)


def fits(found: Partition) -> bool:
    """Whether every core holds what is put on it."""
    return all(bool((used <= found.limit[name]).all()) for name, used in found.used.items())
