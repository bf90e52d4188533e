"""Bit streams in arrays of 64-bit words, lowest bit first: the steps that all compiled codecs share."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from tern2lava.compiler.ir.shapes import Bools, Codes, Words


def to_words(data: bytes, at: int = 0) -> Words:
    """`data` from byte `at` as uint64 words, with two words of zeros behind it so that `peek` stays inside."""
    raw = np.zeros((len(data) - at + 7) // 8 * 8 + 16, np.uint8)
    raw[: len(data) - at] = np.frombuffer(data, np.uint8, offset=at)
    return raw.view("<u8").astype(np.uint64, copy=False)


def to_bytes(words: Words, bits: int) -> bytes:
    """The first `bits` bits of uint64 words as bytes, filled with zeros."""
    return words.astype("<u8", copy=False).tobytes()[: (bits + 7) // 8]


def bit_words(marks: Bools) -> Words:
    """A bit for each of a bool array's elements, flattened, as `to_words` gives them."""
    return to_words(np.packbits(marks.reshape(-1), bitorder="little").tobytes())


def from_bit_words(words: Words, count: int) -> Codes:
    """The first `count` bits as int8 0 and 1."""
    raw = words.astype("<u8", copy=False).view(np.uint8)
    bits: Codes = np.unpackbits(raw, count=count, bitorder="little").view(np.int8)
    return bits


@intrinsic  # type: ignore[untyped-decorator]
def trailing_zeros(typing: Any, value: Any) -> Any:
    """Zeros below the lowest set bit of a uint64, 64 for 0; in compiled code only."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def peek(words: Words, at: int) -> Any:
    """The 64 bits from bit `at` on, uint64."""
    word, bit = at >> 6, np.uint64(at & 63)
    return (words[word] >> bit) | ((words[word + 1] << np.uint64(1)) << (np.uint64(63) - bit))


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def put(words: Words, at: int, value: Any, width: int) -> int:
    """Writes the lowest `width` <= 64 bits of `value` (uint64, no higher bit set) into zeros; where it ended."""
    word, bit = at >> 6, np.uint64(at & 63)
    words[word] |= value << bit
    words[word + 1] |= (value >> np.uint64(1)) >> (np.uint64(63) - bit)
    return at + width


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def low_mask(width: int) -> Any:
    """A uint64 with its lowest `width` < 64 bits set."""
    return (np.uint64(1) << np.uint64(width)) - np.uint64(1)
