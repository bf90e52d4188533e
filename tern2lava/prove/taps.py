"""Which tap of a kernel leads from each source position to each output, along one axis.

For an output o and a source position i at most one tap does, so that a convolution along an axis is a table of taps
(outputs, positions), -1 where there is none. Two convolutions are equal if they are at every pair of taps that their
tables show for some (o, i): these pairs are the classes of positions.
"""

from __future__ import annotations

import numpy as np

from tern2lava.prove.image import Axons, Block
from tern2lava.prove.program import Projection
from tern2lava.prove.reader import Box, Ints


def required_taps(projection: Projection, box: Box, axis: int) -> Ints:
    """The table of the program (axis 1: y, 2: x) for the outputs of `box`, over all positions of the source."""
    conv = projection.conv
    assert conv is not None
    position = np.arange(projection.reads.shape[axis]) - projection.reads.lo[axis]
    window = projection.window[axis - 1]
    # Rows that fill no window are left out.
    windows = projection.reads.extent[axis] // window
    position = np.where((position >= 0) & (position < windows * window), position // window, -1)
    at = axis - 1
    return _table(
        position, np.arange(box.lo[axis], box.hi[axis]), conv.padding[2 * at], conv.stride[at], conv.dilation[at],
        projection.weight.shape[2 + at],
    )  # fmt: skip


def found_taps(axons: Axons, block: Block, axis: int) -> Ints:
    """The table of a block, its outputs numbered from 0, over all positions of the source."""
    position = np.arange(axons.box.shape[axis])
    inside = (position >= axons.box.lo[axis]) & (position < axons.box.hi[axis])
    at = axis - 1
    position = np.where(inside, (position - axons.box.lo[axis]) // axons.window[at], -1)
    return _table(
        position, np.arange(block.out_shape[axis]), block.padding[2 * at], block.stride[at], block.dilation[at],
        block.kernel[at],
    )  # fmt: skip


def _table(position: Ints, output: Ints, padding: int, stride: int, dilation: int, kernel: int) -> Ints:
    """The tap k with position = output * stride - padding + dilation * k; positions below 0 are none."""
    reach = position[None, :] + padding - stride * output[:, None]
    tap = reach // dilation
    return np.where((position >= 0)[None, :] & (reach % dilation == 0) & (tap >= 0) & (tap < kernel), tap, -1)


def classes(required: Ints, found: Ints) -> Ints:
    """The pairs (required tap, found tap) that occur, (n, 2), but for (-1, -1)."""
    pairs = np.unique((required + 1) << 32 | (found + 1))
    pairs = pairs[pairs != 0]
    return np.stack([(pairs >> 32) - 1, (pairs & 0xFFFFFFFF) - 1], axis=1)


def channel_starts(first: int, out: int, low: int, high: int, groups: int, inner: int) -> Ints:
    """The first source channel that each of the output channels [low, high) of `out` reads, counted from `first`."""
    return first + np.arange(low, high) // (out // groups) * inner
