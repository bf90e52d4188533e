"""A large tensor is told in parts as a small one is as a whole, for little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tern2lava.compiler.ir.shapes import Array
from tern2lava.frontends.inspect import large
from tern2lava.frontends.inspect.large import large_ternary_facts
from tern2lava.frontends.inspect.ternary import Form, ternary_facts

RNG = np.random.default_rng(7)
TERNARY = RNG.integers(-1, 2, (24, 40)).astype(np.float64)
SCALES = RNG.uniform(0.1, 2.0, 24)[:, None]
WEIGHTS: list[tuple[Array, Form]] = [
    (TERNARY * 0.3, Form.TENSOR),
    ((TERNARY * 0.3).astype(np.float32) * np.float32(1.0000001), Form.TENSOR),
    (TERNARY * SCALES, Form.ROW),
    (np.where(TERNARY > 0, 0.5, 0.2) * TERNARY, Form.ASYMMETRIC),
    (np.where(TERNARY > 0, 0.5, 0.2) * TERNARY * SCALES, Form.ASYMMETRIC_ROW),
    (np.zeros((24, 40), np.float32), Form.ZERO),
    (RNG.integers(-100, 101, (24, 40)).astype(np.int8), Form.INTEGER),
    (RNG.integers(-100, 101, (24, 40)) * 0.25 * SCALES, Form.INTEGER),
    (TERNARY * np.repeat(RNG.uniform(0.1, 2.0, (24, 2)), 20, axis=1), Form.BLOCKS),
    (RNG.normal(size=(24, 40)), Form.OTHER),
    (RNG.normal(size=(24, 4, 10)).astype(np.float16), Form.OTHER),
    (np.where(TERNARY > 0, np.nan, TERNARY), Form.NOT_FINITE),
]


@pytest.mark.parametrize(("weight", "form"), WEIGHTS)
@pytest.mark.parametrize("part", [40, 200, 1 << 20])
def test_parts_tell_what_the_whole_tells(weight: Array, form: Form, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "PART", part)
    found, wanted = large_ternary_facts(weight), ternary_facts(weight)
    assert found is not None
    assert (found.form, wanted.form) == (form, form)
    assert (found.bits, found.rounded, found.zeros) == (wanted.bits, wanted.rounded, wanted.zeros)
    assert found.error_tensor == pytest.approx(wanted.error_tensor, abs=1e-6, nan_ok=True)
    assert found.error_row == pytest.approx(wanted.error_row, abs=1e-9, nan_ok=True)
    if form not in (Form.INTEGER, Form.BLOCKS):
        assert found.scales == wanted.scales


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_memory_holds_the_tensor_its_magnitudes_and_a_part(kind: type) -> None:
    weight: Array = np.zeros((1024, 16_384), kind)
    weight[:, ::100] = 1
    weight[0, 1] = 5
    tracemalloc.start()
    found = large_ternary_facts(weight)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    assert found.form is Form.INTEGER
    assert peak < weight.size * 4 + (160 << 20)


def test_a_shape_that_no_weight_has_is_no_weight() -> None:
    assert large_ternary_facts(np.zeros((2, large.MAX_ROW + 1), np.uint8)) is None
    assert large_ternary_facts(np.zeros((large.MAX_ROWS + 1, 1), np.uint8)) is None
