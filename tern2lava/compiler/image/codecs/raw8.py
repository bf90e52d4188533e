"""One signed byte a code, for weights that are not ternary."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.image.codecs.matrix import check_row, check_size, integer_matrix
from tern2lava.compiler.ir.shapes import Array, Codes

_NAME = "raw8 codes"


def size(codes: Codes) -> int:
    """Bytes of `encode(codes)`."""
    return int(codes.size)


def encode(codes: Array) -> bytes:
    """Codes (rows, columns) as int8 bytes, row by row."""
    return integer_matrix(codes, _NAME).tobytes()


def decode(data: bytes, rows: int, columns: int) -> Codes:
    """The codes, int8 (rows, columns). Raises InputError for a wrong length."""
    check_size(len(data), rows * columns, rows, columns, _NAME)
    codes: Array = np.frombuffer(data, np.int8).reshape(rows, columns).copy()
    return codes


def decode_row(data: bytes, rows: int, columns: int, row: int) -> Codes:
    """One row's codes, int8 (columns,)."""
    check_row(row, rows, _NAME)
    check_size(len(data), rows * columns, rows, columns, _NAME)
    codes: Array = np.frombuffer(data, np.int8, columns, row * columns).copy()
    return codes
