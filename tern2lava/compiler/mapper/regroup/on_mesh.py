"""Neurons on the cores of a mesh whose routers multicast: which core holds a neuron and where the core lies, annealed
together under the union of routes."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix

from tern2lava.compiler.ir.shapes import Array, Ints, Reals
from tern2lava.compiler.mapper.placement.curves import hilbert_index
from tern2lava.compiler.mapper.regroup.groups import order_of, regroup
from tern2lava.compiler.mapper.regroup.task import Capacity
from tern2lava.compiler.mapper.routing.route_union import Mesh, tree_links
from tern2lava.compiler.mapper.xorshift import first_state, following
from tern2lava.errors import CapacityError

#: Moves that are tried: measured, about 45 s for 80 neurons with 578 synapses on one busy core.
MOVES = 28_000_000
# One move in this number exchanges two cores with all their neurons.
_CORES = 40
# The first temperature of each round over the mean change of a move so far, and the last over the first: after the
# first round the best so far is warmed up again.
_HEAT, _COLD = (0.15, 0.05, 0.05, 0.05), (0.05, 0.15, 0.15, 0.15)


def on_mesh(
    reads: csr_matrix, own: Ints, spikes: Reals, mesh: Mesh, *, least: int, most: int, seed: int = 0, moves: int = MOVES
) -> Ints:  # fmt: skip
    """The core of each neuron, `least` to `most` neurons on each core, so that spikes pass few links in all: the best
    of what is found by annealing from regroup's groups along a Hilbert curve. The same for the same seed.

    reads (neurons, sources): an entry where a neuron reads a source; own (sources,): the neuron that a source is, -1
    for one that enters at router 0; spikes (sources,): per step. S. Kirkpatrick et al., "Optimization by simulated
    annealing", Science 220, 1983. Raises CapacityError where the mesh holds no such mapping.
    """
    neurons = int(reads.shape[0])
    if not mesh.cores * least <= neurons <= mesh.cores * most:
        hint = f"allow {neurons // mesh.cores:,} to {-(-neurons // mesh.cores):,} neurons on a core"
        raise CapacityError("the neurons", "places on the mesh", neurons, mesh.cores * most, hint)
    order = order_of(regroup(reads, Capacity(neurons=most), spikes=spikes, seed=seed, own=own))
    row, col = np.divmod(np.arange(mesh.cores), mesh.cols)
    core = np.empty(neurons, np.int64)
    for place, mine in zip(np.argsort(hilbert_index(row, col)), np.array_split(order, mesh.cores), strict=True):
        core[mine] = place
    for turn, (heat, cold) in enumerate(zip(_HEAT, _COLD, strict=True)):
        searched = _search(
            *_tables(reads, own, spikes, mesh), core.copy(), mesh.cols, least, most, moves // len(_HEAT), heat, cold,
            first_state(seed * len(_HEAT) + turn),
        )  # fmt: skip
        core = min((np.asarray(searched), core), key=lambda each: union_hops(reads, own, spikes, mesh, each))
    return core


def union_hops(reads: csr_matrix, own: Ints, spikes: Reals, mesh: Mesh, core: Ints) -> float:
    """Spikes per step times the links that each passes, shared links of its routes once."""
    first, reader, _, _, own, spikes, across, along = _tables(reads, own, spikes, mesh)
    low, high = np.zeros(int(across.max()) + 1, np.int64), np.zeros(int(across.max()) + 1, np.int64)
    total = 0.0
    for s in range(spikes.size):
        source = core[own[s]] if own[s] >= 0 else 0
        total += float(spikes[s]) * tree_links(across, along, source, core[reader[first[s] : first[s + 1]]], low, high)
    return total


def _tables(reads: csr_matrix, own: Ints, spikes: Reals, mesh: Mesh) -> tuple[Array, ...]:
    """Readers of each source as rows; the sources that each neuron reads or is, as rows; own and spikes of sources;
    positions of cores."""
    readers = csr_matrix(csr_matrix(reads).T)
    owned = np.flatnonzero(own >= 0)
    mine = csr_matrix((np.ones(owned.size), (own[owned], owned)), shape=reads.shape)
    moved = csr_matrix((csr_matrix(reads) != 0).astype(np.float64) + mine)
    across, along = mesh.positions
    return (
        readers.indptr.astype(np.int64), readers.indices.astype(np.int64), moved.indptr.astype(np.int64),
        moved.indices.astype(np.int64), np.asarray(own, np.int64), np.asarray(spikes, np.float64), across, along,
    )  # fmt: skip


@njit(cache=True)  # type: ignore[untyped-decorator]
def _links(
    s: int, first: Ints, reader: Ints, own: Ints, core: Ints, slot: Ints, across: Ints, along: Ints, low: Ints,
    high: Ints, targets: Ints,
) -> int:  # fmt: skip
    count = 0
    for k in range(first[s], first[s + 1]):
        targets[count] = slot[core[reader[k]]]
        count += 1
    home = slot[core[own[s]]] if own[s] >= 0 else 0
    return int(tree_links(across, along, home, targets[:count], low, high))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _search(
    first: Ints, reader: Ints, first_moved: Ints, moved: Ints, own: Ints, spikes: Reals, across: Ints, along: Ints,
    core: Ints, cols: int, least: int, most: int, moves: int, heat: float,
    cold: float, state: np.uint64,
) -> Ints:  # fmt: skip
    n, sources, cores = core.size, spikes.size, across.size
    low, high = np.zeros(across.max() + 1, np.int64), np.zeros(across.max() + 1, np.int64)
    widest = 1
    for s in range(sources):
        widest = max(widest, first[s + 1] - first[s])
    targets = np.empty(widest, np.int64)
    slot = np.arange(cores)
    core_at = np.arange(cores)
    held = np.zeros(cores, np.int64)
    member, place = np.empty((cores, most), np.int64), np.empty(n, np.int64)
    for v in range(n):
        member[core[v], held[core[v]]] = v
        place[v] = held[core[v]]
        held[core[v]] += 1
    links = np.empty(sources, np.int64)
    for s in range(sources):
        links[s] = _links(s, first, reader, own, core, slot, across, along, low, high, targets)
    mark = np.full(sources, -1, np.int64)
    touched, anew = np.empty(sources, np.int64), np.empty(sources, np.int64)
    total, best, scale, seen = 0.0, 0.0, 0.0, 0
    kept = slot[core]
    for turn in range(moves):
        state = following(state)
        v = int(state >> np.uint64(11)) % n
        a = core[v]
        state = following(state)
        draw = int(state >> np.uint64(11))
        b = (draw // 1024) % cores
        whole = draw % _CORES == 0
        if draw % 4 != 0 and first_moved[v + 1] > first_moved[v]:
            # Beside a neuron that it is sent spikes by, or that reads what it reads.
            s = moved[first_moved[v] + (draw // 1024) % (first_moved[v + 1] - first_moved[v])]
            state = following(state)
            draw = int(state >> np.uint64(11))
            near = own[s]
            if first[s + 1] > first[s] and (near < 0 or near == v or draw % 8 == 0):
                near = reader[first[s] + (draw // 8) % (first[s + 1] - first[s])]
            if near >= 0:
                at = slot[core[near]]
                state = following(state)
                draw = int(state >> np.uint64(11))
                row, col = at // cols + draw % 3 - 1, at % cols + (draw // 3) % 3 - 1
                if 0 <= row < cores // cols and 0 <= col < cols:
                    b = core_at[row * cols + col]
        if a == b:
            continue
        u = -1
        if not whole:
            state = following(state)
            draw = int(state >> np.uint64(11))
            if held[a] <= least or held[b] >= most or draw % 2 == 0:
                if held[b] == 0:
                    continue
                u = member[b, (draw // 2) % held[b]]
        count = 0
        for w in range(n) if whole else range(2):
            x = w if whole else (v if w == 0 else u)
            if x < 0 or (whole and core[x] != a and core[x] != b):
                continue
            for k in range(first_moved[x], first_moved[x + 1]):
                if mark[moved[k]] != turn:
                    mark[moved[k]] = turn
                    touched[count] = moved[k]
                    count += 1
        if whole:
            slot[a], slot[b] = slot[b], slot[a]
            core_at[slot[a]], core_at[slot[b]] = a, b
        else:
            core[v] = b
            if u >= 0:
                core[u] = a
        delta = 0.0
        for k in range(count):
            s = touched[k]
            anew[k] = _links(s, first, reader, own, core, slot, across, along, low, high, targets)
            delta += spikes[s] * (anew[k] - links[s])
        seen += 1
        scale += abs(delta)
        accept = delta <= 1e-9
        if not accept and seen >= 50 and turn < 0.95 * moves:
            state = following(state)
            chance = float(state >> np.uint64(11)) / 9007199254740992.0
            accept = chance < np.exp(-delta / (heat * scale / seen * cold ** (turn / (0.95 * moves))))
        if not accept:
            if whole:
                slot[a], slot[b] = slot[b], slot[a]
                core_at[slot[a]], core_at[slot[b]] = a, b
            else:
                core[v] = a
                if u >= 0:
                    core[u] = b
            continue
        total += delta
        for k in range(count):
            links[touched[k]] = anew[k]
        if u >= 0:
            member[a, place[v]], member[b, place[u]] = u, v
            place[v], place[u] = place[u], place[v]
        elif not whole:
            held[a] -= 1
            last = member[a, held[a]]
            member[a, place[v]] = last
            place[last] = place[v]
            member[b, held[b]] = v
            place[v] = held[b]
            held[b] += 1
        if total < best - 1e-6 and turn > 0.5 * moves:
            best = total
            kept = slot[core]
    return kept if best < total - 1e-6 else slot[core]
