"""Links that one spike passes where routers multicast: the union of its routes, shared links once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from tern2lava.compiler.ir.shapes import Ints, Reals


@dataclass(frozen=True)
class Mesh:
    """Routers in rows and columns, one core at each, numbered row by row. order: routes go along x (columns) and then
    along y, or the other way. Inputs enter at router 0."""

    rows: int
    cols: int
    order: str = "xy"

    @property
    def cores(self) -> int:
        return self.rows * self.cols

    @property
    def positions(self) -> tuple[Ints, Ints]:
        """(across, along): of each core, in the dimension that routes take first, and in the other."""
        row, col = np.divmod(np.arange(self.cores), self.cols)
        return (col, row) if self.order == "xy" else (row, col)


def union_links(mesh: Mesh, source: int, targets: Ints) -> int:
    """Links in the union of the routes from a core to others, each dimension after the other: a tree, of the way along
    the first dimension to the farthest target on either side, and in each line beside it to the farthest on either."""
    across, along = mesh.positions
    side = int(across.max(initial=0)) + 1
    low, high = np.zeros(side, np.int64), np.zeros(side, np.int64)
    at = np.asarray(targets, np.int64)
    return int(tree_links(across, along, source, at, low, high))


@njit(cache=True)  # type: ignore[untyped-decorator]
def tree_links(across: Ints, along: Ints, source: int, targets: Ints, low: Ints, high: Ints) -> int:
    """union_links; low and high (positions of the first dimension,) are zero, before and after."""
    x0, y0 = across[source], along[source]
    west, east, links = 0, 0, 0
    for k in range(targets.size):
        x, y = across[targets[k]], along[targets[k]] - y0
        if x - x0 > east:
            east = x - x0
        elif x0 - x > west:
            west = x0 - x
        if y > high[x]:
            links += y - high[x]
            high[x] = y
        elif -y > low[x]:
            links += -y - low[x]
            low[x] = -y
    for x in range(x0 - west, x0 + east + 1):
        low[x] = 0
        high[x] = 0
    return int(links + west + east)


def least_links(reached: Ints, most: int, owned: bool = True) -> Ints:
    """Links that a spike passes at least, whatever lies where: reached (sources,) neurons other than its own that it
    reaches, `most` neurons on a core; owned: its own neuron is on one of them.

    Its own core holds at most `most` - 1 of them, any other `most`, so that it enters at least
    ceil((reached - most + 1) / most) other cores; each of these is entered by a link of its own, whatever the routes.
    Without a neuron of its own one core may lie where inputs enter, which holds `most`.
    """
    at_home = most - 1 if owned else most
    result: Ints = -(-np.maximum(0, reached - at_home) // most)
    return result


def hops_bound(reached: Ints, spikes: Reals, most: int) -> float:
    """Spikes times least_links: no mapping of these neurons takes fewer hops where routers multicast."""
    return float((least_links(reached, most) * spikes).sum())
