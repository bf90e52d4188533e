"""Groups of neurons of each population of a network, remembered, for it is cut again and again."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.mapper.regroup.along import order_of
from tern2lava.compiler.mapper.regroup.groups import EFFORT, regroup
from tern2lava.compiler.mapper.regroup.reads import Reads, reads_of
from tern2lava.compiler.mapper.regroup.task import Capacity
from tern2lava.errors import CapacityError

# Entries of the matrix that a search may read, for each that it has: some thousand moves of each neuron.
_LOOKED = 20_000


class Regrouper:
    """Finds neurons of one graph that read the same sources."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._reads: dict[str, Reads | None] = {}
        self._groups: dict[tuple[str, int, int], list[Ints] | None] = {}

    def reads(self, population: Population) -> Reads | None:
        """Who reads whom in a population; None where groups do not matter."""
        if population.name not in self._reads:
            self._reads[population.name] = reads_of(self.graph, population)
        return self._reads[population.name]

    def groups(self, population: Population, neurons: int, axons: int) -> list[Ints] | None:
        """Its neurons in groups within both numbers, of neurons and of input axons, each ascending, with few axons in
        all; None where groups do not matter or one neuron has more axons."""
        key = (population.name, neurons, axons)
        if key not in self._groups:
            self._groups[key] = self._found(population, neurons, axons)
        return self._groups[key]

    def _found(self, population: Population, neurons: int, axons: int) -> list[Ints] | None:
        reads = self.reads(population)
        if reads is None:
            return None
        sources = reads.matrix.shape[1]
        effort = min(EFFORT, _LOOKED * reads.matrix.nnz)
        capacity = Capacity(neurons=neurons, axons=axons)
        try:
            group = regroup(reads.matrix, capacity, spikes=np.ones(sources), own=reads.itself, effort=effort)
        except CapacityError:
            return None
        chunks = np.empty(group.size, np.int64)
        chunks[order_of(reads)] = np.arange(group.size) // neurons
        counts = [_axons(reads, each) for each in (group, chunks)]
        fewer = (chunks.max(), counts[1].sum()) < (group.max(), counts[0].sum())
        group = chunks if fewer and counts[1].max() <= axons else group
        return np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])


def _axons(reads: Reads, group: Ints) -> Ints:
    """Sources that each group reads."""
    sources = reads.matrix.shape[1]
    pairs = np.unique(np.repeat(group, np.diff(reads.matrix.indptr)) * sources + reads.matrix.indices)
    return np.bincount(pairs // sources, minlength=int(group.max()) + 1)
