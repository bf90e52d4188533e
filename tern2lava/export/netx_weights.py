"""What Lava computes with the dense weights of a lava-dl file, as netx hands them over.

Sources: optimize_weight_bits (lava/lib/dl/netx/utils.py of lava-dl 0.6.0), which scales the weights to 8 bits and finds
how many of them are used, and truncate_weights (lava/utils/weightutils.py of lava-nc 0.10.0), which cuts them to those;
netx leaves the sign mode to Lava, which takes it from the weights. Some matrices come out otherwise than they went in:
those of negative weights alone, and mixed ones above 254. benchmarks/netx.py holds this against the two.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tern2lava.compiler.ir.shapes import Ints

MOST, LEAST = 254, -256
"""Mixed weights beyond these are clipped."""


def netx_keeps(*parts: Ints) -> bool:
    """Whether Lava multiplies spikes by exactly these weights, (out, in) each, where they stand side by side in a
    layer, as those of a dense_rec do."""
    together = np.hstack(parts)
    mixed = bool(together.max() > 0 > together.min())
    if not together.any() or (mixed and not LEAST <= together.min() <= together.max() <= MOST):
        return False
    scaled = _scaled(together)
    if scaled is None:
        return False
    weights, bits, shift = scaled
    ends = np.cumsum([0, *(part.shape[1] for part in parts)])
    read = np.hstack([_truncated(weights[:, low:high], bits) for low, high in pairwise(ends)])
    # Lava shifts the sum of a step down again; a sum of multiples of 2^shift loses nothing.
    return np.array_equal(read, together << shift)


def _scaled(weight: Ints) -> tuple[Ints, int, int] | None:
    """(weights times 2^shift, bits, shift) of optimize_weight_bits; None where it shifts down or fails."""
    high, low = int(weight.max()), int(weight.min())
    signed = low < 0 <= high
    over, under = 127 if signed else 255, 128 if signed else 256
    scale = min(over / high if high > 0 else np.inf, under / -low if low < 0 else np.inf)
    shift = int(np.floor(np.log2(scale))) + signed
    common = int(np.bitwise_or.reduce(np.abs(weight), axis=None))
    even = min((common & -common).bit_length() - 1, 8) - signed
    if shift < 0 or not 1 <= 8 - shift - even <= 8:
        return None
    return weight << shift, 8 - shift - even, shift


def _truncated(weights: Ints, bits: int) -> Ints:
    """Weights cut to `bits` by Lava, whose sign mode is that of the weights."""
    if not weights.size:
        return weights
    sign = -1 if weights.max() <= 0 and weights.min() < 0 else 1
    mixed = bool(weights.min() < 0 < weights.max())
    unused = 8 - bits + mixed
    return sign * ((np.clip(sign * weights, -256 if mixed else 0, 255) >> unused) << unused)
