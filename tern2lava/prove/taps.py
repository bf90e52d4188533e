"""Which tap of a kernel leads from each source position to each output, along one axis.

To an output o, at most one tap leads from a source position i, so that a convolution along an axis is a table of taps
by (o, i). Two convolutions are equal if their weights are at every pair of taps that the two tables show at an (o, i),
one of the pair being none where only one has a synapse: these pairs are the classes of positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.prove.image import Axons, Block
from tern2lava.prove.program import Projection
from tern2lava.prove.reader import Box, Ints


@dataclass(frozen=True, eq=False)
class Taps:
    """The table: at outputs `output`, counted from the box's first, and positions `source` the tap `tap`, (n,) each."""

    output: Ints
    source: Ints
    tap: Ints


def required_taps(projection: Projection, box: Box, axis: int) -> Taps:
    """The table of the program (axis 1: y, 2: x) for the outputs of `box`."""
    conv, reads = projection.conv, projection.reads
    assert conv is not None
    at, window = axis - 1, projection.window[axis - 1]
    # Rows that fill no window are left out.
    return _taps(
        np.arange(box.lo[axis], box.hi[axis]), projection.weight.shape[2 + at], conv.stride[at], conv.padding[2 * at],
        conv.dilation[at], window, reads.lo[axis], reads.extent[axis] // window,
    )  # fmt: skip


def found_taps(axons: Axons, block: Block, axis: int) -> Taps:
    """The table of a block."""
    at, window = axis - 1, axons.window[axis - 1]
    return _taps(
        np.arange(block.out_shape[axis]), block.kernel[at], block.stride[at], block.padding[2 * at], block.dilation[at],
        window, axons.box.lo[axis], block.in_shape[axis],
    )  # fmt: skip


def _taps(
    outputs: Ints, kernel: int, stride: int, padding: int, dilation: int, window: int, first: int, windows: int
) -> Taps:
    """Tap k of output o sees window o * stride - padding + dilation * k of `windows`, the first at `first`."""
    seen = outputs[:, None] * stride - padding + dilation * np.arange(kernel)
    output, tap = np.nonzero((seen >= 0) & (seen < windows))
    source = first + seen[output, tap] * window
    inside = np.arange(window)
    return Taps(output.repeat(window), (source[:, None] + inside).reshape(-1), tap.repeat(window))


def classes(required: Taps, found: Taps) -> tuple[Ints, Ints]:
    """The pairs (required tap, found tap) that occur, -1 for none, and an (output, source) of each; (n, 2) both."""
    width = 1 + max(int(taps.source.max(initial=0)) for taps in (required, found))
    places = [taps.output * width + taps.source for taps in (required, found)]
    keys = np.union1d(*places)
    pairs = np.full((keys.size, 2), -1, np.int64)
    for side, (place, taps) in enumerate(zip(places, (required, found), strict=True)):
        pairs[np.searchsorted(keys, place), side] = taps.tap
    different, where = np.unique(pairs, axis=0, return_index=True)
    return different, np.stack([keys[where] // width, keys[where] % width], axis=1)


def channel_starts(first: int, out: int, low: int, high: int, groups: int, inner: int) -> Ints:
    """The first source channel that each of the output channels [low, high) of `out` reads, counted from `first`."""
    return first + np.arange(low, high) // (out // groups) * inner
