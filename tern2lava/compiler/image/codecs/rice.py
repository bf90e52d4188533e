"""Gaps between the rarer codes in Golomb-Rice code, and signs, in groups of rows that are decoded by themselves.

S. W. Golomb, "Run-length encodings", IEEE Trans. Inf. Theory 12 (1966); R. F. Rice, JPL 79-22 (1979): a gap g is
g >> k ones, a zero, and the k lowest bits of g. The stream:

    header      k (u8), mode (u8), zero (u16), rows a group (u32), bits of all groups (u32)
    directory   where each group but the first starts, in bits (groups.py)
    bits        the groups, lowest bit first

A group's codes are taken row by row. Mode 0: gaps are the zeros before each nonzero code, each followed by its sign
(1 is -1). Mode 1: gaps are the nonzero codes before each zero, each followed by their signs. Where a group does not end
in the code that gaps lead to, a last gap reaches its end.
"""

from __future__ import annotations

import struct

import numpy as np
from numba import njit

from tern2lava.compiler.image.codecs.bits import (
    bit_words,
    from_bit_words,
    low_mask,
    peek,
    put,
    to_bytes,
    to_words,
    trailing_zeros,
)
from tern2lava.compiler.image.codecs.groups import Groups, rows_per_group
from tern2lava.compiler.image.codecs.matrix import check_row, check_size, ternary_matrix
from tern2lava.compiler.ir.shapes import Array, Codes, Ints, Words
from tern2lava.errors import InputError

_HEADER = struct.Struct("<BBHII")
_NAME = "rice codes"
_MOST_K = 24
# Bits that a group should have, and most codes in one.
_TARGET = (1024, 1 << 15)


