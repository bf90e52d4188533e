"""Weights by their bits: for each column a row of cells for each bit, lowest first, in two's complement.

Such are the dendrites of PAICORE's weight RAM, which a neuron takes as many of as its weights have bits (1, 2, 4, 8).
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.image.codecs.matrix import check_row, integer_matrix
from tern2lava.compiler.ir.shapes import Array, Codes
from tern2lava.errors import InputError

_NAME = "bit planes"
_WIDTHS = (1, 2, 4, 8)


def width(low: int, high: int) -> int:
    """Bits that hold all of low to high: 1 for {0, 1}, else 2, 4 or 8 with a sign."""
    if low >= 0 and high <= 1:
        return 1
    return next(bits for bits in _WIDTHS[1:] if -(1 << (bits - 1)) <= low and high < 1 << (bits - 1))


def size(codes: Codes) -> int:
    """Bytes of `encode(codes)`."""
    return 1 + int(codes.shape[1]) * _width_of(codes) * _row_bytes(codes.shape[0])


def encode(codes: Array) -> bytes:
    """One byte with the width, then the planes of each column of codes (rows, columns)."""
    codes = integer_matrix(codes, _NAME)
    bits = _width_of(codes)
    planes = (codes.T[:, None, :] >> np.arange(bits, dtype=np.int8)[None, :, None]) & 1
    return bytes([bits]) + np.packbits(planes.astype(np.uint8), axis=2, bitorder="little").tobytes()


def decode(data: bytes, rows: int, columns: int) -> Codes:
    """The codes, int8 (rows, columns). Raises InputError for another width or length, and for bits behind the last."""
    bits = _check(data, rows, columns)
    packed = np.frombuffer(data, np.uint8, offset=1).reshape(columns, bits, _row_bytes(rows))
    planes = np.unpackbits(packed, axis=2, bitorder="little")
    if planes[:, :, rows:].any():
        raise InputError(_NAME, "cells behind the last axon; the stream is damaged")
    return _joined(planes[:, :, :rows])


def decode_row(data: bytes, rows: int, columns: int, row: int) -> Codes:
    """One row's codes, int8 (columns,)."""
    check_row(row, rows, _NAME)
    bits = _check(data, rows, columns)
    packed = np.frombuffer(data, np.uint8, offset=1).reshape(columns, bits, _row_bytes(rows))
    planes = packed[:, :, row // 8] >> (row % 8) & 1
    codes: Codes = _joined(planes[:, :, None])[0]
    return codes


def _joined(planes: Array) -> Codes:
    """Codes (rows, columns) of planes (columns, bits, rows)."""
    bits = planes.shape[1]
    value = np.array([1 << b for b in range(bits)], np.int64)
    if bits > 1:
        value[-1] = -value[-1]
    codes: Codes = np.einsum("cbr,b->rc", planes.astype(np.int64), value).astype(np.int8)
    return codes


def _width_of(codes: Codes) -> int:
    return width(int(codes.min(initial=0)), int(codes.max(initial=0)))


def _row_bytes(rows: int) -> int:
    return (rows + 7) // 8


def _check(data: bytes, rows: int, columns: int) -> int:
    bits = data[0] if data else 0
    if bits not in _WIDTHS:
        raise InputError(_NAME, f"weights of {bits} bits; the stream is damaged")
    expected = 1 + columns * bits * _row_bytes(rows)
    if len(data) != expected:
        raise InputError(_NAME, f"{len(data)} bytes for {rows} x {columns} codes, not {expected}; damaged")
    return int(bits)
