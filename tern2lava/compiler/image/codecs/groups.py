"""Groups of rows and where each starts: random access for codes of variable length.

Rows of a matrix are coded in groups of `per_group` rows (the last may hold fewer). A group is the unit of random
access: it is found by one offset and decoded by itself. Offsets stand bit-packed, lowest bit first, each as wide as the
length of the whole stream needs; the first group's offset is 0 and not stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Ints
from tern2lava.errors import InputError


@dataclass(frozen=True)
class Groups:
    """rows x columns codes in groups of `per_group` rows; offsets count up to `length` in units of the codec."""

    rows: int
    columns: int
    per_group: int
    length: int

    @property
    def count(self) -> int:
        return -(-self.rows // self.per_group) if self.columns else 0

    @property
    def codes(self) -> int:
        """Codes of a full group."""
        return self.per_group * self.columns

    @property
    def width(self) -> int:
        """Bits of an offset."""
        return self.length.bit_length()

    @property
    def directory_bytes(self) -> int:
        return (max(self.count - 1, 0) * self.width + 7) // 8

    def pack(self, offsets: Ints) -> bytes:
        """The directory of offsets (count,), ascending from 0."""
        return pack_fields(offsets[1:], self.width)

    def unpack(self, directory: bytes, name: str) -> Ints:
        """Offsets (count + 1,), int64, the last is `length`. Raises InputError where they do not ascend."""
        inner = unpack_fields(directory, max(self.count - 1, 0), self.width)
        offsets = np.concatenate([np.zeros(min(self.count, 1), np.int64), inner, [self.length]])
        if (np.diff(offsets) < 0).any():
            raise InputError(name, "groups of rows that overlap; the stream is damaged")
        return offsets

    def span(self, directory: bytes, group: int, name: str) -> tuple[int, int]:
        """Where one group starts and ends. Raises InputError where that is no range."""
        first = 0 if group == 0 else field_at(directory, group - 1, self.width)
        last = self.length if group == self.count - 1 else field_at(directory, group, self.width)
        if not first <= last <= self.length:
            raise InputError(name, "groups of rows that overlap; the stream is damaged")
        return first, last


def rows_per_group(rows: int, columns: int, bits_per_code: float, target_bits: int, most_codes: int) -> int:
    """Rows that together take at least `target_bits`, but hold no more than `most_codes` codes (or are one row)."""
    row_bits = max(columns * bits_per_code, 1e-9)
    wanted = int(min(-(-target_bits // row_bits), max(1, most_codes // max(columns, 1))))
    return max(1, min(wanted, max(rows, 1)))


def pack_fields(values: Ints, width: int) -> bytes:
    """Unsigned fields of `width` bits one after the other, lowest bit first, filled with zeros to whole bytes."""
    shifts = np.arange(width, dtype=np.int64)
    bits = (np.asarray(values, np.int64)[:, None] >> shifts) & 1
    return np.packbits(bits.astype(np.uint8).reshape(-1), bitorder="little").tobytes()


def unpack_fields(data: bytes, count: int, width: int) -> Ints:
    """`count` fields, int64 (count,)."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: count * width]
    values: Ints = bits.reshape(count, width).astype(np.int64) @ (1 << np.arange(width, dtype=np.int64))
    return values


def field_at(data: bytes, index: int, width: int) -> int:
    """One field."""
    start = index * width
    raw = int.from_bytes(data[start // 8 : (start + width + 7) // 8], "little")
    return raw >> (start % 8) & ((1 << width) - 1)
