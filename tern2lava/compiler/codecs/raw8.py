"""One signed byte a code, for weights that are not ternary."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir import Array
from tern2lava.errors import InputError


def size(count: int, nonzero: int) -> int:
    """Bytes for `count` codes."""
    return count


def encode(codes: Array) -> bytes:
    """The codes as int8 bytes."""
    return np.ascontiguousarray(codes, np.int8).tobytes()


def decode(data: bytes, count: int) -> Array:
    """`count` codes, int8. Raises InputError for a wrong length."""
    if len(data) != count:
        raise InputError("raw8 codes", f"{len(data)} bytes for {count} codes")
    return np.frombuffer(data, np.int8).copy()
