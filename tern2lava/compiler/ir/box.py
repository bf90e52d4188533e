"""Boxes: rectangular ranges of neurons of a population, the unit in which everything is mapped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.shapes import D, Ints, Pooling, Shape, size


@dataclass(frozen=True)
class Box:
    """The neurons whose index along each axis a of `shape` lies in [lo[a], hi[a])."""

    shape: Shape
    lo: Shape
    hi: Shape

    @classmethod
    def full(cls, shape: Shape) -> Box:
        """All neurons of `shape`."""
        return cls(shape, (0,) * len(shape), shape)

    @property
    def extent(self) -> Shape:
        """Length along each axis."""
        return tuple(h - low for low, h in zip(self.lo, self.hi, strict=True))

    @property
    def volume(self) -> int:
        """Number of neurons."""
        result = 1
        for low, high in zip(self.lo, self.hi, strict=True):
            result *= max(0, high - low)
        return result

    @property
    def is_full(self) -> bool:
        return self.volume == size(self.shape)

    def flat(self) -> Ints:
        """Flattened (C order) indices (volume,) of the neurons in `shape`, ascending."""
        index = np.zeros((1,), np.int64)
        for length, low, high in zip(self.shape, self.lo, self.hi, strict=True):
            index = (index[:, None] * length + np.arange(low, high)[None, :]).reshape(-1)
        return index

    def rows(self, value: NDArray[D]) -> NDArray[D]:
        """The rows of an array (neurons, ...) that belong to the box, a view where they are contiguous; a scalar
        array as it is."""
        if value.ndim == 0 or self.is_full:
            return value
        if len(self.shape) == 1:
            return value[self.lo[0] : self.hi[0]]
        return value[self.flat()]

    def select(self, value: NDArray[D]) -> NDArray[D]:
        """The part of an array over `shape` (broadcast already) that lies in the box."""
        return value[tuple(slice(low, high) for low, high in zip(self.lo, self.hi, strict=True))]

    def common(self, other: Box) -> int:
        """Number of neurons in both boxes; the two may see one population under different shapes."""
        if self.shape == other.shape:
            result = 1
            for a, b, c, d in zip(self.lo, other.lo, self.hi, other.hi, strict=True):
                result *= max(0, min(c, d) - max(a, b))
            return result
        if other.is_full:
            return self.volume
        if self.is_full:
            return other.volume
        for one, two in ((self, other), (other, self)):
            if len(one.shape) == 1:
                low, high = np.searchsorted(two.flat(), (one.lo[0], one.hi[0]))
                return int(high - low)
        return int(np.intersect1d(self.flat(), other.flat(), assume_unique=True).size)

    def windows(self, pooling: Pooling) -> Box:
        """The neurons of the pooled image that lie in the windows of this box of `pooling.out_shape`."""
        py, px = pooling.window
        lo, hi = self.lo, self.hi
        return Box(pooling.in_shape, (lo[0], lo[1] * py, lo[2] * px), (hi[0], hi[1] * py, hi[2] * px))

    def text(self) -> str:
        """As printed in reports: [0:64, 3:5, 0:5]."""
        return "[" + ", ".join(f"{low}:{high}" for low, high in zip(self.lo, self.hi, strict=True)) + "]"
