"""Parts of one population that came to lie on one core and together form a box, as one part: its synapses are stored
once, and spikes reach them once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Population
from tern2lava.compiler.ir.slices import group_sizes, whole_groups
from tern2lava.compiler.mapper.cost.core_cost import LARGEST, RESOURCES, CostModel, PartCost, limits
from tern2lava.compiler.mapper.packing.first_fit import Packing, Part
from tern2lava.compiler.mapper.tiling.fan_out import Feeds
from tern2lava.errors import CapacityError


def join_parts(model: CostModel, populations: tuple[Population, ...], packing: Packing, feeds: Feeds) -> Packing:
    """`packing` with the parts of each core joined wherever that takes no more of any resource. feeds: without targets
    yet; output axons are counted towards the joined parts.

    A joined part reads all between its first source and its last, also what a stride steps over: a core in front may
    then send it axons that it sent to neither part. Where that is more than a core has, nothing is joined.
    """
    by_name = {population.name: population for population in populations}
    groups: dict[tuple[str, int], list[Part]] = {}
    for part in packing.parts:
        groups.setdefault((part.population, part.core), []).append(part)
    if all(len(parts) == 1 for parts in groups.values()):
        return packing
    joined = [part for (name, _), parts in groups.items() for part in _join(model, by_name[name], parts)]
    for population in populations:
        feeds.set_targets(population, [part.blocks for part in joined if part.population == population.name])
    counted = [
        replace(part, used=part.used | {"out_axons": feeds.out_axons(by_name[part.population], part.box)})
        for part in joined
    ]
    sent = [0] * packing.cores
    for part in counted:
        sent[part.core] += part.used["out_axons"]
    if max(sent) > limits(model.profile)["out_axons"]:
        return packing
    return Packing(tuple(counted), packing.cores)


def _join(model: CostModel, population: Population, parts: list[Part]) -> list[Part]:
    """One population's parts on one core, joined two by two until no two can be."""
    units = group_sizes(model.graph, population)
    parts = list(parts)
    at = 0
    while at < len(parts):
        for other in range(at + 1, len(parts)):
            both = _both(model, population, parts[at], parts[other], units)
            if both is not None:
                parts[at] = both
                del parts[other]
                at = -1
                break
        at += 1
    return parts


def _both(model: CostModel, population: Population, one: Part, two: Part, units: tuple[int, ...]) -> Part | None:
    """Two parts as one; None where they form no box that can be mapped, or joining them saves nothing."""
    box = union(one.box, two.box)
    if box is None:
        return None
    if len(box.shape) == 3 and not whole_groups(box.lo[0], box.hi[0], units):
        return None
    try:
        cost: PartCost = model.part(population, box, as_stored=True)
    except CapacityError:
        return None
    for name in RESOURCES:
        if name in cost.used:
            most = max(one.used[name], two.used[name]) if name in LARGEST else one.used[name] + two.used[name]
            if cost.used[name] > most:
                return None
    return replace(one, box=box, blocks=cost.blocks, used=one.used | cost.used)


def union(one: Box, two: Box) -> Box | None:
    """The box that two boxes form together, None where they form none: they agree along all axes but one, and meet
    along that one, or list their neurons along the first."""
    if one.shape != two.shape:
        return None
    if one.kept or two.kept:
        alike = (one.lo[1:], one.hi[1:]) == (two.lo[1:], two.hi[1:])
        return one.listed(np.union1d(one.first, two.first)) if alike else None
    differ = [axis for axis in range(len(one.shape)) if (one.lo[axis], one.hi[axis]) != (two.lo[axis], two.hi[axis])]
    if len(differ) != 1:
        return None
    first, last = (one, two) if one.lo[differ[0]] < two.lo[differ[0]] else (two, one)
    return Box(one.shape, first.lo, last.hi) if first.hi[differ[0]] == last.lo[differ[0]] else None
