"""Neurons moved between groups and exchanged, by simulated annealing, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from tern2lava.compiler.ir.shapes import Array, Ints, Reals
from tern2lava.compiler.mapper.regroup.task import Task
from tern2lava.compiler.mapper.xorshift import first_state, following

_MOVES_PER_NEURON = 400
# Counts of (source, group) that are held at once, 4 bytes each: 256 MiB.
HELD = 1 << 26


def annealed(task: Task, group: Ints, seed: int, budget: int, heat: float = 0.3) -> Ints:
    """Groups that cost no more than `group` and are within the capacity as that is. budget: entries of the matrix that
    are read.

    S. Kirkpatrick et al., "Optimization by simulated annealing", Science 220, 1983. A move takes a neuron to a group
    that reads one of its sources (or any), or exchanges it with a neuron there. The temperature falls from `heat` times
    the mean change of a move to a hundredth of that; then only improvements are taken.
    """
    groups = int(group.max(initial=-1)) + 1
    if groups < 2 or task.reads.nnz == 0:
        return group
    moves = int(min(budget / (4 * (2 + task.reads.nnz / task.neurons)), _MOVES_PER_NEURON * task.neurons))
    limits = np.minimum(task.limits, 1 << 62)
    found = np.asarray(
        _anneal(
            task.readers.indptr.astype(np.int64), task.readers.indices.astype(np.int64), *tables(task, group), limits,
            moves, heat, first_state(seed),
        )
    )  # fmt: skip
    return found if task.cost(found) < task.cost(group) else group


def tables(task: Task, group: Ints) -> tuple[Array, ...]:
    """What `move` reads and keeps: the matrix and the sources that each neuron is, as rows; costs; bits; groups; counts
    (sources, groups) of readers; the group of each source; and neurons, axons and bits of each group."""
    groups = int(group.max(initial=-1)) + 1
    counts = np.zeros((task.sources, groups), np.int32)
    touched = task.touched(group).tocoo()
    counts[touched.row, touched.col] = touched.data
    owned = np.flatnonzero(task.own >= 0)
    owned = owned[np.argsort(task.own[owned], kind="stable")]
    first_owned = np.concatenate([[0], np.cumsum(np.bincount(task.own[owned], minlength=task.neurons))])
    home = np.where(task.own >= 0, group[task.own], -1)
    return (
        task.reads.indptr.astype(np.int64), task.reads.indices.astype(np.int64), first_owned.astype(np.int64), owned,
        task.axon, task.hop, task.bits, group.astype(np.int64), counts, home, np.bincount(group, minlength=groups),
        np.count_nonzero(counts, axis=0).astype(np.int64),
        np.bincount(group, weights=task.bits, minlength=groups).astype(np.int64),
    )  # fmt: skip


@njit(cache=True)  # type: ignore[untyped-decorator]
def move(
    v: int, b: int, first: Ints, source: Ints, first_owned: Ints, owned: Ints, axon: Reals, hop: Reals, bits: Ints,
    group: Ints, counts: Array, home: Ints, held: Ints, axons: Ints, stored: Ints,
) -> float:  # fmt: skip
    """Change of the cost by taking v to group b, which is done."""
    a = group[v]
    change = 0.0
    for k in range(first[v], first[v + 1]):
        s = source[k]
        counts[s, a] -= 1
        if counts[s, a] == 0:
            axons[a] -= 1
            change -= axon[s] + (hop[s] if home[s] != a else 0.0)
        if counts[s, b] == 0:
            axons[b] += 1
            change += axon[s] + (hop[s] if home[s] != b else 0.0)
        counts[s, b] += 1
    for k in range(first_owned[v], first_owned[v + 1]):
        s = owned[k]
        if counts[s, a] > 0:
            change += hop[s]
        if counts[s, b] > 0:
            change -= hop[s]
        home[s] = b
    group[v] = b
    held[a] -= 1
    held[b] += 1
    stored[a] -= bits[v]
    stored[b] += bits[v]
    return change


@njit(cache=True)  # type: ignore[untyped-decorator]
def _anneal(
    first_reader: Ints, reader: Ints, first: Ints, source: Ints, first_owned: Ints, owned: Ints, axon: Reals,
    hop: Reals, bits: Ints, group: Ints, counts: Array, home: Ints, held: Ints, axons: Ints, stored: Ints, limits: Ints,
    moves: int, heat: float, state: np.uint64,
) -> Ints:  # fmt: skip
    n, groups = group.size, held.size
    # Members of each group as a list, so that one can be drawn.
    most = min(n, limits[0])
    member = np.empty((groups, most), np.int64)
    at = np.empty(n, np.int64)
    count = np.zeros(groups, np.int64)
    for v in range(n):
        member[group[v], count[group[v]]] = v
        at[v] = count[group[v]]
        count[group[v]] += 1
    scale, seen = 0.0, 0
    for turn in range(moves):
        state = following(state)
        v = int(state >> np.uint64(11)) % n
        a = group[v]
        state = following(state)
        draw = int(state >> np.uint64(11))
        b = -1
        if draw % 4 != 0 and first[v + 1] > first[v]:
            s = source[first[v] + (draw // 4) % (first[v + 1] - first[v])]
            state = following(state)
            b = group[reader[first_reader[s] + int(state >> np.uint64(11)) % (first_reader[s + 1] - first_reader[s])]]
        else:
            b = (draw // 4) % groups
        if a == b:
            continue
        room = held[b] < limits[0] and stored[b] + bits[v] <= limits[2]
        state = following(state)
        draw = int(state >> np.uint64(11))
        u = -1
        if (not room or draw % 2 == 0) and held[b] > 0:
            u = member[b, (draw // 2) % held[b]]
            if stored[b] + bits[v] - bits[u] > limits[2] or stored[a] + bits[u] - bits[v] > limits[2]:
                continue
        elif not room:
            continue
        delta = move(v, b, first, source, first_owned, owned, axon, hop, bits, group, counts, home, held, axons, stored)
        if u >= 0:
            delta += move(
                u, a, first, source, first_owned, owned, axon, hop, bits, group, counts, home, held, axons, stored
            )
        seen += 1
        scale += abs(delta)
        temperature = heat * scale / seen * 0.01 ** (turn / (0.8 * moves)) if turn < 0.8 * moves else 0.0
        kept = axons[a] <= limits[1] and axons[b] <= limits[1]
        if kept and delta > 1e-9:
            kept = temperature > 0 and seen >= 50
            if kept:
                state = following(state)
                kept = float(state >> np.uint64(11)) / 9007199254740992.0 < np.exp(-delta / temperature)
        if not kept:
            if u >= 0:
                move(u, b, first, source, first_owned, owned, axon, hop, bits, group, counts, home, held, axons, stored)
            move(v, a, first, source, first_owned, owned, axon, hop, bits, group, counts, home, held, axons, stored)
        elif u >= 0:
            member[a, at[v]], member[b, at[u]] = u, v
            at[v], at[u] = at[u], at[v]
        else:
            last = member[a, held[a]]
            member[a, at[v]] = last
            at[last] = at[v]
            member[b, held[b] - 1] = v
            at[v] = held[b] - 1
    return group
