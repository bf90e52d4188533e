"""What each axon range of core images sees, put together from the routes that end in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.image.core_image import CORE, CoreImage, Group
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.shapes import Array, Ints, Spikes
from tern2lava.errors import InputError

# (position of the image, group in it).
Place = tuple[int, int]
Index = Ints | slice


@dataclass(frozen=True, eq=False)
class Feed:
    """Spikes of neurons `neuron` of group `source` go to places `place` of what is gathered."""

    source: Place
    neuron: Index
    place: Index


@dataclass(frozen=True, eq=False)
class Gather:
    """One value for each of the `volume` neurons of an axon range's box. most: feeds that meet in one place (they add
    up). whole: what is gathered is the first feed's source as it is."""

    volume: int
    feeds: tuple[Feed, ...]
    most: int
    whole: bool


def gathers(images: list[CoreImage]) -> tuple[tuple[Gather, ...], dict[tuple[int, int], int]]:
    """The different gathers, and which of them fills axon range a of image c, by (c, a).

    Raises InputError where a route leads to a core or axon range that is not there, or one for another population.
    """
    position = {image.core: c for c, image in enumerate(images) if image.kind == CORE}
    if len(position) != sum(image.kind == CORE for image in images):
        raise InputError("core images", "two images for one core")
    feeds: dict[tuple[int, int], list[Feed]] = {
        (c, a): [] for c, image in enumerate(images) for a in range(len(image.axons))
    }
    for source, image in enumerate(images):
        for route in image.routes:
            where = f"route of core {image.core} to core {route.core}"
            target = position.get(route.core)
            if target is None or route.axons >= len(images[target].axons):
                raise InputError(where, "leads to a core or axon range that no image has")
            group, axons = image.groups[route.group], images[target].axons[route.axons]
            if axons.source != group.number or axons.box != route.box:
                raise InputError(where, "leads to axons of another population or range")
            neuron, place = _common(group, axons.box)
            feeds[target, route.axons].append(Feed((source, route.group), neuron, place))
    different: dict[object, int] = {}
    found: list[Gather] = []
    of_axons: dict[tuple[int, int], int] = {}
    for (c, a), into in feeds.items():
        volume = images[c].axons[a].box.volume
        signature = (volume, *((feed.source, _key(feed.neuron), _key(feed.place)) for feed in into))
        if signature not in different:
            different[signature] = len(found)
            found.append(_gather(volume, into, images))
        of_axons[c, a] = different[signature]
    return tuple(found), of_axons


def fill(gather: Gather, rows: Mapping[Place, Spikes], samples: int, steps: int) -> Spikes:
    """What is gathered, (samples, steps, volume), from the spikes of each group (samples, steps, neurons)."""
    if gather.whole:
        return rows[gather.feeds[0].source]
    kind = rows[gather.feeds[0].source].dtype if gather.feeds and gather.most == 1 else np.dtype(np.int32)
    result: Array = np.zeros((samples, steps, gather.volume), kind)
    for feed in gather.feeds:
        # Places of one feed differ, those of two feeds may meet.
        if gather.most == 1:
            result[:, :, feed.place] = rows[feed.source][:, :, feed.neuron]
        else:
            result[:, :, feed.place] += rows[feed.source][:, :, feed.neuron]
    return result


def _common(group: Group, box: Box) -> tuple[Index, Index]:
    """Indices of the neurons that lie in both boxes, in the group's and in the other's order."""
    if group.box == box:
        return slice(0, group.box.volume), slice(0, group.box.volume)
    _, neuron, place = np.intersect1d(group.box.flat(), box.flat(), assume_unique=True, return_indices=True)
    return _as_slice(neuron), _as_slice(place)


def _as_slice(index: Ints) -> Index:
    if index.size and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def _key(index: Index) -> object:
    return (index.start, index.stop) if isinstance(index, slice) else index.tobytes()


def _gather(volume: int, feeds: list[Feed], images: list[CoreImage]) -> Gather:
    count = np.zeros(volume, np.int64)
    for feed in feeds:
        count[feed.place] += 1
    whole = len(feeds) == 1
    if whole:
        c, g = feeds[0].source
        everything = (0, images[c].groups[g].box.volume)
        whole = _key(feeds[0].neuron) == everything and _key(feeds[0].place) == (0, volume)
    return Gather(volume, tuple(feeds), max(1, int(count.max(initial=0))), whole)
