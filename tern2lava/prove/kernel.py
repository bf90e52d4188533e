"""Convolutions: a block's kernel against the program's, by classes of positions; and unrolled into a crossbar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tern2lava.prove.failure import MistranslationError, neuron_of
from tern2lava.prove.image import Axons, Block
from tern2lava.prove.program import Population, Projection
from tern2lava.prove.reader import Box, Codes, Ints
from tern2lava.prove.taps import channel_starts, classes, found_taps, required_taps

Ends = tuple[Population, Population]


def synapses_in(projection: Projection, box: Box) -> bool:
    """Whether the program's convolution has a synapse, one that is not 0, into the neurons of `box`."""
    y, x = (np.unique(required_taps(projection, box, axis).tap) for axis in (1, 2))
    return bool(projection.weight[box.lo[0] : box.hi[0]][:, :, y][:, :, :, x].any())


def prove_kernel(
    where: str, ends: Ends, projection: Projection, box: Box, axons: Axons, block: Block, known: set[object],
    key: tuple[int, int],
) -> None:  # fmt: skip
    """MistranslationError unless the block does to the neurons of `box` what the projection does. Raises ValueError for
    codes that cannot be decoded."""
    starts = _check_frame(where, projection, box, axons)
    if block.out_shape != box.extent or _windows(axons) != block.in_shape:
        raise MistranslationError(
            where, f"a convolution of {block.in_shape} to {block.out_shape}", f"one to {box.extent}"
        )
    out, inner = block.shape[:2]
    own = channel_starts(axons.box.lo[0], out, 0, out, block.groups, inner)
    if inner != projection.weight.shape[1] or (own != starts).any():
        wrong = int(np.flatnonzero(own != starts)[0]) if (own != starts).any() else 0
        raise MistranslationError(
            where, f"channels from {own[wrong]} on, {inner} of them, for channel {box.lo[0] + wrong}",
            f"from {starts[wrong]} on, {projection.weight.shape[1]}",
        )  # fmt: skip
    tables = [(required_taps(projection, box, axis), found_taps(axons, block, axis)) for axis in (1, 2)]
    pairs, examples = zip(*(classes(*table) for table in tables), strict=True)
    proven = (key, box.lo[0], box.hi[0], block.digest(), pairs[0].tobytes(), pairs[1].tobytes())
    if proven in known:
        return
    weight, codes, gains = _scaled(projection, slice(box.lo[0], box.hi[0]), block)
    required, found = (_at_pairs(values, pairs, side) for side, values in enumerate((weight, codes)))
    differ = np.argwhere(required != found)
    if len(differ):
        o, c, y, x = (int(i) for i in differ[0])
        (oy, iy), (ox, ix) = examples[0][y].tolist(), examples[1][x].tolist()
        target = np.ravel_multi_index((box.lo[0] + o, box.lo[1] + oy, box.lo[2] + ox), box.shape)
        source = np.ravel_multi_index((starts[o] + c, iy, ix), axons.box.shape)
        _fail(
            where, ends, int(source), int(target), found[o, c, y, x] * gains[1][o], required[o, c, y, x] * gains[0][o]
        )
    known.add(proven)


