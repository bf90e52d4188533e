"""Counters in bit planes count: every output's spikes with code +1 less those with -1."""

from __future__ import annotations

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.sim.engine import carry, dense
from tern2lava.sim.engine.weights import rows_by_source


@pytest.mark.parametrize("outputs", [1, 10, 64, 65, 300, 512])
@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 126, 127, 128, 400])
def test_sums_are_those_of_the_codes(outputs: int, count: int) -> None:
    rng = np.random.default_rng(count)
    codes = rng.integers(-1, 2, (outputs, 400)).astype(np.int8)
    # Counters that are full, of either sign.
    codes[0] = 1
    codes[-1] = -1 if outputs > 1 else 1
    rows, stride = rows_by_source(Projection(name="w", inputs=("x",), weight=frozen(codes)))
    assert rows.size == 401 * stride
    found = np.zeros(400, np.int64)
    found[:count] = np.sort(rng.permutation(400)[:count])
    gain = rng.integers(-9, 9, outputs).astype(np.int32)
    before = rng.integers(-99, 99, outputs).astype(np.int32)
    a = before.copy()
    counters, tally = np.full(carry.BITS * stride, 2**64 - 1, np.uint64), np.full(-(-outputs // 64) * 64, 77, np.int8)
    dense.by_carry(found, count, rows, stride, gain, counters, tally, a)
    np.testing.assert_array_equal(a, before + gain * codes[:, found[:count]].sum(axis=1, dtype=np.int64))
