"""All parts of a network on cores with a crossbar, and what they use.

Windows are chosen (window_search.py, joint_search.py), filled onto cores (first_fit.py) and changed where that
takes fewer (local_search.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.ir.slices import cut, fan_in, group_sizes, incoming, synapse_count
from tern2lava.compiler.mapper.cost.core_cost import RESOURCES, Block, allowed_encodings, parameter_sets
from tern2lava.compiler.mapper.crossbar.bound_contents import least_cores_by_contents
from tern2lava.compiler.mapper.crossbar.bound_copies import least_cores
from tern2lava.compiler.mapper.crossbar.bound_totals import total_crossbar_resources
from tern2lava.compiler.mapper.crossbar.first_fit import Core, Filler, Segment, single_targets
from tern2lava.compiler.mapper.crossbar.local_search import estimated, refined
from tern2lava.compiler.mapper.crossbar.window_search import Planner
from tern2lava.compiler.mapper.crossbar.windows import ENCODING, boxes_of
from tern2lava.compiler.mapper.packing.first_fit import Part
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile


@dataclass(frozen=True, eq=False)
class Filled:
    """Parts sorted by core, number of cores, what each core uses by resource, and bounds on cores (Partition)."""

    parts: tuple[Part, ...]
    cores: int
    used: dict[str, Ints]
    limit: dict[str, int]
    total: dict[str, int]
    contents: int


def fill(graph: Graph, profile: Profile, options: MapOptions) -> Filled:
    """All parts of an INTEGER graph on cores with a crossbar: the fewest cores of windows chosen by estimate, and of
    windows filled on trial. Raises CapacityError for what no core can hold."""
    if not allowed_encodings(profile, options.encodings):
        wanted = ", ".join(options.encodings or ())
        own = f"allow the target's own, {', '.join(profile.synapse.encodings.value)}"
        raise CapacityError("the network", f"of the encodings {wanted}", 1, 0, own)
    filler = Filler(graph, profile, options)
    total = total_crossbar_resources(graph, profile)
    planner, contents = Planner(filler), 0
    starts = estimated(planner)
    settled = starts[0]
    if len(settled.cores) > max(-(-total[name] // filler.limit[name]) for name in total):
        if single_targets(profile):
            contents = least_cores_by_contents(graph, profile, filler.limit)
        else:
            contents = least_cores(graph, profile)
        settled = refined(planner, starts, contents)
    return on_cores(filler, settled.cores, settled.copies, total, contents)


def fill_by_estimate(graph: Graph, profile: Profile, options: MapOptions) -> Iterator[Filled]:
    """All parts for each way in which windows are chosen before any is changed, whatever cores they take: ways with
    smaller windows take more cores, whose spikes go to fewer. No bound is counted."""
    planner = Planner(Filler(graph, profile, options))
    total = total_crossbar_resources(graph, profile)
    for start in estimated(planner):
        yield on_cores(planner.filler, start.cores, start.copies, total, 0)


def on_cores(
    filler: Filler, cores: list[Core], copies: dict[str, Ints], total: dict[str, int], contents: int
) -> Filled:  # fmt: skip
    """What these cores hold, as parts."""
    used = {name: np.zeros(len(cores), np.int64) for name in RESOURCES}
    parts: list[Part] = []
    for number, core in enumerate(cores):
        mine = [part for segment in core.segments for part in _parts(filler, segment, number, copies)]
        for name in RESOURCES:
            values = [part.used[name] for part in mine]
            used[name][number] = max(values) if name == "fan_in" else sum(values)
        parts += mine
    return Filled(tuple(parts), len(cores), used, filler.limit, total, contents)


def _parts(filler: Filler, segment: Segment, core: int, copies: dict[str, Ints]) -> list[Part]:
    """The boxes of a segment. Axons, which they share, count with the first of them."""
    graph, crossbar, population = filler.graph, filler.crossbar, segment.plan.population
    planes = crossbar.planes.value
    result: list[Part] = []
    units = group_sizes(graph, population)
    for box in (b for place, low, high in segment.ranges for b in boxes_of(place, low, high, units)):
        pieces = [(p, piece) for p in incoming(graph, population) if (piece := cut(p, box, whole=True)) is not None]
        taken = int(box.select(copies[population.name]).sum())
        axons = 0 if result else segment.axons
        if planes == "columns":
            bits = taken * segment.plan.bits * segment.plan.fold * crossbar.inputs.value
        else:
            bits = axons * filler.columns
        share = np.cumsum([0, *(piece.axons for _, piece in pieces)])
        ends = bits * share // max(int(share[-1]), 1)
        blocks = tuple(
            Block(
                p.name, piece.source, ENCODING[planes], ENCODING[planes], int(ends[i + 1] - ends[i]),
                piece.axons * filler.each, fan_in(piece.local), synapse_count(piece.local),
            )
            for i, (p, piece) in enumerate(pieces)
        )  # fmt: skip
        thresholds, decays = parameter_sets(population, box)
        amounts = {
            "neurons": taken, "synapse_bits": int(bits), "in_axons": axons, "out_axons": taken,
            "fan_in": sum(b.fan_in for b in blocks), "threshold_sets": thresholds, "decay_sets": decays,
        }  # fmt: skip
        result.append(Part(population.name, box, core, blocks, amounts))
    return result
