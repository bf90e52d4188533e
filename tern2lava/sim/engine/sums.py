"""Sums of a projection for the steps of one sample, each way of computing them where it is expected to be faster."""

from __future__ import annotations

from numba import njit

from tern2lava.compiler.ir import Array
from tern2lava.sim.engine import conv, dense, levels
from tern2lava.sim.engine.bits import pack, positions
from tern2lava.sim.engine.columns import (
    CODES_AT,
    CONV_AT,
    DIGITS,
    FLUSH,
    LIMIT,
    MAGNITUDE,
    PLAIN,
    PLANES_AT,
    POOL_CHANNELS,
    POOL_HEIGHT,
    POOL_WIDTH,
    SEEN,
    SHIFT,
    SIGN,
    SOURCE_AT,
    SOURCE_SIZE,
    WINDOW_AT,
    WINDOW_X,
    WINDOW_Y,
    WORDS,
)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _see(row: Array, active: Array, seen: Array) -> None:
    """Fill seen[0, :SEEN] with the values that the weights of a projection that is not plain see."""
    if row[WINDOW_Y] == 0:
        levels.read(active, row[SIGN] != 0, seen[0])
        return
    levels.read(active, row[SIGN] != 0, seen[1])
    levels.pool(
        seen[1], row[POOL_CHANNELS], row[POOL_HEIGHT], row[POOL_WIDTH], row[WINDOW_Y], row[WINDOW_X], seen[0]
    )


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _positions(row: Array, packed: Array, windows_of: Array, found: Array) -> int:
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


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_dense(
    row: Array, source: Array, k: int, rows: int, codes: Array, planes: Array, windows_of: Array, gain: Array,
    packed: Array, counts: Array, found: Array, seen: Array, bits: Array, short: Array, lanes: Array, a: Array,
) -> None:  # fmt: skip
    """Add a dense projection's sums for target steps k to k + rows to a (rows, outputs)."""
    at, end = row[SOURCE_AT], row[SOURCE_AT] + row[SOURCE_SIZE]
    words, outputs = row[WORDS], a.shape[1]
    blocks = (outputs + dense.LANES - 1) // dense.LANES
    each = blocks * dense.LANES * 2 * words
    if row[PLAIN] or row[LIMIT] > 0:
        total = 0
        packed[:, : (row[SOURCE_SIZE] + 63) // 64] = 0
        for r in range(rows):
            then = k + r + row[SHIFT]
            counts[r] = pack(source[then, at:end], packed[r]) if 0 <= then < source.shape[0] else 0
            total += counts[r]
        if total == 0:
            return
        if total < row[LIMIT] * rows:
            own = codes[row[CODES_AT] : row[CODES_AT] + row[SEEN] * outputs]
            for r in range(rows):
                count = _positions(row, packed[r], windows_of, found) if counts[r] else 0
                dense.by_spikes(found, count, own, row[FLUSH], gain, short, a[r])
            return
        if row[PLAIN]:
            for digit in range(row[DIGITS]):
                first = row[PLANES_AT] + digit * each
                dense.by_planes(packed, rows, words, planes[first : first + each], gain, 1 << digit, lanes, a)
            return
    for r in range(rows):
        then = k + r + row[SHIFT]
        if not 0 <= then < source.shape[0]:
            continue
        _see(row, source[then, at:end], seen)
        for sign in range(1, -2 if row[SIGN] else 0, -2):
            for magnitude in range(row[MAGNITUDE]):
                if levels.bit_row(seen[0, : row[SEEN]], sign, magnitude, bits) == 0:
                    continue
                pack(bits[: row[SEEN]], packed[0])
                for digit in range(row[DIGITS]):
                    first = row[PLANES_AT] + digit * each
                    dense.by_planes(
                        packed, 1, words, planes[first : first + each], gain, sign * (1 << (digit + magnitude)), lanes,
                        a[r : r + 1],
                    )  # fmt: skip


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def add_conv(
    row: Array, source: Array, k: int, rows: int, codes: Array, planes: Array, windows_of: Array, gain: Array,
    packed: Array, found: Array, seen: Array, bits: Array, short: Array, windows: Array, image_bits: Array, a: Array,
) -> None:  # fmt: skip
    """Add a convolution's sums for target steps k to k + rows to a (rows, outputs)."""
    field = row[CONV_AT:]
    for r in range(rows):
        then = k + r + row[SHIFT]
        if not 0 <= then < source.shape[0]:
            continue
        active = source[then, row[SOURCE_AT] : row[SOURCE_AT] + row[SOURCE_SIZE]]
        if row[PLAIN] or row[LIMIT] > 0:
            count = pack(active, packed)
            if count == 0:
                continue
            if count < row[LIMIT]:
                count = _positions(row, packed, windows_of, found)
                conv.by_spikes(found, count, codes[row[CODES_AT] :], field, gain, short, a[r])
                continue
        if row[PLAIN]:
            _add_windows(row, active, 1, planes, gain, windows, image_bits, a[r])
            continue
        _see(row, active, seen)
        for sign in range(1, -2 if row[SIGN] else 0, -2):
            for magnitude in range(row[MAGNITUDE]):
                if levels.bit_row(seen[0, : row[SEEN]], sign, magnitude, bits):
                    factor = sign * (1 << magnitude)
                    _add_windows(row, bits[: row[SEEN]], factor, planes, gain, windows, image_bits, a[r])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_windows(
    row: Array, active: Array, factor: int, planes: Array, gain: Array, windows: Array, image_bits: Array, a: Array
) -> None:
    """Add `factor` times a convolution's sums over `active` (0 and 1) to a (outputs,), bit-parallel."""
    field = row[CONV_AT:]
    words = row[WORDS]
    pixels = field[conv.OUT_HEIGHT] * field[conv.OUT_WIDTH]
    outputs = field[conv.OUT_CHANNELS] // field[conv.GROUPS]
    each = outputs * words * 2
    own_windows = windows[: words * pixels].reshape(words, pixels)
    for group in range(field[conv.GROUPS]):
        conv.pack_windows(active, group, field, image_bits, own_windows)
        scale = gain[group * outputs : (group + 1) * outputs]
        target = a[group * outputs * pixels : (group + 1) * outputs * pixels]
        for digit in range(row[DIGITS]):
            first = row[PLANES_AT] + (digit * field[conv.GROUPS] + group) * each
            conv.by_planes(own_windows, planes[first : first + each], scale, factor * (1 << digit), target)
