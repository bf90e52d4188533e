"""Output axons: what a neuron pays on its core to reach a synapse block, by the profile's routing section.

In the `edges` model a neuron takes one entry for each axon it reaches, `shared_cost` where that axon walks a synapse
list that other axons use too, and `offchip_cost` more where it lies on another chip (NxTF, arXiv 2101.04261:
outAxonCfg = discrete + 2 shared). In the `ranges` model a part takes one entry for each block that it reaches.
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import Bools, ConvGeometry, Ints
from tern2lava.compiler.ir.slices import source_window, tap_patterns
from tern2lava.hw_profiles import Profile

Edges = tuple[int, int, int, int]
NO_EDGES: Edges = (0, 0, 0, 0)


def shares_lists(profile: Profile, projection: Projection) -> bool:
    """Whether several axons of a projection can walk one synapse list, for which edges cost more."""
    return projection.geometry is not None and profile.synapse.sharing.value != "none"


def single_edges(profile: Profile, projection: Projection, box: Box) -> Edges:
    """How many rows of a block's source box at its top and bottom, and columns at its left and right, have lists of
    their own: an axon in such a row and such a column walks a list that no other axon uses.

    box: the block's neurons. Inside the source box the kernel falls alike on many rows, at its edges differently on
    each: with a kernel of 3 and outputs of 3 rows or fewer, every row is single.
    """
    g = projection.geometry
    if g is None or profile.routing.shared_cost.value == 1 or not shares_lists(profile, projection):
        return NO_EDGES
    window = (1, 1) if projection.pooling is None else projection.pooling.window
    ends: list[int] = []
    for axis in (0, 1):
        first, last = single_ends(g, int(projection.weight.shape[2 + axis]), axis, box.lo[axis + 1], box.hi[axis + 1])
        ends += [first * window[axis], last * window[axis]]
    return (ends[0], ends[1], ends[2], ends[3])


def single_of(seen: Box, single: Edges) -> Bools:
    """Whether each neuron of a block's source box (volume,) has a list of its own; single: see `single_edges`."""
    if len(seen.shape) != 3 or not any(single):
        return np.zeros(seen.volume, bool)
    channels, height, width = seen.extent
    row, column = np.arange(height), np.arange(width)
    alone_y = (row < single[0]) | (row >= height - single[1])
    alone_x = (column < single[2]) | (column >= width - single[3])
    return np.tile((alone_y[:, None] & alone_x).reshape(-1), channels)


def single_ends(geometry: ConvGeometry, kernel: int, axis: int, low: int, high: int) -> tuple[int, int]:
    """Source positions at the beginning and at the end of what outputs [low, high) along axis (0: y, 1: x) see that
    meet the kernel as no other position does; where all do, all count at the beginning."""
    start, stop = source_window(geometry, kernel, axis, low, high)
    patterns = tap_patterns(geometry, kernel, axis, start, stop, low, high)
    _, inverse, counts = np.unique(patterns, axis=0, return_inverse=True, return_counts=True)
    single = counts[inverse.reshape(-1)] == 1
    if single.all():
        return stop - start, 0
    first = int(np.argmin(single))
    return first, int(np.argmin(single[::-1]))


def overlap(low: Ints, high: Ints, other_low: Ints, other_high: Ints) -> Ints:
    """Length that ranges have in common."""
    result: Ints = np.maximum(np.minimum(high, other_high) - np.maximum(low, other_low), 0)
    return result


def single_overlap(low: Ints, high: Ints, seen_low: Ints, seen_high: Ints, first: Ints, last: Ints) -> Ints:
    """Length that ranges [low, high) have in common with the single positions of [seen_low, seen_high)."""
    return overlap(low, high, seen_low, seen_low + first) + overlap(low, high, seen_high - last, seen_high)
