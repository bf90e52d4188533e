"""Codecs of fixed places: packed2, raw8, base3, bitmap, bit_planes and axon_pairs, and the choice among all.

Each gives the matrix (rows, columns) as docs/image-format.md says, and raises ValueError where the bytes are none.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tern2lava.prove.bits import bits_of, require, starts
from tern2lava.prove.rans import rans
from tern2lava.prove.reader import Codes
from tern2lava.prove.rice import rice

LISTS = 7
NAMES = dict(
    enumerate(
        ["packed2", "raw8", "base3", "bitmap", "rice", "rans", "rans_storage", "loihi", "bit_planes", "axon_pairs"]
    )
)


def decode(codec: int, data: bytes, rows: int, columns: int) -> Codes:
    """The matrix of codes in `data`."""
    return _DECODERS[codec](data, rows, columns)


def _packed2(data: bytes, rows: int, columns: int) -> Codes:
    require(len(data) == -(-rows * columns // 4), "a wrong number of bytes")
    digits = np.arange(256)[:, None] >> np.array([0, 2, 4, 6]) & 3
    table = np.array([0, 1, 2, -1], np.int8)[digits]
    codes = _by_byte(data, table, rows * columns)
    require(not (codes == 2).any(), "a code 10")
    return codes.reshape(rows, columns)


def _base3(data: bytes, rows: int, columns: int) -> Codes:
    require(len(data) == -(-rows * columns // 5), "a wrong number of bytes")
    require(not data or max(data) < 243, "a byte above 242")
    table = (np.arange(256)[:, None] // 3 ** np.arange(5) % 3 - 1).astype(np.int8)
    return _by_byte(data, table, rows * columns).reshape(rows, columns)


def _by_byte(data: bytes, table: NDArray[np.int8], count: int) -> Codes:
    """The codes of every byte by a table (256, codes), what is behind the last being 0."""
    codes = table[np.frombuffer(data, np.uint8)].reshape(-1)
    require(not codes[count:].any(), "codes behind the last")
    return codes[:count]


def _raw8(data: bytes, rows: int, columns: int) -> Codes:
    require(len(data) == rows * columns, "a wrong number of bytes")
    return np.frombuffer(data, np.int8).reshape(rows, columns)


def _bitmap(data: bytes, rows: int, columns: int) -> Codes:
    require(len(data) >= 8, "no header")
    per_group, nonzero = struct.unpack_from("<II", data)
    first, at = starts(data, 8, rows, per_group, nonzero)
    end = at + -(-rows * columns // 8)
    require(len(data) == end + -(-nonzero // 8), "a wrong number of bytes")
    marks, negative = bits_of(data[at:end]), bits_of(data[end:])
    require(not marks[rows * columns :].any() and not negative[nonzero:].any(), "bits behind the last")
    places = np.flatnonzero(marks)
    require(places.size == nonzero, "another number of codes than it says")
    require((np.searchsorted(places, np.arange(first.size) * per_group * columns) == first).all(), "a wrong directory")
    codes = np.zeros(rows * columns, np.int8)
    codes[places] = 1 - 2 * negative[:nonzero].astype(np.int8)
    return codes.reshape(rows, columns)


def _bit_planes(data: bytes, rows: int, columns: int) -> Codes:
    width, each = data[0] if data else 0, -(-rows // 8)
    require(width in (1, 2, 4, 8) and len(data) == 1 + columns * width * each, "a wrong width or number of bytes")
    cells = bits_of(data[1:]).reshape(columns, width, 8 * each)
    require(not cells[:, :, rows:].any(), "cells behind the last axon")
    value = 1 << np.arange(width)
    value[-1] *= -1 if width > 1 else 1
    result: Codes = np.tensordot(value.astype(np.int16), cells[:, :, :rows].astype(np.int16), (0, 1)).T
    return result


def _axon_pairs(data: bytes, rows: int, columns: int) -> Codes:
    each = -(-columns // 8)
    require(len(data) == rows * 2 * each, "a wrong number of bytes")
    cells = bits_of(data).reshape(rows, 2, 8 * each).astype(np.int8)
    require(not cells[:, :, columns:].any() and not (cells[:, 0] & cells[:, 1]).any(), "cells that are no code")
    return cells[:, 0, :columns] - cells[:, 1, :columns]


_DECODERS: dict[int, Callable[[bytes, int, int], Codes]] = {
    0: _packed2, 1: _raw8, 2: _base3, 3: _bitmap, 4: rice, 5: rans, 6: rans, 8: _bit_planes, 9: _axon_pairs,
}  # fmt: skip
