"""Synapse lists of Loihi 1: entries packed into 64-bit words, bit for bit as NxTF accounts for them (cost/nxtf.py).

The order of the fields within an entry is ours; their widths are NxTF's. A list is one row. An entry, lowest bit first:

    format      4 bits: its place in the format table, 1 to 15; 0 ends the list
    synapses    6 bits
    target      of the first synapse, index bits of the format; not in sparse entries
    each        dense: weight of this target; run length: step from the synapse before (0 for the first), weight;
                sparse: target, weight; then the delay, where the lists have one

Weights are two's complement in mixed sign mode, magnitudes where a format is excitatory or inhibitory. A list takes
whole words and leaves at least six bits of zeros behind its last entry, which end it. The stream:

    header      weight bits, delay, formats (u8 each), 0, words of all lists (u32)
    formats     u8 each: encoding + 4 * sign mode, index bits, skip bits, weight bits
    directory   where each list but the first starts, in words (groups.py, one list a group)
    words       u64 each

Encodings are 0 sparse, 1 run length, 2 dense; sign modes 0 mixed, 1 excitatory, 2 inhibitory. In shared sign mode a
list holds its excitatory entries, then its inhibitory ones.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numba import njit

from tern2lava.compiler.image.codecs.bits import low_mask, peek, put, to_words
from tern2lava.compiler.image.codecs.groups import Groups
from tern2lava.compiler.image.codecs.loihi_entries import (
    COUNT,
    DENSE,
    FIRST,
    INHIBITORY,
    KIND,
    LAST,
    MIXED,
    MOST_SKIP,
    ROW,
    RUN_LENGTH,
    SPARSE,
    Entries,
    belongs,
    count_formats,
    delay_bits,
    least_widths,
    list_words,
)
from tern2lava.compiler.image.codecs.matrix import check_row, check_size
from tern2lava.compiler.ir.shapes import Array, Ints, Words
from tern2lava.errors import InputError

MOST_FORMATS = 15
_HEADER = struct.Struct("<BBBBI")
_NAME = "synapse lists"
_MOST_INDEX = 16
_TABLE = (11, _MOST_INDEX + 1, MOST_SKIP + 1)


def encode_lists(codes: Array, index: Ints, entries: Entries, weight_bits: int, delay: int = 0) -> bytes:
    """The stream of lists cut into entries. codes (lists, m), index (m,) ascending targets below 2^16. Raises
    InputError for codes that weight_bits do not hold."""
    low, high = (int(codes.min()), int(codes.max())) if codes.size else (0, 0)
    shared = bool((entries[:, KIND] >= 4).any())
    if low < -(1 << (weight_bits - 1)) + shared or high >= 1 << (weight_bits - 1):
        raise InputError(_NAME, f"weights from {low} to {high} in {weight_bits} bits")
    index = np.ascontiguousarray(index, np.int64)
    table, place = formats(entries, index)
    each = weight_bits + delay_bits(delay)
    words = list_words(_stored_bits(entries, index, table, place, each, codes.shape[0]))
    raw = b"".join(bytes([*row, weight_bits - (row[0] >= 4)]) for row in table.tolist())
    total = int(words.sum())
    starts = np.cumsum(words) - words
    out = np.zeros(total + 2, np.uint64)
    codes = np.ascontiguousarray(codes)
    _encode(codes, index, entries, table, place, starts, weight_bits, delay_bits(delay), delay, out)
    header = _HEADER.pack(weight_bits, delay, len(table), 0, total)
    directory = Groups(codes.shape[0], codes.shape[1], 1, total).pack(starts)
    return header + raw + directory + out[:total].astype("<u8", copy=False).tobytes()


def stored_words(entries: Entries, index: Ints, weight_bits: int, delay: int, lists: int) -> Ints:
    """Words that `encode_lists` writes for each list, int64 (lists,)."""
    index = np.ascontiguousarray(index, np.int64)
    return list_words(_stored_bits(entries, index, *formats(entries, index), weight_bits + delay_bits(delay), lists))


def stored_bytes(entries: Entries, index: Ints, weight_bits: int, delay: int, lists: int) -> int:
    """Bytes that `encode_lists` writes."""
    total = int(stored_words(entries, index, weight_bits, delay, lists).sum())
    table, _ = formats(entries, index)
    return _HEADER.size + 4 * len(table) + Groups(lists, len(index), 1, total).directory_bytes + 8 * total


def formats(entries: Entries, index: Ints, *, joined: bool = True) -> tuple[Ints, Ints]:
    """Formats (n, 3): encoding + 4 * sign mode, index bits, skip bits; and their place by the widths that an entry
    needs, int64 (11, 17, 6).

    Where more than 15 are needed, they are joined until 15 are left, each time the two for which that costs fewest
    bits (not with joined=False).
    """
    counts, synapses = np.zeros(_TABLE, np.int64), np.zeros(_TABLE, np.int64)
    count_formats(entries, index, counts, synapses)
    table = np.argwhere(counts)
    number = np.full(_TABLE, -1, np.int64)
    number[tuple(table.T)] = np.arange(len(table))
    summed = synapses[tuple(table.T)]
    indices = np.where(table[:, 0] & 3 == SPARSE, summed, counts[tuple(table.T)])
    while joined and len(table) > MOST_FORMATS:
        # Joining a and b writes both in the larger of each width.
        wide = np.maximum(table[:, None, 1:], table[None, :, 1:])
        extra = (wide - table[:, None, 1:]) * np.stack([indices, summed], axis=1)[:, None, :]
        costs = (extra + extra.transpose(1, 0, 2)).sum(axis=2).astype(np.float64)
        costs[(table[:, None, 0] != table[None, :, 0]) | np.tri(len(table), dtype=bool)] = np.inf
        a, b = (int(i) for i in np.unravel_index(int(costs.argmin()), costs.shape))
        table[a, 1:] = wide[a, b]
        indices[a], summed[a] = indices[a] + indices[b], summed[a] + summed[b]
        table, indices, summed = (np.delete(x, b, axis=0) for x in (table, indices, summed))
        number = np.where(number == b, a, number - (number > b))
    return table, number


def decode_lists(data: bytes, lists: int, index: Ints, weight_bits: int, delay: int = 0) -> Ints:
    """The codes (lists, n), int64, of targets `index` (n,). Raises InputError for bytes that no lists encode to, or
    whose weights have another width, or synapses another delay."""
    layout, table, directory, words = _open(data, lists, index.size, weight_bits, delay)
    if layout.count == 0:
        return np.zeros((lists, index.size), np.int64)
    return _read(layout.unpack(directory, _NAME), table, delay, words, index)


def decode_list(data: bytes, lists: int, index: Ints, row: int, weight_bits: int, delay: int = 0) -> Ints:
    """One list's codes (n,), int64."""
    check_row(row, lists, _NAME)
    layout, table, directory, words = _open(data, lists, index.size, weight_bits, delay)
    if layout.count == 0:
        return np.zeros(index.size, np.int64)
    offsets = np.array(layout.span(directory, row, _NAME), np.int64)
    codes: Ints = _read(offsets, table, delay, words, index)[0]
    return codes


