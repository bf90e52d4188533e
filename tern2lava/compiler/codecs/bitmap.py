"""A bit per code that says nonzero, then a sign bit per nonzero code: 2 - p bits a code at a share p of zeros."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir import Array
from tern2lava.errors import InputError


def size(count: int, nonzero: int) -> int:
    """Bytes for `count` codes, of which `nonzero` are not 0."""
    return (count + 7) // 8 + (nonzero + 7) // 8


def encode(codes: Array) -> bytes:
    """Bitmap, then signs (1 is -1); lowest bit first, unused bits 0."""
    flat = codes.reshape(-1)
    mask = flat != 0
    signs = flat[mask] < 0
    return np.packbits(mask, bitorder="little").tobytes() + np.packbits(signs, bitorder="little").tobytes()


def decode(data: bytes, count: int) -> Array:
    """`count` codes, int8. Raises InputError for wrong length or set unused bits."""
    head = (count + 7) // 8
    if len(data) < head:
        raise InputError("bitmap codes", f"{len(data)} bytes for {count} codes, expected at least {head}")
    mask = np.unpackbits(np.frombuffer(data[:head], np.uint8), bitorder="little")
    nonzero = int(mask.sum())
    if len(data) != size(count, nonzero) or mask[count:].any():
        raise InputError("bitmap codes", f"{len(data)} bytes do not hold {nonzero} signs; the image is damaged")
    signs = np.unpackbits(np.frombuffer(data[head:], np.uint8), bitorder="little")
    if signs[nonzero:].any():
        raise InputError("bitmap codes", "unused sign bits are set; the image is damaged")
    codes = np.zeros(count, np.int8)
    codes[mask[:count].astype(bool)] = 1 - 2 * signs[:nonzero].astype(np.int8)
    return codes
