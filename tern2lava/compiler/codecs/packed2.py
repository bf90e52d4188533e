"""Two bits a code, four codes a byte, first code in the lowest bits: 0 -> 00, 1 -> 01, -1 -> 11; 10 is invalid."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir import Array
from tern2lava.errors import InputError

_SHIFTS = np.array([0, 2, 4, 6], np.uint8)


def size(count: int, nonzero: int) -> int:
    """Bytes for `count` codes."""
    return (count + 3) // 4


def encode(codes: Array) -> bytes:
    """The packed bytes; unused bits of the last byte are 0."""
    padded = np.zeros(size(codes.size, 0) * 4, np.uint8)
    padded[: codes.size] = codes.reshape(-1).astype(np.int8).view(np.uint8) & 3
    packed: Array = np.bitwise_or.reduce(padded.reshape(-1, 4) << _SHIFTS, axis=1)
    return packed.astype(np.uint8).tobytes()


def decode(data: bytes, count: int) -> Array:
    """`count` codes, int8. Raises InputError for wrong length, the bits 10, or set padding."""
    if len(data) != size(count, 0):
        raise InputError("packed2 codes", f"{len(data)} bytes for {count} codes, expected {size(count, 0)}")
    fields = ((np.frombuffer(data, np.uint8)[:, None] >> _SHIFTS) & 3).reshape(-1)
    if (fields == 2).any() or fields[count:].any():
        raise InputError("packed2 codes", "bits that are no ternary code; the image is damaged")
    codes = fields[:count].astype(np.int8)
    codes[codes == 3] = -1
    return codes