def encode(codes: Array) -> bytes:
    """The stream of int8 codes (rows, columns)."""
    codes = ternary_matrix(codes, _NAME)
    rows, columns = codes.shape
    k, mode, per_group, total = _plan(codes)
    starts = np.zeros(Groups(rows, columns, per_group, 0).count, np.int64)
    words = np.zeros(total // 64 + 3, np.uint64)
    _encode(_bits(codes, mode), bit_words(codes < 0), codes.size, per_group * columns, k, mode, starts, words)
    header = _HEADER.pack(k, mode, 0, per_group, total)
    return header + Groups(rows, columns, per_group, total).pack(starts) + to_bytes(words, total)


def size(codes: Codes) -> int:
    """Bytes of `encode(codes)`."""
    codes = ternary_matrix(codes, _NAME)
    rows, columns = codes.shape
    _, _, per_group, total = _plan(codes)
    return _HEADER.size + Groups(rows, columns, per_group, total).directory_bytes + (total + 7) // 8


def least_bits(counts: Ints) -> Array:
    """A sign for each nonzero code, and the end of a gap for each nonzero one or for each zero (see Codec)."""
    nonzero = counts[:, 1:].sum(axis=1)
    return np.asarray(nonzero + np.minimum(nonzero, counts[:, 0]))


def _bits(codes: Codes, mode: int) -> Words:
    """A bit for each code that gaps lead to."""
    return bit_words(codes == 0 if mode == 1 else codes != 0)


def _plan(codes: Codes) -> tuple[int, int, int, int]:
    """k, mode, rows a group, bits of all groups."""
    rows, columns = codes.shape
    nonzero = int(np.count_nonzero(codes))
    mode = int(nonzero > codes.size - nonzero)
    share = nonzero / max(codes.size, 1)
    bits = share - sum(s * np.log2(s) for s in (share, 1 - share) if s > 0)
    per_group = rows_per_group(rows, columns, bits, *_TARGET)
    # The mean gap is (1 - q) / q at a share q of the rarer codes; the best k lies within one of its logarithm.
    rarer = min(share, 1 - share)
    centre = max(0, round(np.log2((1 - rarer) / rarer * np.log(2)))) if rarer else _MOST_K
    lowest = max(0, min(centre, _MOST_K) - 1)
    ones = np.zeros(3, np.int64)
    groups = Groups(rows, columns, per_group, 0).count
    count = _measure(_bits(codes, mode), codes.size, per_group * columns, groups, lowest, ones)
    totals = ones + (lowest + np.arange(3) + 1) * count + nonzero
    best = int(np.argmin(totals[: _MOST_K + 1 - lowest]))
    total = int(totals[best])
    if total >= 1 << 32:
        raise InputError(_NAME, f"{total:,} bits; a stream holds less than 2^32, cut the matrix")
    return lowest + best, mode, per_group, total


def decode(data: bytes, rows: int, columns: int) -> Codes:
    """The codes, int8 (rows, columns). Raises InputError for bytes that `encode` does not make."""
    layout, k, mode, directory, words = _open(data, rows, columns)
    if layout.count == 0:
        return np.zeros((rows, columns), np.int8)
    if peek(words, layout.length):
        raise InputError(_NAME, "bits behind the last group; the stream is damaged")
    return _groups(layout, k, mode, layout.unpack(directory, _NAME), words, rows)


def decode_row(data: bytes, rows: int, columns: int, row: int) -> Codes:
    """One row's codes, int8 (columns,); only its group is decoded."""
    check_row(row, rows, _NAME)
    layout, k, mode, directory, words = _open(data, rows, columns)
    if layout.count == 0:
        return np.zeros(columns, np.int8)
    group, within = divmod(row, layout.per_group)
    held = min(layout.per_group, rows - group * layout.per_group)
    offsets = np.array(layout.span(directory, group, _NAME), np.int64)
    codes: Codes = _groups(layout, k, mode, offsets, words, held)[within].copy()
    return codes


def _open(data: bytes, rows: int, columns: int) -> tuple[Groups, int, int, bytes, Words]:
    """Layout, k, mode, directory and words of a stream, its length checked."""
    if len(data) < _HEADER.size:
        raise InputError(_NAME, f"{len(data)} bytes, the header alone takes {_HEADER.size}")
    k, mode, zero, per_group, length = _HEADER.unpack_from(data)
    if k > _MOST_K or mode > 1 or zero or not 1 <= per_group <= max(rows, 1):
        raise InputError(_NAME, "a header that no stream has; the stream is damaged")
    layout = Groups(rows, columns, per_group, length)
    at = _HEADER.size + layout.directory_bytes
    check_size(len(data), at + (length + 7) // 8, rows, columns, _NAME)
    if length < layout.count or layout.codes > max(columns, _TARGET[1]):
        raise InputError(_NAME, f"{length} bits for {layout.count} groups of rows; the stream is damaged")
    return layout, k, mode, data[_HEADER.size : at], to_words(data, at)


def _groups(layout: Groups, k: int, mode: int, offsets: Ints, words: Words, rows: int) -> Codes:
    """The codes of consecutive groups that hold `rows` rows, int8 (rows, columns)."""
    count = rows * layout.columns
    marks, negative = np.zeros(count // 64 + 3, np.uint64), np.zeros(count // 64 + 3, np.uint64)
    if not _decode(words, offsets, layout.codes, k, mode, count, marks, negative):
        raise InputError(_NAME, "a group of rows that does not end where it should; the stream is damaged")
    codes = from_bit_words(marks, count)
    if mode == 1:
        codes ^= 1
    signs = from_bit_words(negative, count)
    codes -= signs
    codes -= signs
    return codes.reshape(rows, layout.columns)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _measure(marks: Words, codes: int, group_codes: int, groups: int, lowest: int, ones: Ints) -> int:
    """The number of gaps; adds to `ones` the sums of gap >> k for k = lowest, lowest + 1, lowest + 2."""
    count = 0
    first, second, third = 0, 0, 0
    for group in range(groups):
        place = group * group_codes
        high = min(place + group_codes, codes)
        word = place >> 6
        bits = marks[word] & ~low_mask(place & 63)
        while place < high:
            while bits == 0 and (word + 1) << 6 < high:
                word += 1
                bits = marks[word]
            reached = min((word << 6) + trailing_zeros(bits), high)
            bits &= bits - np.uint64(1)
            gap = (reached - place) >> lowest
            first += gap
            second += gap >> 1
            third += gap >> 2
            count += 1
            place = reached + 1
    ones[0], ones[1], ones[2] = first, second, third
    return count


@njit(cache=True)  # type: ignore[untyped-decorator]
def _encode(
    marks: Words, negative: Words, codes: int, group_codes: int, k: int, mode: int, starts: Ints, words: Words
) -> None:
    """Fills starts and words (zeros)."""
    at = 0
    for group in range(starts.size):
        starts[group] = at
        place = group * group_codes
        high = min(place + group_codes, codes)
        word = place >> 6
        bits = marks[word] & ~low_mask(place & 63)
        while place < high:
            while bits == 0 and (word + 1) << 6 < high:
                word += 1
                bits = marks[word]
            reached = min((word << 6) + trailing_zeros(bits), high)
            bits &= bits - np.uint64(1)
            gap = reached - place
            ones = gap >> k
            signed = gap if mode == 1 else np.int64(reached < high)
            sign = place if mode == 1 else reached
            low = np.uint64(gap) & low_mask(k)
            if ones + 1 + k + signed > 60:
                while ones > 32:
                    at = put(words, at, low_mask(32), 32)
                    ones -= 32
                at = put(words, at, low_mask(ones) | low << np.uint64(ones + 1), ones + 1 + k)
                while signed > 32:
                    at = put(words, at, peek(negative, sign) & low_mask(32), 32)
                    sign += 32
                    signed -= 32
                at = put(words, at, peek(negative, sign) & low_mask(signed), signed)
            else:
                value = low_mask(ones) | low << np.uint64(ones + 1)
                value |= (peek(negative, sign) & low_mask(signed)) << np.uint64(ones + 1 + k)
                at = put(words, at, value, ones + 1 + k + signed)
            place = reached + 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _decode(
    words: Words, offsets: Ints, group_codes: int, k: int, mode: int, codes: int, marks: Words, negative: Words
) -> bool:
    """Sets bits in marks and negative (zeros); False where a group does not end as it must."""
    for group in range(offsets.size - 1):
        at, end = offsets[group], offsets[group + 1]
        place = group * group_codes
        high = min(place + group_codes, codes)
        while place < high:
            bits = peek(words, at)
            ones = trailing_zeros(~bits)
            if ones + k + 2 > 64:
                # A run of ones that is longer than what is in sight.
                ones = 0
                while at < end and words[at >> 6] >> np.uint64(at & 63) & np.uint64(1):
                    ones += 1
                    at += 1
                bits = peek(words, at) >> np.uint64(1)
                at += 1 + k
            else:
                bits >>= np.uint64(ones + 1)
                at += ones + 1 + k
            if at > end or ones > (high - place) >> k:
                return False
            gap = (ones << k) + np.int64(bits & low_mask(k))
            reached = place + gap
            if reached > high:
                return False
            if mode == 1:
                if at + gap > end:
                    return False
                while gap > 32:
                    put(negative, reached - gap, peek(words, at) & low_mask(32), 32)
                    gap -= 32
                    at += 32
                put(negative, reached - gap, peek(words, at) & low_mask(gap), gap)
                at += gap
            elif reached < high:
                if at >= end:
                    return False
                sign = (bits >> np.uint64(k)) & np.uint64(1)
                negative[reached >> 6] |= sign << np.uint64(reached & 63)
                at += 1
            marks[reached >> 6] |= np.uint64(reached < high) << np.uint64(reached & 63)
            place = reached + 1
        if at != end:
            return False
    return True
