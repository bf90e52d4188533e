"""From how many spikes on a projection is computed bit-parallel: the two ways' times, in nanoseconds, compared.

The constants were measured on one core of an x86-64 machine with 512-bit vectors (benchmarks/simulation.py prints the
rates of the machine it runs on); they choose between two exact ways and can change no result.
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Projection
from tern2lava.sim.engine.weights import digits

# A spike on a dense projection, and each of its outputs.
DENSE_SPIKE, DENSE_ADD = 2.0, 0.02
# The same of ternary codes in bits, for each 256 outputs; and a row of sums, each of its outputs.
CARRY_SPIKE, CARRY_ROW, CARRY_ADD = 1.2, 10.0, 0.25
# A word of a plane (an AND, a popcount and a sum, 64 synapses) and a row.
PLANE_WORD, PLANE_ROW = 0.07, 20.0
# A kernel tap of a spike on a convolution, each of its output channels; a value of the sums turned over to planes.
CONV_TAP, CONV_ADD, CONV_TURN = 2.2, 0.06, 0.6
# A word of a packed window.
WINDOW_WORD = 0.5


def spike_limit(projection: Projection, recurrent: bool) -> int:
    """The number of spikes in a step below which summing spike by spike is expected to be faster."""
    weight, geometry = projection.weight, projection.geometry
    planes = 2 * digits(projection)
    area = 1
    if projection.pooling is not None:
        area = projection.pooling.area
        planes *= area.bit_length()
    if geometry is None:
        outputs, inputs = weight.shape
        # One row alone shares no loads of planes.
        sharing = 2.0 if recurrent else 1.0
        bit_parallel = PLANE_ROW + planes * -(-inputs // 64) * max(8, outputs) * PLANE_WORD * sharing
        if digits(projection) <= 1 and projection.pooling is None:
            row = CARRY_ROW + outputs * CARRY_ADD
            return max(0, int((bit_parallel - row) / (CARRY_SPIKE * -(-outputs // 256)))) + 1
        return int(bit_parallel / (DENSE_SPIKE + outputs * DENSE_ADD)) + 1
    out, per_group, ky, kx = weight.shape
    # Sums are held in 16 bits.
    largest = int(np.abs(weight.reshape(out, -1).astype(np.int64)).sum(axis=1).max(initial=0)) * area
    if largest > np.iinfo(np.int16).max:
        return 0
    pixels = geometry.out_shape[1] * geometry.out_shape[2]
    words = -(-per_group * ky * kx // 64)
    windows = geometry.groups * pixels * (words + per_group * ky * kx / 16) * WINDOW_WORD
    bit_parallel = windows + planes * words * out * pixels * PLANE_WORD
    each = ky * kx * (CONV_TAP + out // geometry.groups * CONV_ADD)
    return max(0, int((bit_parallel - out * pixels * CONV_TURN) / each)) + 1
