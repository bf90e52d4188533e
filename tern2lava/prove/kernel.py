"""Convolutions: a block's kernel against the program's, by classes of positions; and unrolled into a crossbar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tern2lava.prove.failure import ImageError, fail, hold
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
    where: str, ends: Ends, projection: Projection, box: Box, axons: Axons, block: Block, known: dict[object, Any],
    key: tuple[int, int],
) -> None:  # fmt: skip
    """ImageError unless the block does to the neurons of `box` what the projection does. Raises ValueError for
    codes that cannot be decoded."""
    starts = _check_frame(where, projection, box, axons)
    window = (1, *axons.window)
    shapes = tuple(length // each for length, each in zip(axons.box.extent, window, strict=True)), box.extent
    sizes = block.in_shape, block.out_shape
    hold(sizes == shapes, where, f"a convolution of {sizes[0]} to {sizes[1]}", f"one of {shapes[0]} to {shapes[1]}")
    out, inner = block.shape[:2]
    kernels = projection.weight[box.lo[0] : box.hi[0]]
    channels = axons.box.first
    if inner == kernels.shape[1] and not axons.box.bits:
        own = channel_starts(axons.box.lo[0], out, 0, out, block.groups, inner)
        hold(bool((own == starts).all()), where, f"channels from {own.tolist()} on", f"channels from {starts.tolist()}")
    else:
        kernels = _some_channels(where, kernels, starts, channels, block)
    tables = [(required_taps(projection, box, axis), found_taps(axons, block, axis)) for axis in (1, 2)]
    pairs, examples = zip(*(classes(*table) for table in tables), strict=True)
    places = pairs[0].tobytes(), pairs[1].tobytes()
    proven = ("kernel", key, box.lo[0], box.hi[0], channels.tobytes(), block.digest(), *places)
    if proven in known:
        return
    weights = (
        _scaled(kernels, projection.gain, box),
        _scaled(block.codes(), block.gain),
    )
    required, found = (_at_pairs(values, pairs, side) for side, values in enumerate(weights))
    differ = np.argwhere(required != found)
    if len(differ):
        o, c, y, x = differ[0].tolist()
        (oy, iy), (ox, ix) = examples[0][y].tolist(), examples[1][x].tolist()
        target = np.ravel_multi_index((box.lo[0] + o, box.lo[1] + oy, box.lo[2] + ox), box.shape)
        channel = starts[o] + c if block.groups > 1 else channels[c]
        source = np.ravel_multi_index((channel, iy, ix), axons.box.shape)
        fail(where, ends, int(source), int(target), found[o, c, y, x], required[o, c, y, x])
    known[proven] = True


def _some_channels(where: str, kernels: Codes, starts: Ints, channels: Ints, block: Block) -> Codes:
    """The kernels of those source channels that have axons. ImageError unless all outputs read one group of channels,
    these are some of it, and the others have no synapse."""
    alike, inner = len(set(starts.tolist())) == 1 and block.groups == 1, kernels.shape[1]
    hold(alike, where, f"groups of {block.shape[1]} channels", f"{inner} from {starts.tolist()} on")
    mine = channels - starts[0]
    hold(bool((mine >= 0).all() and (mine < inner).all()), where, f"axons of channels {channels.tolist()}",
         f"{inner} channels from {starts[0]} on")  # fmt: skip
    left = np.setdiff1d(np.arange(inner), mine)
    if kernels[:, left].any():
        channel = starts[0] + int(left[np.argwhere(kernels[:, left])[0][1]])
        raise ImageError(where, f"no axons of channel {channel}", "them, for it has synapses")
    return kernels[:, mine]


def prove_unrolled(where: str, ends: Ends, projection: Projection, box: Box, axons: Axons, block: Block) -> None:
    """As prove_kernel, for a dense block that has each synapse of the convolution in a cell of its own."""
    starts = _check_frame(where, projection, box, axons)
    hold(axons.window == (1, 1), where, "pooled axons in a crossbar", "an axon for each neuron")
    weight = _scaled(projection.weight[box.lo[0] : box.hi[0]], projection.gain, box)
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
            o, c, y, x = lost[0].tolist()
            target = np.ravel_multi_index((box.lo[0] + rows[o], box.lo[1] + oy[y], box.lo[2] + ox[x]), box.shape)
            source = np.ravel_multi_index((channels[c], iy[y], ix[x]), axons.box.shape)
            fail(where, ends, int(source), int(target), 0, here[o, c, y, x])
        place = (
            rows[:, None, None, None], oy[y_in][:, None], ox[x_in], (channels[seen] - lo[0])[:, None, None],
            (iy[y_in] - lo[1])[:, None], ix[x_in] - lo[2],
        )  # fmt: skip
        required[place] = here[:, seen][:, :, y_in][:, :, :, x_in]
    matrix = required.reshape(box.volume, axons.box.volume)
    found = _scaled(block.codes(), block.gain)
    wrong = np.argwhere(matrix != found)
    if len(wrong):
        row, column = wrong[0].tolist()
        fail(where, ends, axons.box.neuron(column), box.neuron(row), found[row, column], matrix[row, column])


def _check_frame(where: str, projection: Projection, box: Box, axons: Axons) -> Ints:
    """The first source channel of each output channel of `box`; ImageError where shapes are others'."""
    conv = projection.conv
    assert conv is not None
    shapes, found = (projection.reads.shape, conv.out_shape), (axons.box.shape, box.shape)
    hold(found == shapes, where, f"a map of {found[0]} to {found[1]}", f"one of {shapes[0]} to {shapes[1]}")
    return channel_starts(
        projection.reads.lo[0], conv.out_shape[0], box.lo[0], box.hi[0], conv.groups, projection.weight.shape[1]
    )


def _scaled(codes: Codes, gain: Ints, box: Box | None = None) -> Ints:
    """Weights: codes times the gain of their row, that of the channels of `box` where one is given."""
    own = gain if gain.size == 1 or box is None else gain[box.lo[0] : box.hi[0]]
    weights: Ints = codes.astype(np.int64) * own.reshape(-1, *[1] * (codes.ndim - 1))
    return weights


def _at_pairs(values: Codes, pairs: Sequence[Ints], side: int) -> Codes:
    """The weights (out, in, pairs of y, pairs of x) at one side's taps, 0 at tap -1."""
    y, x = (each[:, side] for each in pairs)
    if min(y.min(initial=0), x.min(initial=0)) < 0:
        values = np.pad(values, ((0, 0), (0, 0), (0, 1), (0, 1)))
    return values[:, :, y][:, :, :, x]
