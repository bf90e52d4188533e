"""The arrays that a run of a group computes in, and how long they must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Ints
from tern2lava.sim.engine import carry, columns, conv, dense, neuron
from tern2lava.sim.engine.calls import Scratch, States

Workspace = tuple[Scratch, States, States, States, States]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Lengths of the arrays that a run of a group computes in."""

    block: int
    neurons: int
    words: int
    values: int
    pixels: int
    window_words: int
    stride: int
    states: int
    further: bool

    def scratch(self) -> Scratch:
        """New scratch."""
        rows = -(-self.block // dense.ROWS) * dense.ROWS
        return Scratch(
            packed=np.empty((rows, self.words), np.uint64),
            counts=np.empty(self.block, np.int64),
            found=np.empty(self.values, np.int64),
            seen=np.empty((2, self.values), np.int16),
            bits=np.empty(self.values, np.uint8),
            short=np.empty(self.neurons, np.int16),
            lanes=np.empty(dense.ROWS * dense.LANES, np.int64),
            windows=np.empty(self.window_words, np.uint64),
            image_bits=np.empty((2, self.pixels), np.uint64),
            counters=np.empty(carry.BITS * self.stride, np.uint64),
            tally=np.empty(-(-self.neurons // 64) * 64, np.int8),
        )

    def workspace(self, kind: Any) -> Workspace:
        """New scratch, and arrays for summed inputs, u, v and the further states in the type `kind`."""
        further = np.empty((neuron.FURTHER, self.states if self.further else 0), kind)
        a = np.empty(self.block * self.neurons, kind)
        return self.scratch(), a, np.empty(self.states, kind), np.empty(self.states, kind), further


def sizes_of(populations: list[Ints], projections: list[Ints], block: int) -> Sizes:
    """Of a group with these rows of its tables, `block` steps at a time."""
    sources = [int(row[columns.SOURCE_SIZE]) for row in projections]
    convolutions = [row for row in projections if row[columns.ADD] in (columns.CONV, columns.CONV_LEVELS)]
    fields = [row[columns.CONV_AT :] for row in convolutions]
    images = [int(f[conv.HEIGHT] * max(f[conv.WIDTH], f[conv.OUT_WIDTH])) for f in fields]
    windows = [
        int(row[columns.WORDS] * f[conv.OUT_HEIGHT] * f[conv.OUT_WIDTH])
        for row, f in zip(convolutions, fields, strict=True)
    ]
    return Sizes(
        block=block,
        neurons=max(int(row[columns.NEURONS]) for row in populations),
        words=max([1, *(-(-size // 64) for size in sources)]),
        values=max([1, *sources]),
        pixels=max([1, *images]),
        window_words=max([1, *windows]),
        stride=max([1, *(int(row[columns.STRIDE]) for row in projections)]),
        states=int(populations[-1][columns.STATES] + populations[-1][columns.NEURONS]),
        further=any(row[columns.STEP] == columns.FURTHER for row in populations),
    )
