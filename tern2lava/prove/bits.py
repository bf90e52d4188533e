"""Fields of bits, lowest first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.prove.reader import Ints

Words = NDArray[np.uint64]


def require(good: object, found: str) -> None:
    """ValueError that says what was `found` unless `good`."""
    if not good:
        raise ValueError(found)


def bits_of(data: bytes) -> NDArray[np.uint8]:
    """Every bit of `data`, (8 * bytes,)."""
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")


def words_of(data: bytes) -> Words:
    """`data` as 64-bit words, two of zeros behind it."""
    return np.frombuffer(data + bytes(-len(data) % 8 + 16), "<u8").astype(np.uint64, copy=False)


def fields(words: Words, at: Ints, width: Any) -> Ints:
    """The unsigned field of `width` (below 64, one or one for each) bits at each bit `at`."""
    place, shift = at >> 6, (at & 63).astype(np.uint64)
    one = np.uint64(1)
    low = words[place] >> shift
    # Two shifts, since a shift by 64 is none.
    high = (words[place + 1] << (np.uint64(63) - shift)) << one
    mask = (one << np.asarray(width).astype(np.uint64)) - one
    result: Ints = ((low | high) & mask).astype(np.int64)
    return result


def starts(data: bytes, at: int, rows: int, per_group: int, length: int) -> tuple[Ints, int]:
    """Where each group of `per_group` rows starts, (groups,), and the byte behind the directory at byte `at`, whose
    fields are as wide as the number `length` of the whole stream."""
    require(per_group >= 1, "groups of no rows")
    groups, width = -(-rows // per_group), length.bit_length()
    end = at + -(-(groups - 1) * width // 8)
    require(len(data) >= end, "a directory that is cut short")
    words = words_of(data[at:end])
    inner = fields(words, np.arange(groups - 1, dtype=np.int64) * width, width)
    require(not bits_of(data[at:end])[(groups - 1) * width :].any(), "bits behind the directory")
    first = np.concatenate([[0], inner])
    require((np.diff(np.append(first, length)) >= 0).all(), "a directory that does not ascend")
    return first, end
