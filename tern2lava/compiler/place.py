"""Where the cores of a partition lie on the target: one interface, algorithms by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir import Array
from tern2lava.compiler.partition import Partition
from tern2lava.errors import InputError
from tern2lava.hw_profiles import Profile


@dataclass(frozen=True, eq=False)
class Placement:
    """core[k] is the number on the target of the partition's core k; no two are the same.

    Cores are numbered chip by chip, on a chip router by router in row-major order, at a router in order.
    """

    core: Array
    algorithm: str


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


def router_positions(profile: Profile, cores: Array) -> tuple[Array, Array, Array]:
    """(row, column, chip) of each core's router, rows and columns counted across the whole array of chips."""
    system = profile.system
    chip, rest = np.divmod(cores, system.cores_per_chip)
    row, col = np.divmod(rest // system.cores_per_router.value, system.mesh_cols.value)
    chip_row, chip_col = np.divmod(chip, system.chip_cols.value)
    return chip_row * system.mesh_rows.value + row, chip_col * system.mesh_cols.value + col, chip


def place_linear(partition: Partition, profile: Profile, seed: int) -> Array:
    """The partition's cores in order on the first cores of the target."""
    return np.arange(partition.cores, dtype=np.int64)


PLACEMENTS: dict[str, Callable[[Partition, Profile, int], Array]] = {"linear": place_linear}


def place(partition: Partition, profile: Profile, algorithm: str = "linear", seed: int = 0) -> Placement:
    """The placement that the algorithm of that name finds; the same for the same seed. InputError for unknown names."""
    if algorithm not in PLACEMENTS:
        raise InputError("placement", f"no algorithm {algorithm!r}; known: {', '.join(sorted(PLACEMENTS))}")
    core = PLACEMENTS[algorithm](partition, profile, seed)
    assert np.unique(core).size == partition.cores
    assert core.max(initial=0) < profile.system.cores
    return Placement(core, algorithm)
