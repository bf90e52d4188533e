"""Weighted sums of a convolution: spike by spike, or bit-parallel by AND and popcount over packed windows.

Both add gain[o] * (codes * spikes)[o, y, x] to a[(o, y, x)] and agree exactly. A convolution is described by its
`field`, an int64 array indexed by the names below.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tern2lava.compiler.ir import Array
from tern2lava.sim.engine.bits import popcount

GROUPS, CHANNELS, HEIGHT, WIDTH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, KERNEL_Y, KERNEL_X = range(9)
STRIDE_Y, STRIDE_X, TOP, LEFT, DILATION_Y, DILATION_X = range(9, 15)
FIELDS = 15

# Pixels per block of the bit-parallel sums, and output channels that share each load of a packed window.
PIXELS = 256
SHARED = 4


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def by_spikes(found: Array, count: int, codes: Array, field: Array, gain: Array, sums: Array, a: Array) -> None:
    """Add what the spikes found[:count] cause.

    codes: (in channel, ky, kx, out channel of the group), flat int8. sums: scratch (pixels * out channels,) int16,
    which must hold the largest sum of codes.
    """
    kind = a.dtype.type
    outputs, height, width = field[OUT_CHANNELS], field[OUT_HEIGHT], field[OUT_WIDTH]
    plane = field[HEIGHT] * field[WIDTH]
    per_group = outputs // field[GROUPS]
    group_channels = field[CHANNELS] // field[GROUPS]
    kernel = field[KERNEL_Y] * field[KERNEL_X]
    pixels = height * width
    sums[: pixels * outputs] = 0
    for e in range(count):
        channel, place = divmod(found[e], plane)
        y, x = divmod(place, field[WIDTH])
        offset = channel // group_channels * per_group
        for ky in range(field[KERNEL_Y]):
            reach_y = y + field[TOP] - ky * field[DILATION_Y]
            out_y = reach_y // field[STRIDE_Y]
            if reach_y < 0 or out_y >= height or out_y * field[STRIDE_Y] != reach_y:
                continue
            for kx in range(field[KERNEL_X]):
                reach_x = x + field[LEFT] - kx * field[DILATION_X]
                out_x = reach_x // field[STRIDE_X]
                if reach_x < 0 or out_x >= width or out_x * field[STRIDE_X] != reach_x:
                    continue
                to = (out_y * width + out_x) * outputs + offset
                tap = (channel * kernel + ky * field[KERNEL_X] + kx) * per_group
                target, source = sums[to : to + per_group], codes[tap : tap + per_group]
                for o in range(per_group):
                    target[o] += np.int16(source[o])
    for o in range(outputs):
        target_plane, scale = a[o * pixels : (o + 1) * pixels], gain[o]
        for i in range(pixels):
            target_plane[i] += kind(kind(sums[i * outputs + o]) * scale)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def pack_windows(spikes: Array, group: int, field: Array, channel_bits: Array, windows: Array) -> None:
    """Fill windows (words, pixels) with the receptive field of every output pixel in one group.

    Bit i of a window, counted through its words, is tap i // channels, channel i % channels of the group.
    channel_bits: scratch (height * width,) uint64, the spikes of up to 64 channels at a pixel.
    """
    channels = field[CHANNELS] // field[GROUPS]
    plane = field[HEIGHT] * field[WIDTH]
    height, width = field[OUT_HEIGHT], field[OUT_WIDTH]
    windows[:] = 0
    for first in range(0, channels, 64):
        here = min(64, channels - first)
        channel_bits[:plane] = 0
        bits = channel_bits[:plane]
        for c in range(here):
            begin = (group * channels + first + c) * plane
            part = spikes[begin : begin + plane]
            for i in range(plane):
                bits[i] |= np.uint64(part[i]) << np.uint64(c)
        for ky in range(field[KERNEL_Y]):
            for kx in range(field[KERNEL_X]):
                bit = (ky * field[KERNEL_X] + kx) * channels + first
                word, shift = bit // 64, np.uint64(bit % 64)
                spills = bit % 64 + here > 64
                # Output columns whose tap lies inside the input.
                lead = field[LEFT] - kx * field[DILATION_X]
                begin_x = max(0, (lead + field[STRIDE_X] - 1) // field[STRIDE_X])
                end_x = min(width, (field[WIDTH] - 1 + lead) // field[STRIDE_X] + 1)
                if end_x <= begin_x:
                    continue
                for out_y in range(height):
                    y = out_y * field[STRIDE_Y] + ky * field[DILATION_Y] - field[TOP]
                    if y < 0 or y >= field[HEIGHT]:
                        continue
                    start = y * field[WIDTH] + begin_x * field[STRIDE_X] - lead
                    row = bits[start : (y + 1) * field[WIDTH]]
                    target = windows[word, out_y * width + begin_x : out_y * width + end_x]
                    if field[STRIDE_X] == 1:
                        for i in range(target.size):
                            target[i] |= row[i] << shift
                    else:
                        for i in range(target.size):
                            target[i] |= row[i * field[STRIDE_X]] << shift
                    if spills:
                        over = windows[word + 1, out_y * width + begin_x : out_y * width + end_x]
                        for i in range(over.size):
                            over[i] |= row[i * field[STRIDE_X]] >> (np.uint64(64) - shift)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def by_planes(windows: Array, planes: Array, gain: Array, factor: int, lanes: Array, a: Array) -> None:
    """Add the sums of one group to a (out channels of the group * pixels,).

    planes: (out channels rounded up to SHARED, word, + or -), flat uint64, bits as in windows (words, pixels).
    factor: what the sums count. lanes: scratch (SHARED * PIXELS,) int64.
    """
    kind = a.dtype.type
    words, pixels = windows.shape
    outputs = a.size // pixels
    for first in range(0, outputs, SHARED):
        own = planes[first * words * 2 : (first + SHARED) * words * 2]
        for begin in range(0, pixels, PIXELS):
            count = min(PIXELS, pixels - begin)
            lanes[:] = 0
            for k in range(words):
                window = windows[k, begin : begin + count]
                p0, q0 = own[2 * k], own[2 * k + 1]
                p1, q1 = own[2 * (words + k)], own[2 * (words + k) + 1]
                p2, q2 = own[2 * (2 * words + k)], own[2 * (2 * words + k) + 1]
                p3, q3 = own[2 * (3 * words + k)], own[2 * (3 * words + k) + 1]
                for i in range(count):
                    x = window[i]
                    lanes[i] += np.int64(popcount(p0 & x)) - np.int64(popcount(q0 & x))
                    lanes[i + PIXELS] += np.int64(popcount(p1 & x)) - np.int64(popcount(q1 & x))
                    lanes[i + 2 * PIXELS] += np.int64(popcount(p2 & x)) - np.int64(popcount(q2 & x))
                    lanes[i + 3 * PIXELS] += np.int64(popcount(p3 & x)) - np.int64(popcount(q3 & x))
            for o in range(first, min(first + SHARED, outputs)):
                part = lanes[(o - first) * PIXELS : (o - first) * PIXELS + count]
                target, scale = a[o * pixels + begin : o * pixels + begin + count], kind(kind(factor) * gain[o])
                for i in range(count):
                    target[i] += kind(kind(part[i]) * scale)
