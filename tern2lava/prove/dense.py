"""Dense projections: a block's matrix against the program's, axon by axon, whatever each axon gathers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.prove.failure import fail
from tern2lava.prove.image import Axons, Block
from tern2lava.prove.program import Population, Projection
from tern2lava.prove.reader import Box, Ints

# Columns of the program and axons that some source neuron has in common, each (n,), -1 where it has none; and such a
# neuron.
Pairs = tuple[Ints, Ints, Ints]


def prove_dense(
    where: str, ends: tuple[Population, Population], projection: Projection, box: Box, axons: Axons, block: Block,
    known: dict[object, Any], key: tuple[int, int],
) -> None:  # fmt: skip
    """ImageError unless the block does to the neurons of `box` what the projection does. Raises ValueError for
    codes that cannot be decoded."""
    place = "axons", key, axons.box, axons.window
    if place not in known:
        known[place] = _pairs(projection, axons, ends[0].size)
    columns, of_axons, neurons = known[place]
    # A view where the neurons follow each other.
    follow = box.whole or (len(box.shape) == 1 and not box.bits)
    rows = slice(box.neuron(0), box.neuron(0) + box.volume) if follow else box.flat()
    gain = projection.gain if projection.gain.size == 1 else projection.gain[rows]
    weights = projection.weight[rows] * gain.astype(np.int64)[:, None], block.codes() * block.gain[:, None]
    # What leads to no column or axon has the weight 0.
    required, found = (np.pad(w, ((0, 0), (0, 1)))[:, at] for w, at in zip(weights, (columns, of_axons), strict=True))
    wrong = np.argwhere(required != found)
    if len(wrong):
        row, pair = wrong[0].tolist()
        fail(where, ends, int(neurons[pair]), box.neuron(row), found[row, pair], required[row, pair])


def _pairs(projection: Projection, axons: Axons, size: int) -> Pairs:
    """What each source neuron leads to in both, without those that lead nowhere in either."""
    columns, of_axons = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    reads = np.arange(projection.reads.volume).reshape(projection.seen)
    columns[projection.reads.flat()] = np.ravel(_windows(reads, projection.window))
    of_axons[axons.box.flat()] = np.ravel(_windows(np.arange(axons.box.volume).reshape(axons.box.extent), axons.window))
    different, first = np.unique((columns + 1) << 32 | (of_axons + 1), return_index=True)
    first = first[different != 0]
    return columns[first], of_axons[first], first


def _windows(neurons: Ints, window: tuple[int, int]) -> Ints:
    """The window of each neuron of an array (channels, height, width), numbered in C order; -1 where it fills none."""
    if window == (1, 1):
        return neurons
    channels, height, width = neurons.shape
    rows, cols = height // window[0], width // window[1]
    number = np.full(neurons.shape, -1, np.int64)
    inner = np.arange(channels * rows * cols).reshape(channels, rows, cols)
    number[:, : rows * window[0], : cols * window[1]] = inner.repeat(window[0], axis=1).repeat(window[1], axis=2)
    return number
