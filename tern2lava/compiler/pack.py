"""Putting parts on cores: vector bin packing, first fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.box import Box
from tern2lava.compiler.cost import LARGEST, RESOURCES, Block

# Only so many of the cores opened last are looked at for room.
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
    most = np.array([limit[name] for name in RESOURCES])
    largest = np.array([name in LARGEST for name in RESOURCES])
    load = np.zeros((max(64, len(items)) if share else 1, len(RESOURCES)), np.int64)
    pins = np.full(len(load), -1, np.int64)
    parts: list[Part] = []
    opened = 0
    for item in items:
        need = np.array([item.used[name] for name in RESOURCES])
        core = -1
        if share:
            first = max(0, opened - _OPEN_CORES)
            here = load[first:opened]
            after = np.where(largest, np.maximum(here, need), here + need)
            room = (after <= most).all(axis=1)
            if item.pin >= 0:
                room &= (pins[first:opened] < 0) | (pins[first:opened] == item.pin)
            found = np.flatnonzero(room)
            core = first + int(found[0]) if found.size else -1
        if core < 0:
            core, opened = opened, opened + 1
        if share:
            load[core] = np.where(largest, np.maximum(load[core], need), load[core] + need)
            pins[core] = max(pins[core], item.pin)
        parts.append(Part(item.population, item.box, core, item.blocks, item.used))
    return Packing(tuple(parts), opened)
