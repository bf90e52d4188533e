"""Which chip each part of a network lies on, where there are several: parts that talk lie together.

Cores of one chip are alike, so that chips can be chosen before cores. What is kept small are edges between chips, each
of which costs its source an output axon more, above all where the source has none left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix

from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.mapper.placement.spectral import embedding

_MOVES_PER_PART = 4_000
_MOST_MOVES = 4_000_000
# What is left of the temperature at the end; below _COOL a beginning is cold.
_COLD, _COOL = 0.002, 0.1
# What a core's worth of load above a chip's share costs, in edges over the output axons of a core.
_CROWDED = 4.0
# What an axon counts that a part has too many of, in edges: the part is going to be cut.
_OVER = 16.0


@dataclass(frozen=True, eq=False)
class Sharing:
    """Parts to be shared out among chips.

    edges (parts, parts): output axons that part i takes more where part j is on another chip. room (parts,): output
    axons that a part has left when all that it reaches lies on its chip; negative: too few even then. load (parts,
    resources): shares of a core. pins (parts,): the only chip of a part, counted from 0, -1 for any.
    """

    edges: csr_matrix
    room: Array
    load: Array
    pins: Array

    def leaving(self, chip: Array) -> Array:
        """Output axons of each part that edges to other chips take."""
        pairs = self.edges.tocoo()
        result = np.zeros(chip.size, np.int64)
        np.add.at(result, pairs.row, np.where(chip[pairs.row] == chip[pairs.col], 0, pairs.data).astype(np.int64))
        return result


def halve(task: Sharing, chips: int, seed: int) -> Array:
    """A chip for each part, int64 (parts,): all parts in the order of their first eigenvector, cut where as much load
    lies on either side as the chips there can take, and so on for both sides."""
    both = (task.edges + task.edges.T).tocsr()
    weight = task.load.max(axis=1)
    chip = np.zeros(weight.size, np.int64)
    todo = [(np.arange(weight.size), 0, chips)]
    while todo:
        parts, first, count = todo.pop()
        if count == 1 or parts.size == 0:
            chip[parts] = first
            continue
        left = count // 2
        if parts.size > 3:
            parts = parts[np.argsort(embedding(both[parts][:, parts], seed)[:, 0], kind="stable")]
        heavy = np.cumsum(weight[parts])
        at = int(np.searchsorted(heavy, heavy[-1] * left / count, side="right"))
        todo += [(parts[:at], first, left), (parts[at:], first + left, count - left)]
    return np.where(task.pins >= 0, task.pins, chip)


def exchange(task: Sharing, chip: Array, cores: Array, limit: int, seed: int, heat: float = 0.5) -> Array:
    """Chips with fewer edges between them: parts moved one by one, by simulated annealing from `chip`.

    cores (chips,): the load that each chip takes, of each resource; limit: output axons of a core; heat: temperature
    at the start, over the mean change of a move. S. Kirkpatrick et al., Science 220, 1983; as placement/annealing.py.
    """
    out, back = task.edges.tocsr(), task.edges.T.tocsr()
    # What begins cold has little to go through.
    moves = int(min(_MOST_MOVES, _MOVES_PER_PART * chip.size) * (1.0 if heat > _COOL else 0.25))
    found: Array = _anneal(
        out.indptr, out.indices, out.data.astype(np.float64), back.indptr, back.indices, back.data.astype(np.float64),
        task.room.astype(np.float64), np.ascontiguousarray(task.load, np.float64), task.pins >= 0,
        chip.astype(np.int64), cores.astype(np.float64), _CROWDED * limit, moves, heat, seed,
    )  # fmt: skip
    return found


@njit(cache=True)  # type: ignore[untyped-decorator]
def _anneal(
    first: Array, reached: Array, weight: Array, back: Array, source: Array, weight_back: Array, room: Array,
    load: Array, pinned: Array, chip: Array, cores: Array, crowded: float, moves: int, heat: float, seed: int,
) -> Array:  # fmt: skip
    np.random.seed(seed)
    parts, resources = load.shape
    chips = cores.size
    held, used = np.zeros((chips, resources)), np.zeros(parts)
    for part in range(parts):
        held[chip[part]] += load[part]
        for k in range(first[part], first[part + 1]):
            if chip[reached[k]] != chip[part]:
                used[part] += weight[k]
    best: Array = chip.copy()
    cost, best_cost = 0.0, 0.0
    scale, seen = 0.0, 0
    for move in range(moves):
        part = np.random.randint(parts)
        if pinned[part]:
            continue
        here, degree = chip[part], first[part + 1] - first[part]
        several = degree + back[part + 1] - back[part]
        if several > 0 and np.random.random() < 0.9:
            k = np.random.randint(several)
            there = chip[reached[first[part] + k]] if k < degree else chip[source[back[part] + k - degree]]
        else:
            there = np.random.randint(chips)
        if there == here:
            continue
        own = 0.0
        for k in range(first[part], first[part + 1]):
            if chip[reached[k]] == here:
                own += weight[k]
            elif chip[reached[k]] == there:
                own -= weight[k]
        delta = own + _OVER * (max(0.0, used[part] + own - room[part]) - max(0.0, used[part] - room[part]))
        for k in range(back[part], back[part + 1]):
            other = source[k]
            if chip[other] == here or chip[other] == there:
                more = weight_back[k] if chip[other] == here else -weight_back[k]
                over = max(0.0, used[other] + more - room[other]) - max(0.0, used[other] - room[other])
                delta += more + _OVER * over
        for r in range(resources):
            gone = max(0.0, held[here, r] - load[part, r] - cores[here]) - max(0.0, held[here, r] - cores[here])
            come = max(0.0, held[there, r] + load[part, r] - cores[there]) - max(0.0, held[there, r] - cores[there])
            delta += crowded * (gone + come)
        scale += abs(delta)
        seen += 1
        temperature = heat * scale / seen * _COLD ** (move / moves)
        if delta > 0 and (seen < 50 or np.random.random() >= np.exp(-delta / temperature)):
            continue
        cost += delta
        used[part] += own
        for k in range(back[part], back[part + 1]):
            if chip[source[k]] == here:
                used[source[k]] += weight_back[k]
            elif chip[source[k]] == there:
                used[source[k]] -= weight_back[k]
        held[here] -= load[part]
        held[there] += load[part]
        chip[part] = there
        if 2 * move > moves and cost < best_cost - 1e-6:
            best_cost = cost
            best[:] = chip
    return best