def prove_unrolled(where: str, ends: Ends, projection: Projection, box: Box, axons: Axons, block: Block) -> None:
    """As prove_kernel, for a dense block that has each synapse of the convolution in a cell of its own."""
    starts = _check_frame(where, projection, box, axons)
    if axons.window != (1, 1):
        raise MistranslationError(where, "pooled axons in a crossbar", "an axon for each neuron")
    weight = projection.weight[box.lo[0] : box.hi[0]].astype(np.int64) * _rows(projection.gain, box.lo[0], box.hi[0])
    # Every pair of an output and a position that a tap joins, along y and along x.
    y_taps, x_taps = (required_taps(projection, box, axis) for axis in (1, 2))
    oy, iy, ky, ox, ix, kx = y_taps.output, y_taps.source, y_taps.tap, x_taps.output, x_taps.source, x_taps.tap
    lo, hi = axons.box.lo, axons.box.hi
    y_in, x_in = (iy >= lo[1]) & (iy < hi[1]), (ix >= lo[2]) & (ix < hi[2])
    required = np.zeros((*box.extent, *axons.box.extent), np.int64)
    for start in np.unique(starts):
        rows = np.flatnonzero(starts == start)
        channels = np.arange(start, start + weight.shape[1])
        seen = (channels >= lo[0]) & (channels < hi[0])
        here = weight[rows][:, :, ky][:, :, :, kx]
        inside = seen[:, None, None] & y_in[:, None] & x_in
        lost = np.argwhere((here != 0) & ~inside)
        if len(lost):
            o, c, y, x = (int(i) for i in lost[0])
            target = np.ravel_multi_index((box.lo[0] + rows[o], box.lo[1] + oy[y], box.lo[2] + ox[x]), box.shape)
            source = np.ravel_multi_index((channels[c], iy[y], ix[x]), axons.box.shape)
            _fail(where, ends, int(source), int(target), 0, here[o, c, y, x])
        place = (
            rows[:, None, None, None], oy[y_in][:, None], ox[x_in], (channels[seen] - lo[0])[:, None, None],
            (iy[y_in] - lo[1])[:, None], ix[x_in] - lo[2],
        )  # fmt: skip
        required[place] = here[:, seen][:, :, y_in][:, :, :, x_in]
    matrix = required.reshape(box.volume, axons.box.volume)
    found = block.codes().astype(np.int64) * _rows(block.gain, 0, box.volume)[:, :, 0, 0]
    wrong = np.argwhere(matrix != found)
    if len(wrong):
        row, column = (int(i) for i in wrong[0])
        _fail(where, ends, axons.box.neuron(column), box.neuron(row), found[row, column], matrix[row, column])


def _check_frame(where: str, projection: Projection, box: Box, axons: Axons) -> Ints:
    """The first source channel of each output channel of `box`; MistranslationError where shapes are others'."""
    conv = projection.conv
    assert conv is not None
    if box.shape != conv.out_shape or axons.box.shape != projection.reads.shape:
        raise MistranslationError(
            where, f"a map of {axons.box.shape} to {box.shape}", f"one of {projection.reads.shape} to {conv.out_shape}"
        )
    return channel_starts(
        projection.reads.lo[0], conv.out_shape[0], box.lo[0], box.hi[0], conv.groups, projection.weight.shape[1]
    )


def _windows(axons: Axons) -> tuple[int, ...]:
    channels, height, width = axons.box.extent
    return channels, height // axons.window[0], width // axons.window[1]


def _rows(gain: Ints, low: int, high: int) -> Ints:
    """Gains of the rows [low, high) as (rows or 1, 1, 1, 1)."""
    return (gain if gain.size == 1 else gain[low:high]).astype(np.int64).reshape(-1, 1, 1, 1)


def _scaled(projection: Projection, rows: slice, block: Block) -> tuple[Codes, Codes, tuple[Ints, Ints]]:
    """Weights of both as numbers that can be compared, and by what to multiply them: gains where they are equal."""
    weight, codes = projection.weight[rows], block.codes()
    count = codes.shape[0]
    own, given = (
        np.broadcast_to(g, count) for g in (_rows(projection.gain, rows.start, rows.stop).reshape(-1), block.gain)
    )
    if (own == given).all():
        return weight, codes, (own, given)
    shape = (-1, *[1] * (codes.ndim - 1))
    one = np.ones(count, np.int64)
    return weight * own.astype(np.int64).reshape(shape), codes * given.reshape(shape), (one, one)


def _at_pairs(values: Codes, pairs: Sequence[Ints], side: int) -> Codes:
    """The weights (out, in, pairs of y, pairs of x) at one side's taps, 0 at tap -1."""
    y, x = (each[:, side] for each in pairs)
    if min(y.min(initial=0), x.min(initial=0)) < 0:
        values = np.pad(values, ((0, 0), (0, 0), (0, 1), (0, 1)))
    return values[:, :, y][:, :, :, x]


def _fail(where: str, ends: Ends, source: int, target: int, found: object, required: object) -> None:
    """MistranslationError that names a synapse by its two neurons."""
    synapse = f"synapse from {ends[0].name} {neuron_of(ends[0], source)} to {neuron_of(ends[1], target)}"
    raise MistranslationError(f"{where}, {synapse}", f"weight {found}", str(required))
