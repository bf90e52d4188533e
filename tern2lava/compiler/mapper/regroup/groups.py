"""Groups of neurons, each within a core, that need few input axons in all."""

from __future__ import annotations

import numpy as np
from scipy.sparse import bmat, csr_matrix
from scipy.sparse.csgraph import connected_components

from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.mapper.regroup.annealing import HELD, annealed
from tern2lava.compiler.mapper.regroup.numbering import numbered
from tern2lava.compiler.mapper.regroup.orders import along_band, by_clusters, filled
from tern2lava.compiler.mapper.regroup.task import Capacity, Task, task_of
from tern2lava.errors import CapacityError

#: Entries of the matrix that one search reads: 2 to 4 s on one core of a laptop.
EFFORT = 400_000_000
# Starts that are annealed, the best first.
_ANNEALED = 2


def regroup(
    reads: csr_matrix, capacity: Capacity, *, spikes: Reals, seed: int = 0, effort: int = EFFORT,
    own: Ints | None = None, bits: Ints | None = None,
) -> Ints:  # fmt: skip
    """The group of each neuron (neurons,), each group within the capacity, so that few axons are needed in all and few
    spikes travel; the same for the same seed. Groups that share much have near numbers, from 0 without a gap.

    reads (neurons, sources): an entry where a neuron reads a source. spikes (sources,): of each source, per step; its
    axons count 1 each, and a group that is not its own adds its spikes over the mean source's. own (sources,): the
    neuron that a source is, -1 where it is none of these. bits (neurons,): memory of each neuron. effort: entries of
    the matrix that may be read.

    The hypergraph partition problem (a source is a hyperedge of the neurons that read it; cost: for each hyperedge the
    groups that it touches, "connectivity"): connected components are solved one by one, since no two of them share an
    axon, and packed first fit, largest first. A component larger than a core is cut from several orders and annealed.

    Raises CapacityError where a neuron alone exceeds a core or `capacity.groups` are not enough.
    """
    task = task_of(reads, capacity, spikes, own, bits)
    if task.neurons == 0:
        return np.zeros(0, np.int64)
    group = _by_components(task, seed, effort)
    if capacity.groups is not None and int(group.max()) >= capacity.groups:
        group = _searched(task, seed, effort)
        if int(group.max()) >= capacity.groups:
            raise CapacityError(
                "the neurons", "groups", int(group.max()) + 1, capacity.groups, "allow more groups or larger cores"
            )
    return numbered(task, group)


def order_of(groups: Ints) -> Ints:
    """The neurons group by group, in each in their own order: neuron order_of(groups)[k] lies at position k."""
    order: Ints = np.argsort(groups, kind="stable")
    return order


def _by_components(task: Task, seed: int, effort: int) -> Ints:
    """Groups of each component alone, small ones together first fit, the largest first."""
    owned = np.flatnonzero(task.own >= 0)
    ties = csr_matrix((np.ones(owned.size), (owned, task.own[owned])), shape=task.readers.shape)
    tied = csr_matrix(task.readers + ties)
    both = csr_matrix(bmat([[None, tied.T], [tied, None]]))
    pieces, piece = connected_components(both, directed=False)
    piece = piece[: task.neurons]
    if pieces == 1:
        return _searched(task, seed, effort)
    blocks: list[Ints] = []
    order = np.argsort(piece, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(piece[order])) + 1):
        if mine.size == 1 or task.part(mine).fits(np.zeros(mine.size, np.int64)):
            blocks.append(mine)
        else:
            found = _searched(task.part(mine), seed, max(1, effort * mine.size // task.neurons))
            blocks += [mine[found == number] for number in range(int(found.max()) + 1)]
    return _packed(task, blocks)


def _packed(task: Task, blocks: list[Ints]) -> Ints:
    """Blocks put into groups first fit, the largest first: axons are added up, no two blocks sharing any that count."""
    axons = np.array([np.unique(task.reads[block].indices).size for block in blocks])
    stored = np.array([int(task.bits[block].sum()) for block in blocks])
    need = np.stack([np.array([block.size for block in blocks]), axons, stored], axis=1)
    limits = task.limits
    group = np.empty(task.neurons, np.int64)
    room = np.zeros((len(blocks), 3), np.int64)
    used = 0
    for index in np.lexsort((np.array([int(block[0]) for block in blocks]), -need[:, 1], -need[:, 0])).tolist():
        fitting = np.flatnonzero((need[index] <= room[:used]).all(axis=1))
        at = int(fitting[0]) if fitting.size else used
        if at == used:
            room[used] = limits
            used += 1
        room[at] -= need[index]
        group[blocks[index]] = at
    return group


def _searched(task: Task, seed: int, effort: int) -> Ints:
    """The best groups found from the given order, from the order of least bandwidth, and from a tree of clusters."""
    clusters, begins = by_clusters(task, seed)
    starts = [
        filled(task, np.arange(task.neurons)),
        filled(task, along_band(task)),
        filled(task, clusters),
        filled(task, clusters, begins),
    ]
    most = task.capacity.groups
    if most is not None:
        starts = [start for start in starts if int(start.max()) < most] or starts
    starts.sort(key=task.cost)
    found = [_windows(task, start, seed, effort // _ANNEALED) for start in starts[:_ANNEALED]]
    return min(found, key=lambda group: (task.cost(group), int(group.max())))


def _windows(task: Task, group: Ints, seed: int, effort: int) -> Ints:
    """Groups annealed, all at once where counts of all (source, group) can be held, else in runs of near groups."""
    groups = int(group.max()) + 1
    if task.sources * groups <= HELD:
        return annealed(task, group, seed, effort)
    group = numbered(task, group)
    runs = -(-task.sources * groups // HELD)
    found: Ints = group.copy()
    for run in np.array_split(np.arange(groups), min(runs, groups // 2)):
        mine = np.flatnonzero((group >= run[0]) & (group <= run[-1]))
        part = task.part(mine)
        found[mine] = run[0] + annealed(part, group[mine] - run[0], seed, effort * mine.size // task.neurons)
    return found
