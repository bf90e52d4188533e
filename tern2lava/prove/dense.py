"""Dense projections: a block's matrix against the program's, axon by axon, whatever each axon gathers."""

from __future__ import annotations

import numpy as np

from tern2lava.prove.failure import MistranslationError, neuron_of
from tern2lava.prove.image import Axons, Block
from tern2lava.prove.program import Population, Projection
from tern2lava.prove.reader import Box, Ints

# Columns of the program and axons that some source neuron has in common, each (n,), -1 where it has none; and such a
# neuron.
Pairs = tuple[Ints, Ints, Ints]


def prove_dense(
    where: str, ends: tuple[Population, Population], projection: Projection, box: Box, axons: Axons, block: Block,
    known: dict[object, Pairs], key: tuple[int, int],
) -> None:  # fmt: skip
    """MistranslationError unless the block does to the neurons of `box` what the projection does. Raises ValueError for
    codes that cannot be decoded."""
    place = key, axons.box, axons.window
    if place not in known:
        known[place] = _pairs(projection, axons, ends[0].size)
    columns, of_axons, neurons = known[place]
    # A view where the neurons follow each other.
    rows = slice(box.neuron(0), box.neuron(0) + box.volume) if box.whole or len(box.shape) == 1 else box.flat()
    weight, codes = projection.weight[rows], block.codes()
    own, given = (np.broadcast_to(g, len(codes)) for g in (_gains(projection.gain, rows), block.gain))
    if not (own == given).all():
        weight, codes = weight * own.astype(np.int64)[:, None], codes * given[:, None]
        own = given = np.ones(1, np.int64)
    same = np.arange(len(columns))
    if codes.shape == weight.shape and (columns == same).all() and (of_axons == same).all():
        wrong = weight != codes
        required, found = weight, codes
    else:
        required, found = (
            np.pad(values, ((0, 0), (0, 1)))[:, which] for values, which in ((weight, columns), (codes, of_axons))
        )
        wrong = required != found
    if wrong.any():
        row, pair = (int(i) for i in np.argwhere(wrong)[0])
        source, target = neuron_of(ends[0], int(neurons[pair])), neuron_of(ends[1], box.neuron(row))
        raise MistranslationError(
            f"{where}, synapse from {ends[0].name} {source} to {target}",
            f"weight {int(found[row, pair]) * int(given[row % given.size])}",
            f"{int(required[row, pair]) * int(own[row % own.size])}",
        )


def _gains(gain: Ints, rows: slice | Ints) -> Ints:
    return gain if gain.size == 1 else gain[rows]


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
