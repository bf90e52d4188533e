"""The ways of summing what a projection adds in some steps of one sample; each takes spikes or bits, as is expected to
be faster.

Their arguments are those of calls.add_signature: they add to a (rows * outputs,) the sums for the target's steps k to
k + rows.
"""

from __future__ import annotations

from tern2lava.compiler.ir.shapes import Bytes, Ints, Words
from tern2lava.sim.engine import conv, dense, levels
from tern2lava.sim.engine.bits import pack, positions
from tern2lava.sim.engine.calls import Pools, Scratch, Shorts, States
from tern2lava.sim.engine.columns import (
    CODES_AT,
    CONV_AT,
    DIGITS,
    FLUSH,
    GAIN_AT,
    LIMIT,
    MAGNITUDE,
    OUTPUTS,
    PLANES_AT,
    POOL_CHANNELS,
    POOL_HEIGHT,
    POOL_WIDTH,
    ROWS_AT,
    SEEN,
    SHIFT,
    SIGN,
    SOURCE_AT,
    SOURCE_SIZE,
    STRIDE,
    WINDOW_AT,
    WINDOW_X,
    WINDOW_Y,
    WORDS,
)
from tern2lava.sim.engine.kernels import kernel


@kernel
def add_dense(row: Ints, source: Bytes, k: int, rows: int, pools: Pools, scratch: Scratch, a: States) -> None:
    """Sums of a dense projection whose source emits 0 and 1."""
    total = _pack_rows(row, source, k, rows, scratch)
    if total == 0:
        return
    words, outputs = row[WORDS], row[OUTPUTS]
    gain = pools.gains[row[GAIN_AT] :]
    if total < row[LIMIT] * rows:
        stride = row[STRIDE]
        own = pools.codes[row[CODES_AT] : row[CODES_AT] + (row[SEEN] * outputs if stride == 0 else 0)]
        own_rows = pools.planes[row[ROWS_AT] : row[ROWS_AT] + (row[SEEN] + 1) * stride]
        for r in range(rows):
            if scratch.counts[r]:
                count = positions(scratch.packed[r], words, scratch.found)
                part = a[r * outputs : (r + 1) * outputs]
                if stride > 0:
                    dense.by_carry(scratch.found, count, own_rows, stride, gain, scratch.counters, scratch.tally, part)
                else:
                    dense.by_spikes(scratch.found, count, own, row[FLUSH], gain, scratch.short, part)
        return
    each = (outputs + dense.LANES - 1) // dense.LANES * dense.LANES * 2 * words
    for digit in range(row[DIGITS]):
        first = row[PLANES_AT] + digit * each
        own_planes = pools.planes[first : first + each]
        dense.by_planes(scratch.packed, rows, words, own_planes, gain, 1 << digit, scratch.lanes, outputs, a)


@kernel
def add_dense_levels(row: Ints, source: Bytes, k: int, rows: int, pools: Pools, scratch: Scratch, a: States) -> None:
    """Sums of a dense projection that sees other values than 0 and 1."""
    words, outputs = row[WORDS], row[OUTPUTS]
    gain = pools.gains[row[GAIN_AT] :]
    if row[LIMIT] > 0:
        total = _pack_rows(row, source, k, rows, scratch)
        if total == 0:
            return
        if total < row[LIMIT] * rows:
            own = pools.codes[row[CODES_AT] : row[CODES_AT] + row[SEEN] * outputs]
            for r in range(rows):
                count = _positions(row, scratch.packed[r], pools.windows_of, scratch.found) if scratch.counts[r] else 0
                part = a[r * outputs : (r + 1) * outputs]
                dense.by_spikes(scratch.found, count, own, row[FLUSH], gain, scratch.short, part)
            return
    each = (outputs + dense.LANES - 1) // dense.LANES * dense.LANES * 2 * words
    for r in range(rows):
        then = k + r + row[SHIFT]
        if not 0 <= then < source.shape[0]:
            continue
        _see(row, source[then, row[SOURCE_AT] : row[SOURCE_AT] + row[SOURCE_SIZE]], scratch.seen)
        part = a[r * outputs : (r + 1) * outputs]
        for sign in range(1, -2 if row[SIGN] else 0, -2):
            for magnitude in range(row[MAGNITUDE]):
                if levels.bit_row(scratch.seen[0, : row[SEEN]], sign, magnitude, scratch.bits) == 0:
                    continue
                pack(scratch.bits[: row[SEEN]], scratch.packed[0])
                for digit in range(row[DIGITS]):
                    first = row[PLANES_AT] + digit * each
                    factor = sign * (1 << (digit + magnitude))
                    own_planes = pools.planes[first : first + each]
                    dense.by_planes(scratch.packed, 1, words, own_planes, gain, factor, scratch.lanes, outputs, part)


