"""Loihi's neuron, as Lava's bit-accurate LIF computes it, in fields of ir.Neuron: the integers that .net files and a
net.yaml with `arithmetic: loihi` say.

Equations (lava/proc/lif/models.py of lava-nc 0.10):
    u' = dec(u, decay_u) + 64 W s        v' = dec(v, decay_v) + u' + bias        s = v' > 64 threshold, then v' = 0
with dec(x, d) = x (4096 - d) / 4096 cut towards zero. One unit of a weight is 64 units of those integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Compare, Reset
from tern2lava.compiler.ir.shapes import Reals, frozen

WHOLE = 4096
QUANTUM = 1.0 / 64.0
LARGEST_THRESHOLD = 1 << 30
BIAS_EXPONENT = 6
"""Exponent of biases in lava-dl: those of one unit of a weight."""


def loihi_fields(
    decay_u: Reals, decay_v: Reals, threshold: Reals, *, compare: Compare, rest: int, cuts: bool = True
) -> dict[str, Any]:
    """Fields of neurons with these decays (in 1 / 4096) and threshold mantissa that rest for `rest` steps after a
    spike. cuts: decays cut towards zero, as on the chip; not so they are read as real numbers."""
    fields: dict[str, Any] = {
        "alpha_u": frozen(1.0 - decay_u / WHOLE),
        "alpha_v": frozen(1.0 - decay_v / WHOLE),
        "threshold": frozen(threshold),
        "compare": compare,
        "reset": Reset.ZERO,
        "refractory": rest,
    }
    if cuts and any(np.any((decay > 0) & (decay < WHOLE)) for decay in (decay_u, decay_v)):
        fields["quantum"] = frozen(QUANTUM)
    return fields


def bias_in_weights(mantissa: Reals, exponent: int) -> Reals:
    """A bias mantissa * 2^exponent of the membrane's integers in units of a weight."""
    return np.asarray(np.ldexp(mantissa, exponent) * QUANTUM)
