"""Routes: every neuron's spikes come to every axon range that sees the neuron once, and to no other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tern2lava.prove.failure import ImageError, hold
from tern2lava.prove.image import Image
from tern2lava.prove.program import Program
from tern2lava.prove.reader import Box


def prove_routes(images: Sequence[Image], program: Program) -> int:
    """Number of routes. Raises ImageError for one that leads nowhere, to axons of others or twice to the
    same, and for one that is missing.

    The groups of a population hold each of its neurons once (see neurons.py). An axon range whose routes come from
    different groups, and carry as many neurons as its box has, is therefore reached once by each.
    """
    cores = {image.core: image for image in images if image.core is not None}
    if len(cores) != sum(image.core is not None for image in images):
        raise ImageError("core images", "one core twice", "each once")
    reached = {(core, index): 0 for core, image in cores.items() for index in range(len(image.axons))}
    known: dict[tuple[Box, Box], int] = {}
    count = 0
    for image in images:
        made = set()
        for route in image.routes:
            where = f"{image.name}, route to core {route.core}"
            target, made_of = cores.get(route.core), (route.group, route.core, route.axons)
            if target is None or route.axons >= len(target.axons) or route.group >= len(image.groups):
                raise ImageError(where, f"group {route.group} and axon range {route.axons}", "ones that are there")
            axons, group = target.axons[route.axons], image.groups[route.group]
            source, key = program.populations[group.number].name, (group.box, axons.box)
            what = f"spikes of {source} {group.box}"
            hold(axons.source == group.number, where, f"{what} to axons of others", "spikes to their own axons")
            hold(route.box == axons.box, where, f"{what} in {route.box}", f"the box {axons.box} of the axons")
            if key not in known:
                known[key] = common(*key)
            hold(known[key], where, f"{what}, none of which lie in {axons.box}", "routes with spikes")
            hold(made_of not in made, where, f"{what} twice", "each once")
            made.add(made_of)
            reached[route.core, route.axons] += known[key]
            count += 1
    for (core, index), neurons in reached.items():
        axons, where = cores[core].axons[index], f"core {core}, axon range {index}"
        hold(axons.source < len(program.populations), where, f"population {axons.source}", "one that is there")
        seen, every = f"{program.populations[axons.source].name} {axons.box}", axons.box.volume
        hold(neurons == every, where, f"routes from {neurons:,} neurons of {seen}", f"{every:,}")
    return count


def common(one: Box, other: Box) -> int:
    """Number of neurons in both boxes of one population, which may see it in different shapes."""
    if one.shape == other.shape and not (one.bits or other.bits):
        lengths = (max(0, min(a, b) - max(c, d)) for a, b, c, d in zip(one.hi, other.hi, one.lo, other.lo, strict=True))
        return int(np.prod(list(lengths)))
    if one.whole or other.whole:
        return other.volume if one.whole else one.volume
    return int(np.intersect1d(one.flat(), other.flat(), assume_unique=True).size)
