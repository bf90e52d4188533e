"""Where the cores of a partition lie on the target: numbering of cores, the slots to choose from, algorithms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.mapper.placement.algorithms import NEEDS, PLACEMENTS
from tern2lava.compiler.mapper.placement.curves import hilbert_index
from tern2lava.compiler.mapper.placement.problem import Problem, symmetric
from tern2lava.compiler.shown import Shown
from tern2lava.errors import CapacityError, InputError
from tern2lava.extras import require
from tern2lava.hw_profiles import Profile


@dataclass(frozen=True, eq=False)
class Placement(Shown):
    """core[k] is the number on the target of the partition's core k; no two are the same.

    Cores are numbered chip by chip, on a chip router by router in row-major order, at a router in order. cost: spikes
    per step times hops, a chip border counted as the profile's chip_hops.
    """

    core: Ints
    algorithm: str
    cost: float = 0.0


@dataclass(frozen=True)
class Location:
    """chip: its index; row and col: of the router on its chip; slot: which of the router's cores."""

    chip: int
    row: int
    col: int
    slot: int


def location(profile: Profile, core: int) -> Location:
    """Where the core of that number lies."""
    system = profile.system
    chip, rest = divmod(core, system.cores_per_chip)
    router, slot = divmod(rest, system.cores_per_router.value)
    row, col = divmod(router, system.mesh_cols.value)
    return Location(chip, row, col, slot)


def router_positions(profile: Profile, cores: Ints) -> tuple[Ints, Ints, Ints]:
    """(row, column, chip) of each core's router, rows and columns counted across the whole array of chips."""
    system = profile.system
    chip, rest = np.divmod(cores, system.cores_per_chip)
    row, col = np.divmod(rest // system.cores_per_router.value, system.mesh_cols.value)
    chip_row, chip_col = np.divmod(chip, system.chip_cols.value)
    return chip_row * system.mesh_rows.value + row, chip_col * system.mesh_cols.value + col, chip


def problem(
    profile: Profile, cores: int, source: Ints, target: Ints, spikes: Reals, *, spare: int = 0,
    chips: Sequence[int] | None = None,
) -> Problem:  # fmt: skip
    """The placement problem of `cores` cores. source (-1: the host), target and spikes are their traffic per step.

    spare: cores left free on each chip. chips: for each core the only chip that it may lie on, -1 for any. Slots are
    those of as few chips as hold the cores, nearest first along a Hilbert curve of chips, and of the chips named.
    Raises CapacityError where the target has too few.
    """
    system = profile.system
    per_chip = system.cores_per_chip - spare
    allowed = np.full(cores, -1, np.int64) if chips is None else np.asarray(chips, np.int64)
    if per_chip < 1:
        what = "cores on a chip besides the spare ones"
        raise CapacityError("the network", what, 1, max(0, per_chip), f"spare at most {system.cores_per_chip - 1:,}")
    named, wanted = np.unique(allowed[allowed >= 0], return_counts=True)
    for chip, count in zip(named.tolist(), wanted.tolist(), strict=True):
        if chip >= system.chips:
            what, hint = f"chips for a pin to chip {chip}", f"pin to a chip from 0 to {system.chips - 1:,}"
            raise CapacityError("the network", what, chip + 1, system.chips, hint)
        if count > per_chip:
            hint = f"pin populations of {count - per_chip:,} of these cores to other chips, or to none"
            raise CapacityError(f"chip {chip}", "cores pinned to it", count, per_chip, hint)
    needed = -(-cores // per_chip)
    used = nearest_chips(profile, needed)
    used = np.concatenate([used, np.setdiff1d(named, used)])
    if per_chip * used.size < cores or cores > per_chip * system.chips:
        fewest = system.cores_per_chip - -(-cores // system.chips)
        chips_do = f"{needed:,} such chips would hold it"
        hint = f"spare at most {fewest:,} cores a chip" if 0 <= fewest < spare else chips_do
        raise CapacityError("the network", "cores", cores, per_chip * system.chips, hint)
    number = (used[:, None] * system.cores_per_chip + np.arange(per_chip)[None, :]).reshape(-1)
    row, col, chip_of = router_positions(profile, number)
    chip_row, chip_col = np.divmod(chip_of, system.chip_cols.value)
    inside = source >= 0
    first, neighbour, weight = symmetric(cores, source[inside], target[inside], spikes[inside])
    host = np.zeros(cores)
    np.add.at(host, target[~inside], spikes[~inside])
    return Problem(
        first=first, neighbour=neighbour, weight=weight, host=host, row=row, col=col, chip_row=chip_row,
        chip_col=chip_col, chip=chip_of, number=number, host_at=np.zeros(4, np.int64),
        chip_hops=float(profile.routing.chip_hops.value), allowed=allowed,
    )  # fmt: skip


def check_placement(algorithm: str) -> None:
    """Raise InputError where there is no algorithm of that name, MissingPackageError where it lacks its package."""
    if algorithm not in PLACEMENTS:
        raise InputError(
            "placement",
            f"requires the name of a placement; found {algorithm!r}; choose from {', '.join(sorted(PLACEMENTS))}",
        )
    if algorithm in NEEDS:
        require("mapping", NEEDS[algorithm])


def place(task: Problem, algorithm: str = "auto", seed: int = 0) -> Placement:
    """The placement that the algorithm of that name finds; the same for the same seed. InputError for unknown names."""
    check_placement(algorithm)
    if task.cores == 0:
        return Placement(np.zeros(0, np.int64), algorithm)
    slot = PLACEMENTS[algorithm](task, seed)
    assert task.legal(slot)
    return Placement(task.number[slot], algorithm, task.cost(slot))


def nearest_chips(profile: Profile, count: int) -> Ints:
    """The first `count` chips along a Hilbert curve through the array of chips."""
    rows, cols = profile.system.chip_rows.value, profile.system.chip_cols.value
    row, col = np.divmod(np.arange(rows * cols), cols)
    return np.argsort(hilbert_index(row, col), kind="stable")[:count]
