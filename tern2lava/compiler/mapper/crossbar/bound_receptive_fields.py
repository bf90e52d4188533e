"""The fewest source positions that any outputs of a convolution see, whichever outputs they are.

Along one axis, outputs i < j < ... see intervals whose ends grow, so that j adds |R(j) minus R(i)| to what i sees: the
fewest of any n outputs is found by going through them in order. On an image, take any set of outputs, with c_x of them
in column x. A source column u sees at least rows(max of c_x over the columns x that see u), and {u} of the columns with
at least t outputs are no fewer than columns(|{x : c_x >= t}|), rows and columns being the fewest along each axis. So

    seen >= sum over t = 1, 2, ... of (rows(t) - rows(t - 1)) columns(w_t),   w_1 >= w_2 >= ...,  sum of w_t = outputs,

of which the least over all w is the bound.
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.compiler.ir.slices import taps


def least_seen(projection: Projection, most: int) -> Reals:
    """The fewest positions of one source channel that 0, 1, ..., `most` output positions of a convolution see."""
    rows, columns = (_along(projection, axis) for axis in (0, 1))
    width = columns.size - 1
    result = np.full(most + 1, np.inf)
    result[0] = 0
    # least[w - 1, m]: m outputs in levels so far, the last of them w wide.
    least = np.full((width, most + 1), np.inf)
    for level in range(1, rows.size):
        grown = np.full_like(least, np.inf)
        # From any level at least as wide; the first level from nothing.
        before = np.minimum.accumulate(least[::-1], axis=0)[::-1]
        for wide in range(1, min(width, most) + 1):
            start = before[wide - 1] if level > 1 else np.where(np.arange(most + 1) == 0, 0.0, np.inf)
            grown[wide - 1, wide:] = start[: most + 1 - wide] + (rows[level] - rows[level - 1]) * columns[wide]
        least = grown
        result = np.minimum(result, least.min(axis=0))
        if not np.isfinite(least).any():
            break
    return result


def _along(projection: Projection, axis: int) -> Reals:
    """The fewest source positions along an axis that 0, 1, ... outputs see."""
    g = projection.geometry
    assert g is not None
    reached = taps(g, projection.weight.shape[2:], axis)
    length = g.out_shape[1 + axis]
    sees = np.zeros((reached.shape[0], length), bool)
    source, tap = np.nonzero(reached >= 0)
    sees[source, reached[source, tap]] = True
    sizes = sees.sum(axis=0)
    if g.dilation[axis] > 1:
        # Each source position is counted for every output that sees it.
        shared = max(1, int(sees.sum(axis=1).max()))
        by_count = np.ceil(np.cumsum(np.sort(sizes)) / shared)
        return np.concatenate([[0], np.maximum(by_count, sizes.min())])
    # What j adds where i < j is the last output before it.
    added = (sees[:, None, :] & ~sees[:, :, None]).sum(axis=0)
    later = np.triu(np.ones((length, length), bool), 1)
    result = np.zeros(length + 1)
    least = sizes.astype(np.float64)
    for count in range(1, length + 1):
        result[count] = least.min()
        least = np.where(later, least[:, None] + added, np.inf).min(axis=0)
    return result
