"""Shapes and arrays: sizes, broadcast parameters, and the geometry of convolutions and pooling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

#: Any array: its dtype depends on the level of the graph, or is not known here.
Array = NDArray[Any]
#: Weight codes: -1, 0 and 1, or signed integers of up to 8 bits.
Codes = NDArray[np.int8]
#: Integer parameters, states and gains; also counts, sizes and indices.
Ints = NDArray[np.int64]
#: Real parameters, states, scales and error bounds.
Reals = NDArray[np.float64]
#: Masks.
Bools = NDArray[np.bool_]
#: Bytes: of images, of files, and of rows of spikes as the engine's kernels hold them.
Bytes = NDArray[np.uint8]
#: Bits, 64 to a word.
Words = NDArray[np.uint64]
#: What inputs and neurons emit, integers of any width: uint8 for 0 and 1, int8 for -1, 0 and 1, int32 for partial sums.
Spikes = NDArray[np.integer[Any]]
#: All of the above.
ARRAYS = (Array, Codes, Ints, Reals, Bools, Bytes, Words, Spikes)

Shape = tuple[int, ...]

D = TypeVar("D", bound=np.generic)


def frozen(array: Any, dtype: Any = None) -> Array:
    """A read-only C-ordered copy of `array` (as `dtype` where given)."""
    result = np.array(array, dtype=dtype, order="C", copy=True)
    result.setflags(write=False)
    return result


@dataclass(frozen=True, eq=False, kw_only=True)
class ConvGeometry:
    """How a convolution's weight meets its input; `in_shape` and `out_shape` are (channels, height, width)."""

    in_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """Sums over the windows of `window` (y, x) that tile an image of `in_shape` (channels, height, width) from its
    first row and column; rows and columns that fill no window are left out."""

    in_shape: tuple[int, int, int]
    window: tuple[int, int]

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """(channels, windows along y, windows along x)."""
        channels, height, width = self.in_shape
        return (channels, height // self.window[0], width // self.window[1])

    @property
    def area(self) -> int:
        """Neurons in a window."""
        return self.window[0] * self.window[1]


def size(shape: Shape) -> int:
    """Number of elements of a shape."""
    return int(math.prod(shape))


def broadcast(value: NDArray[D], shape: Shape) -> NDArray[D]:
    """`value` as a read-only array of `shape`. A (channels,) array goes along the first axis of (C, H, W)."""
    if value.ndim == 1 and len(shape) > 1 and value.shape[0] == shape[0]:
        value = value.reshape(-1, *([1] * (len(shape) - 1)))
    return np.broadcast_to(value, shape)


def compact(value: NDArray[D], shape: Shape) -> NDArray[D]:
    """`value` (which broadcasts to `shape`) as () where it is constant, (channels, 1, 1) where constant per channel."""
    if value.ndim == 0 or value.size == 0:
        return value
    if np.all(value == value.reshape(-1)[0]):
        return np.asarray(value.reshape(-1)[0])
    if len(shape) > 1 and value.shape == shape:
        rows = value.reshape(shape[0], -1)
        if np.all(rows == rows[:, :1]):
            return rows[:, :1].reshape(-1, *([1] * (len(shape) - 1)))
    return value


def conv_out(length: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """Output length of a convolution: floor((length + pad - dilation*(kernel-1) - 1) / stride) + 1."""
    return (length + pad - dilation * (kernel - 1) - 1) // stride + 1
