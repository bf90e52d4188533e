"""Weighted sums of a dense projection: spike by spike (of ternary codes in bits), or bit-parallel by AND and popcount.

Both add gain[o] * sum_i codes[o, i] * spikes[i] to a[row, o] and agree exactly; which is faster depends on how many
inputs spike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.shapes import Codes, Ints, Words
from tern2lava.sim.engine import carry
from tern2lava.sim.engine.bits import popcount
from tern2lava.sim.engine.calls import Shorts, States
from tern2lava.sim.engine.kernels import kernel

# Outputs per block of bit planes: planes lie as (block, word, plane + or -, output in block).
LANES = 64
# Rows (time steps) that share each load of a plane.
ROWS = 4


@kernel
def by_spikes(found: Ints, count: int, codes: Codes, flush: int, gain: States, sums: Shorts, a: States) -> None:
    """Add the rows of `codes` (inputs * outputs,) int8 named by found[:count] to `a` (outputs,), times `gain`.

    sums: scratch (outputs,) int16; `flush` rows at most are summed before it is emptied, so that it cannot overflow.
    """
    outputs = a.size
    kind = a.dtype.type
    begin = 0
    while begin < count:
        end = min(count, begin + flush)
        sums[:outputs] = 0
        part = sums[:outputs]
        for e in range(begin, end - 3, 4):
            w0 = codes[found[e] * outputs : found[e] * outputs + outputs]
            w1 = codes[found[e + 1] * outputs : found[e + 1] * outputs + outputs]
            w2 = codes[found[e + 2] * outputs : found[e + 2] * outputs + outputs]
            w3 = codes[found[e + 3] * outputs : found[e + 3] * outputs + outputs]
            for o in range(outputs):
                part[o] += np.int16(w0[o]) + np.int16(w1[o]) + np.int16(w2[o]) + np.int16(w3[o])
        for e in range(end - (end - begin) % 4, end):
            w0 = codes[found[e] * outputs : found[e] * outputs + outputs]
            for o in range(outputs):
                part[o] += np.int16(w0[o])
        for o in range(outputs):
            a[o] += kind(kind(part[o]) * gain[o])
        begin = end


@kernel
def by_carry(
    found: Ints, count: int, rows: Words, stride: int, gain: States, counters: Words, tally: NDArray[np.int8], a: States
) -> None:
    """Add the ternary codes of the sources found[:count] to `a` (outputs,), times `gain`.

    rows: of every source `stride` words, bits of the outputs whose code is +1, then of those where it is -1; after the
    last source's a row of zeros. counters, tally: scratch (carry.BITS * stride,) uint64 and (64 * words,) int8.
    """
    kind = a.dtype.type
    words = (a.size + 63) // 64
    none = rows.size - stride
    for begin in range(0, count, carry.MOST):
        end = min(count, begin + carry.MOST)
        counters[: carry.BITS * stride] = 0
        for e in range(begin, end, carry.ROWS):
            r0 = found[e] * stride
            r1 = found[e + 1] * stride if e + 1 < end else none
            r2 = found[e + 2] * stride if e + 2 < end else none
            r3 = found[e + 3] * stride if e + 3 < end else none
            r4 = found[e + 4] * stride if e + 4 < end else none
            r5 = found[e + 5] * stride if e + 5 < end else none
            r6 = found[e + 6] * stride if e + 6 < end else none
            for k in range(0, stride, carry.WORDS):
                carry.add_rows(rows, r0 + k, r1 + k, r2 + k, r3 + k, r4 + k, r5 + k, r6 + k, counters, k, stride)
        for k in range(words):
            carry.read_counters(counters, k, words + k, stride, tally, k * 64)
        for o in range(a.size):
            a[o] += kind(kind(tally[o]) * gain[o])


@kernel
def by_planes(
    words: Words, rows: int, count: int, planes: Words, gain: States, factor: int, lanes: Ints, outputs: int, a: States
) -> None:
    """Add the sums of `rows` rows of packed spikes `words` (ROWS multiple, count) to a (rows * outputs,).

    planes: blocks of LANES outputs, of each word first where the code is +1, then where it is -1, flat uint64.
    factor: what the sums count. lanes: scratch (ROWS * LANES,) int64.
    """
    for block in range((outputs + LANES - 1) // LANES):
        first = block * LANES
        width = min(LANES, outputs - first)
        padded = (width + 7) // 8 * 8
        own = planes[first * 2 * count : (first + LANES) * 2 * count]
        for row in range(0, rows, ROWS):
            lanes[:] = 0
            if rows == 1:
                for k in range(count):
                    pair = own[k * 2 * LANES : (k + 1) * 2 * LANES]
                    x0 = words[row, k]
                    for o in range(padded):
                        lanes[o] += np.int64(popcount(pair[o] & x0)) - np.int64(popcount(pair[o + LANES] & x0))
                to = row * outputs + first
                _add(lanes[:width], factor, gain[first : first + width], a[to : to + width])
                continue
            for k in range(count):
                pair = own[k * 2 * LANES : (k + 1) * 2 * LANES]
                x0, x1, x2, x3 = words[row, k], words[row + 1, k], words[row + 2, k], words[row + 3, k]
                for o in range(padded):
                    p, q = pair[o], pair[o + LANES]
                    lanes[o] += np.int64(popcount(p & x0)) - np.int64(popcount(q & x0))
                    lanes[o + LANES] += np.int64(popcount(p & x1)) - np.int64(popcount(q & x1))
                    lanes[o + 2 * LANES] += np.int64(popcount(p & x2)) - np.int64(popcount(q & x2))
                    lanes[o + 3 * LANES] += np.int64(popcount(p & x3)) - np.int64(popcount(q & x3))
            for i in range(min(ROWS, rows - row)):
                part, to = lanes[i * LANES : i * LANES + width], (row + i) * outputs + first
                _add(part, factor, gain[first : first + width], a[to : to + width])


@kernel
def _add(part: Ints, factor: int, gain: States, a: States) -> None:
    """Add part * factor * gain to a."""
    kind = a.dtype.type
    narrow = kind(factor)
    for o in range(a.size):
        a[o] += kind(kind(kind(part[o]) * narrow) * gain[o])
