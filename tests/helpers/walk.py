"""An independent check of the routing tables: every route in the images is walked router by router."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.image.core_image import CORE, CoreImage
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.shapes import Array, size
from tern2lava.errors import InputError
from tern2lava.hw_profiles import Profile

Router = tuple[int, int]
# The host emits at the first router of the first chip.
_ENTRY: Router = (0, 0)


@dataclass(frozen=True, eq=False)
class Walk:
    """What was seen. hops: of each route, image by image in their order; neurons: sent on it; links: how many neurons'
    spikes pass from one router to the next when each spikes once; crossings: chip borders passed by each route."""

    hops: tuple[int, ...]
    neurons: tuple[int, ...]
    crossings: tuple[int, ...]
    links: dict[tuple[Router, Router], int]


def walk(images: Sequence[CoreImage], profile: Profile) -> Walk:
    """The walk of all routes of the images (the host's among them).

    Raises InputError where a route meets a router twice or leads to no such axons, and where a neuron's spike reaches
    an axon range that reads it never or twice.
    """
    cores = {image.core: image for image in images if image.kind == CORE}
    reached = {
        (number, index): np.zeros(axons.box.volume, np.int64)
        for number, image in cores.items()
        for index, axons in enumerate(image.axons)
    }
    chip_rows, chip_cols = profile.system.mesh_rows.value, profile.system.mesh_cols.value
    hops: list[int] = []
    sent: list[int] = []
    crossings: list[int] = []
    paths: dict[tuple[Router, Router], tuple[list[Router], int]] = {}
    passing: dict[tuple[Router, Router], int] = {}
    for image in images:
        begin = _router(profile, image.core) if image.kind == CORE else _ENTRY
        for route in image.routes:
            where = f"route of {'core ' + str(image.core) if image.kind == CORE else 'the host'} to core {route.core}"
            target = cores.get(route.core)
            if target is None or route.axons >= len(target.axons):
                raise InputError(where, "leads to a core or axon range that no image has")
            axons, group = target.axons[route.axons], image.groups[route.group]
            if axons.source != group.number:
                raise InputError(where, "leads to axons of another population")
            ends = begin, _router(profile, route.core)
            if ends not in paths:
                path = _path(profile, *ends)
                if len(set(path)) != len(path):
                    raise InputError(where, "meets a router twice")
                chips = [(row // chip_rows, col // chip_cols) for row, col in path]
                borders = sum(map(operator.ne, chips, chips[1:]))
                paths[ends] = path, borders
            path, borders = paths[ends]
            neurons = _count(axons.box, group.box, reached[route.core, route.axons])
            passing[ends] = passing.get(ends, 0) + neurons
            hops.append(len(path) - 1)
            sent.append(neurons)
            crossings.append(borders)
    links: dict[tuple[Router, Router], int] = {}
    for ends, neurons in passing.items():
        for step in itertools.pairwise(paths[ends][0]):
            links[step] = links.get(step, 0) + neurons
    for (number, index), count in reached.items():
        wrong = np.flatnonzero(count != 1)
        if wrong.size:
            raise InputError(
                f"core {number}", f"axon range {index} is reached {count[wrong[0]]} times by a neuron, expected once"
            )
    return Walk(tuple(hops), tuple(sent), tuple(crossings), links)


def _path(profile: Profile, begin: Router, end: Router) -> list[Router]:
    """The routers passed, each choosing the next from the destination alone."""
    path = [begin]
    mesh_rows = profile.system.chip_rows.value * profile.system.mesh_rows.value
    mesh_cols = profile.system.chip_cols.value * profile.system.mesh_cols.value
    while path[-1] != end and len(path) <= mesh_rows * mesh_cols:
        row, col = path[-1]
        along_x = (row, col + (1 if end[1] > col else -1)) if end[1] != col else None
        along_y = (row + (1 if end[0] > row else -1), col) if end[0] != row else None
        first, second = (along_x, along_y) if profile.routing.order.value == "xy" else (along_y, along_x)
        step = first or second
        assert step is not None
        path.append(step)
    return path


def _router(profile: Profile, core: int) -> Router:
    """Row and column, counted across all chips, of the router that serves a core."""
    system = profile.system
    chip, slot = core // system.cores_per_chip, core % system.cores_per_chip
    chip_row, chip_col = chip // system.chip_cols.value, chip % system.chip_cols.value
    router = slot // system.cores_per_router.value
    return (
        chip_row * system.mesh_rows.value + router // system.mesh_cols.value,
        chip_col * system.mesh_cols.value + router % system.mesh_cols.value,
    )


def _count(seen: Box, group: Box, reached: Array) -> int:
    """How many neurons of `seen` are also in `group`; one is added to `reached`, (neurons of `seen`,), at each."""
    if seen.shape == group.shape and not (seen.kept or group.kept):
        inside = tuple(
            slice(max(0, low - first), max(0, high - first))
            for first, low, high in zip(seen.lo, group.lo, group.hi, strict=True)
        )
        common = reached.reshape(seen.extent)[inside]
        common += 1
        return int(common.size)
    member = np.zeros(size(group.shape), bool)
    member[group.flat()] = True
    places = np.flatnonzero(member[seen.flat()])
    reached[places] += 1
    return int(places.size)
