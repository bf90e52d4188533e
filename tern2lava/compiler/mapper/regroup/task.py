"""What is to be grouped: neurons, the sources that each reads, and what a core holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.errors import CapacityError, InputError


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What one core holds: neurons; input axons, one for each source that a neuron of it reads; bits of memory.

    None: no limit. groups: how many groups there may be at most, None where more groups may save axons.
    """

    neurons: int
    axons: int | None = None
    bits: int | None = None
    groups: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """n neurons that read m sources.

    reads (n, m): CSR with sorted indices, an entry where a neuron reads a source. readers: its transpose. own (m,): the
    neuron that a source is, -1 for none of them. axon, hop (m,): cost of each group that reads a source, and what is
    added where the source is a neuron of another group. bits (n,): memory of each neuron. capacity: of each group.
    """

    reads: csr_matrix
    readers: csr_matrix
    own: Ints
    axon: Reals
    hop: Reals
    bits: Ints
    capacity: Capacity

    @property
    def neurons(self) -> int:
        return int(self.reads.shape[0])

    @property
    def sources(self) -> int:
        return int(self.reads.shape[1])

    @property
    def limits(self) -> Ints:
        """(3,): neurons, axons and bits of a group."""
        unlimited = np.iinfo(np.int64).max
        c = self.capacity
        most = [c.neurons, unlimited if c.axons is None else c.axons, unlimited if c.bits is None else c.bits]
        return np.array(most, np.int64)

    def touched(self, group: Ints) -> csr_matrix:
        """(m, groups): how many neurons of each group read each source."""
        groups = int(group.max(initial=-1)) + 1
        belongs = csr_matrix(
            (np.ones(group.size, np.int64), (np.arange(group.size), group)), shape=(group.size, groups)
        )
        return csr_matrix(self.readers @ belongs)

    def cost(self, group: Ints) -> float:
        """The axons of all groups, and the hops of the spikes that reach other groups than their source's."""
        pairs = self.touched(group).tocoo()
        home = np.where(self.own >= 0, group[self.own], -1)
        return float(self.axon[pairs.row].sum() + self.hop[pairs.row[pairs.col != home[pairs.row]]].sum())

    def fits(self, group: Ints) -> bool:
        """Whether every group is within the capacity."""
        axons = np.diff(csr_matrix(self.touched(group).T).indptr)
        held = np.bincount(group)
        stored = np.bincount(group, weights=self.bits)
        neurons, most, bits = self.limits
        within = (held <= neurons).all() and (axons <= most).all() and (stored <= bits).all()
        return bool(within and (self.capacity.groups is None or held.size <= self.capacity.groups))

    def part(self, neurons: Ints) -> Task:
        """The task of some of the neurons, without sources that none of them reads and that none of them is."""
        reads = csr_matrix(self.reads[neurons])
        place = np.full(self.neurons, -1, np.int64)
        place[neurons] = np.arange(neurons.size)
        own = np.where(self.own >= 0, place[self.own], -1)
        kept = np.flatnonzero(np.bincount(reads.indices, minlength=self.sources) > 0)
        reads = csr_matrix(reads[:, kept])
        return Task(
            reads=reads, readers=csr_matrix(reads.T), own=own[kept], axon=self.axon[kept], hop=self.hop[kept],
            bits=self.bits[neurons], capacity=self.capacity,
        )  # fmt: skip


def task_of(
    reads: csr_matrix, capacity: Capacity, spikes: Reals, own: Ints | None = None, bits: Ints | None = None
) -> Task:
    """The task of a matrix (neurons, sources), an entry where a neuron reads a source. An axon costs 1, a hop of a mean
    source's spikes 1. InputError for spikes of another number of sources or below 0, CapacityError where one neuron
    alone exceeds a core."""
    entries = csr_matrix(reads, copy=True)
    entries.eliminate_zeros()
    entries.sum_duplicates()
    entries = csr_matrix((np.ones(entries.nnz, np.int64), entries.indices, entries.indptr), shape=entries.shape)
    neurons, sources = entries.shape
    rate = np.asarray(spikes, np.float64)
    if rate.shape != (sources,) or not np.isfinite(rate).all() or (rate < 0).any():
        what = f"{rate.shape}, the least {rate.min(initial=0.0):g}"
        raise InputError(
            "spikes",
            f"requires {sources:,} finite numbers of at least 0; found {what}; give one for each source",
        )
    mean = float(rate.mean()) if sources else 0.0
    memory = np.zeros(neurons, np.int64) if bits is None else np.asarray(bits, np.int64)
    home = np.full(sources, -1, np.int64) if own is None else np.asarray(own, np.int64)
    axons = np.diff(entries.indptr)
    limits = (("neurons", np.ones(neurons, np.int64), capacity.neurons), ("input axons", axons, capacity.axons))
    for what, need, have in (*limits, ("bits", memory, capacity.bits)):
        if have is not None and neurons and int(need.max()) > have:
            at = int(need.argmax())
            raise CapacityError(f"neuron {at}", what, int(need[at]), have, "split it over several neurons")
    return Task(
        reads=entries, readers=csr_matrix(entries.T), own=home, axon=np.ones(sources),
        hop=rate / mean if mean > 0 else np.zeros(sources), bits=memory, capacity=capacity,
    )  # fmt: skip
