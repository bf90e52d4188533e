"""Checks that all codecs share: of matrices to encode, and of streams to decode."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Codes
from tern2lava.errors import InputError


def ternary_matrix(codes: Array, name: str) -> Codes:
    """`codes` as a C-ordered int8 matrix. Raises InputError for other axes, or values outside {-1, 0, 1}."""
    matrix = integer_matrix(codes, name)
    if matrix.size and (int(matrix.min()) < -1 or int(matrix.max()) > 1):
        raise InputError(name, f"values from {matrix.min()} to {matrix.max()}; only -1, 0 and 1 can be stored")
    return matrix


def integer_matrix(codes: Array, name: str) -> Codes:
    """`codes` as a C-ordered int8 matrix. Raises InputError for other axes, or values that int8 does not hold."""
    if codes.ndim != 2:
        raise InputError(name, f"an array of {codes.ndim} axes; codes are a matrix (rows, columns)")
    if codes.dtype != np.int8 and codes.size and (int(codes.min()) < -128 or int(codes.max()) > 127):
        raise InputError(name, f"values from {codes.min()} to {codes.max()}; int8 holds -128 to 127")
    return np.ascontiguousarray(codes, np.int8)


def check_size(found: int, expected: int, rows: int, columns: int, name: str) -> None:
    """InputError where a stream of rows x columns codes has `found` bytes instead of `expected`."""
    if found != expected:
        raise InputError(name, f"{found} bytes for {rows} x {columns} codes, not {expected}; the stream is damaged")


def check_row(row: int, rows: int, name: str) -> None:
    """InputError for a row that is not there."""
    if not 0 <= row < rows:
        raise InputError(name, f"row {row} of {rows}")