@kernel
def add_conv(row: Ints, source: Bytes, k: int, rows: int, pools: Pools, scratch: Scratch, a: States) -> None:
    """Sums of a convolution whose source emits 0 and 1."""
    outputs = row[OUTPUTS]
    gain = pools.gains[row[GAIN_AT] :]
    for r in range(rows):
        then = k + r + row[SHIFT]
        if not 0 <= then < source.shape[0]:
            continue
        active = source[then, row[SOURCE_AT] : row[SOURCE_AT] + row[SOURCE_SIZE]]
        part = a[r * outputs : (r + 1) * outputs]
        count = pack(active, scratch.packed[0])
        if count == 0:
            continue
        if count < row[LIMIT]:
            count = positions(scratch.packed[0], (row[SOURCE_SIZE] + 63) // 64, scratch.found)
            codes = pools.codes[row[CODES_AT] :]
            conv.by_spikes(scratch.found, count, codes, row[CONV_AT:], gain, scratch.short, part)
        else:
            _add_windows(row, active, 1, pools.planes, gain, scratch.windows, scratch.image_bits, part)


@kernel
def add_conv_levels(row: Ints, source: Bytes, k: int, rows: int, pools: Pools, scratch: Scratch, a: States) -> None:
    """Sums of a convolution that sees other values than 0 and 1."""
    outputs = row[OUTPUTS]
    gain = pools.gains[row[GAIN_AT] :]
    for r in range(rows):
        then = k + r + row[SHIFT]
        if not 0 <= then < source.shape[0]:
            continue
        active = source[then, row[SOURCE_AT] : row[SOURCE_AT] + row[SOURCE_SIZE]]
        part = a[r * outputs : (r + 1) * outputs]
        if row[LIMIT] > 0:
            count = pack(active, scratch.packed[0])
            if count == 0:
                continue
            if count < row[LIMIT]:
                count = _positions(row, scratch.packed[0], pools.windows_of, scratch.found)
                codes = pools.codes[row[CODES_AT] :]
                conv.by_spikes(scratch.found, count, codes, row[CONV_AT:], gain, scratch.short, part)
                continue
        _see(row, active, scratch.seen)
        for sign in range(1, -2 if row[SIGN] else 0, -2):
            for magnitude in range(row[MAGNITUDE]):
                if levels.bit_row(scratch.seen[0, : row[SEEN]], sign, magnitude, scratch.bits):
                    bits, factor = scratch.bits[: row[SEEN]], sign * (1 << magnitude)
                    _add_windows(row, bits, factor, pools.planes, gain, scratch.windows, scratch.image_bits, part)


@kernel
def _pack_rows(row: Ints, source: Bytes, k: int, rows: int, scratch: Scratch) -> int:
    """Number of spikes of the source in the steps that steps k to k + rows of the target see, packed row by row, their
    numbers in scratch.counts."""
    at, end = row[SOURCE_AT], row[SOURCE_AT] + row[SOURCE_SIZE]
    scratch.packed[:, : (row[SOURCE_SIZE] + 63) // 64] = 0
    total = 0
    for r in range(rows):
        then = k + r + row[SHIFT]
        count = pack(source[then, at:end], scratch.packed[r]) if 0 <= then < source.shape[0] else 0
        scratch.counts[r] = count
        total += count
    return int(total)


@kernel
def _see(row: Ints, active: Bytes, seen: Shorts) -> None:
    """Fill seen[0, :SEEN] with the values that the weights see."""
    if row[WINDOW_Y] == 0:
        levels.read(active, row[SIGN] != 0, seen[0])
        return
    levels.read(active, row[SIGN] != 0, seen[1])
    levels.pool(seen[1], row[POOL_CHANNELS], row[POOL_HEIGHT], row[POOL_WIDTH], row[WINDOW_Y], row[WINDOW_X], seen[0])


@kernel
def _positions(row: Ints, packed: Words, windows_of: Ints, found: Ints) -> int:
    """Number of spikes in a packed row, their places as the weights see them in `found`."""
    count = positions(packed, (row[SOURCE_SIZE] + 63) // 64, found)
    if row[WINDOW_Y] == 0:
        return int(count)
    inside = 0
    for e in range(count):
        place = windows_of[row[WINDOW_AT] + found[e]]
        if place >= 0:
            found[inside] = place
            inside += 1
    return int(inside)


@kernel
def _add_windows(
    row: Ints, active: Bytes, factor: int, planes: Words, gain: States, windows: Words, image_bits: Words, a: States
) -> None:
    """Add `factor` times a convolution's sums over `active` (0 and 1) to a (outputs,), bit-parallel."""
    field = row[CONV_AT:]
    words = row[WORDS]
    pixels = field[conv.OUT_HEIGHT] * field[conv.OUT_WIDTH]
    outputs = field[conv.OUT_CHANNELS] // field[conv.GROUPS]
    each = outputs * words * 2
    own_windows = windows[: words * pixels]
    for group in range(field[conv.GROUPS]):
        conv.pack_windows(active, group, field, image_bits, own_windows)
        scale = gain[group * outputs : (group + 1) * outputs]
        target = a[group * outputs * pixels : (group + 1) * outputs * pixels]
        for digit in range(row[DIGITS]):
            first = row[PLANES_AT] + (digit * field[conv.GROUPS] + group) * each
            conv.by_planes(own_windows, words, planes[first : first + each], scale, factor * (1 << digit), target)
