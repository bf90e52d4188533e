"""Which numbers a framework's arithmetic holds, against numpy's, torch's and exact rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from tern2lava.errors import InputError
from tern2lava.sim.reading.precision import Precision, is_power_of_two, last_bit, precision

RNG = np.random.default_rng(0)
NUMBERS = np.concatenate([
    RNG.standard_normal(500), RNG.standard_normal(500) * 2.0 ** RNG.integers(-40, 20, 500),
    RNG.integers(-999, 999, 99) / 8,
    [0.0, 1.0, -0.5, 1 / 3, 2.0**-30, 65504.0, 0.1],
])  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_the_nearest_number_is_torchs(dtype: str) -> None:
    values = NUMBERS[np.abs(NUMBERS) < 60000]
    expected = torch.from_numpy(values).to(getattr(torch, dtype)).double().numpy()
    found = Precision(dtype)
    np.testing.assert_array_equal(found.nearest(values), expected)
    np.testing.assert_array_equal(found.holds(values), values == expected)
    np.testing.assert_array_equal(found.lost(values), np.abs(values - expected))


def test_an_unknown_dtype_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="data: dtype: requires one of float64, float32.*found 'int8'"):
        precision("int8", "data: dtype")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sums_and_products_are_exact_where_rationals_say_so(dtype: str) -> None:
    found = Precision(dtype)
    a = found.nearest(np.concatenate([NUMBERS, RNG.integers(-64, 64, 400) / 16, [1.0, 2.0**53, 1.0]]))
    b = found.nearest(np.roll(a, 7) * 2.0 ** RNG.integers(-3, 3, len(a)))

    def held(value: Fraction) -> bool:
        return Fraction(float(found.nearest(np.asarray(float(value))))) == value

    sums = [held(Fraction(x) + Fraction(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    products = [held(Fraction(x) * Fraction(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    np.testing.assert_array_equal(found.exact_sum(a, b), sums)
    np.testing.assert_array_equal(found.exact_product(a, b), products)
    assert 0 < sum(sums) < len(a)
    assert 0 < sum(products) < len(a)


def test_the_last_bit_divides_the_number_an_odd_number_of_times() -> None:
    values = NUMBERS[NUMBERS != 0]
    for value, bit in zip(values.tolist(), last_bit(values).tolist(), strict=True):
        times = Fraction(value) / Fraction(bit)
        assert times.denominator == 1
        assert times.numerator % 2 == 1
    assert last_bit(np.zeros(1))[0] == np.inf
    np.testing.assert_array_equal(is_power_of_two(np.array([1.0, -0.25, 3.0, 0.0])), [True, True, False, False])


def test_the_bound_of_a_sum_grows_with_its_terms_and_is_none_beyond_them() -> None:
    single = Precision("float32")
    one, many = (float(single.of_sum(np.asarray(float(n)), np.asarray(1.0))) for n in (1, 1000))
    assert one == pytest.approx(2**-24, rel=1e-6)
    assert many == pytest.approx(1000 * 2**-24, rel=1e-3)
    assert single.of_sum(np.asarray(2.0**24), np.asarray(1.0)) == np.inf
    assert single.of_sum(np.asarray(2.0**24), np.asarray(0.0)) == 0
    # Sums in bfloat16 are accumulated in float32 and rounded at the end.
    assert 2**-8 < float(Precision("bfloat16").of_sum(np.asarray(1000.0), np.asarray(1.0))) < 2**-6
