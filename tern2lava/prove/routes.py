"""Routes: every neuron's spikes come to every axon range that sees the neuron once, and to no other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tern2lava.prove.failure import MistranslationError
from tern2lava.prove.image import Image
from tern2lava.prove.program import Program
from tern2lava.prove.reader import Box


def prove_routes(images: Sequence[Image], program: Program) -> int:
    """Number of routes. Raises MistranslationError for one that leads nowhere, to axons of others or twice to the
    same, and for one that is missing.

    The groups of a population hold each of its neurons once (see neurons.py). An axon range whose routes come from
    different groups, and carry as many neurons as its box has, is therefore reached once by each.
    """
    cores = {image.core: image for image in images if image.core is not None}
    if len(cores) != sum(image.core is not None for image in images):
        raise MistranslationError("core images", "one core twice", "each once")
    reached = {(core, index): 0 for core, image in cores.items() for index in range(len(image.axons))}
    known: dict[tuple[Box, Box], int] = {}
    count = 0
    for image in images:
        made = set()
        for route in image.routes:
            where = f"{image.name}, route to core {route.core}"
            target = cores.get(route.core)
            if target is None or route.axons >= len(target.axons):
                raise MistranslationError(where, f"axon range {route.axons}", "one that is there")
            if route.group >= len(image.groups):
                raise MistranslationError(where, f"group {route.group}", "one that is there")
            axons, group = target.axons[route.axons], image.groups[route.group]
            source = program.populations[group.number].name
            if axons.source != group.number:
                raise MistranslationError(where, f"spikes of {source} to axons of others", "spikes to their own axons")
            if route.box != axons.box:
                raise MistranslationError(
                    where, f"{source} {route.box} to axons of {axons.box}", "the box of the axons"
                )
            key = group.box, axons.box
            if key not in known:
                known[key] = common(*key)
            if not known[key]:
                raise MistranslationError(
                    where, f"no neuron of {source} {group.box} for {axons.box}", "routes with spikes"
                )
            if (route.group, route.core, route.axons) in made:
                raise MistranslationError(where, f"spikes of {source} {group.box} twice", "each once")
            made.add((route.group, route.core, route.axons))
            reached[route.core, route.axons] += known[key]
            count += 1
    for (core, index), neurons in reached.items():
        axons = cores[core].axons[index]
        if axons.source >= len(program.populations):
            raise MistranslationError(
                f"core {core}, axon range {index}", f"population {axons.source}", "one that is there"
            )
        if neurons != axons.box.volume:
            raise MistranslationError(
                f"core {core}, axon range {index}",
                f"routes from {neurons:,} neurons of {program.populations[axons.source].name} {axons.box}",
                f"{axons.box.volume:,}",
            )
    return count


def common(one: Box, other: Box) -> int:
    """Number of neurons in both boxes of one population, which may see it in different shapes."""
    if one.shape == other.shape:
        lengths = (max(0, min(a, b) - max(c, d)) for a, b, c, d in zip(one.hi, other.hi, one.lo, other.lo, strict=True))
        return int(np.prod(list(lengths)))
    if one.whole or other.whole:
        return other.volume if one.whole else one.volume
    return int(np.intersect1d(one.flat(), other.flat(), assume_unique=True).size)
