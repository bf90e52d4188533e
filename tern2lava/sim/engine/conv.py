"""Weighted sums of a convolution: spike by spike, or bit-parallel by AND and popcount over packed windows.

Both add gain[o] * (codes * spikes)[o, y, x] to a[(o, y, x)] and agree exactly. A convolution is described by its
`field`, an int64 array indexed by the names below.
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import Bytes, Codes, Ints, Words
from tern2lava.sim.engine.bits import popcount
from tern2lava.sim.engine.calls import Shorts, States
from tern2lava.sim.engine.kernels import kernel

GROUPS, CHANNELS, HEIGHT, WIDTH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, KERNEL_Y, KERNEL_X = range(9)
STRIDE_Y, STRIDE_X, TOP, LEFT, DILATION_Y, DILATION_X = range(9, 15)
FIELDS = 15

# Words of a window that are counted in one pass.
PASS = 3


@kernel
def by_spikes(found: Ints, count: int, codes: Codes, field: Ints, gain: States, sums: Shorts, a: States) -> None:
    """Add what the spikes found[:count] cause.

    codes: (in channel, ky, kx from last to first, out channel of the group), flat int8: neighbouring taps of a spike
    reach neighbouring pixels, one run of memory where nothing lies between them. sums: scratch (pixels * out
    channels,) int16, which must hold the largest sum of codes.
    """
    kind = a.dtype.type
    outputs, height, width = field[OUT_CHANNELS], field[OUT_HEIGHT], field[OUT_WIDTH]
    plane, kernel_x = field[HEIGHT] * field[WIDTH], field[KERNEL_X]
    per_group = outputs // field[GROUPS]
    group_channels = field[CHANNELS] // field[GROUPS]
    pixels = height * width
    dense_taps = field[GROUPS] == 1 and field[STRIDE_X] == 1 and field[DILATION_X] == 1
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
            tap = (channel * field[KERNEL_Y] + ky) * kernel_x * per_group
            if dense_taps:
                lowest_x = x + field[LEFT] - kernel_x + 1
                begin, end = max(lowest_x, 0), min(lowest_x + kernel_x, width)
                if end > begin:
                    to, first = (out_y * width + begin) * outputs, tap + (begin - lowest_x) * outputs
                    _gather(sums[to : to + (end - begin) * outputs], codes[first : first + (end - begin) * outputs])
                continue
            for kx in range(kernel_x):
                reach_x = x + field[LEFT] - kx * field[DILATION_X]
                out_x = reach_x // field[STRIDE_X]
                if reach_x < 0 or out_x >= width or out_x * field[STRIDE_X] != reach_x:
                    continue
                to, first = (out_y * width + out_x) * outputs + offset, tap + (kernel_x - 1 - kx) * per_group
                _gather(sums[to : to + per_group], codes[first : first + per_group])
    for o in range(outputs):
        target_plane, scale = a[o * pixels : (o + 1) * pixels], gain[o]
        for i in range(pixels):
            target_plane[i] += kind(kind(sums[i * outputs + o]) * scale)


@kernel
def _gather(sums: Shorts, codes: Codes) -> None:
    """Add codes to sums, element by element."""
    for i in range(sums.size):
        sums[i] += np.int16(codes[i])


@kernel
def pack_windows(spikes: Bytes, group: int, field: Ints, image_bits: Words, windows: Words) -> None:
    """Fill windows (words * pixels,) with the receptive field of every output pixel in one group.

    Bit i of a window, counted through its words, is tap i // channels, channel i % channels of the group.
    image_bits: scratch (2, height * the larger of width and output width) uint64: the spikes of up to 64 channels at a
    pixel, and those of a row of taps where they fit a word.
    """
    channels, kernel_x = field[CHANNELS] // field[GROUPS], field[KERNEL_X]
    height, width, out_width = field[HEIGHT], field[WIDTH], field[OUT_WIDTH]
    plane = height * width
    out_plane = field[OUT_HEIGHT] * out_width
    windows[:] = 0
    whole_rows = channels * kernel_x <= 64
    for first in range(0, channels, 64):
        here = min(64, channels - first)
        bits = image_bits[0, :plane]
        bits[:] = 0
        begin = (group * channels + first) * plane
        for c in range(0, here // 8 * 8, 8):
            _join8(spikes[begin + c * plane : begin + (c + 8) * plane], c, bits)
        for c in range(here // 8 * 8, here):
            part = spikes[begin + c * plane : begin + (c + 1) * plane]
            for i in range(plane):
                bits[i] |= np.uint64(part[i]) << np.uint64(c)
        if whole_rows:
            rows = image_bits[1, : height * out_width]
            rows[:] = 0
            for kx in range(kernel_x):
                _shift_rows(bits, height, kx, kx * channels, field, rows)
            for ky in range(field[KERNEL_Y]):
                bit = ky * kernel_x * channels
                _place_rows(rows, ky, bit, channels * kernel_x, field, windows)
            continue
        for ky in range(field[KERNEL_Y]):
            for kx in range(kernel_x):
                bit = (ky * kernel_x + kx) * channels + first
                for out_y in range(field[OUT_HEIGHT]):
                    y = out_y * field[STRIDE_Y] + ky * field[DILATION_Y] - field[TOP]
                    if y < 0 or y >= height:
                        continue
                    line = bits[y * width : (y + 1) * width]
                    to = bit // 64 * out_plane + out_y * out_width
                    _shift_rows(line, 1, kx, bit % 64, field, windows[to : to + out_width])
                    if bit % 64 + here > 64:
                        to += out_plane
                        _shift_rows(line, 1, kx, bit % 64 - 64, field, windows[to : to + out_width])


@kernel
def _join8(spikes: Bytes, bit: int, bits: Words) -> None:
    """Put eight channels (8 * n,) uint8 of 0 and 1 into bits (n,) from bit `bit` on, joined in bytes first."""
    n = bits.size
    s0, s1, s2, s3 = spikes[:n], spikes[n : 2 * n], spikes[2 * n : 3 * n], spikes[3 * n : 4 * n]
    s4, s5, s6, s7 = spikes[4 * n : 5 * n], spikes[5 * n : 6 * n], spikes[6 * n : 7 * n], spikes[7 * n : 8 * n]
    times = np.uint64(bit)
    for i in range(n):
        low = np.uint8(s0[i] | s1[i] << 1 | s2[i] << 2 | s3[i] << 3)
        high = np.uint8(s4[i] << 4 | s5[i] << 5 | s6[i] << 6 | s7[i] << 7)
        bits[i] |= np.uint64(np.uint8(low | high)) << times


@kernel
def _shift_rows(lines: Words, count: int, kx: int, bit: int, field: Ints, target: Words) -> None:
    """Put what tap kx sees of `count` input rows at every output column of them, from bit `bit` on (negative: its upper
    bits)."""
    stride, lead = field[STRIDE_X], field[LEFT] - kx * field[DILATION_X]
    width, out_width = field[WIDTH], field[OUT_WIDTH]
    begin = max(0, (lead + stride - 1) // stride)
    end = min(out_width, (width - 1 + lead) // stride + 1)
    if end <= begin:
        return
    left, right = np.uint64(max(bit, 0)), np.uint64(max(-bit, 0))
    for y in range(count):
        inside = target[y * out_width + begin : y * out_width + end]
        seen = lines[y * width + begin * stride - lead : (y + 1) * width]
        if stride == 1:
            for i in range(inside.size):
                inside[i] |= (seen[i] << left) >> right
        else:
            for i in range(inside.size):
                inside[i] |= (seen[i * stride] << left) >> right


@kernel
def _place_rows(rows: Words, ky: int, bit: int, count: int, field: Ints, windows: Words) -> None:
    """Put rows (height * output width,), `count` bits each, into the windows from bit `bit` on, as taps in row ky."""
    out_width, stride, lead = field[OUT_WIDTH], field[STRIDE_Y], field[TOP] - ky * field[DILATION_Y]
    begin = max(0, (lead + stride - 1) // stride)
    end = min(field[OUT_HEIGHT], (field[HEIGHT] - 1 + lead) // stride + 1)
    # Without a stride, output rows and input rows are two runs of memory.
    step = end - begin if stride == 1 else 1
    left, right = np.uint64(bit % 64), np.uint64(64 - bit % 64)
    for out_y in range(begin, end, max(step, 1)):
        y = out_y * stride - lead
        seen = rows[y * out_width : (y + step) * out_width]
        to = (bit // 64 * field[OUT_HEIGHT] + out_y) * out_width
        target = windows[to : to + step * out_width]
        for i in range(target.size):
            target[i] |= seen[i] << left
        if bit % 64 + count > 64:
            to += field[OUT_HEIGHT] * out_width
            over = windows[to : to + step * out_width]
            for i in range(over.size):
                over[i] |= seen[i] >> right


@kernel
def by_planes(windows: Words, words: int, planes: Words, gain: States, factor: int, a: States) -> None:
    """Add the sums of one group to a (out channels of the group * pixels,).

    planes: (out channel, word, + or -), flat uint64, bits as in windows (words * pixels,). factor: what the sums
    count.
    """
    kind = a.dtype.type
    pixels = windows.size // words
    for o in range(a.size // pixels):
        own = planes[o * words * 2 : (o + 1) * words * 2]
        target, scale = a[o * pixels : (o + 1) * pixels], kind(kind(factor) * gain[o])
        whole = words // PASS * PASS
        for k in range(0, whole, PASS):
            x0, x1 = windows[k * pixels : (k + 1) * pixels], windows[(k + 1) * pixels : (k + 2) * pixels]
            x2 = windows[(k + 2) * pixels : (k + 3) * pixels]
            p0, q0, p1, q1 = own[2 * k], own[2 * k + 1], own[2 * k + 2], own[2 * k + 3]
            p2, q2 = own[2 * k + 4], own[2 * k + 5]
            for i in range(pixels):
                plus = popcount(p0 & x0[i]) + popcount(p1 & x1[i]) + popcount(p2 & x2[i])
                minus = popcount(q0 & x0[i]) + popcount(q1 & x1[i]) + popcount(q2 & x2[i])
                target[i] += kind(kind(np.int64(plus) - np.int64(minus)) * scale)
        for k in range(whole, words):
            x0 = windows[k * pixels : (k + 1) * pixels]
            p0, q0 = own[2 * k], own[2 * k + 1]
            for i in range(pixels):
                target[i] += kind(kind(np.int64(popcount(p0 & x0[i])) - np.int64(popcount(q0 & x0[i]))) * scale)
