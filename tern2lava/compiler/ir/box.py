"""Boxes: ranges of neurons of a population along its axes, the unit in which everything is mapped."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.shapes import D, Ints, Pooling, Shape, size


@dataclass(frozen=True)
class Box:
    """The neurons whose index along each axis a of `shape` lies in [lo[a], hi[a]), along the first axis only those
    that are listed where a list is kept. kept: the listed indices, int32 little-endian, ascending from lo[0] to
    hi[0] - 1 with gaps; empty where there is none, so that equal boxes compare equal."""

    shape: Shape
    lo: Shape
    hi: Shape
    kept: bytes = field(default=b"", repr=False)

    @classmethod
    def full(cls, shape: Shape) -> Box:
        """All neurons of `shape`."""
        return cls(shape, (0,) * len(shape), shape)

    def listed(self, index: Ints) -> Box:
        """The neurons of the box whose index along the first axis is one of `index`, ascending and not empty."""
        lo, hi = int(index[0]), int(index[-1]) + 1
        kept = b"" if hi - lo == index.size else index.astype("<i4").tobytes()
        return Box(self.shape, (lo, *self.lo[1:]), (hi, *self.hi[1:]), kept)

    @property
    def first(self) -> Ints:
        """Indices along the first axis, int64, ascending."""
        return np.frombuffer(self.kept, "<i4").astype(np.int64) if self.kept else np.arange(self.lo[0], self.hi[0])

    @property
    def extent(self) -> Shape:
        """Length along each axis, the listed indices counted along the first."""
        lengths = tuple(h - low for low, h in zip(self.lo, self.hi, strict=True))
        return (len(self.kept) // 4, *lengths[1:]) if self.kept else lengths

    @property
    def volume(self) -> int:
        """Number of neurons."""
        result = 1
        for length in self.extent:
            result *= max(0, length)
        return result

    @property
    def is_full(self) -> bool:
        return self.volume == size(self.shape)

    def flat(self) -> Ints:
        """Flattened (C order) indices (volume,) of the neurons in `shape`, ascending."""
        index = self.first
        for length, low, high in zip(self.shape[1:], self.lo[1:], self.hi[1:], strict=True):
            index = (index[:, None] * length + np.arange(low, high)[None, :]).reshape(-1)
        return index

    def rows(self, value: NDArray[D]) -> NDArray[D]:
        """The rows of an array (neurons, ...) that belong to the box, a view where they are contiguous; a scalar
        array as it is."""
        if value.ndim == 0 or self.is_full:
            return value
        if len(self.shape) == 1 and not self.kept:
            return value[self.lo[0] : self.hi[0]]
        return value[self.flat()]

    def select(self, value: NDArray[D]) -> NDArray[D]:
        """The part of an array over `shape` (broadcast already) that lies in the box."""
        inner = tuple(slice(low, high) for low, high in zip(self.lo[1:], self.hi[1:], strict=True))
        inside = (slice(None) if self.kept else slice(self.lo[0], self.hi[0]), *inner)
        return value[self.first][inside] if self.kept else value[inside]

    def common(self, other: Box) -> int:
        """Number of neurons in both boxes; the two may see one population under different shapes."""
        if self.shape == other.shape:
            listed = bool(self.kept or other.kept)
            result = int(np.intersect1d(self.first, other.first, assume_unique=True).size) if listed else 1
            for axis in range(listed, len(self.shape)):
                result *= max(0, min(self.hi[axis], other.hi[axis]) - max(self.lo[axis], other.lo[axis]))
            return result
        if other.is_full:
            return self.volume
        if self.is_full:
            return other.volume
        for one, two in ((self, other), (other, self)):
            if len(one.shape) == 1 and not one.kept:
                low, high = np.searchsorted(two.flat(), (one.lo[0], one.hi[0]))
                return int(high - low)
        return int(np.intersect1d(self.flat(), other.flat(), assume_unique=True).size)

    def windows(self, pooling: Pooling) -> Box:
        """The neurons of the pooled image that lie in the windows of this box of `pooling.out_shape`."""
        py, px = pooling.window
        lo, hi = self.lo, self.hi
        return Box(pooling.in_shape, (lo[0], lo[1] * py, lo[2] * px), (hi[0], hi[1] * py, hi[2] * px), self.kept)

    def ranges(self) -> dict[str, Shape]:
        """shape, lo and hi, as files name them; of a box that lists no indices."""
        assert not self.kept
        return {"shape": self.shape, "lo": self.lo, "hi": self.hi}

    def text(self) -> str:
        """As printed in reports: [0:64, 3:5, 0:5]; [12 of 0:64, 3:5, 0:5] where 12 indices of the 64 are listed."""
        ranges = ", ".join(f"{low}:{high}" for low, high in zip(self.lo, self.hi, strict=True))
        return f"[{self.extent[0]} of {ranges}]" if self.kept else f"[{ranges}]"
