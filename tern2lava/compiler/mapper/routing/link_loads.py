"""What each link and router of the mesh carries, routes going along one dimension and then the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.mapper.placement.slots import router_positions
from tern2lava.compiler.shown import Shown
from tern2lava.hw_profiles import Profile

DIRECTIONS = ("east", "west", "south", "north")


@dataclass(frozen=True, eq=False)
class LinkLoads(Shown):
    """Spikes per step by link and router, over the part of the mesh that routes touch.

    links (4, rows, columns): load of the link that leaves each router for the east, west, south and north; routers
    (rows, columns): spikes that enter a router from a link, a core or the host. origin: row and column of the first
    router, counted across all chips.
    """

    links: Reals
    routers: Reals
    origin: tuple[int, int]

    @property
    def most_loaded_link(self) -> tuple[float, tuple[int, int], str]:
        """(spikes per step, (row, column) of the router it leaves, direction)."""
        at = int(np.argmax(self.links))
        direction, row, col = np.unravel_index(at, self.links.shape)
        place = (int(row) + self.origin[0], int(col) + self.origin[1])
        return float(self.links.flat[at]), place, DIRECTIONS[int(direction)]

    @property
    def most_loaded_router(self) -> tuple[float, tuple[int, int]]:
        """(spikes per step, (row, column))."""
        at = int(np.argmax(self.routers))
        row, col = np.unravel_index(at, self.routers.shape)
        return float(self.routers.flat[at]), (int(row) + self.origin[0], int(col) + self.origin[1])


def link_loads(profile: Profile, begin: Ints, end: Ints, spikes: Reals) -> LinkLoads:
    """Loads of routes from core numbers `begin` to `end`, `spikes` per step each: straight along X and then Y, or
    along Y first where the profile says yx. Each leg adds to a difference array, so that time does not grow with
    hops."""
    if begin.size == 0:
        return LinkLoads(np.zeros((4, 1, 1)), np.zeros((1, 1)), (0, 0))
    row0, col0, _ = router_positions(profile, begin)
    row1, col1, _ = router_positions(profile, end)
    origin = int(min(row0.min(), row1.min())), int(min(col0.min(), col1.min()))
    row0, row1, col0, col1 = row0 - origin[0], row1 - origin[0], col0 - origin[1], col1 - origin[1]
    height, width = int(max(row0.max(), row1.max())) + 1, int(max(col0.max(), col1.max())) + 1
    links = np.zeros((4, height, width))
    along_row, along_col = (row0, col1) if profile.routing.order.value == "xy" else (row1, col0)
    links[0] = _spread(along_row, col0, col1, spikes, (height, width))
    links[1] = _spread(along_row, col1, col0, spikes, (height, width))
    links[2] = _spread(along_col, row0, row1, spikes, (width, height)).T
    links[3] = _spread(along_col, row1, row0, spikes, (width, height)).T
    # A leg from high to low passes the same borders, but leaves the router behind each of them.
    links[1] = np.roll(links[1], 1, axis=1)
    links[3] = np.roll(links[3], 1, axis=0)
    routers = np.zeros((height, width))
    np.add.at(routers, (row0, col0), spikes)
    routers[:, 1:] += links[0][:, :-1]
    routers[:, :-1] += links[1][:, 1:]
    routers[1:, :] += links[2][:-1, :]
    routers[:-1, :] += links[3][1:, :]
    return LinkLoads(links, routers, origin)


def _spread(line: Ints, low: Ints, high: Ints, spikes: Reals, shape: tuple[int, int]) -> Reals:
    """(lines, positions): spikes of the legs on each line that pass the border behind a position, low < high only."""
    change = np.zeros((shape[0], shape[1] + 1))
    forward = low < high
    np.add.at(change, (line[forward], low[forward]), spikes[forward])
    np.add.at(change, (line[forward], high[forward]), -spikes[forward])
    result: Reals = np.cumsum(change, axis=1)[:, :-1]
    return result
