"""Local search on a placement: moves and swaps of cores, by simulated annealing, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.mapper.placement.problem import Problem, hops, host_hops
from tern2lava.compiler.mapper.xorshift import first_state, following

# Table entries read in one search, which bounds its time: about 1.5 s on one core of a laptop.
BUDGET = 200_000_000
_LEAST_MOVES = 20_000
_MOVES_PER_CORE = 6_000


def improve(problem: Problem, slot: Ints, seed: int, budget: int = BUDGET, heat: float = 0.5) -> Ints:
    """A placement that costs no more than `slot`: the best seen while annealing from it.

    S. Kirkpatrick et al., "Optimization by simulated annealing", Science 220, 1983. A move takes a core to a slot near
    one that it talks to (or anywhere), and what lies there to the core's own. The temperature falls from `heat` times
    the mean change of a move to a hundredth of that; then only improvements are taken.
    """
    if problem.cores < 2 or problem.slots < 2:
        return slot
    per_move = 4 * (1 + problem.neighbour.size / problem.cores)
    moves = int(min(budget / per_move, max(_LEAST_MOVES, _MOVES_PER_CORE * problem.cores)))
    found = np.asarray(
        _anneal(
            problem.first, problem.neighbour, problem.weight, problem.host, problem.coordinates, problem.host_at,
            problem.chip_hops, problem.chip, problem.allowed, slot.astype(np.int64), moves, heat,
            first_state(seed),
        )
    )  # fmt: skip
    return found if problem.cost(found) < problem.cost(slot) else slot


@njit(cache=True)  # type: ignore[untyped-decorator]
def _change(
    core: int, begin: int, end: int, other: int, first: Ints, neighbour: Ints, weight: Reals, host: Reals, at: Ints,
    host_at: Ints, chip_hops: float, slot: Ints,
) -> float:  # fmt: skip
    """Change of the cost when `core` goes from slot `begin` to `end`, its traffic with `other` left out."""
    total = host[core] * (host_hops(at, end, host_at, chip_hops) - host_hops(at, begin, host_at, chip_hops))
    for k in range(first[core], first[core + 1]):
        if neighbour[k] != other:
            place = slot[neighbour[k]]
            total += weight[k] * (hops(at, end, place, chip_hops) - hops(at, begin, place, chip_hops))
    return float(total)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _anneal(
    first: Ints, neighbour: Ints, weight: Reals, host: Reals, at: Ints, host_at: Ints, chip_hops: float,
    chip: Ints, allowed: Ints, slot: Ints, moves: int, heat: float, state: np.uint64,
) -> Ints:  # fmt: skip
    cores, slots = slot.size, at.shape[0]
    occupant = np.full(slots, -1, np.int64)
    for core in range(cores):
        occupant[slot[core]] = core
    # Slots by router, so that "near" is a step on the mesh: a table of slots per (row, col).
    low_row, low_col = at[:, 0].min(), at[:, 1].min()
    height, width = at[:, 0].max() - low_row + 1, at[:, 1].max() - low_col + 1
    count = np.zeros(height * width + 1, np.int64)
    for s in range(slots):
        count[(at[s, 0] - low_row) * width + at[s, 1] - low_col + 1] += 1
    start = np.cumsum(count)
    listed = np.empty(slots, np.int64)
    fill = start.copy()
    for s in range(slots):
        cell = (at[s, 0] - low_row) * width + at[s, 1] - low_col
        listed[fill[cell]] = s
        fill[cell] += 1
    best = slot.copy()
    cost, best_cost, scale, seen = 0.0, 0.0, 0.0, 0
    for move in range(moves):
        state = following(state)
        core = int(state >> np.uint64(11)) % cores
        begin = slot[core]
        state = following(state)
        draw = int(state >> np.uint64(11))
        end = -1
        if draw % 4 != 0 and first[core + 1] > first[core]:
            place = slot[neighbour[first[core] + (draw // 4) % (first[core + 1] - first[core])]]
            state = following(state)
            step = int(state >> np.uint64(11))
            row = at[place, 0] - low_row + step % 5 - 2
            col = at[place, 1] - low_col + (step // 5) % 5 - 2
            if 0 <= row < height and 0 <= col < width:
                cell = row * width + col
                there = start[cell + 1] - start[cell]
                if there > 0:
                    end = listed[start[cell] + (step // 25) % there]
        if end < 0:
            state = following(state)
            end = int(state >> np.uint64(11)) % slots
        other = occupant[end]
        if end == begin or (allowed[core] >= 0 and chip[end] != allowed[core]):
            continue
        if other >= 0 and allowed[other] >= 0 and chip[begin] != allowed[other]:
            continue
        delta = _change(core, begin, end, other, first, neighbour, weight, host, at, host_at, chip_hops, slot)
        if other >= 0:
            delta += _change(other, end, begin, core, first, neighbour, weight, host, at, host_at, chip_hops, slot)
        seen += 1
        scale += abs(delta)
        temperature = heat * scale / seen * 0.01 ** (move / (0.9 * moves)) if move < 0.9 * moves else 0.0
        if delta > 0:
            if temperature <= 0 or seen < 50:
                continue
            state = following(state)
            if float(state >> np.uint64(11)) / 9007199254740992.0 >= np.exp(-delta / temperature):
                continue
        slot[core], occupant[end], occupant[begin] = end, core, other
        if other >= 0:
            slot[other] = begin
        cost += delta
        if cost < best_cost - 1e-9:
            best_cost = cost
            # Copied only while the placement is small or nearly frozen: the end state is the best of a long descent.
            if cores <= 64:
                best[:] = slot
    return best if cores <= 64 else slot
