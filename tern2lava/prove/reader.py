"""Little-endian records of a core image, taken one after the other."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.errors import InputError

Ints = NDArray[np.int64]
Codes = NDArray[np.integer[Any]]
Shape = tuple[int, ...]

# As docs/image-format.md says: neurons of a population, codes of a block.
MOST, MOST_CODES = 1 << 24, 1 << 28


@dataclass(frozen=True)
class Box:
    """Neurons with lo <= index < hi along each axis of a population that is seen as `shape`; of the indices along the
    first axis only those with a 1 in `bits`, one byte for each from lo on, where there are bits."""

    shape: Shape
    lo: Shape
    hi: Shape
    bits: bytes = b""

    @property
    def extent(self) -> Shape:
        """Length along each axis."""
        lengths = tuple(high - low for low, high in zip(self.lo, self.hi, strict=True))
        return (self.bits.count(1), *lengths[1:]) if self.bits else lengths

    @property
    def first(self) -> Ints:
        """Indices along the first axis, ascending."""
        if not self.bits:
            return np.arange(self.lo[0], self.hi[0])
        return self.lo[0] + np.flatnonzero(np.frombuffer(self.bits, np.uint8))

    @property
    def volume(self) -> int:
        """Number of neurons."""
        return math.prod(self.extent)

    @property
    def whole(self) -> bool:
        """Whether it is all of the population."""
        return self.extent == self.shape

    @property
    def slices(self) -> tuple[slice | Ints, ...]:
        """The box as an index of an array over `shape`."""
        inner = (slice(low, high) for low, high in zip(self.lo[1:], self.hi[1:], strict=True))
        return (self.first if self.bits else slice(self.lo[0], self.hi[0]), *inner)

    def flat(self) -> Ints:
        """Numbers of its neurons in the population, (volume,), ascending."""
        return np.ravel(np.arange(math.prod(self.shape), dtype=np.int64).reshape(self.shape)[self.slices])

    def neuron(self, place: int) -> int:
        """The number in the population of the box's neuron `place`."""
        first, *inner = np.unravel_index(place, self.extent)
        index = (int(i) + low for i, low in zip(inner, self.lo[1:], strict=True))
        return int(np.ravel_multi_index((int(self.first[first]), *index), self.shape))

    def __str__(self) -> str:
        ranges = ", ".join(f"{low}:{high}" for low, high in zip(self.lo, self.hi, strict=True))
        return f"[{self.bits.count(1)} of {ranges}]" if self.bits else f"[{ranges}]"


class Reader:
    """Takes records from `data`, an image without its checksum. Whatever no record is raises InputError at `name`."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name, self.at = data, name, 0

    def fail(self, why: str) -> InputError:
        """The error that says `why` these bytes are no image."""
        return InputError(self.name, f"requires an image as docs/image-format.md says; found {why}; compile again")

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > len(self.data) - self.at:
            raise self.fail(f"an end at byte {len(self.data):,} where {count:,} bytes from {self.at:,} on are meant")
        self.at += count
        return self.data[self.at - count : self.at]

    def unpack(self, form: str) -> tuple[int, ...]:
        """Numbers of fixed width, as the module struct writes them."""
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def text(self) -> str:
        """A name: its length in u16, then UTF-8."""
        try:
            return self.take(self.unpack("H")[0]).decode()
        except UnicodeDecodeError:
            raise self.fail("a name that is not UTF-8") from None

    def box(self, *, lists: bool) -> Box:
        """Forty bytes: axes, then shape, lo and hi, filled to three with 1, 0 and 1. lists: 256 more axes say that a
        bit for each index along the first follows."""
        axes, *rest = self.unpack("10I")
        listed = lists and axes > 256
        axes -= 256 * listed
        shape, lo, hi = (tuple(rest[first : first + min(axes, 3)]) for first in (0, 3, 6))
        fill = [rest[first + axes : first + 3] for first in (0, 3, 6)]
        lies = all(0 <= low < high <= size for size, low, high in zip(shape, lo, hi, strict=True))
        if not 1 <= axes <= 3 or not lies or math.prod(shape) > MOST:
            raise self.fail(f"a box from {lo} to {hi} in {shape}")
        if any(any(value != one for value in part) for part, one in zip(fill, (1, 0, 1), strict=True)):
            raise self.fail("a box that is filled with other numbers than 1, 0 and 1")
        if not listed:
            return Box(shape, lo, hi)
        length = hi[0] - lo[0]
        bits = np.unpackbits(np.frombuffer(self.take(-(-length // 8)), np.uint8), bitorder="little")
        mine = bits[:length]
        if bits[length:].any() or not mine[0] or not mine[-1] or mine.all():
            raise self.fail(f"a list of indices from {lo[0]} to {hi[0]} that lists another range, or all")
        return Box(shape, lo, hi, mine.tobytes())

    def integers(self) -> Ints:
        """An integer list."""
        width, zero, count = self.unpack("BBI")
        if width not in (1, 2, 4, 8) or zero:
            raise self.fail(f"a list of integers of {width} bytes")
        return np.frombuffer(self.take(width * count), f"<i{width}").astype(np.int64)

    def number(self) -> int:
        """An unsigned number in LEB128, in no more bytes than it needs."""
        value = 0
        for index in range(5):
            byte = self.take(1)[0]
            value |= (byte & 127) << 7 * index
            if byte < 128:
                if byte == 0 and index:
                    break
                return value
        raise self.fail(f"a number in more bytes than it needs at byte {self.at:,}")

    def numbers(self, count: int) -> Shape:
        """Several of them."""
        return tuple(self.number() for _ in range(count))
