"""The codec loihi: synapse lists in 64-bit words, all lists read abreast, put back into a matrix or a kernel."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from tern2lava.prove.bits import Words, bits_of, fields, require, starts, words_of
from tern2lava.prove.reader import Codes, Ints

if TYPE_CHECKING:
    from tern2lava.prove.image import Block

_SPARSE, _RUN_LENGTH, _DENSE = 0, 1, 2


def matrix_of_lists(block: Block) -> Codes:
    """The codes (neurons, axons) of a dense block, whose lists are its axons'."""
    neurons, axons = block.shape
    rows, targets, weights, end = _stream(block, 0, axons)
    require(end == len(block.stored), "bytes behind the last list")
    require((targets < neurons).all(), "a target behind the last neuron")
    codes = np.zeros((neurons, axons), np.int16)
    codes[targets, rows] = weights
    return codes


def kernel_of_lists(block: Block) -> Codes:
    """The kernel of a convolution that every class of its lists agrees with; 0 at taps that no class uses."""
    out, inner, *_ = block.shape
    per_group, width = out // block.groups, block.out_shape[2]
    kernel, known = np.zeros(block.shape, np.int16), np.zeros(block.kernel, bool)
    at = 0
    columns = axis_classes(block, 1)
    for tap_y in axis_classes(block, 0):
        for tap_x in columns:
            rows, targets, weights, at = _stream(block, at, block.in_shape[0])
            channel, x, y = targets % out, targets // out % width, targets // out // width
            require((y < tap_y.size).all() and (channel < per_group).all(), "a target that no tap reaches")
            y_tap, x_tap = tap_y[y], np.append(tap_x, -1)[np.minimum(x, tap_x.size)]
            require((y_tap >= 0).all() and (x_tap >= 0).all(), "a target that no tap reaches")
            found = np.zeros_like(kernel)
            found[rows // inner * per_group + channel, rows % inner, y_tap, x_tap] = weights
            used = np.zeros_like(known)
            used[np.ix_(tap_y[tap_y >= 0], tap_x[tap_x >= 0])] = True
            both = used & known
            require((found[:, :, both] == kernel[:, :, both]).all(), "classes of lists with different weights")
            kernel[:, :, used] = found[:, :, used]
            known |= used
    require(at == len(block.stored), "bytes behind the last list")
    return kernel


def axis_classes(block: Block, axis: int) -> list[Ints]:
    """Of each class of source positions along an axis (0: y, 1: x), the tap that reaches each target, counted from the
    first that is reached; -1 where none does. In ascending order of the classes' rows."""
    taps = np.arange(block.kernel[axis])
    reach = np.arange(block.in_shape[axis + 1])[:, None] + block.padding[2 * axis] - block.dilation[axis] * taps
    target = reach // block.stride[axis]
    good = (reach % block.stride[axis] == 0) & (target >= 0) & (target < block.out_shape[axis + 1])
    rows = set()
    for reached, which in zip(target.tolist(), good.tolist(), strict=True):
        if any(which):
            first = min(t for t, yes in zip(reached, which, strict=True) if yes)
            rows.add(tuple(t - first if yes else -1 for t, yes in zip(reached, which, strict=True)))
    classes = []
    for row in sorted(rows):
        tap_of = np.full(max(row) + 1, -1, np.int64)
        for tap, reached in enumerate(row):
            if reached >= 0:
                tap_of[reached] = tap
        classes.append(tap_of)
    return classes


def _stream(block: Block, at: int, lists: int) -> tuple[Ints, Ints, Ints, int]:
    """List, target and weight of every synapse of the stream at byte `at` whose weight is not 0, and its end."""
    data = block.stored
    require(len(data) >= at + 8, "a stream that is cut short")
    bits, delay, count, zero, total = struct.unpack_from("<BBBBI", data, at)
    require(bits == block.bits and delay == block.delay and not zero, "weights or delays of another width")
    end = at + 8 + 4 * count
    require(count < 16 and len(data) >= end, "a table that is cut short")
    formats = np.frombuffer(data, np.uint8, 4 * count, at + 8).reshape(count, 4).astype(np.int64)
    sizes = [bits - (kind >= 4) for kind in formats[:, 0].tolist()]
    good = ((formats[:, 0] & 3) < 3) & (formats[:, 0] < 12) & (formats[:, 1] <= 16) & (formats[:, 2] <= 16)
    require(good.all() and formats[:, 3].tolist() == sizes, "a format that no entry has")
    first, end = starts(data, end, lists, 1, total)
    require(len(data) >= end + 8 * total, "lists that are cut short")
    raw = data[end : end + 8 * total]
    entries, heads = _entries(words_of(raw), first, total, formats, max(3, delay.bit_length()) if delay else 0)
    ends = bits_of(raw).astype(bool)
    return *_synapses(words_of(raw), entries, formats, delay, ends, heads), end + 8 * total


def _entries(words: Words, first: Ints, total: int, formats: Ints, delay_bits: int) -> tuple[Ints, Ints]:
    """(entries, 5): list, format from 0, synapses, first bit behind the head, bits of a synapse; and where each list
    ended and its words end, (lists, 2), in bits."""
    end = np.append(first[1:], total) * 64
    at, active, found = first * 64, np.arange(first.size), []
    kind, index, skip, width = formats.T if formats.size else np.zeros((4, 1), np.int64)
    while active.size:
        inside = at[active] + 10 <= end[active]
        active = active[inside]
        head = fields(words, at[active], 10)
        active, head = active[head & 15 != 0], head[head & 15 != 0]
        number, count = (head & 15) - 1, head >> 4
        require((number < len(formats)).all() and (count > 0).all(), "an entry that no list has")
        code = kind[number] & 3
        each = width[number] + delay_bits + np.where(code == _SPARSE, index[number], 0)
        each += np.where(code == _RUN_LENGTH, skip[number], 0)
        found.append(np.stack([active, number, count, at[active] + 10, each], axis=1))
        at[active] += 10 + np.where(code == _SPARSE, 0, index[number]) + count * each
        require((at[active] <= end[active]).all(), "an entry beyond its list")
    entries = np.concatenate(found) if found else np.zeros((0, 5), np.int64)
    return entries, np.stack([at, end], axis=1)


def _synapses(
    words: Words, entries: Ints, formats: Ints, delay: int, bits: Codes, heads: Ints
) -> tuple[Ints, Ints, Ints]:
    """List, target and weight of every synapse of the entries; what is behind each list's last entry is zeros, at
    least six bits and less than a word and six."""
    rest = heads[:, 1] - heads[:, 0]
    # The last target of a list with no entries ends it in its first word.
    require(((rest >= 6) & (rest < 70)).all(), "a list that does not end in its last word")
    ones = np.concatenate([[0], np.cumsum(bits)])
    require((ones[heads[:, 1]] == ones[heads[:, 0]]).all(), "bits behind a list")
    if not len(entries):
        return (np.zeros(0, np.int64),) * 3
    row, number, count, at, each = entries.T
    kind, index, skip, width = formats[number].T
    code, sign = kind & 3, kind >> 2
    base = np.where(code == _SPARSE, 0, fields(words, at, np.where(code == _SPARSE, 0, index)))
    entry = np.repeat(np.arange(len(entries)), count)
    inside = np.arange(entry.size) - np.repeat(np.cumsum(count) - count, count)
    bit = (at + np.where(code == _SPARSE, 0, index))[entry] + inside * each[entry]
    lead = np.where(code == _SPARSE, index, np.where(code == _RUN_LENGTH, skip, 0))[entry]
    given = fields(words, bit, lead)
    steps = np.cumsum(given)
    steps -= np.repeat(steps[np.cumsum(count) - count] - given[np.cumsum(count) - count], count)
    which = code[entry]
    target = np.where(which == _SPARSE, given, base[entry] + np.where(which == _DENSE, inside, steps))
    weight = fields(words, bit + lead, width[entry])
    mixed = sign[entry] == 0
    weight = np.where(mixed & (weight >> np.maximum(width[entry] - 1, 0) != 0), weight - (1 << width[entry]), weight)
    weight = np.where(sign[entry] == 2, -weight, weight)
    if delay:
        late = fields(words, bit + lead + width[entry], max(3, delay.bit_length()))
        require((late == delay).all(), "a synapse of another delay")
    kept = weight != 0
    row, target, weight = row[entry][kept], target[kept], weight[kept]
    place = np.sort(row * (1 << 40) + target)
    require((np.diff(place) > 0).all(), "a synapse that is there twice")
    return row, target, weight
