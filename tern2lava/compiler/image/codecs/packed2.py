"""Two bits a code, four codes a byte, first code in the lowest bits: 0 -> 00, 1 -> 01, -1 -> 11; 10 is invalid."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.image.codecs.matrix import check_row, check_size, ternary_matrix
from tern2lava.compiler.ir.shapes import Array, Bytes, Codes, Ints
from tern2lava.errors import InputError

_NAME = "packed2 codes"
_FIELDS = (np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3
# The four codes of a byte as the bytes of one little-endian uint32.
_QUADS = np.array([0, 1, 0, -1], np.int8)[_FIELDS].view("<u4").reshape(-1)


def size(codes: Codes) -> int:
    """Bytes of `encode(codes)`."""
    return (codes.size + 3) // 4


def least_bits(counts: Ints) -> Array:
    """Two bits a code (see Codec)."""
    return np.asarray(2.0 * counts.sum(axis=1))


def encode(codes: Array) -> bytes:
    """Codes (rows, columns) row by row; unused bits of the last byte are 0."""
    codes = ternary_matrix(codes, _NAME)
    padded = np.zeros(size(codes) * 4, np.int8)
    padded[: codes.size] = codes.reshape(-1)
    quads = padded.view("<u4") & 0x03030303
    quads |= quads >> 6
    quads |= quads >> 12
    return quads.astype(np.uint8).tobytes()


def decode(data: bytes, rows: int, columns: int) -> Codes:
    """The codes, int8 (rows, columns). Raises InputError for wrong length, the bits 10, or set padding."""
    count = rows * columns
    check_size(len(data), (count + 3) // 4, rows, columns, _NAME)
    codes = _unpack(np.frombuffer(data, np.uint8))
    if codes[count:].any():
        raise InputError(_NAME, "codes behind the last; the stream is damaged")
    return codes[:count].reshape(rows, columns)


def decode_row(data: bytes, rows: int, columns: int, row: int) -> Codes:
    """One row's codes, int8 (columns,)."""
    check_row(row, rows, _NAME)
    check_size(len(data), (rows * columns + 3) // 4, rows, columns, _NAME)
    first, skipped = divmod(row * columns, 4)
    last = (row * columns + columns + 3) // 4
    codes: Array = _unpack(np.frombuffer(data[first:last], np.uint8))[skipped : skipped + columns].copy()
    return codes


def _unpack(packed: Bytes) -> Codes:
    if (packed & 0xAA & ~((packed & 0x55) << 1)).any():
        raise InputError(_NAME, "bits that are no ternary code; the stream is damaged")
    codes: Codes = _QUADS[packed].view(np.int8)
    return codes
