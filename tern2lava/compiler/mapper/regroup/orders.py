"""Orders of neurons in which those that read the same sources stand near each other, and groups cut from an order."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import bmat, csr_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee

from tern2lava.compiler.ir.shapes import Bools, Ints
from tern2lava.compiler.mapper.regroup.task import Task
from tern2lava.compiler.mapper.xorshift import first_state, following

# Neurons of one source that are compared with a neuron at most: more would take the square of its readers.
_COMPARED = 48
# Clusters are merged until a round leaves more than this share of them.
_SHRINK = 0.95


def along_band(task: Task) -> Ints:
    """The neurons in the order that gives neurons and sources the least bandwidth.

    E. Cuthill, J. McKee, "Reducing the bandwidth of sparse symmetric matrices", ACM 1969, of the bipartite graph of
    neurons and sources.
    """
    both = csr_matrix(bmat([[None, task.reads], [task.readers, None]]))
    order = reverse_cuthill_mckee(both, symmetric_mode=True).astype(np.int64)
    result: Ints = order[order < task.neurons]
    return result


def by_clusters(task: Task, seed: int) -> tuple[Ints, Bools]:
    """The neurons in the order of a tree of clusters, and where in it a cluster begins that is within a core.

    Clusters are merged with those that they share most sources with, a source of d readers counting 1 / (d - 1) (heavy
    edges: G. Karypis, V. Kumar, "Multilevel k-way hypergraph partitioning", DAC 1999), first up to what a core holds,
    then up to all.
    """
    level = np.arange(task.neurons)
    columns: list[Ints] = []
    reads, readers, size = task.reads, task.readers, np.ones(task.neurons, np.int64)
    first = level
    for stage, most in enumerate((int(task.limits[0]), task.neurons)):
        while size.size > 1:
            found = _merge(
                _wide(reads.indptr), _wide(reads.indices), _wide(readers.indptr), _wide(readers.indices), size, most,
                _COMPARED, first_state(seed + len(columns)),
            )  # fmt: skip
            names, cluster = np.unique(found, return_inverse=True)
            if names.size > _SHRINK * size.size:
                break
            columns.append(level)
            level = cluster[level]
            joined = csr_matrix((np.ones(cluster.size), (cluster, np.arange(cluster.size))))
            reads = csr_matrix(joined @ reads)
            reads.sum_duplicates()
            readers = csr_matrix(reads.T)
            size = np.bincount(level)
        if stage == 0:
            first = level
    order: Ints = np.lexsort((*columns, level))
    begins = np.concatenate([[True], np.diff(first[order]) != 0]) if task.neurons else np.zeros(0, bool)
    return order, begins


def filled(task: Task, order: Ints, begins: Bools | None = None) -> Ints:
    """The group of each neuron, groups filled one behind the other with neurons in that order, each as far as a core
    holds; with `begins`, a cluster that begins there and does not fit in what is left begins a new group."""
    marks = np.zeros(order.size, np.bool_) if begins is None else begins
    found: Ints = _fill(
        _wide(task.reads.indptr), _wide(task.reads.indices), order.astype(np.int64), marks, task.bits, task.limits,
        task.sources,
    )  # fmt: skip
    return found


def _wide(values: Ints) -> Ints:
    return np.asarray(values, np.int64)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _merge(
    first: Ints, source: Ints, first_reader: Ints, reader: Ints, size: Ints, most: int, compared: int, state: np.uint64
) -> Ints:  # fmt: skip
    n = size.size
    cluster = np.full(n, -1, np.int64)
    held = np.zeros(n, np.int64)
    order = np.arange(n)
    for k in range(n - 1, 0, -1):
        state = following(state)
        other = int(state >> np.uint64(11)) % (k + 1)
        order[k], order[other] = order[other], order[k]
    rating = np.zeros(n)
    seen = np.empty(n, np.int64)
    for v in order:
        if cluster[v] >= 0:
            continue
        count = 0
        for k in range(first[v], first[v + 1]):
            s = source[k]
            begin, readers = first_reader[s], first_reader[s + 1] - first_reader[s]
            if readers < 2:
                continue
            step, offset = 1, 0
            if readers > compared:
                step = readers // compared
                state = following(state)
                offset = int(state >> np.uint64(11)) % step
            for j in range(offset, readers, step):
                u = reader[begin + j]
                if u == v:
                    continue
                if rating[u] == 0.0:
                    seen[count] = u
                    count += 1
                rating[u] += 1.0 / (readers - 1)
        best, most_rated = -1, 0.0
        for k in range(count):
            u = seen[k]
            together = size[u] if cluster[u] < 0 else held[cluster[u]]
            # Shared sources for each neuron of both, so that clusters grow evenly.
            worth = rating[u] / together
            rating[u] = 0.0
            if together + size[v] <= most and (
                worth > most_rated * (1 + 1e-9) or (worth > most_rated * (1 - 1e-9) and u < best)
            ):
                best, most_rated = u, worth
        if best < 0:
            cluster[v] = v
            held[v] = size[v]
        elif cluster[best] < 0:
            cluster[v] = cluster[best] = v
            held[v] = size[v] + size[best]
        else:
            cluster[v] = cluster[best]
            held[cluster[v]] += size[v]
    return cluster


@njit(cache=True)  # type: ignore[untyped-decorator]
def _fill(
    first: Ints, source: Ints, order: Ints, begins: Bools, bits: Ints, limits: Ints, sources: int
) -> Ints:  # fmt: skip
    n = order.size
    group = np.empty(n, np.int64)
    last = np.full(sources, -1, np.int64)
    now, neurons, axons, stored = 0, 0, 0, 0
    for at in range(n):
        # As a whole where a cluster begins, else the neuron alone.
        end = at + 1
        if begins[at]:
            while end < n and not begins[end]:
                end += 1
        fresh, more = 0, 0
        mark = n + 1 + at
        for k in range(at, end):
            v = order[k]
            more += bits[v]
            for j in range(first[v], first[v + 1]):
                if last[source[j]] != now and last[source[j]] != mark:
                    fresh += 1
                    last[source[j]] = mark
        fits = neurons + end - at <= limits[0] and axons + fresh <= limits[1] and stored + more <= limits[2]
        if not fits and neurons > 0:
            now += 1
            neurons, axons, stored = 0, 0, 0
        v = order[at]
        group[v] = now
        neurons += 1
        stored += bits[v]
        for j in range(first[v], first[v + 1]):
            if last[source[j]] != now:
                last[source[j]] = now
                axons += 1
    return group
