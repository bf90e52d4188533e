"""Five trits in a byte: sum of (code + 1) * 3^i; 1.6 bits a code.

Muller, Prost-Boucle, Bourge, Petrot (IEEE TVLSI 2019) found longer groups to gain too little to be useful.
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir import Array
from tern2lava.errors import InputError

_POWERS = np.array([1, 3, 9, 27, 81], np.uint8)
_TRITS = ((np.arange(243)[:, None] // _POWERS[None, :].astype(int)) % 3 - 1).astype(np.int8)


def size(count: int, nonzero: int) -> int:
    """Bytes for `count` codes."""
    return (count + 4) // 5


def encode(codes: Array) -> bytes:
    """The packed bytes; the last byte is filled with zero codes."""
    padded = np.zeros(size(codes.size, 0) * 5, np.int8)
    padded[: codes.size] = codes.reshape(-1)
    packed: Array = ((padded.reshape(-1, 5) + 1).astype(np.uint8) * _POWERS).sum(axis=1, dtype=np.uint8)
    return packed.tobytes()


def decode(data: bytes, count: int) -> Array:
    """`count` codes, int8. Raises InputError for wrong length, a byte above 242, or nonzero filling."""
    if len(data) != size(count, 0):
        raise InputError("base3 codes", f"{len(data)} bytes for {count} codes, expected {size(count, 0)}")
    values = np.frombuffer(data, np.uint8)
    if (values > 242).any():
        raise InputError("base3 codes", "a byte above 242 holds no five trits; the image is damaged")
    codes: Array = _TRITS[values].reshape(-1)
    if codes[count:].any():
        raise InputError("base3 codes", "the filling holds codes; the image is damaged")
    return codes[:count].copy()
