"""Cores whose synapses are the cells of a crossbar: windows of a population, what they read, and what a neuron takes.

In a crossbar every input axon crosses every column, so neurons of a core share its axons and each neuron takes whole
columns: one for each bit of its weights where the planes are columns (PAICORE's dendrites), times the fold that its
core's axons need (LCN: powers of two of `inputs`); where the planes are axons, one column and two axons a ternary input
(TrueNorth). A neuron has one output axon. What it reaches by it is one axon of one core (`single`), or the same axon of
several cores (`multicast`); for each further target the neuron is copied on its core, and copies take columns too.

A window is a box of a population whose neurons all sit on cores with the same axons: those of the window's receptive
field. So a multicast target is a window, a single target is a core, and a convolution is unrolled. A window shares one
core at most with others, so that its axons can have the same numbers on all of its cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from tern2lava.compiler.image.codecs import bit_planes
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Population, Projection
from tern2lava.compiler.ir.linear import code_bits
from tern2lava.compiler.ir.shapes import ConvGeometry, Ints, Shape, frozen, size
from tern2lava.compiler.ir.slices import cut, group_sizes, incoming, mapped_shape, source_window
from tern2lava.compiler.mapper.tiling.grids import Cuts, axis_choices, by_span, thinned
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile
from tern2lava.hw_profiles.profile import Crossbar

ENCODING = {"columns": "bit_planes", "axons": "axon_pairs"}

_TERNARY = "choose a target with wider weights; ternarising them (--ternarize twn, 2 bits) changes the network"


@dataclass(frozen=True, eq=False)
class Window:
    """A box of a population, and the box of its source that each projection into it reads."""

    box: Box
    reads: tuple[tuple[str, Box], ...]

    @property
    def sources(self) -> int:
        """Source neurons, once for each projection."""
        return sum(box.volume for _, box in self.reads)


def crossbar_of(profile: Profile) -> Crossbar:
    """The profile's crossbar section, which is there in this memory model."""
    assert profile.crossbar is not None
    return profile.crossbar


def axons_per_source(profile: Profile) -> int:
    """Input axons that one source neuron takes on a core."""
    return 2 if crossbar_of(profile).planes.value == "axons" else 1


