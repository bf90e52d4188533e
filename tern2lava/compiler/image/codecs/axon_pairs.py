"""Ternary codes in a crossbar of single bits: each row of codes takes two rows of cells, one for +1 and one for -1.

Such are the axons of TrueNorth, two for each ternary input (Esser et al., PNAS 113(41), 2016).
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.image.codecs.matrix import check_row, check_size, ternary_matrix
from tern2lava.compiler.ir.shapes import Array, Bytes, Codes
from tern2lava.errors import InputError

_NAME = "axon pairs"


def size(codes: Codes) -> int:
    """Bytes of `encode(codes)`."""
    return int(codes.shape[0]) * 2 * _row_bytes(codes.shape[1])


def encode(codes: Array) -> bytes:
    """For each row of codes (rows, columns) the cells of +1, then those of -1, each filled to whole bytes."""
    codes = ternary_matrix(codes, _NAME)
    cells = np.stack([codes == 1, codes == -1], axis=1)
    return np.packbits(cells, axis=2, bitorder="little").tobytes()


def decode(data: bytes, rows: int, columns: int) -> Codes:
    """The codes, int8 (rows, columns). Raises InputError for a wrong length, cells behind the last column, and a code
    that is both +1 and -1."""
    check_size(len(data), rows * 2 * _row_bytes(columns), rows, columns, _NAME)
    return _codes(np.frombuffer(data, np.uint8).reshape(rows, 2, _row_bytes(columns)), columns)


def decode_row(data: bytes, rows: int, columns: int, row: int) -> Codes:
    """One row's codes, int8 (columns,)."""
    check_row(row, rows, _NAME)
    check_size(len(data), rows * 2 * _row_bytes(columns), rows, columns, _NAME)
    each = 2 * _row_bytes(columns)
    pair = np.frombuffer(data[row * each : (row + 1) * each], np.uint8).reshape(1, 2, _row_bytes(columns))
    codes: Codes = _codes(pair, columns)[0]
    return codes


def _codes(packed: Bytes, columns: int) -> Codes:
    cells = np.unpackbits(packed, axis=2, bitorder="little")
    if cells[:, :, columns:].any() or (cells[:, 0] & cells[:, 1]).any():
        raise InputError(_NAME, "cells that are no ternary code; the stream is damaged")
    codes: Codes = cells[:, 0, :columns].astype(np.int8) - cells[:, 1, :columns].astype(np.int8)
    return codes


def _row_bytes(columns: int) -> int:
    return (columns + 7) // 8
