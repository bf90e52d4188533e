"""Other ways to put the parts of a partition on cores: those that talk together, or work spread evenly."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.mapper.cost.core_cost import LARGEST, RESOURCES
from tern2lava.compiler.mapper.packing.first_fit import Part
from tern2lava.compiler.mapper.partition import Partition, renumbered
from tern2lava.compiler.mapper.routing.connections import Connections

# Fan-in counts the largest part, which fits by itself; all others add up.
_SUMMED = tuple(name for name in RESOURCES if name not in LARGEST)


def repacked(graph: Graph, partition: Partition, core: Sequence[int]) -> Partition:
    """The same parts on the cores named, which are numbered anew in the order of the network."""
    parts = tuple(replace(part, core=int(k)) for part, k in zip(partition.parts, core, strict=True))
    populations = graph.of_kind(Population)
    return renumbered(populations, parts, partition.limit, partition.total, partition.density)


def part_traffic(partition: Partition, wired: Connections, spikes: Reals) -> dict[tuple[int, int], float]:
    """Spikes per step between different parts, both directions added up, by (lower, higher) index of the parts."""
    owner = np.array([index for index, part in enumerate(partition.parts) for _ in part.blocks], np.int64)
    inside = wired.part >= 0
    one, other = wired.part[inside], owner[wired.box[inside]]
    low, high = np.minimum(one, other), np.maximum(one, other)
    apart = low != high
    pairs, index = np.unique(np.stack([low[apart], high[apart]]), axis=1, return_inverse=True)
    weight = np.zeros(pairs.shape[1])
    np.add.at(weight, index.reshape(-1), spikes[inside][apart])
    return {(int(a), int(b)): float(w) for a, b, w in zip(*pairs, weight, strict=True)}


def together(partition: Partition, traffic: dict[tuple[int, int], float], pins: Ints, normal: bool) -> list[int]:
    """A core for each part such that parts that talk share one: from a core for each part on, the two cores with the
    most traffic between them (`normal`: for the room that they take) become one while all limits hold.

    pins (parts,): the only chip of each part, -1 for any; parts of two chips share no core.
    """
    load, most = _loads(partition.parts, partition.limit)
    share = (load / most).max(axis=1)
    near: list[dict[int, float]] = [{} for _ in partition.parts]
    for (a, b), weight in traffic.items():
        near[a][b] = near[b][a] = weight
    chip = pins.copy()
    root = list(range(len(near)))
    alive = [True] * len(near)

    def key(a: int, b: int) -> float:
        weight = near[a][b]
        return -weight / (share[a] + share[b] + 1e-9) if normal else -weight

    queue = [(key(a, b), a, b, near[a][b]) for a, b in traffic]
    heapq.heapify(queue)
    while queue:
        _, a, b, weight = heapq.heappop(queue)
        if not (alive[a] and alive[b]) or near[a].get(b) != weight:
            continue
        if (load[a] + load[b] > most).any() or (chip[a] >= 0 and chip[b] >= 0 and chip[a] != chip[b]):
            continue
        if len(near[a]) < len(near[b]):
            a, b = b, a
        load[a] += load[b]
        share[a] = (load[a] / most).max()
        chip[a] = max(chip[a], chip[b])
        alive[b], root[b] = False, a
        near[a].pop(b)
        for other, extra in near[b].items():
            if other != a:
                near[other].pop(b)
                near[a][other] = near[other][a] = near[a].get(other, 0.0) + extra
                heapq.heappush(queue, (key(a, other), a, other, near[a][other]))
    for index in range(len(root)):
        at = index
        while root[at] != at:
            at = root[at]
        root[index] = at
    return root


def evenly(partition: Partition, work: Reals, pins: Ints, cores: int) -> list[int] | None:
    """A core for each part, `cores` in all, with the least work on the busiest: the part with the most work first, each
    to the core with the least that has room (R. L. Graham, SIAM J. Appl. Math. 17(2), 1969), then moves of parts away
    from the busiest core while one helps. None where some part finds no room."""
    load, most = _loads(partition.parts, partition.limit)
    room, busy = np.tile(most, (cores, 1)), np.zeros(cores)
    chip = np.full(cores, -1, np.int64)
    result = np.full(len(load), -1, np.int64)
    for part in np.lexsort((-load[:, 0], -work)).tolist():
        fits = (room >= load[part]).all(axis=1)
        if pins[part] >= 0:
            fits &= (chip < 0) | (chip == pins[part])
        if not fits.any():
            return None
        core = int(np.flatnonzero(fits)[np.argmin(busy[fits])])
        result[part], room[core], busy[core] = core, room[core] - load[part], busy[core] + work[part]
        chip[core] = max(chip[core], pins[part])
    for _ in range(4 * len(load)):
        core = int(np.argmax(busy))
        mine = np.flatnonzero(result == core)
        step = _relief(mine, result, work, load, room, busy, pins, chip)
        if step is None:
            break
        part, other, to = step
        for moved, source, target in ((part, core, to), (other, to, core)):
            if moved >= 0:
                result[moved] = target
                room[source], room[target] = room[source] + load[moved], room[target] - load[moved]
                busy[source], busy[target] = busy[source] - work[moved], busy[target] + work[moved]
    return [int(core) for core in result]


def _relief(
    mine: Ints, result: Ints, work: Reals, load: Ints, room: Ints, busy: Reals, pins: Ints, chip: Ints
) -> tuple[int, int, int] | None:
    """(part of the busiest core, part that comes for it or -1, core) of the move or swap that leaves both cores with
    the least work on the busier; None where none is below the peak. Pinned parts stay."""
    here = int(result[mine[0]])
    peak = busy[here] * (1 - 1e-9)
    best: tuple[int, int, int] | None = None
    # The cores with the least work are the ones to move to.
    for to in np.argsort(busy, kind="stable")[:32].tolist():
        if to == here:
            continue
        for part in mine[pins[mine] < 0].tolist():
            others = [-1, *np.flatnonzero((result == to) & (pins < 0)).tolist()]
            for other in others:
                gone = load[other] if other >= 0 else np.zeros_like(load[part])
                if (room[to] + gone < load[part]).any() or (room[here] + load[part] < gone).any():
                    continue
                less = work[other] if other >= 0 else 0.0
                after = max(busy[here] - work[part] + less, busy[to] + work[part] - less)
                if after < peak:
                    peak, best = after, (part, other, to)
    return best


def _loads(parts: Sequence[Part], limit: dict[str, int]) -> tuple[Ints, Ints]:
    """(parts, resources) of what adds up on a core, and (resources,) of what a core has."""
    load = np.array([[part.used[name] for name in _SUMMED] for part in parts], np.int64).reshape(-1, len(_SUMMED))
    return load, np.array([limit[name] for name in _SUMMED], np.int64)
