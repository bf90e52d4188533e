"""The placement problem: cores that talk, slots on a mesh, and what a placement costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import coo_matrix, csr_matrix

from tern2lava.compiler.ir.shapes import Ints, Reals


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """n cores to be put on different slots so that traffic travels few hops.

    first, neighbour, weight: the symmetric traffic between cores as CSR rows, in spikes per step of both directions;
    core i talks to neighbour[first[i]:first[i + 1]]. host (n,): spikes per step that come from the host.
    row, col, chip_row, chip_col (slots,): each slot's router, counted across all chips, and its chip in the array.
    host_at (4,): the same of the router where inputs enter. chip_hops: what crossing a chip border costs, in hops.
    number (slots,): the core number on the target, router by router and chip by chip. allowed (n,): the index of the
    only chip a core may lie on, -1 for any; chip (slots,): the chip index of each slot.
    """

    first: Ints
    neighbour: Ints
    weight: Reals
    host: Reals
    row: Ints
    col: Ints
    chip_row: Ints
    chip_col: Ints
    chip: Ints
    number: Ints
    host_at: Ints
    chip_hops: float
    allowed: Ints

    @property
    def cores(self) -> int:
        return int(self.host.size)

    @property
    def slots(self) -> int:
        return int(self.row.size)

    @property
    def coordinates(self) -> Ints:
        """(slots, 4): row, col, chip_row, chip_col."""
        return np.stack([self.row, self.col, self.chip_row, self.chip_col], axis=1)

    def traffic(self) -> csr_matrix:
        """The symmetric traffic, (cores, cores)."""
        return csr_matrix((self.weight, self.neighbour, self.first), shape=(self.cores, self.cores))

    def cost(self, slot: Ints) -> float:
        """Spike-hops per step of a placement, slot (cores,): spikes times hops, chip borders counted as chip_hops."""
        at = self.coordinates
        return float(_cost(self.first, self.neighbour, self.weight, self.host, at, self.host_at, self.chip_hops, slot))

    def legal(self, slot: Ints) -> bool:
        """Whether every core has a slot of its own, on its own chip where it has one."""
        free = self.allowed < 0
        return bool(np.unique(slot).size == slot.size and (free | (self.chip[slot] == self.allowed)).all())

    def distances(self, slots: Ints) -> Reals:
        """(n, n) hops between n of the slots, chip borders counted as chip_hops."""
        at = self.coordinates[slots].astype(np.float64)
        apart = np.abs(at[:, None, :] - at[None, :, :])
        result: Reals = apart[:, :, 0] + apart[:, :, 1] + self.chip_hops * (apart[:, :, 2] + apart[:, :, 3])
        return result

    def host_distances(self) -> Reals:
        """(slots,) hops from where inputs enter."""
        apart = np.abs(self.coordinates - self.host_at[None, :]).astype(np.float64)
        result: Reals = apart[:, 0] + apart[:, 1] + self.chip_hops * (apart[:, 2] + apart[:, 3])
        return result


def symmetric(cores: int, source: Ints, target: Ints, spikes: Reals) -> tuple[Ints, Ints, Reals]:
    """(first, neighbour, weight) of traffic between different cores, both directions added up."""
    apart = source != target
    source, target, spikes = source[apart], target[apart], spikes[apart].astype(np.float64)
    both = coo_matrix(
        (np.concatenate([spikes, spikes]), (np.concatenate([source, target]), np.concatenate([target, source]))),
        shape=(cores, cores),
    ).tocsr()
    both.sum_duplicates()
    return both.indptr.astype(np.int64), both.indices.astype(np.int64), both.data


@njit(cache=True)  # type: ignore[untyped-decorator]
def hops(at: Ints, a: int, b: int, chip_hops: float) -> float:
    """Hops between two slots, chip borders counted as chip_hops."""
    near = abs(at[a, 0] - at[b, 0]) + abs(at[a, 1] - at[b, 1])
    return float(near + chip_hops * (abs(at[a, 2] - at[b, 2]) + abs(at[a, 3] - at[b, 3])))


@njit(cache=True)  # type: ignore[untyped-decorator]
def host_hops(at: Ints, a: int, host_at: Ints, chip_hops: float) -> float:
    """Hops between a slot and where inputs enter."""
    near = abs(at[a, 0] - host_at[0]) + abs(at[a, 1] - host_at[1])
    return float(near + chip_hops * (abs(at[a, 2] - host_at[2]) + abs(at[a, 3] - host_at[3])))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _cost(
    first: Ints, neighbour: Ints, weight: Reals, host: Reals, at: Ints, host_at: Ints, chip_hops: float, slot: Ints
) -> float:
    total = 0.0
    for core in range(host.size):
        total += host[core] * host_hops(at, slot[core], host_at, chip_hops)
        for k in range(first[core], first[core + 1]):
            # Both directions stand in the table twice.
            total += 0.5 * weight[k] * hops(at, slot[core], slot[neighbour[k]], chip_hops)
    return total
