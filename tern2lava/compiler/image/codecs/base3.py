"""Five trits in a byte: sum of (code + 1) * 3^i; 1.6 bits a code.

Muller, Prost-Boucle, Bourge, Petrot (IEEE TVLSI 2019) found longer groups to gain too little to be useful.
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.image.codecs.matrix import check_row, check_size, ternary_matrix
from tern2lava.compiler.ir.shapes import Array, Bytes, Codes, Ints
from tern2lava.errors import InputError

_NAME = "base3 codes"
_POWERS = np.array([1, 3, 9, 27, 81])
_TRITS = ((np.arange(243)[:, None] // _POWERS) % 3 - 1).astype(np.int8)


def size(codes: Codes) -> int:
    """Bytes of `encode(codes)`."""
    return (codes.size + 4) // 5


def least_bits(counts: Ints) -> Array:
    """1.6 bits a code (see Codec)."""
    return np.asarray(1.6 * counts.sum(axis=1))


def encode(codes: Array) -> bytes:
    """Codes (rows, columns) row by row; the last byte is filled with code 0."""
    codes = ternary_matrix(codes, _NAME)
    padded = np.zeros(size(codes) * 5, np.int8)
    padded[: codes.size] = codes.reshape(-1)
    trits = padded.reshape(-1, 5)
    # The sum of code * 3^i modulo 256, and then 1 + 3 + 9 + 27 + 81.
    total = trits[:, 4].astype(np.uint8)
    for place in (3, 2, 1, 0):
        total *= 3
        total += trits[:, place].view(np.uint8)
    total += 121
    return total.tobytes()


def decode(data: bytes, rows: int, columns: int) -> Codes:
    """The codes, int8 (rows, columns). Raises InputError for wrong length, a byte above 242, or nonzero filling."""
    count = rows * columns
    check_size(len(data), (count + 4) // 5, rows, columns, _NAME)
    codes = _unpack(np.frombuffer(data, np.uint8))
    if codes[count:].any():
        raise InputError(_NAME, "the filling holds codes; the stream is damaged")
    return codes[:count].reshape(rows, columns)


def decode_row(data: bytes, rows: int, columns: int, row: int) -> Codes:
    """One row's codes, int8 (columns,)."""
    check_row(row, rows, _NAME)
    check_size(len(data), (rows * columns + 4) // 5, rows, columns, _NAME)
    first, skipped = divmod(row * columns, 5)
    last = (row * columns + columns + 4) // 5
    codes: Array = _unpack(np.frombuffer(data[first:last], np.uint8))[skipped : skipped + columns].copy()
    return codes


def _unpack(packed: Bytes) -> Codes:
    if (packed > 242).any():
        raise InputError(_NAME, "a byte above 242 holds no five trits; the stream is damaged")
    codes: Codes = np.take(_TRITS, packed, axis=0).reshape(-1)
    return codes
