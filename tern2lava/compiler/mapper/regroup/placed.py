"""Neurons moved between cores that have their places: fewer hops for their spikes, by simulated annealing, compiled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from tern2lava.compiler.ir.shapes import Array, Ints, Reals
from tern2lava.compiler.mapper.routing.union import route_hops, tree_hops
from tern2lava.compiler.mapper.xorshift import first_state, following

# Looks at a core that all moves together may take.
_LOOKED = 1e10
# Temperature at the end, over that at the start; the start's over the mean change of a move. Measured on 80 neurons of
# 578 synapses on 6 x 6 cores, mean of four seeds: 4,190 hops; 4,227 from 0.4 to 0.0008.
_COLD, _HEAT = 0.05, 0.1
# Annealings, of which the best is taken.
_STARTS = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class Placed:
    """Neurons on cores, and sources whose spikes reach them.

    first, source: CSR rows of the sources that each neuron reads. itself (sources,): the neuron that a source is, -1
    for one that does not move. home (sources, 2): place along trunk and branch of sources that do not move. spikes
    (sources,): per step. held (sources, cores): cores that a source reaches without a neuron that moves (0 or 1).
    kind (neurons,): the population; neurons of one kind change places. at (cores, 2): places along trunk and branch.
    room (cores,): most neurons that move on each core. trunk, branch: see union.Lines. joined: whether routers copy
    spikes on their way, so that a source's routes share their links.
    """

    first: Ints
    source: Ints
    itself: Ints
    home: Ints
    spikes: Reals
    held: Array
    kind: Ints
    at: Ints
    room: Ints
    trunk: Reals
    branch: Reals
    joined: bool


def moved(task: Placed, core: Ints, seed: int, each: int) -> tuple[Ints, float]:
    """A core for each neuron, from `core` on, and the hops per step that all sources then take; each: moves tried for
    a neuron.

    S. Kirkpatrick et al., "Optimization by Simulated Annealing", Science 220, 1983.
    """
    neurons, cores = core.size, task.at.shape[0]
    looks = 4.0 * cores * (1 + task.source.size / max(1, neurons))
    tries = int(min(each * neurons, _LOOKED / looks))
    own = np.full(neurons, -1, np.int64)
    moving = np.flatnonzero(task.itself >= 0)
    own[task.itself[moving]] = moving
    best, least = core, np.inf
    for start in range(_STARTS):
        found, cost = _move(
            task.first, task.source, task.itself, own, task.home.astype(np.int64), task.spikes,
            task.held.astype(np.int32), task.kind, np.ascontiguousarray(task.at[:, 0]),
            np.ascontiguousarray(task.at[:, 1]), task.room, task.trunk, task.branch, task.joined, core.astype(np.int64),
            tries // _STARTS, _HEAT, _COLD, first_state(_STARTS * seed + start),
        )  # fmt: skip
        if cost < least:
            best, least = np.asarray(found), float(cost)
    return best, least


@njit(cache=True)  # type: ignore[untyped-decorator]
def _cost(
    s: int, home: Ints, held: Ints, at_trunk: Ints, at_branch: Ints, trunk: Reals, branch: Reals, joined: bool,
    low: Ints, high: Ints,
) -> float:  # fmt: skip
    if joined:
        return float(tree_hops(home[s, 0], home[s, 1], at_trunk, at_branch, held[s], trunk, branch, low, high))
    return float(route_hops(home[s, 0], home[s, 1], at_trunk, at_branch, held[s], trunk, branch))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _put(
    neuron: int, here: int, there: int, first: Ints, source: Ints, own: Ints, home: Ints, held: Ints, at_trunk: Ints,
    at_branch: Ints,
) -> None:  # fmt: skip
    for k in range(first[neuron], first[neuron + 1]):
        held[source[k], here] -= 1
        held[source[k], there] += 1
    if own[neuron] >= 0:
        home[own[neuron], 0], home[own[neuron], 1] = at_trunk[there], at_branch[there]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _mark(neuron: int, turn: int, first: Ints, source: Ints, own: Ints, seen: Ints, touched: Ints, count: int) -> int:
    """Adds the sources whose hops depend on where a neuron lies to touched[:count]; their new number."""
    for k in range(first[neuron], first[neuron + 1]):
        if seen[source[k]] != turn:
            seen[source[k]] = turn
            touched[count] = source[k]
            count += 1
    if own[neuron] >= 0 and seen[own[neuron]] != turn:
        seen[own[neuron]] = turn
        touched[count] = own[neuron]
        count += 1
    return count


@njit(cache=True)  # type: ignore[untyped-decorator]
def _move(
    first: Ints, source: Ints, itself: Ints, own: Ints, home: Ints, spikes: Reals, held: Ints, kind: Ints,
    at_trunk: Ints, at_branch: Ints, room: Ints, trunk: Reals, branch: Reals, joined: bool, core: Ints, tries: int,
    heat: float, cold: float, state: np.uint64,
) -> tuple[Ints, float]:  # fmt: skip
    neurons, cores, sources = core.size, at_trunk.size, spikes.size
    low, high = np.zeros(trunk.shape[0], np.int64), np.zeros(trunk.shape[0], np.int64)
    # Who lies where: members[start[c] : start[c] + count[c]].
    count = np.zeros(cores, np.int64)
    widest = max(1, room.max())
    members = np.full((cores, widest), -1, np.int64)
    place = np.zeros(neurons, np.int64)
    for neuron in range(neurons):
        c = core[neuron]
        members[c, count[c]], place[neuron] = neuron, count[c]
        count[c] += 1
        for k in range(first[neuron], first[neuron + 1]):
            held[source[k], c] += 1
        if own[neuron] >= 0:
            home[own[neuron], 0], home[own[neuron], 1] = at_trunk[c], at_branch[c]
    each = np.zeros(sources)
    total = 0.0
    for s in range(sources):
        each[s] = spikes[s] * _cost(s, home, held, at_trunk, at_branch, trunk, branch, joined, low, high)
        total += each[s]
    best: Ints = core.copy()
    best_total = total
    seen = np.full(sources, -1, np.int64)
    touched = np.zeros(sources, np.int64)
    scale, looked = 0.0, 0
    for turn in range(tries):
        state = following(state)
        one = int(state >> np.uint64(11)) % neurons
        here = core[one]
        state = following(state)
        draw = int(state >> np.uint64(11))
        there = (draw // 16) % cores
        degree = first[one + 1] - first[one]
        if draw % 4 != 0 and degree > 0:
            # Near what it reads: on that core, or on one beside it.
            s = source[first[one] + (draw // 16) % degree]
            state = following(state)
            step = int(state >> np.uint64(11))
            if itself[s] >= 0:
                there = core[itself[s]]
            if step % 2 == 0:
                there = (step // 2) % cores
        if there == here:
            continue
        two = -1
        state = following(state)
        draw = int(state >> np.uint64(11))
        free = room[there] - count[there]
        if free <= 0 or (count[there] > 0 and draw % 2 == 0):
            if count[there] == 0:
                continue
            two = members[there, (draw // 2) % count[there]]
            if kind[two] != kind[one]:
                continue
        touches = _mark(one, turn, first, source, own, seen, touched, 0)
        if two >= 0:
            touches = _mark(two, turn, first, source, own, seen, touched, touches)
        _put(one, here, there, first, source, own, home, held, at_trunk, at_branch)
        if two >= 0:
            _put(two, there, here, first, source, own, home, held, at_trunk, at_branch)
        delta = 0.0
        for k in range(touches):
            s = touched[k]
            delta += spikes[s] * _cost(s, home, held, at_trunk, at_branch, trunk, branch, joined, low, high) - each[s]
        looked += 1
        scale += abs(delta)
        temperature = heat * scale / looked * cold ** (turn / tries)
        accept = delta <= 0
        if not accept and looked > 50:
            state = following(state)
            accept = float(state >> np.uint64(11)) / 9007199254740992.0 < np.exp(-delta / temperature)
        if not accept:
            _put(one, there, here, first, source, own, home, held, at_trunk, at_branch)
            if two >= 0:
                _put(two, here, there, first, source, own, home, held, at_trunk, at_branch)
            continue
        for k in range(touches):
            s = touched[k]
            each[s] = spikes[s] * _cost(s, home, held, at_trunk, at_branch, trunk, branch, joined, low, high)
        if two >= 0:
            members[there, place[two]], members[here, place[one]] = one, two
            place[one], place[two] = place[two], place[one]
            core[two] = here
        else:
            last = members[here, count[here] - 1]
            members[here, place[one]], place[last] = last, place[one]
            count[here] -= 1
            members[there, count[there]], place[one] = one, count[there]
            count[there] += 1
        core[one] = there
        total += delta
        if total < best_total - 1e-9:
            best_total = total
            best[:] = core
    return best, best_total
