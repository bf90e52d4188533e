"""A recorded run in few bytes: spikes of 0 and 1 as bits, signed ones as two planes of bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array

_BITS, _MINUS, _SHAPE = "bits.", "minus.", "shape."


def pack(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """`arrays` with every array of 0 and 1 (or -1, 0 and 1) packed (np.packbits); others stay."""
    found: dict[str, Array] = {}
    for name, values in arrays.items():
        whole = values.dtype.kind in "biu" and values.ndim > 2 and bool(np.isin(values, (-1, 0, 1)).all())
        if not whole:
            found[name] = values
            continue
        found[_BITS + name] = np.packbits(values.reshape(-1) != 0)
        if values.dtype.kind == "i":
            found[_MINUS + name] = np.packbits(values.reshape(-1) < 0)
        found[_SHAPE + name] = np.asarray(values.shape, np.int64)
    return found


def unpacked_from(name: str) -> int:
    """Bytes of memory that `unpack` needs for each byte of an array of this name: of bits eight numbers are made, and
    of those a copy."""
    return 16 if name.startswith((_BITS, _MINUS)) else 1


def unpack(arrays: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays that `pack` packed. Raises KeyError or ValueError for what it did not make."""
    found: dict[str, Array] = {}
    for name, values in arrays.items():
        if name.startswith((_SHAPE, _MINUS)):
            continue
        if not name.startswith(_BITS):
            found[name] = values
            continue
        key = name.removeprefix(_BITS)
        shape = tuple(int(n) for n in arrays[_SHAPE + key])
        count = int(np.prod(shape))
        if count > 8 * values.size:
            raise ValueError(f"{key}: {values.size} bytes for shape {shape}")
        spikes: Array = np.unpackbits(values)[:count].astype(np.int8).reshape(shape)
        if _MINUS + key in arrays:
            spikes -= 2 * np.unpackbits(arrays[_MINUS + key])[:count].astype(np.int8).reshape(shape)
        found[key] = spikes
    return found
