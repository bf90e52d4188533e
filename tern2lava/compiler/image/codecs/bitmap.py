"""A bit per code that says nonzero, then a sign bit per nonzero code: 2 - p bits a code at a share p of zeros.

The stream:

    header      rows a group (u32), nonzero codes (u32)
    directory   how many nonzero codes stand before each group but the first (groups.py)
    bitmap      a bit for each code, row by row
    signs       a bit for each nonzero code, 1 is -1

Bitmap and signs are filled with zeros to whole bytes. Groups have about 2048 codes, so that the sign of a row's first
nonzero code is found by counting no more than that many bits.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numba import njit

from tern2lava.compiler.image.codecs.bits import peek, to_bytes, to_words
from tern2lava.compiler.image.codecs.groups import Groups, rows_per_group
from tern2lava.compiler.image.codecs.matrix import check_row, check_size, ternary_matrix
from tern2lava.compiler.ir.shapes import Array, Codes, Ints, Words
from tern2lava.errors import InputError

_NAME = "bitmap codes"
_HEADER = struct.Struct("<II")
_GROUP = 2048


def size(codes: Codes) -> int:
    """Bytes of `encode(codes)`."""
    layout = _layout(codes, int(np.count_nonzero(codes)))
    return _HEADER.size + layout.directory_bytes + (codes.size + 7) // 8 + (layout.length + 7) // 8


def least_bits(counts: Ints) -> Array:
    """A bit a code and a sign for each nonzero one (see Codec)."""
    return np.asarray(counts.sum(axis=1) + counts[:, 1:].sum(axis=1))


def _layout(codes: Codes, nonzero: int) -> Groups:
    rows, columns = codes.shape
    return Groups(rows, columns, rows_per_group(rows, columns, 1.0, _GROUP, _GROUP), nonzero)


def encode(codes: Array) -> bytes:
    """The stream of int8 codes (rows, columns)."""
    codes = ternary_matrix(codes, _NAME)
    nonzero = codes != 0
    signs = np.zeros(codes.size // 64 + 1, np.uint64)
    count = _pack_signs(codes.reshape(-1), signs)
    layout = _layout(codes, count)
    directory = b""
    if layout.count:
        inside = np.add.reduceat(nonzero.reshape(-1), np.arange(0, codes.size, layout.codes), dtype=np.int64)
        directory = layout.pack(np.cumsum(inside) - inside)
    bitmap = np.packbits(nonzero.reshape(-1), bitorder="little").tobytes()
    return _HEADER.pack(layout.per_group, count) + directory + bitmap + to_bytes(signs, count)


def decode(data: bytes, rows: int, columns: int) -> Codes:
    """The codes, int8 (rows, columns). Raises InputError for bytes that `encode` does not make."""
    layout, directory, bitmap, signs = _open(data, rows, columns)
    if layout.count == 0:
        return np.zeros((rows, columns), np.int8)
    if peek(bitmap, rows * columns) or peek(signs, layout.length):
        raise InputError(_NAME, "set bits behind the last code; the stream is damaged")
    return _groups(layout, layout.unpack(directory, _NAME), bitmap, signs, 0, rows)


def decode_row(data: bytes, rows: int, columns: int, row: int) -> Codes:
    """One row's codes, int8 (columns,); only its group is decoded."""
    check_row(row, rows, _NAME)
    layout, directory, bitmap, signs = _open(data, rows, columns)
    if layout.count == 0:
        return np.zeros(columns, np.int8)
    group, within = divmod(row, layout.per_group)
    held = min(layout.per_group, rows - group * layout.per_group)
    starts = np.array(layout.span(directory, group, _NAME), np.int64)
    codes: Codes = _groups(layout, starts, bitmap, signs, group * layout.codes, held)[within].copy()
    return codes


def _groups(layout: Groups, starts: Ints, bitmap: Words, signs: Words, place: int, rows: int) -> Codes:
    """The codes of consecutive groups that hold `rows` rows, from code number `place` on, int8 (rows, columns)."""
    out = np.empty(rows * layout.columns, np.int8)
    if not _expand(bitmap, signs, place, starts, layout.codes, out):
        raise InputError(_NAME, "a group that has not as many signs as nonzero codes; the stream is damaged")
    return out.reshape(rows, layout.columns)


def _open(data: bytes, rows: int, columns: int) -> tuple[Groups, bytes, Words, Words]:
    """Layout, directory, bitmap and signs (words of bits) of a stream, its length checked."""
    if len(data) < _HEADER.size:
        raise InputError(_NAME, f"{len(data)} bytes, the header alone takes {_HEADER.size}")
    per_group, count = _HEADER.unpack_from(data)
    if not 1 <= per_group <= max(rows, 1) or count > rows * columns:
        raise InputError(_NAME, "a header that no stream has; the stream is damaged")
    layout = Groups(rows, columns, per_group, count)
    bitmap = _HEADER.size + layout.directory_bytes
    signs = bitmap + (rows * columns + 7) // 8
    check_size(len(data), signs + (count + 7) // 8, rows, columns, _NAME)
    return layout, data[_HEADER.size : bitmap], to_words(data[:signs], bitmap), to_words(data, signs)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _pack_signs(codes: Codes, words: Words) -> int:
    """Writes a bit for each nonzero code; how many."""
    word = 0
    filled: Any = 0
    bits: Any = np.uint64(0)
    for place in range(codes.size):
        code = codes[place]
        bits |= np.uint64(code < 0) << np.uint64(filled)
        filled += np.int64(code != 0)
        if filled == 64:
            words[word] = bits
            word += 1
            filled = 0
            bits = np.uint64(0)
    words[word] = bits
    return 64 * word + int(filled)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _expand(bitmap: Words, signs: Words, place: int, starts: Ints, group_codes: int, out: Codes) -> bool:
    """Fills out from code number `place` of the bitmap on; False where a group's nonzero codes are not its signs."""
    done = 0
    for group in range(starts.size - 1):
        at = starts[group]
        high = min(done + group_codes, out.size)
        while done < high:
            marks, minus = peek(bitmap, place + done), peek(signs, at)
            count = min(high - done, 64)
            used: Any = 0
            for index in range(count):
                mark = np.int64(marks >> np.uint64(index)) & 1
                out[done + index] = mark * (1 - 2 * np.int64((minus >> np.uint64(used)) & np.uint64(1)))
                used += mark
            at += used
            done += count
            if at > starts[group + 1]:
                return False
        if at != starts[group + 1]:
            return False
    return True