def lists_bytes(data: bytes, lists: int, columns: int) -> int:
    """How many of the bytes belong to the stream that starts with them."""
    if len(data) < _HEADER.size:
        raise InputError(_NAME, f"{len(data)} bytes, the header alone takes {_HEADER.size}")
    _, _, count, _, length = _HEADER.unpack_from(data)
    return _HEADER.size + 4 * int(count) + Groups(lists, columns, 1, length).directory_bytes + 8 * int(length)


def _open(data: bytes, lists: int, columns: int, weight_bits: int, delay: int) -> tuple[Groups, Ints, bytes, Words]:
    """Layout, format table (16, 4), directory and words of a stream, its length checked."""
    check_size(len(data), lists_bytes(data, lists, columns), lists, columns, _NAME)
    found_bits, found_delay, count, zero, length = _HEADER.unpack_from(data)
    if (found_bits, found_delay) != (weight_bits, delay) or count > MOST_FORMATS or zero:
        raise InputError(_NAME, f"{found_bits} bits a weight, delay {found_delay}, {count} formats; expected "
                         f"{weight_bits} and {delay}")  # fmt: skip
    table = np.zeros((16, 4), np.int64)
    table[1 : count + 1] = np.frombuffer(data, np.uint8, 4 * count, _HEADER.size).reshape(count, 4)
    mode, index_bits, skip_bits, bits = table[1 : count + 1].T
    good = (mode <= 10) & (mode % 4 <= 2) & (index_bits <= _MOST_INDEX) & (skip_bits <= MOST_SKIP)
    if not (good & (bits == weight_bits - (mode >= 4)) & (bits >= 1)).all():
        raise InputError(_NAME, "a format that no stream has; the stream is damaged")
    layout = Groups(lists, columns, 1, length)
    first = _HEADER.size + 4 * count
    at = first + layout.directory_bytes
    return layout, table, data[first:at], to_words(data, at)


def _read(offsets: Ints, table: Ints, delay: int, words: Words, index: Ints) -> Ints:
    """Codes of the lists between consecutive offsets."""
    where = np.full(int(index[-1]) + 1, -1, np.int64)
    where[index] = np.arange(index.size)
    out = np.zeros((offsets.size - 1, index.size), np.int64)
    if not _decode(words, offsets, table, delay_bits(delay), delay, where, out):
        raise InputError(_NAME, "an entry that no list has; the stream is damaged")
    return out


