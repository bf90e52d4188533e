"""Reading and writing of the little-endian records of a core image."""

from __future__ import annotations

import math
import struct

import numpy as np

from tern2lava.compiler.image.layout import WORD_BYTES, integer_width, padded
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.shapes import Ints, size
from tern2lava.errors import InputError

_WIDTHS = {1: "<i1", 2: "<i2", 4: "<i4", 8: "<i8"}
_BOX = "10I"
MAX_NEURONS = 1 << 24
# Of a box's number of axes: a list of indices along the first follows.
LISTED = 256


class Writer:
    """Grows a byte string record by record."""

    def __init__(self) -> None:
        self.data = bytearray()

    def pack(self, form: str, *values: int | bytes) -> None:
        self.data += struct.pack("<" + form, *values)

    def box(self, box: Box) -> None:
        """Number of axes, then shape, lo and hi, each filled to three axes with 1, 0 and 1; where the box lists
        indices along its first axis, LISTED more axes and a bit for each from lo to hi, lowest first, in whole bytes.
        InputError for shapes of more neurons than a reader takes."""
        rank = len(box.shape)
        if size(box.shape) > MAX_NEURONS:
            raise InputError("core image", f"a population of {size(box.shape):,} neurons; images hold {MAX_NEURONS:,}")
        fill = 3 - rank
        axes = rank | LISTED if box.kept else rank
        self.pack(_BOX, axes, *box.shape, *[1] * fill, *box.lo, *[0] * fill, *box.hi, *[1] * fill)
        if box.kept:
            among = np.zeros(box.hi[0] - box.lo[0], bool)
            among[box.first - box.lo[0]] = True
            self.data += np.packbits(among, bitorder="little").tobytes()

    def text(self, value: str) -> None:
        raw = value.encode()
        self.pack("H", len(raw))
        self.data += raw

    def integers(self, values: Ints) -> None:
        """A flat integer array: bytes a value, one unused byte, number of values, then the values."""
        width = integer_width(values)
        self.pack("BxI", width, values.size)
        self.data += np.ascontiguousarray(values.reshape(-1), _WIDTHS[width]).tobytes()

    def words(self, raw: bytes) -> None:
        """Bytes, filled with zeros to whole memory words."""
        self.data += raw + bytes(padded(len(raw)) - len(raw))


class Reader:
    """Takes records from a byte string; every read past its end is an InputError."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        self.at = 0

    def fail(self, why: str) -> InputError:
        return InputError(self.name, f"{why}; write the image again")

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise self.fail(f"ends at byte {len(self.data)}, {count} more were expected at byte {self.at}")
        self.at += count
        return self.data[self.at - count : self.at]

    def unpack(self, form: str) -> tuple[int, ...]:
        values: tuple[int, ...] = struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))
        return values

    def box(self, *, listed: bool) -> Box:
        """A box; listed: whether it may list indices."""
        rank, *rest = self.unpack(_BOX)
        has_list = listed and bool(rank & LISTED)
        rank &= ~(LISTED * has_list)
        if not 1 <= rank <= 3:
            raise self.fail(f"a box of {rank} axes")
        shape, lo, hi = tuple(rest[0:rank]), tuple(rest[3 : 3 + rank]), tuple(rest[6 : 6 + rank])
        box = Box(shape, lo, hi)
        whole = math.prod(shape)
        if not all(a < b <= n for a, b, n in zip(lo, hi, shape, strict=True)) or whole > MAX_NEURONS:
            raise self.fail(f"a box {box.text()} that does not lie in a population of shape {shape}")
        return self._listed(box) if has_list else box

    def _listed(self, box: Box) -> Box:
        """The box with the list of indices that follows."""
        length = box.hi[0] - box.lo[0]
        bits = np.unpackbits(np.frombuffer(self.take((length + 7) // 8), np.uint8), bitorder="little")
        inside = bits[:length]
        if bits[length:].any() or not (inside[0] and inside[-1]) or inside.all():
            raise self.fail(f"a list of indices that is not one of {box.text()}")
        return box.listed(box.lo[0] + np.flatnonzero(inside))

    def text(self) -> str:
        (count,) = self.unpack("H")
        try:
            return self.take(count).decode()
        except UnicodeDecodeError:
            raise self.fail("a name that is not UTF-8") from None

    def integers(self) -> Ints:
        """A flat int64 array."""
        width, count = self.unpack("BxI")
        if width not in _WIDTHS:
            raise self.fail(f"integers of {width} bytes")
        return np.frombuffer(self.take(width * count), _WIDTHS[width]).astype(np.int64)

    def fill(self, first: int) -> None:
        """The zeros that fill a record that began at byte `first` to whole memory words."""
        count = self.at - first
        if any(self.take(padded(count) - count)):
            raise self.fail("bytes between records")

    def finish(self) -> None:
        if self.at != len(self.data):
            raise self.fail(f"{len(self.data) - self.at} bytes after the last record")


__all__ = ["MAX_NEURONS", "WORD_BYTES", "Reader", "Writer"]
