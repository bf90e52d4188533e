"""Sources that emit more than 0 and 1 per synapse (pooled windows, signed spikes, small integers) as rows of bits.

A value x is a sum of bits: x = sum over signs g in (+1, -1) and d of g 2^d [bit d of max(g x, 0)].
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import Bytes
from tern2lava.sim.engine.calls import Shorts
from tern2lava.sim.engine.kernels import kernel


@kernel
def read(source: Bytes, signed: bool, values: Shorts) -> None:
    """Copy bytes (n,) uint8 to values (n,) int16; signed: they are int8 in the guise of uint8."""
    if signed:
        for i in range(source.size):
            values[i] = np.int16(np.int8(source[i]))
    else:
        for i in range(source.size):
            values[i] = np.int16(source[i])


@kernel
def pool(image: Shorts, channels: int, height: int, width: int, window_y: int, window_x: int, values: Shorts) -> None:
    """Sums of image (channels * height * width,) int16 over windows that tile it, to values (windows,) int16."""
    rows, columns = height // window_y, width // window_x
    total = np.empty(width, np.int16)
    for c in range(channels):
        for y in range(rows):
            total[:] = 0
            for dy in range(window_y):
                begin = (c * height + y * window_y + dy) * width
                line = image[begin : begin + width]
                for x in range(width):
                    total[x] += line[x]
            target = values[(c * rows + y) * columns : (c * rows + y + 1) * columns]
            if window_x == 2:
                for x in range(columns):
                    target[x] = total[2 * x] + total[2 * x + 1]
            else:
                for x in range(columns):
                    target[x] = total[x * window_x : (x + 1) * window_x].sum()


@kernel
def bit_row(values: Shorts, sign: int, digit: int, bits: Bytes) -> int:
    """Number of ones of bit `digit` of max(sign * values, 0), which goes to bits (n,) uint8."""
    count = 0
    factor, times = np.int16(sign), np.int16(digit)
    for i in range(values.size):
        bit = int(max(np.int16(values[i] * factor), np.int16(0)) >> times) & 1
        bits[i] = bit
        count += bit
    return count
