"""Ways to cut a population: a grid of boxes along its axes, what such a grid reads, and what it costs upstream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Ints, Reals, Shape, size
from tern2lava.compiler.ir.slices import channel_cuts, source_shape, source_span, source_window
from tern2lava.compiler.mapper.cost.output_axons import overlap, single_ends, single_overlap
from tern2lava.hw_profiles import Profile

# Numbers of cuts that are tried along an axis lie at least so far apart, where not all are.
_STEP = 1.1
# Along axes of no more positions, all cuts are tried that are as long as may be.
_SHORT = 16
# Along axes of no more positions, cuts of two lengths are tried too.
_MIXED = 8
Cuts = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Grid:
    """Ranges along each axis of `shape`; its boxes are all combinations."""

    shape: Shape
    axes: tuple[Cuts, ...]

    @property
    def parts(self) -> int:
        """Number of boxes."""
        return size(tuple(len(cuts) for cuts in self.axes))

    @cached_property
    def volumes(self) -> Array:
        """Neurons of each box, one array axis for each axis of the grid."""
        result: Array = np.ones((1,) * len(self.axes), np.int64)
        for axis, cuts in enumerate(self.axes):
            result = result * along(np.array([high - low for low, high in cuts]), axis, len(self.axes))
        return result

    def boxes(self) -> list[Box]:
        """The boxes in C order."""
        return [Box(self.shape, tuple(r[0] for r in cell), tuple(r[1] for r in cell)) for cell in product(*self.axes)]

    def middle(self) -> Box:
        """The box in the middle, which has no border where any has none, and so costs most where all are alike."""
        cell = [cuts[len(cuts) // 2] for cuts in self.axes]
        return Box(self.shape, tuple(r[0] for r in cell), tuple(r[1] for r in cell))

    def longest(self) -> Box:
        """The box of the longest range along each axis, those in the middle first."""
        cell = [max(cuts[len(cuts) // 2 :] + cuts[: len(cuts) // 2], key=lambda c: c[1] - c[0]) for cuts in self.axes]
        return Box(self.shape, tuple(r[0] for r in cell), tuple(r[1] for r in cell))


def along(values: Array, axis: int, rank: int) -> Array:
    """A flat array laid along one axis of `rank`."""
    return values.reshape([-1 if a == axis else 1 for a in range(rank)])


def ranges(length: int, width: int) -> Cuts:
    """Ranges of `width`, the last as long as what is left."""
    return tuple((low, min(low + width, length)) for low in range(0, length, width))


def widths(length: int) -> list[int]:
    """The different widths ceil(length / n), widest first."""
    return sorted({-(-length // n) for n in range(1, length + 1)}, reverse=True)


def axis_choices(shape: Shape, units: tuple[int, ...]) -> list[list[Cuts]]:
    """For each axis of an image, even cuts by their number, one for each number; `units` are sizes of channel groups
    (see channel_cuts)."""
    channels = [tuple(channel_cuts(shape[0], width, units)) for width in widths(shape[0])]
    along_axes = [channels, *([ranges(shape[a], width) for width in widths(shape[a])] for a in (1, 2))]
    return [list({len(cuts): cuts for cuts in axis}.values()) for axis in along_axes]


def grid_choices(axes: list[list[Cuts]]) -> tuple[Ints, Ints]:
    """All combinations of cuts: which of each axis, and how many these are, both int64 (grids, axes)."""
    index = np.array(list(product(*(range(len(axis)) for axis in axes))), np.int64)
    counts = np.stack([np.array([len(c) for c in axis])[index[:, a]] for a, axis in enumerate(axes)], axis=1)
    return index, counts


def thinned(axis: Sequence[Cuts]) -> list[Cuts]:
    """Of cuts in the order of their number, those that lie at least a tenth apart, and the last."""
    result: list[Cuts] = []
    for cuts in axis:
        if not result or len(cuts) >= len(result[-1]) * _STEP or cuts == axis[-1]:
            result.append(cuts)
    return result


@lru_cache(maxsize=1024)
def by_span(images: tuple[tuple[ConvGeometry, Shape], ...], axis: int, length: int) -> tuple[Cuts, ...]:
    """Cuts along an axis that are as long as may be for some span of the source: all of them along a short axis, along
    a very short one also those that begin with one and go on with the next shorter, else of each number of cuts the one
    that sees least at a time. images: geometry and kernel of each projection."""
    ends = np.zeros((length, length), np.int64)
    for geometry, kernel in images:
        seen = np.array([source_window(geometry, int(kernel[axis]), axis, at, at + 1) for at in range(length)])
        ends += np.maximum(seen[None, :, 1] - seen[:, None, 0], 0)
    found: dict[Cuts, None] = {}
    least = 0
    for most in np.unique(ends[np.triu_indices(length)]).tolist():
        cuts = _longest(ends, most, ())
        if cuts is None:
            continue
        found[cuts] = None
        for begin in range(1, len(cuts)) if least and length <= _MIXED else ():
            mixed = _longest(ends, least, cuts[:begin])
            found |= {} if mixed is None else {mixed: None}
        least = most
    if length <= _SHORT:
        return tuple(found)
    return tuple(thinned(list({len(cuts): cuts for cuts in reversed(found)}.values())))


def _longest(ends: Ints, most: int, first: Cuts) -> Cuts | None:
    """Cuts as long as they can be without seeing more than `most`, after the first ones; None where one position does.
    ends (positions, positions): what positions from ... to ... see."""
    cuts = list(first)
    low = cuts[-1][1] if cuts else 0
    while low < len(ends):
        high = int(np.searchsorted(ends[low, low:], most, side="right")) + low
        if high == low:
            return None
        cuts.append((low, high))
        low = high
    return tuple(cuts)


@dataclass(frozen=True, eq=False)
class Reads:
    """What the boxes of a grid read of one projection's source, in the source's own neurons.

    For a convolution, per axis: ranges [low, high) of what each cut sees, and how many positions at their beginning and
    end have synapse lists of their own. For a dense layer `boxes` blocks read every neuron.
    """

    projection: Projection
    boxes: int
    shape: Shape | None
    low: tuple[Array, ...] = ()
    high: tuple[Array, ...] = ()
    first: tuple[Array, ...] = ()
    last: tuple[Array, ...] = ()


def reads(projection: Projection, grid: Grid, profile: Profile) -> Reads:
    """What a grid of the projection's target reads."""
    g = projection.geometry
    if g is None:
        return Reads(projection, grid.parts, None)
    window = (1, 1, 1) if projection.pooling is None else (1, *projection.pooling.window)
    per_group, in_group = g.out_shape[0] // g.groups, g.in_shape[0] // g.groups
    priced = profile.routing.shared_cost.value > 1 and profile.synapse.sharing.value != "none"
    columns: list[tuple[Array, Array, Array, Array]] = []
    for axis, cuts in enumerate(grid.axes):
        if axis == 0:
            seen = [(a // per_group * in_group, ((b - 1) // per_group + 1) * in_group) for a, b in cuts]
            ends = [(b - a, 0) for a, b in seen]
        else:
            kernel = int(projection.weight.shape[1 + axis])
            seen = [source_window(g, kernel, axis - 1, a, b) for a, b in cuts]
            ends = [single_ends(g, kernel, axis - 1, a, b) if priced else (0, 0) for a, b in cuts]
        table = np.array([(*s, *e) for s, e in zip(seen, ends, strict=True)], np.int64) * window[axis]
        columns.append((table[:, 0], table[:, 1], table[:, 2], table[:, 3]))
    shape: Shape = g.in_shape if projection.pooling is None else projection.pooling.in_shape
    if projection.reads is not None:
        shape = projection.reads.shape
        columns = [
            (low + first, high + first, begin, end)
            for (low, high, begin, end), first in zip(columns, projection.reads.lo, strict=True)
        ]
    return Reads(projection, grid.parts, shape, *(tuple(column) for column in zip(*columns, strict=True)))


def entries(profile: Profile, grid: Grid, read: Reads, extra: int) -> Array:
    """Output axons of each box of `grid` towards the boxes that `read` it; `extra` for each edge.

    Exact where both see the population in one shape; else no less than the truth.
    """
    edges = profile.routing.out_axon_model.value == "edges"
    volumes = grid.volumes
    if read.shape is None:
        return volumes * read.boxes * (1 + extra) if edges else np.full_like(volumes, read.boxes)
    shares = profile.synapse.sharing.value != "none"
    cost = profile.routing.shared_cost.value if shares else 1
    if read.shape != grid.shape:
        if not edges:
            return np.full_like(volumes, read.boxes)
        most = 1
        for axis in range(3):
            change = np.zeros(read.shape[axis] + 1, np.int64)
            np.add.at(change, read.low[axis], 1)
            np.add.at(change, read.high[axis], -1)
            most *= int(np.cumsum(change).max(initial=0))
        return volumes * most * (cost + extra)
    every: Array = np.ones((1, 1, 1), np.int64)
    single: Array = np.ones((1, 1, 1), np.int64)
    for axis, cuts in enumerate(grid.axes):
        mine = np.array(cuts, np.int64)
        args = (mine[:, :1], mine[:, 1:], read.low[axis][None], read.high[axis][None])
        common = overlap(*args)
        if not edges:
            every = every * along((common > 0).sum(axis=1), axis, 3)
            continue
        every = every * along(common.sum(axis=1), axis, 3)
        if cost > 1:
            alone = single_overlap(*args, read.first[axis][None], read.last[axis][None])
            single = single * along(alone.sum(axis=1), axis, 3)
    if not edges:
        return every
    return (cost + extra) * every - ((cost - 1) * single if cost > 1 else 0)


def total_edges(projection: Projection, axes: list[list[Cuts]], index: Ints) -> tuple[Reals, Reals]:
    """(axons of all boxes together, of the largest box) of each grid of one projection; index (grids, axes): which cuts
    of each axis."""
    g = projection.geometry
    if g is None:
        axons = size(source_shape(projection))
        parts = np.ones(len(index))
        for axis, choices in enumerate(axes):
            parts *= np.array([len(cuts) for cuts in choices])[index[:, axis]]
        return parts * axons, np.full(len(index), float(axons))
    total, largest = np.ones(len(index)), np.ones(len(index))
    for axis, choices in enumerate(axes):
        spans = [[source_span(g, projection.weight.shape[2:], axis, low, high) for low, high in c] for c in choices]
        total *= np.array([float(sum(each)) for each in spans])[index[:, axis]]
        largest *= np.array([float(max(each)) for each in spans])[index[:, axis]]
    return total, largest
