"""Matrices that are convolutions, recognised by their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tern2lava.compiler.ir.shapes import ConvGeometry, Ints, Reals, conv_out, size

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Image = tuple[int, int, int]

MOST_ZEROS = 4
"""Rows or columns of zeros by which a kernel is made longer where a map begins or ends inside its input (a crop)."""


@dataclass(frozen=True)
class _Axis:
    """How a map goes along y or x: out * stride - before + tap = in, for taps below `taps`."""

    stride: int
    before: int
    after: int
    taps: int


def as_convolution(matrix: csr_matrix, source: Image, target: Image) -> tuple[Reals, ConvGeometry] | None:
    """The kernel (out, in/groups, kh, kw) and geometry of a map from an image of `source` onto one of `target`.

    Selections, permutations and placements of channels are kernels of 1x1, windows are depthwise kernels (one group
    for each channel), padding and small crops are the geometry's. None where the map is no convolution, is one only
    with a kernel that is no smaller than the matrix, or is between images of one pixel.
    """
    entries = matrix.tocoo()
    if not entries.nnz or (size(source[1:]) == 1 and size(target[1:]) == 1):
        return None
    out, y, x = (a.astype(np.int64) for a in np.unravel_index(entries.row, target))
    channel, i, j = (a.astype(np.int64) for a in np.unravel_index(entries.col, source))
    along = (_axis(y, i, target[1], source[1]), _axis(x, j, target[2], source[2]))
    if along[0] is None or along[1] is None:
        return None
    vertical, horizontal = along[0], along[1]
    per_group, rest = divmod(target[0], source[0])
    depthwise = rest == 0 and bool(np.all(channel == out // max(per_group, 1)))
    kernel = np.zeros((target[0], 1 if depthwise else source[0], vertical.taps, horizontal.taps))
    if kernel.size >= size(source) * size(target):
        return None
    taps = (
        out, np.zeros_like(channel) if depthwise else channel, i - y * vertical.stride + vertical.before,
        j - x * horizontal.stride + horizontal.before,
    )  # fmt: skip
    kernel[taps] = entries.data
    geometry = ConvGeometry(
        in_shape=source, out_shape=target, stride=(vertical.stride, horizontal.stride),
        padding=(vertical.before, vertical.after, horizontal.before, horizontal.after), dilation=(1, 1),
        groups=source[0] if depthwise else 1,
    )  # fmt: skip
    if not np.array_equal(kernel[taps], entries.data) or _entries(kernel, geometry) != entries.nnz:
        return None
    return kernel, geometry


def _axis(out: Ints, into: Ints, outs: int, ins: int) -> _Axis | None:
    """The axis with the fewest taps of which each meets the input wherever it can; None where there is none, or where
    it needs a kernel longer than the input or of too many zeros."""
    pairs = np.unique(np.stack([out, into]), axis=1)
    fitting: list[tuple[int, int, int, int]] = []
    for stride in (ins,) if outs == 1 else range(1, ins + 1):
        steps = np.unique(pairs[1] - stride * pairs[0])
        if steps.size <= ins and sum(_inside(outs, ins, int(tap), stride, 0) for tap in steps) == pairs.shape[1]:
            fitting.append((int(np.ptp(steps)), stride, int(steps[0]), int(steps[-1])))
    if not fitting:
        return None
    _, stride, low, high = min(fitting)
    before = max(0, -low)
    taps = high + before + 1
    after = max(0, (outs - 1) * stride + taps - ins - before)
    # Where the map ends before its input does, zeros at the kernel's end keep further outputs away.
    longer = max(taps, ins + before + after - outs * stride + 1)
    zeros = max(low, 0) + longer - taps
    if zeros > MOST_ZEROS or longer > ins or conv_out(ins, longer, stride, before + after, 1) != outs:
        return None
    return _Axis(stride=stride, before=before, after=after, taps=longer)


def _inside(outs: int, ins: int, tap: int, stride: int, before: int) -> int:
    """At how many of the outputs a tap meets the input."""
    places = np.arange(outs) * stride - before + tap
    return int(np.count_nonzero((places >= 0) & (places < ins)))


def _entries(kernel: Reals, geometry: ConvGeometry) -> int:
    """The entries of a convolution's matrix."""
    (sy, sx), (top, _, left, _) = geometry.stride, geometry.padding
    (_, oh, ow), (_, height, width) = geometry.out_shape, geometry.in_shape
    rows = np.array([_inside(oh, height, tap, sy, top) for tap in range(kernel.shape[2])])
    columns = np.array([_inside(ow, width, tap, sx, left) for tap in range(kernel.shape[3])])
    return int((np.count_nonzero(kernel, axis=(0, 1)) * np.outer(rows, columns)).sum())
