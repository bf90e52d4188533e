"""Putting parts on cores: vector bin packing, first fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.box import Box
from tern2lava.compiler.cost import LARGEST, RESOURCES, Block
from tern2lava.compiler.ir import Array

# Only so many of the cores opened last that have room are looked at.
_OPEN_CORES = 2048


@dataclass(frozen=True)
class Part:
    """Neurons of one population on one core. core: index in the partition; used: by resource name."""

    population: str
    box: Box
    core: int
    blocks: tuple[Block, ...]
    used: dict[str, int]


@dataclass(frozen=True)
class Item:
    """A part without a core yet. pin: the chip its population must lie on, -1 for any."""

    population: str
    box: Box
    blocks: tuple[Block, ...]
    used: dict[str, int]
    pin: int = -1


@dataclass(frozen=True)
class Packing:
    """parts on cores numbered from 0 as they were opened."""

    parts: tuple[Part, ...]
    cores: int


def scarcity(item: Item, limit: dict[str, int]) -> float:
    """The largest share of a core's resources that a part takes."""
    return max(item.used[name] / limit[name] for name in RESOURCES)


def pack(items: Sequence[Item], limit: dict[str, int], share: bool) -> Packing:
    """Each part on the first core with room for it in every resource, or on a core of its own where not `share`. Parts
    pinned to different chips share no core."""
    if not share:
        own = (Part(item.population, item.box, core, item.blocks, item.used) for core, item in enumerate(items))
        return Packing(tuple(own), len(items))
    need = np.array([[item.used[name] for name in RESOURCES] for item in items], np.int64)
    pins = np.array([item.pin for item in items], np.int64)
    most = np.array([limit[name] for name in RESOURCES], np.int64)
    cores = first_fit(need, pins, most)
    parts = (
        Part(item.population, item.box, core, item.blocks, item.used)
        for item, core in zip(items, cores.tolist(), strict=True)
    )
    return Packing(tuple(parts), int(cores.max(initial=-1)) + 1)


def first_fit(need: Array, pins: Array, most: Array) -> Array:
    """The core of each item, int64 (items,); need (items, resources), most (resources,)."""
    largest = np.array([name in LARGEST for name in RESOURCES])
    cores = np.empty(len(need), np.int64)
    load = np.zeros((_OPEN_CORES, len(RESOURCES)), np.int64)
    held, number = np.full(_OPEN_CORES, -1, np.int64), np.zeros(_OPEN_CORES, np.int64)
    # What every item that is still to come needs at least: a core without room for that is closed.
    rest = np.minimum.accumulate(need[::-1])[::-1] if len(need) else need
    live, opened = 0, 0
    for index, item in enumerate(need):
        here = load[:live]
        after = np.where(largest, np.maximum(here, item), here + item)
        room = (after <= most).all(axis=1)
        if pins[index] >= 0:
            room &= (held[:live] < 0) | (held[:live] == pins[index])
        found = np.flatnonzero(room)
        if found.size:
            at = int(found[0])
        else:
            if live == _OPEN_CORES:
                load[:-1], held[:-1], number[:-1] = load[1:].copy(), held[1:].copy(), number[1:].copy()
                live -= 1
            at, live = live, live + 1
            load[at], held[at], number[at] = 0, -1, opened
            opened += 1
        load[at] = np.where(largest, np.maximum(load[at], item), load[at] + item)
        held[at] = max(held[at], pins[index])
        cores[index] = number[at]
        least = rest[min(index + 1, len(need) - 1)]
        if (np.where(largest, np.maximum(load[at], least), load[at] + least) > most).any():
            for array in (load, held, number):
                array[at : live - 1] = array[at + 1 : live].copy()
            live -= 1
    return cores