def fold_of(profile: Profile, sources: int) -> int:
    """The least power of two f such that f x the crossbar's inputs hold `sources`; larger than the profile's `fold`
    where no allowed one does."""
    inputs = crossbar_of(profile).inputs.value // axons_per_source(profile)
    return 1 << (max(0, -(-sources // inputs) - 1)).bit_length()


def read_together(graph: Graph) -> list[list[str]]:
    """Populations that read the same source, for each source."""
    populations = graph.of_kind(Population)
    groups: dict[str, list[str]] = {}
    for population in populations:
        for source in dict.fromkeys(wire.inputs[0] for wire in incoming(graph, population)):
            groups.setdefault(source, []).append(population.name)
    return list(groups.values())


def with_readers(fold: dict[str, int], groups: list[list[str]]) -> dict[str, int]:
    """Folds of populations, no less than those of others that read the same source, since a core sends to one fold."""
    result = dict(fold)
    changed = True
    while changed:
        changed = False
        for group in groups:
            most = max(result[name] for name in group)
            changed = changed or any(result[name] < most for name in group)
            result.update(dict.fromkeys(group, most))
    return result


def stored(projection: Projection, profile: Profile) -> Projection:
    """The same linear map with the integers that cells hold as its weight: code times gain where planes are columns,
    codes where they are axons (the gain is the neuron's value for the axon's type)."""
    if crossbar_of(profile).planes.value == "axons":
        return projection
    by_row = (-1, *([1] * (projection.weight.ndim - 1))) if projection.gain.ndim else ()
    weight = projection.weight.astype(np.int64) * projection.gain.reshape(by_row)
    needed = code_bits(weight)
    if needed > 8:
        most = int(np.abs(weight).max(initial=0))
        hint = (
            "compile for generic-ternary or loihi2, which have a gain for each channel; here scales summed in one "
            f"neuron may differ by 127 times at most ({most:,})"
        )
        raise CapacityError(projection.name, "bits of a weight and its gain", needed, 8, hint)
    bits = 2 if needed == 2 else 8
    return replace(projection, weight=frozen(weight, np.int8), gain=frozen(1, np.int64), bits=bits)


def bits_of(graph: Graph, population: Population, profile: Profile) -> int:
    """Columns that a neuron takes for its weights. Raises CapacityError for weights that the target cannot hold."""
    wires = incoming(graph, population)
    if crossbar_of(profile).planes.value == "columns":
        widths = [1]
        for projection in wires:
            weight = stored(projection, profile).weight
            widths.append(bit_planes.width(int(weight.min(initial=0)), int(weight.max(initial=0))))
        allowed = [bits for bits in profile.synapse.weight_bits.value if bits >= max(widths)]
        if not allowed:
            most = max(profile.synapse.weight_bits.value)
            raise CapacityError(population.name, "weight bits", max(widths), most, _TERNARY)
        return min(allowed)
    for projection in wires:
        if projection.bits > 2:
            raise CapacityError(projection.name, "weight bits", projection.bits, 2, _TERNARY)
        if int(np.abs(projection.gain).max(initial=0)) > 255:
            raise CapacityError(
                projection.name, "as a neuron's value of an axon type", int(np.abs(projection.gain).max()), 255,
                "let the scales summed in one neuron differ by at most 255 times",
            )  # fmt: skip
    if len({projection.gain.tobytes() for projection in wires}) > 2:
        raise CapacityError(
            population.name, "axon types for layers of different scale", 2 * len(wires), 4,
            "choose a target with a gain for each channel (generic-ternary, loihi2); one scale changes the network",
        )  # fmt: skip
    return 1


def grids(graph: Graph, population: Population) -> Iterator[tuple[Cuts, ...]]:
    """Ways to cut a population into windows: cuts along each axis of its mapped shape. Dense layers are not cut, and
    channels only between groups. Rows and columns are cut evenly, and as long as windows can be that see no more than
    so much: a window at a border, which sees padding, is longer."""
    shape = mapped_shape(graph, population)
    if len(shape) == 1:
        yield (((0, shape[0]),),)
        return
    units = group_sizes(graph, population)
    axes = axis_choices(shape, units)
    channels = [
        cuts
        for cuts in axes[0]
        if len(cuts) == 1 or (units and all(low % unit == 0 for unit in units for low, _ in cuts))
    ]
    images = tuple((w.geometry, w.weight.shape[2:]) for w in incoming(graph, population) if w.geometry is not None)
    along = [{*thinned(axes[1 + a]), *by_span(images, a, shape[1 + a])} for a in (0, 1)]
    yield from product(thinned(channels), *(sorted(cuts, key=lambda c: (len(c), c)) for cuts in along))


def spans(projection: Projection, grid: tuple[Cuts, ...]) -> tuple[Ints, ...] | int:
    """Source positions that each cut along each axis sees; for a dense layer how many sources every window sees."""
    g = projection.geometry
    if g is None:
        return int(projection.weight.shape[1])
    per_group, in_group = g.out_shape[0] // g.groups, g.in_shape[0] // g.groups
    seen = [np.array([((b - 1) // per_group - a // per_group + 1) * in_group for a, b in grid[0]], np.int64)]
    for axis in (0, 1):
        ends = [source_window(g, int(projection.weight.shape[2 + axis]), axis, a, b) for a, b in grid[1 + axis]]
        seen.append(np.array([b - a for a, b in ends], np.int64))
    return tuple(seen)


def window_sources(graph: Graph, population: Population, grid: tuple[Cuts, ...]) -> Ints:
    """Sources of every window of a grid, in C order, without making the windows."""
    total: Ints = np.zeros(tuple(len(cuts) for cuts in grid), np.int64)
    for projection in incoming(graph, population):
        seen = spans(projection, grid)
        if isinstance(seen, int):
            total = total + seen
        else:
            total = total + seen[0][:, None, None] * seen[1][None, :, None] * seen[2][None, None, :]
    return total.reshape(-1)


def window_neurons(grid: tuple[Cuts, ...]) -> Ints:
    """Neurons of every window of a grid, in C order."""
    total: Ints = np.ones((), np.int64)
    for cuts in grid:
        total = np.multiply.outer(total, np.array([high - low for low, high in cuts], np.int64))
    return total.reshape(-1)


def windows(graph: Graph, population: Population, grid: tuple[Cuts, ...]) -> list[Window]:
    """The windows of a grid in C order."""
    shape = mapped_shape(graph, population)
    result = []
    for cell in product(*grid):
        box = Box(shape, tuple(low for low, _ in cell), tuple(high for _, high in cell))
        reads = []
        for projection in incoming(graph, population):
            piece = cut(projection, box, whole=True)
            if piece is not None:
                reads.append((projection.name, piece.source))
        result.append(Window(box, tuple(reads)))
    return result


def boxes_of(window: Box, low: int, high: int, units: tuple[int, ...]) -> list[Box]:
    """Neurons [low, high) of a window, in its C order, as few boxes; `units` are sizes of channel groups, of which a
    box holds whole ones or lies within one."""
    result = []
    for begin, end in _ranges(window.extent, low, high):
        lo = [at + origin for at, origin in zip(begin, window.lo, strict=True)]
        hi = [at + origin for at, origin in zip(end, window.lo, strict=True)]
        for a, b in _channels(lo[0], hi[0], units):
            result.append(Box(window.shape, (a, *lo[1:]), (b, *hi[1:])))
    return result


def _ranges(extent: Shape, low: int, high: int) -> list[tuple[Shape, Shape]]:
    if len(extent) == 1:
        return [((low,), (high,))] if low < high else []
    inner = size(extent[1:])
    first, begin = divmod(low, inner)
    last, end = divmod(high, inner)
    if first == last:
        return [((first, *a), (first + 1, *b)) for a, b in _ranges(extent[1:], begin, end)]
    result = []
    if begin:
        result += [((first, *a), (first + 1, *b)) for a, b in _ranges(extent[1:], begin, inner)]
        first += 1
    if first < last:
        result.append(((first, *(0 for _ in extent[1:])), (last, *extent[1:])))
    return result + [((last, *a), (last + 1, *b)) for a, b in _ranges(extent[1:], 0, end)]


def _channels(low: int, high: int, units: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """[low, high) in ranges that hold whole groups or lie within one, for each size of group."""
    while low < high:
        end = next(
            h for h in range(high, low, -1)
            if all(low // u == (h - 1) // u or (low % u == 0 and h % u == 0) for u in units)
        )  # fmt: skip
        yield low, end
        low = end


def unrolled(local: Projection) -> Projection:
    """The same linear map as a dense one: weight (neurons, axons), gain by neuron where it differs by channel."""
    g = local.geometry
    if g is None:
        return local
    out, in_group, kh, kw = local.weight.shape
    per_group = out // g.groups
    weight = np.zeros((*g.out_shape, *g.in_shape), local.weight.dtype)
    channel, column = np.arange(out)[:, None], np.arange(in_group)[None, :]
    seen = channel // per_group * in_group + column
    for a, b in product(range(kh), range(kw)):
        rows, columns = _reach(g, 0, a), _reach(g, 1, b)
        y, x = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
        at = np.ix_(y, x)
        grid_y, grid_x = np.broadcast_arrays(*at)
        weight[channel[..., None, None], grid_y, grid_x, seen[..., None, None], rows[grid_y], columns[grid_x]] = (
            local.weight[:, :, a, b][..., None, None]
        )
    gain = np.repeat(local.gain, size(g.out_shape[1:])) if local.gain.ndim else local.gain
    return replace(
        local, weight=frozen(weight.reshape(size(g.out_shape), size(g.in_shape))), gain=frozen(gain), geometry=None
    )


def _reach(g: ConvGeometry, axis: int, tap: int) -> Ints:
    """For each output along an axis the input that one kernel tap reads, -1 in the padding."""
    at = np.arange(g.out_shape[axis + 1]) * g.stride[axis] - g.padding[2 * axis] + tap * g.dilation[axis]
    return np.where((at >= 0) & (at < g.in_shape[axis + 1]), at, -1)
