"""Putting parts on cores: vector bin packing, first fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.shapes import Bools, Ints
from tern2lava.compiler.mapper.cost.core_cost import LARGEST, RESOURCES, Block
from tern2lava.compiler.shown import Shown

# The number of cores searched for room, those opened last.
_OPEN_CORES = 2048
# The first SUMMED of RESOURCES add up and are scarce.
SUMMED = 4


@dataclass(frozen=True)
class Part(Shown):
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


def pack(items: Sequence[Item], limit: dict[str, int], share: bool) -> Packing:
    """Each part on the first core with room for it in every resource, in the order that opens the fewest cores, or on
    a core of its own where not `share`. Parts pinned to different chips share no core."""
    if not share or not items:
        own = (Part(item.population, item.box, core, item.blocks, item.used) for core, item in enumerate(items))
        return Packing(tuple(own), len(items))
    need = np.array([[item.used[name] for name in RESOURCES] for item in items], np.int64)
    pins = np.array([item.pin for item in items], np.int64)
    most = np.array([limit[name] for name in RESOURCES], np.int64)
    found = np.zeros(0, np.int64)
    for order in orders(need, most):
        cores = np.empty(len(items), np.int64)
        cores[order] = first_fit(need[order], pins[order], most)
        if not found.size or cores.max(initial=0) < found.max(initial=0):
            found = cores
    parts = (
        Part(item.population, item.box, core, item.blocks, item.used)
        for item, core in zip(items, found.tolist(), strict=True)
    )
    return Packing(tuple(parts), int(found.max(initial=-1)) + 1)


def orders(need: Ints, most: Ints) -> list[Ints]:
    """Orders in which items are packed: as they come, and those with the largest share of a core first, by their
    scarcest resource and by all together."""
    share = need / most
    return [
        np.arange(len(need)), np.argsort(-share.max(axis=1), kind="stable"),
        np.argsort(-share[:, :SUMMED].sum(axis=1), kind="stable"),
    ]  # fmt: skip


def first_fit(need: Ints, pins: Ints, most: Ints) -> Ints:
    """The core of each item, int64 (items,); need (items, resources), most (resources,)."""
    if not len(need):
        return np.zeros(0, np.int64)
    largest = np.array([name in LARGEST for name in RESOURCES])
    # What every item that is still to come needs at least: a core without room for that is closed.
    rest = np.minimum.accumulate(need[::-1])[::-1]
    return np.asarray(_first_fit(np.ascontiguousarray(need), pins, most, largest, np.ascontiguousarray(rest)))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _room(load: Ints, item: Ints, most: Ints, largest: Bools) -> bool:
    for name in range(most.size):
        after = max(load[name], item[name]) if largest[name] else load[name] + item[name]
        if after > most[name]:
            return False
    return True


@njit(cache=True)  # type: ignore[untyped-decorator]
def _first_fit(need: Ints, pins: Ints, most: Ints, largest: Bools, rest: Ints) -> Ints:
    count, names = need.shape
    cores = np.empty(count, np.int64)
    load = np.zeros((_OPEN_CORES, names), np.int64)
    held = np.full(_OPEN_CORES, -1, np.int64)
    number = np.zeros(_OPEN_CORES, np.int64)
    live, opened = 0, 0
    for index in range(count):
        at = -1
        for core in range(live):
            free = pins[index] < 0 or held[core] < 0 or held[core] == pins[index]
            if free and _room(load[core], need[index], most, largest):
                at = core
                break
        if at < 0:
            if live == _OPEN_CORES:
                for core in range(live - 1):
                    load[core], held[core], number[core] = load[core + 1], held[core + 1], number[core + 1]
                live -= 1
            at = live
            live += 1
            load[at, :] = 0
            held[at], number[at] = -1, opened
            opened += 1
        for name in range(names):
            load[at, name] = (
                max(load[at, name], need[index, name]) if largest[name] else load[at, name] + need[index, name]
            )
        held[at] = max(held[at], pins[index])
        cores[index] = number[at]
        if index + 1 < count and not _room(load[at], rest[index + 1], most, largest):
            for core in range(at, live - 1):
                load[core], held[core], number[core] = load[core + 1], held[core + 1], number[core + 1]
            live -= 1
    return cores
