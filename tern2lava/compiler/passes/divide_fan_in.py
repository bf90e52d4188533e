"""Parts of a projection that see fewer source neurons each: how a sum is divided, and how wide it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import ConvGeometry, Pooling, frozen
from tern2lava.compiler.ir.slices import fan_in, source_window, taps
from tern2lava.compiler.passes.expand_pooling import unpooled


def width(projection: Projection) -> tuple[int, int]:
    """(synapses, input axons) of the target neuron that has most; padding is not counted."""
    geometry = projection.geometry
    if geometry is None:
        return int(projection.weight.shape[1]), int(projection.weight.shape[1])
    axons = geometry.in_shape[0] // geometry.groups
    for axis in (0, 1):
        kernel, length = int(projection.weight.shape[2 + axis]), geometry.out_shape[1 + axis]
        windows = [source_window(geometry, kernel, axis, at, at + 1) for at in range(length)]
        axons *= max(high - low for low, high in windows)
    return fan_in(projection), axons


def divide(projection: Projection, synapses: int, axons: int) -> list[Projection] | None:
    """The fewest parts of gain 1, with at most `synapses` and input `axons` per neuron, that sum to the projection:

        weight @ x = sum over parts j of weight[:, part j] @ x[part j]

    A dense layer is divided by ranges of its inputs, a convolution by channels, rows and columns of its kernel (one in
    groups by rows and columns alone). Parts that see only padding are left out. None where no part is narrow enough, or
    all are left out. Weights are views, not copies.
    """
    assert projection.reads is None
    pieces: list[Projection] | None
    if projection.geometry is not None:
        pieces = _divide_conv(projection, projection.geometry, synapses, axons)
    elif projection.pooling is not None:
        pieces = _divide_pooled(projection, projection.pooling, min(synapses, axons))
    else:
        pieces = _divide_dense(projection, min(synapses, axons))
    if not pieces:
        return None
    # What the whole stands for, shared out by size.
    trained = np.zeros(len(pieces), np.int64)
    if pieces[0].source_weights:
        ends = np.cumsum([0] + [piece.weight.size for piece in pieces])
        trained = np.maximum(1, np.diff(ends * pieces[0].source_weights // ends[-1]))
    return [
        replace(
            piece, name=f"{projection.name}.part{number}", gain=frozen(1, np.int64), part_of=projection.name,
            source_weights=int(trained[number]),
        )
        for number, piece in enumerate(pieces)
    ]  # fmt: skip


def _evenly(length: int, most: int) -> list[tuple[int, int]]:
    """The fewest ranges of at most `most` that cover `length`, as equal as can be."""
    count = -(-length // most)
    return list(pairwise(length * i // count for i in range(count + 1)))


def _divide_dense(projection: Projection, most: int) -> list[Projection]:
    length = int(projection.weight.shape[1])
    return [
        replace(projection, weight=projection.weight[:, a:b], reads=Box((length,), (a,), (b,)))
        for a, b in _evenly(length, most)
    ]


def _divide_pooled(projection: Projection, pooling: Pooling, most: int) -> list[Projection]:
    """By whole channels of the pooled image; where one is too wide already, without pooling."""
    channels, height, columns = pooling.in_shape
    pixels = pooling.out_shape[1] * pooling.out_shape[2]
    if pixels > most:
        return _divide_dense(unpooled(projection), most)
    return [
        replace(
            projection, weight=projection.weight[:, a * pixels : b * pixels],
            pooling=Pooling(in_shape=(b - a, height, columns), window=pooling.window),
            reads=Box(pooling.in_shape, (a, 0, 0), (b, height, columns)),
        )
        for a, b in _evenly(channels, most // pixels)
    ]  # fmt: skip


def _divide_conv(projection: Projection, g: ConvGeometry, synapses: int, axons: int) -> list[Projection] | None:
    _, in_group, rows, columns = (int(n) for n in projection.weight.shape)
    # (parts, -taps, taps along y, taps along x, channels): of equal numbers of parts, the one with most of the kernel.
    choices: list[tuple[int, int, int, int, int]] = []
    for tall, wide in product(range(1, rows + 1), range(1, columns + 1)):
        reach = ((tall - 1) * g.dilation[0] + 1) * ((wide - 1) * g.dilation[1] + 1)
        deep = min(in_group, synapses // (tall * wide), axons // reach)
        if deep == in_group or (deep >= 1 and g.groups == 1):
            parts = -(-in_group // deep) * -(-rows // tall) * -(-columns // wide)
            choices.append((parts, -tall * wide, tall, wide, deep))
    if not choices:
        return None
    tall, wide, deep = min(choices)[2:]
    spans = product(_evenly(in_group, deep), _evenly(rows, tall), _evenly(columns, wide))
    found = [_conv_part(projection, g, *span) for span in spans]
    return [piece for piece in found if piece is not None]


def _conv_part(
    projection: Projection, g: ConvGeometry, channels: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> Projection | None:
    """The taps [rows) x [columns) of some input channels, as a convolution on what they see; None where that is padding
    only. y(o) = sum over taps r of w(r) x(o stride - padding + r dilation): the first tap moves the padding."""
    pooling = projection.pooling
    in_channels = (0, g.in_shape[0]) if g.groups > 1 else channels
    lo, hi, padding = [in_channels[0]], [in_channels[1]], []
    for axis, (first, last) in enumerate((rows, columns)):
        start = first * g.dilation[axis] - g.padding[2 * axis]
        stop = start + (g.out_shape[1 + axis] - 1) * g.stride[axis] + g.dilation[axis] * (last - first - 1) + 1
        low, high = max(start, 0), min(stop, g.in_shape[1 + axis])
        if low >= high:
            return None
        lo.append(low)
        hi.append(high)
        padding += [low - start, stop - high]
    extent = (hi[0] - lo[0], hi[1] - lo[1], hi[2] - lo[2])
    box = Box(g.in_shape, tuple(lo), tuple(hi))
    if pooling is not None:
        box = box.windows(pooling)
        pooling = replace(pooling, in_shape=(box.extent[0], box.extent[1], box.extent[2]))
    weight = projection.weight[:, channels[0] : channels[1], rows[0] : rows[1], columns[0] : columns[1]]
    part = replace(g, in_shape=extent, padding=(padding[0], padding[1], padding[2], padding[3]))
    # Between its ends a span may still be stepped over by stride and dilation.
    if not all((taps(part, weight.shape[2:], axis) >= 0).any() for axis in (0, 1)):
        return None
    return replace(
        projection,
        weight=weight,
        geometry=part,
        pooling=pooling,
        reads=box,
    )  # fmt: skip