@njit(cache=True)  # type: ignore[untyped-decorator]
def _stored_bits(entries: Entries, index: Ints, table: Ints, place: Ints, each: int, lists: int) -> Ints:
    """Bits of each list in the formats of the table, int64 (lists,)."""
    bits = np.zeros(lists, np.int64)
    for entry in range(entries.shape[0]):
        kind, index_bits, skip_bits = least_widths(entries, entry, index)
        number = place[kind, index_bits, skip_bits]
        count = np.int64(entries[entry, COUNT])
        own = each - np.int64(kind >= 4) + table[number, 2]
        indices = count if kind & 3 == SPARSE else 1
        bits[entries[entry, ROW]] += 10 + count * own + indices * table[number, 1]
    return bits


@njit(cache=True)  # type: ignore[untyped-decorator]
def _encode(
    codes: Array, index: Ints, entries: Entries, table: Ints, place: Ints, starts: Ints, weight_bits: int,
    delay_width: int, delay: int, words: Words,
) -> None:  # fmt: skip
    """Fills words (zeros)."""
    to = 0
    row = -1
    for entry in range(entries.shape[0]):
        if entries[entry, ROW] != row:
            row = entries[entry, ROW]
            to = starts[row] * 64
        first, last = entries[entry, FIRST], entries[entry, LAST]
        mode, index_bits, skip_bits = least_widths(entries, entry, index)
        kind, sign = mode & 3, mode >> 2
        number = place[mode, index_bits, skip_bits]
        index_bits, skip_bits = table[number, 1], table[number, 2]
        width = weight_bits - np.int64(sign != MIXED)
        mask = low_mask(width)
        late = np.uint64(delay) << np.uint64(width)
        to = put(words, to, np.uint64((number + 1) | np.int64(entries[entry, COUNT]) << 4), 10)
        if kind != SPARSE:
            to = put(words, to, np.uint64(index[first]), index_bits)
        before = index[first]
        for position in range(first, last + 1):
            code: Any = np.int64(codes[row, position])
            if not belongs(code, sign):
                if kind != DENSE:
                    continue
                code = 0
            target = index[position]
            value = (np.uint64(code if sign == MIXED else abs(code)) & mask) | late
            if kind == DENSE:
                while before < target:
                    to = put(words, to, late, width + delay_width)
                    before += 1
                before += 1
                to = put(words, to, value, width + delay_width)
            elif kind == SPARSE:
                lead = np.uint64(target)
                to = put(words, to, lead | value << np.uint64(index_bits), index_bits + width + delay_width)
            else:
                lead = np.uint64(target - before)
                to = put(words, to, lead | value << np.uint64(skip_bits), skip_bits + width + delay_width)
                before = target


@njit(cache=True)  # type: ignore[untyped-decorator]
def _decode(words: Words, offsets: Ints, formats: Ints, delay_width: int, delay: int, where: Ints, out: Ints) -> bool:
    """Fills out (zeros); where[target] is its position, -1 if it has none. False for entries that no list has."""
    for row in range(offsets.size - 1):
        at, end = offsets[row] * 64, offsets[row + 1] * 64
        while at + 10 <= end:
            head = np.int64(peek(words, at) & low_mask(10))
            number, count = head & 15, head >> 4
            if number == 0:
                break
            kind, sign = formats[number, 0] & 3, formats[number, 0] >> 2
            index_bits, skip_bits, width = formats[number, 1], formats[number, 2], formats[number, 3]
            at += 10
            each = width + delay_width + (index_bits if kind == SPARSE else skip_bits if kind == RUN_LENGTH else 0)
            target: Any = 0
            if kind != SPARSE:
                target = np.int64(peek(words, at) & low_mask(index_bits))
                at += index_bits
            if width == 0 or count == 0 or at + count * each > end:
                return False
            for synapse in range(count):
                if kind == SPARSE:
                    target = np.int64(peek(words, at) & low_mask(index_bits))
                    at += index_bits
                elif kind == RUN_LENGTH:
                    target += np.int64(peek(words, at) & low_mask(skip_bits))
                    at += skip_bits
                elif synapse > 0:
                    target += 1
                code: Any = np.int64(peek(words, at) & low_mask(width))
                if sign == MIXED and code >> (width - 1):
                    code -= 1 << width
                elif sign == INHIBITORY:
                    code = -code
                at += width
                if delay_width and np.int64(peek(words, at) & low_mask(delay_width)) != delay:
                    return False
                at += delay_width
                if target >= where.size or (where[target] < 0 and code != 0):
                    return False
                if code != 0:
                    if out[row, where[target]] != 0:
                        return False
                    out[row, where[target]] = code
        # What is left of the last word is zeros, and no whole word is left.
        if end - at >= 64 + 6 or end < at:
            return False
        while at < end:
            if peek(words, at) & low_mask(min(end - at, 32)):
                return False
            at += min(end - at, 32)
    return True
