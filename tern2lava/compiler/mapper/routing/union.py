"""Links that the spikes of a source take where routers copy them on the way: the union of its routes.

A route goes along x and then along y (or the other way, as the profile says), so that the routes of one source make a
tree: a trunk along its row, and branches up and down the columns of its targets. A spike passes each link of the tree
once, however many cores lie behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import Ints, Reals, size
from tern2lava.compiler.ir.slices import sources
from tern2lava.compiler.mapper.partition import Partition
from tern2lava.compiler.mapper.placement.slots import router_positions
from tern2lava.compiler.mapper.routing.traffic import spikes_of
from tern2lava.hw_profiles import Profile

# Pairs of a neuron and a core that it reaches, looked at one by one: some tenths of a second.
_PAIRS = 4_000_000


@dataclass(frozen=True, eq=False)
class Lines:
    """Hops along the trunk (trunk, trunk) and the branches (branch, branch) between two places on a line, chip borders
    counted as the profile's chip_hops more; swapped: whether the trunk lies along y."""

    trunk: Reals
    branch: Reals
    swapped: bool


def lines_of(profile: Profile) -> Lines:
    """The lines of a target's mesh, across all chips."""
    system = profile.system
    rows = _line(system.chip_rows.value * system.mesh_rows.value, system.mesh_rows.value, profile)
    columns = _line(system.chip_cols.value * system.mesh_cols.value, system.mesh_cols.value, profile)
    swapped = profile.routing.order.value == "yx"
    return Lines(rows if swapped else columns, columns if swapped else rows, swapped)


def _line(length: int, chip: int, profile: Profile) -> Reals:
    at = np.arange(length)
    apart = np.abs(at[:, None] - at[None, :])
    borders = np.abs(at[:, None] // chip - at[None, :] // chip)
    result: Reals = apart + float(profile.routing.chip_hops.value) * borders
    return result


@njit(cache=True)  # type: ignore[untyped-decorator]
def tree_hops(
    t0: int, b0: int, at_trunk: Ints, at_branch: Ints, reached: Ints, trunk: Reals, branch: Reals, low: Ints, high: Ints
) -> float:  # fmt: skip
    """Links of the tree from (t0, b0) to the places (at_trunk, at_branch)[c] with reached[c] > 0. low, high (trunk,):
    scratch."""
    first, last = t0, t0
    for c in range(reached.size):
        if reached[c] > 0:
            t = at_trunk[c]
            first, last = min(first, t), max(last, t)
    for t in range(first, last + 1):
        low[t], high[t] = b0, b0
    for c in range(reached.size):
        if reached[c] > 0:
            t, b = at_trunk[c], at_branch[c]
            if b < low[t]:
                low[t] = b
            if b > high[t]:
                high[t] = b
    total = trunk[t0, first] + trunk[t0, last]
    for t in range(first, last + 1):
        total += branch[b0, low[t]] + branch[b0, high[t]]
    return float(total)


@njit(cache=True)  # type: ignore[untyped-decorator]
def route_hops(
    t0: int, b0: int, at_trunk: Ints, at_branch: Ints, reached: Ints, trunk: Reals, branch: Reals
) -> float:  # fmt: skip
    """The same where each spike is sent to each core by itself."""
    total = 0.0
    for c in range(reached.size):
        if reached[c] > 0:
            total += trunk[t0, at_trunk[c]] + branch[b0, at_branch[c]]
    return float(total)


def joined_hops(
    graph: Graph, partition: Partition, core: Ints, profile: Profile, rates: dict[str, Reals] | None, assumed: float
) -> float | None:  # fmt: skip
    """Links that all spikes pass per step where routers copy them on their way, chip borders counted as chip_hops more;
    core (cores,): numbers on the target. Each neuron is looked at by itself; None where those and the cores they reach
    are more than _PAIRS pairs."""
    blocks = [(block, part.core) for part in partition.parts for block in part.blocks]
    if sum(block.source.volume for block, _ in blocks) > _PAIRS or not blocks:
        return None if blocks else 0.0
    shapes = {node.name: size(node.shape) for node in sources(graph)}
    first = dict(zip(shapes, np.cumsum([0, *shapes.values()])[:-1].tolist(), strict=True))
    home = np.full(sum(shapes.values()), -1, np.int64)
    for part in partition.parts:
        home[first[part.population] + part.box.flat()] = part.core
    who = [first[graph.projection(block.projection).inputs[0]] + block.source.flat() for block, _ in blocks]
    to = np.repeat([target for _, target in blocks], [each.size for each in who])
    pairs = np.unique(np.concatenate(who) * partition.cores + to)
    neuron, target = np.divmod(pairs, partition.cores)
    spikes = np.concatenate([spikes_of(graph, name, count, rates, assumed) for name, count in shapes.items()])
    lines = lines_of(profile)
    row, column, _ = router_positions(profile, core)
    trunk, branch = (row, column) if lines.swapped else (column, row)
    starts = np.searchsorted(neuron, np.arange(home.size + 1))
    return float(_all_trees(starts, target, home, spikes, trunk, branch, lines.trunk, lines.branch))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _all_trees(
    starts: Ints, target: Ints, home: Ints, spikes: Reals, at_trunk: Ints, at_branch: Ints, trunk: Reals, branch: Reals
) -> float:  # fmt: skip
    low, high = np.zeros(trunk.shape[0], np.int64), np.zeros(trunk.shape[0], np.int64)
    ones = np.ones(at_trunk.size, np.int64)
    total = 0.0
    for neuron in range(home.size):
        begin, end = starts[neuron], starts[neuron + 1]
        if begin == end:
            continue
        reached = target[begin:end]
        # The host emits at the first router.
        t0 = at_trunk[home[neuron]] if home[neuron] >= 0 else 0
        b0 = at_branch[home[neuron]] if home[neuron] >= 0 else 0
        here = tree_hops(t0, b0, at_trunk[reached], at_branch[reached], ones[: reached.size], trunk, branch, low, high)
        total += spikes[neuron] * here
    return total
