"""What a part of a population needs: for a box of the target, the source neurons, and the projection cut to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.shapes import Array, Bools, ConvGeometry, Ints, Shape, size
from tern2lava.errors import UnsupportedError

# Rows that are looked at before the others.
_FEW = 64


@dataclass(frozen=True, eq=False, kw_only=True)
class Slice:
    """The synapses of one projection into one box of its target.

    source: the source neurons, in the shape the projection sees them in. window: how many along y and x share one
    input axon, (1, 1) without pooling. local: a projection from those axons (flattened) to the neurons of the box
    (flattened): the same linear map, cut, its pooling left to the axons. A dense one has weight (neurons of the box,
    axons); a convolution keeps its kernel, cut by channels, and gets the geometry of the window.
    """

    source: Box
    local: Projection
    window: tuple[int, int] = (1, 1)

    @property
    def axons(self) -> int:
        """Input axons."""
        return self.source.volume // (self.window[0] * self.window[1])


def source_shape(projection: Projection) -> Shape:
    """The shape of what the weights see: (n,) or (channels, height, width), of what it reads and after pooling."""
    if projection.geometry is None:
        return (int(projection.weight.shape[1]),)
    return projection.geometry.in_shape


def incoming(graph: Graph, population: Population) -> tuple[Projection, ...]:
    """The projections into a population, in the order of its inputs."""
    return tuple(graph.projection(name) for name in population.inputs)


def sources(graph: Graph) -> tuple[Input | Population, ...]:
    """Everything that emits spikes, in definition order: the index in it is the number of a population in images."""
    return tuple(node for node in graph.nodes if isinstance(node, Input | Population))


def mapped_shape(graph: Graph, population: Population) -> Shape:
    """The shape along which a population is cut: that of the convolutions into it, else (neurons,).

    Raises UnsupportedError where two convolutions disagree.
    """
    shapes = {p.geometry.out_shape for p in incoming(graph, population) if p.geometry is not None}
    if len(shapes) > 1:
        found = " and ".join(str(shape) for shape in sorted(shapes))
        raise UnsupportedError(
            population.name, "convolutions into one population have one output shape", found,
            "give the layers the same output shape",
        )  # fmt: skip
    return shapes.pop() if shapes else (size(population.shape),)


def cut(projection: Projection, box: Box, *, whole: bool = False) -> Slice | None:
    """The slice of `projection` into `box`; None where it has no synapse there.

    A source without a synapse into the box is left out: a neuron of a dense layer's source, a whole channel of a
    convolution's or of a pooled source. A convolution's box holds whole channel groups or lies within one (see
    channel_cuts). Weights are views, not copies, where nothing is left out. whole: nothing is, as in a crossbar, whose
    neurons share axons.
    """
    piece = _cut_seen(projection, box, whole)
    if piece is None or (projection.pooling is None and projection.reads is None):
        return piece
    window = (1, 1) if projection.pooling is None else projection.pooling.window
    source = in_source(projection, piece.source)
    return Slice(source=source, local=replace(piece.local, pooling=None, reads=None), window=window)


def in_source(projection: Projection, seen: Box) -> Box:
    """A box of what the weights of a projection see as a box of its source: before pooling, and of the whole source
    where the projection reads a part of it."""
    if projection.pooling is not None:
        seen = seen.windows(projection.pooling)
    reads = projection.reads
    if reads is None:
        return seen
    lo = tuple(first + low for first, low in zip(reads.lo, seen.lo, strict=True))
    hi = tuple(first + high for first, high in zip(reads.lo, seen.hi, strict=True))
    inside = Box(reads.shape, lo, hi)
    return inside.listed(seen.first + reads.lo[0]) if seen.kept else inside


def _cut_seen(projection: Projection, box: Box, whole: bool) -> Slice | None:
    """`cut` with the source as the weights see it."""
    if projection.geometry is not None:
        return _cut_conv(projection, projection.geometry, box, whole)
    weight, gain = box.rows(projection.weight), box.rows(projection.gain)
    shape = source_shape(projection) if projection.pooling is None else projection.pooling.out_shape
    source = Box.full(shape)
    reached = None if whole else reached_sources(projection, box)
    if reached is not None:
        if not reached.any():
            return None
        source = source.listed(np.flatnonzero(reached))
        weight = weight[:, np.repeat(reached, size(shape) // shape[0])]
    return Slice(source=source, local=replace(projection, weight=weight, gain=gain))


def _cut_conv(projection: Projection, geometry: ConvGeometry, box: Box, whole: bool) -> Slice | None:
    window = conv_window(geometry, box, projection.weight.shape[2:])
    if window is None:
        return None
    source, padding, groups = window
    c0, c1 = box.lo[0], box.hi[0]
    gain = projection.gain if projection.gain.ndim == 0 else projection.gain[c0:c1]
    weight = projection.weight[c0:c1]
    reached = None if whole else reached_sources(projection, box)
    if reached is not None:
        if not reached.any():
            return None
        source, weight = source.listed(source.first[reached]), weight[:, reached]
    in_c, in_h, in_w = source.extent
    out_c, out_h, out_w = box.extent
    local = replace(
        projection,
        weight=weight,
        gain=gain,
        geometry=ConvGeometry(
            in_shape=(in_c, in_h, in_w), out_shape=(out_c, out_h, out_w), stride=geometry.stride,
            padding=padding, dilation=geometry.dilation, groups=groups,
        ),
    )  # fmt: skip
    return Slice(source=source, local=local)


def reached_sources(projection: Projection, box: Box) -> Bools | None:
    """Along the first axis of what the weights see of a box (neurons of a dense layer's source; channels of a pooled
    one, or of the group or groups that a convolution's box reads): whether there is a synapse into the box. None where
    all have one; so do the channels of several groups, whose kernels stay together."""
    if projection.geometry is not None:
        if not _in_one_group(projection.geometry, box):
            return None
        weight = projection.weight[box.lo[0] : box.hi[0]].swapaxes(0, 1)
        return _any_of(weight.reshape(weight.shape[0], -1).T)
    weight = box.rows(projection.weight)
    channels = weight.shape[1] if projection.pooling is None else projection.pooling.out_shape[0]
    if channels == weight.shape[1]:
        return _any_of(weight)
    return _any_of(np.asarray(weight.reshape(weight.shape[0], channels, -1).any(axis=2)))


def _in_one_group(geometry: ConvGeometry, box: Box) -> bool:
    per_group = geometry.out_shape[0] // geometry.groups
    return box.lo[0] // per_group == (box.hi[0] - 1) // per_group


def _any_of(weight: Array) -> Bools | None:
    """Whether each column has a value other than 0; None where all have. Mostly a few rows are enough to see that."""
    reached: Bools = np.asarray(weight[:_FEW].any(axis=0))
    if not reached.all() and len(weight) > _FEW:
        left = np.flatnonzero(~reached)
        reached[left] = weight[_FEW:, left].any(axis=0)
    return None if reached.all() else reached


def conv_window(
    geometry: ConvGeometry, box: Box, kernel: tuple[int, ...]
) -> tuple[Box, tuple[int, int, int, int], int] | None:
    """Source box, padding (top, bottom, left, right) that remains, and channel groups of a box of a convolution's
    output; None where the window holds padding only."""
    per_group = geometry.out_shape[0] // geometry.groups
    in_group = geometry.in_shape[0] // geometry.groups
    first, last = box.lo[0] // per_group, (box.hi[0] - 1) // per_group
    assert first == last or (box.lo[0] % per_group == 0 and box.hi[0] % per_group == 0)
    lo, hi, padding = [first * in_group], [(last + 1) * in_group], []
    for axis in (0, 1):
        start, stop = _window(geometry, kernel, axis, box.lo[axis + 1], box.hi[axis + 1])
        low, high = max(start, 0), min(stop, geometry.in_shape[axis + 1])
        if low >= high:
            return None
        lo.append(low)
        hi.append(high)
        padding += [low - start, stop - high]
    source = Box(geometry.in_shape, tuple(lo), tuple(hi))
    return source, (padding[0], padding[1], padding[2], padding[3]), last - first + 1


def source_span(geometry: ConvGeometry, kernel: tuple[int, ...], axis: int, low: int, high: int) -> int:
    """Source positions along an axis (0: channels, 1: y, 2: x) that outputs [low, high) along it see."""
    if axis == 0:
        per_group = geometry.out_shape[0] // geometry.groups
        return ((high - 1) // per_group - low // per_group + 1) * (geometry.in_shape[0] // geometry.groups)
    start, stop = _window(geometry, kernel, axis - 1, low, high)
    return max(0, min(stop, geometry.in_shape[axis]) - max(start, 0))


def _window(geometry: ConvGeometry, kernel: tuple[int, ...], axis: int, low: int, high: int) -> tuple[int, int]:
    """Source range, padding included, of outputs [low, high) along axis (0: y, 1: x)."""
    stride, dilation = geometry.stride[axis], geometry.dilation[axis]
    start = low * stride - geometry.padding[2 * axis]
    return start, start + (high - 1 - low) * stride + dilation * (kernel[axis] - 1) + 1


def source_window(geometry: ConvGeometry, kernel: int, axis: int, low: int, high: int) -> tuple[int, int]:
    """Source range, padding left out, of outputs [low, high) along axis (0: y, 1: x); (0, 0) where it is empty."""
    stride, dilation = geometry.stride[axis], geometry.dilation[axis]
    start = low * stride - geometry.padding[2 * axis]
    stop = start + (high - 1 - low) * stride + dilation * (kernel - 1) + 1
    start, stop = max(start, 0), min(stop, geometry.in_shape[axis + 1])
    return (start, stop) if start < stop else (0, 0)


def tap_patterns(geometry: ConvGeometry, kernel: int, axis: int, start: int, stop: int, low: int, high: int) -> Ints:
    """For source positions [start, stop), which tap reaches which output of [low, high) along axis, outputs counted
    from the first that the position reaches; -1 where none. Shape (positions, kernel)."""
    stride, dilation = geometry.stride[axis], geometry.dilation[axis]
    reach = np.arange(start, stop)[:, None] + geometry.padding[2 * axis] - dilation * np.arange(kernel)[None, :]
    out = reach // stride
    good = (reach % stride == 0) & (out >= low) & (out < high)
    first = np.where(good, out, np.iinfo(np.int64).max).min(axis=1, initial=np.iinfo(np.int64).max)
    return np.where(good, out - first[:, None], -1)


def channel_cuts(channels: int, width: int, units: tuple[int, ...]) -> list[tuple[int, int]]:
    """Ranges that cover `channels`, each at most `width` long and, for every group size in `units`, either inside one
    group or made of whole groups. width >= 1 can always be met."""
    cuts, low = [], 0
    while low < channels:
        high = next(h for h in range(min(low + width, channels), low, -1) if whole_groups(low, h, units))
        cuts.append((low, high))
        low = high
    return cuts


def whole_groups(low: int, high: int, units: tuple[int, ...]) -> bool:
    """Whether channels [low, high) lie inside one group or are whole groups, for every group size in `units`."""
    return all(low // u == (high - 1) // u or (low % u == 0 and high % u == 0) for u in units)


def group_sizes(graph: Graph, population: Population) -> tuple[int, ...]:
    """Output channels in one group, for each grouped convolution into a population."""
    geometries = [p.geometry for p in incoming(graph, population) if p.geometry is not None]
    return tuple(sorted({g.out_shape[0] // g.groups for g in geometries if g.groups > 1}))


def taps(geometry: ConvGeometry, kernel: tuple[int, ...], axis: int) -> Ints:
    """For each source index along `axis` (0: y, 1: x) and each kernel tap, the output index it reaches, else -1.

    Shape (source length, kernel length).
    """
    stride, dilation = geometry.stride[axis], geometry.dilation[axis]
    source = np.arange(geometry.in_shape[axis + 1])[:, None]
    reach = source + geometry.padding[2 * axis] - dilation * np.arange(kernel[axis])[None, :]
    out = reach // stride
    good = (reach % stride == 0) & (out >= 0) & (out < geometry.out_shape[axis + 1])
    return np.where(good, out, -1)


def synapse_count(local: Projection) -> int:
    """Synapses of a slice, zeros included: source neurons that lie in the receptive field of a target, summed."""
    if local.geometry is None:
        return int(local.weight.size)
    kernel = local.weight.shape[2:]
    per_axis = [int((taps(local.geometry, kernel, axis) >= 0).sum()) for axis in (0, 1)]
    return int(local.weight.shape[0] * local.weight.shape[1] * per_axis[0] * per_axis[1])


def fan_in(local: Projection) -> int:
    """The largest number of synapses (zeros included, padding not) that one target neuron of a slice has."""
    if local.geometry is None:
        return int(local.weight.shape[1])
    most = 1
    for axis in (0, 1):
        reached = taps(local.geometry, local.weight.shape[2:], axis)
        most *= int(np.bincount(reached[reached >= 0], minlength=1).max())
    return int(local.weight.shape[1]) * most
