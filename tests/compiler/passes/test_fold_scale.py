"""Scales leave the synapses, and no sum of codes changes sides of its threshold by it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodes import node
from tern2lava.compiler.ir.graph import Graph, Input, Level, Neuron, Output, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.passes.fold_scale import divide, fold_scale, meant
from tern2lava.errors import UnsupportedError

POSITIVE = st.floats(1e-30, 1e30, allow_nan=False)


@given(a=st.floats(-1e30, 1e30, allow_nan=False), b=POSITIVE, up=st.booleans())
@example(a=0.3, b=0.1, up=False)
@example(a=1.5, b=0.3, up=True)
@example(a=0.6, b=0.2, up=True)
def test_quotients_are_the_nearest_float_on_their_side_of_the_exact_one(a: float, b: float, up: bool) -> None:
    result = float(divide(np.asarray(a), np.asarray(b), up=up))
    exact = Fraction(a) / Fraction(b)
    if up:
        assert Fraction(result) >= exact > Fraction(float(np.nextafter(result, -np.inf)))
    else:
        assert Fraction(result) <= exact < Fraction(float(np.nextafter(result, np.inf)))


@given(count=st.integers(1, 2_000), scale=st.floats(1e-6, 1e6), up=st.booleans())
def test_a_sum_of_codes_meets_the_quotient_as_it_met_the_threshold(count: int, scale: float, up: bool) -> None:
    for theta in (count * scale, np.nextafter(count * scale, 0), np.nextafter(count * scale, np.inf)):
        folded = float(divide(np.asarray(theta), np.asarray(scale), up=up))
        for codes in (count - 1, count, count + 1):
            reached = Fraction(codes) * Fraction(scale)
            if up:
                assert (reached >= Fraction(float(theta))) == (codes >= folded)
            else:
                assert (reached > Fraction(float(theta))) == (codes > folded)


def test_a_plain_quotient_would_let_sums_cross() -> None:
    # The float64 quotient 1.5 / 0.3 is 5, but five times the float64 called 0.3 is less than 1.5.
    assert 1.5 / 0.3 == 5.0
    assert 5 * Fraction(0.3) < Fraction(1.5)
    assert float(divide(np.asarray(1.5), np.asarray(0.3), up=True)) > 5.0
    assert float(divide(np.asarray(1.5), np.asarray(0.3), up=False)) == 5.0


def test_arrays_are_divided_element_by_element() -> None:
    a, b = np.array([[0.3, 0.6], [-1.5, 0.0]]), np.array([0.1, 0.2])
    for up in (False, True):
        result = divide(a, b, up=up)
        assert result.shape == (2, 2)
        for i, j in np.ndindex(2, 2):
            assert result[i, j] == divide(a[i, j], b[j], up=up)


def summed(*scales: Any, shape: tuple[int] = (4,)) -> Graph:
    """Projections with these scales into one population."""
    codes = frozen(np.ones((4, 3)), np.int8)
    layers = [Projection(name=f"w{k}", inputs=("x",), weight=codes, scale=frozen(s)) for k, s in enumerate(scales)]
    names = tuple(layer.name for layer in layers)
    return Graph(
        level=Level.TERNARY,
        nodes=(
            Input(name="x", shape=(3,)),
            *layers,
            Neuron(name="n", inputs=names, shape=shape, threshold=frozen(1.0), bias=frozen(0.5)),
            Output(name="y", inputs=("n",)),
        ),
    )


def test_the_first_scale_becomes_the_unit_and_others_their_ratio() -> None:
    result = fold_scale(summed(0.5, [1.0, 2.0, 0.25, 0.5]))
    neuron = node(result, "n", Neuron)
    assert node(result, "w0", Projection).scale == 1.0
    assert node(result, "w1", Projection).scale.tolist() == [2.0, 4.0, 0.5, 1.0]
    assert [float(value) for value in (neuron.threshold, neuron.bias, neuron.unit)] == [2.0, 1.0, 0.5]


def test_scales_per_channel_divide_the_neurons_of_their_channel() -> None:
    neuron = node(fold_scale(summed([1.0, 2.0, 0.25, 0.5], shape=(4,))), "n", Neuron)
    assert neuron.threshold.tolist() == [1.0, 0.5, 4.0, 2.0]
    assert np.asarray(neuron.bias).tolist() == [0.5, 0.25, 2.0, 1.0]
    assert neuron.unit.tolist() == [1.0, 2.0, 0.25, 0.5]


def test_a_quotient_beyond_reason_is_refused_by_the_neurons_name() -> None:
    with pytest.raises(UnsupportedError, match=r"n: requires thresholds and biases in a range"):
        fold_scale(summed(1e-300))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("a", "b", "wanted"), [(1, 3, 3), (3, 10, 3), (1, 5, 5), (3, 2, 4.5), (7, 11, 7)])
def test_a_quotient_of_rounded_numbers_is_the_one_that_is_meant(dtype: type[Any], a: int, b: int, wanted: int) -> None:
    # Thresholds a / b' of weights 1 / b, in the precision that they are stored in.
    theta, scale = {3: (1, 1 / 3), 10: (0.3, 0.1), 5: (1, 0.2), 2: (1.5, 1 / 3), 11: (7 / 11, 1 / 11)}[b]
    theta, scale = float(dtype(theta)), float(dtype(scale))
    for up in (True, False):
        quotient = divide(np.asarray(theta), np.asarray(scale), up=up)
        assert float(meant(quotient, np.asarray(theta), np.asarray(scale))) == wanted


@pytest.mark.parametrize("scale", [0.5, 0.75, 1 / 3, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_threshold_a_last_bit_beside_a_round_one_stays_there(scale: float, dtype: type[Any]) -> None:
    for round_one in (1.0, 0.5, 1.5):
        for towards in (0, 2):
            theta = float(np.nextafter(dtype(round_one), dtype(towards)))
            up = towards == 2
            quotient = divide(np.asarray(theta), np.asarray(float(dtype(scale))), up=up)
            assert float(meant(quotient, np.asarray(theta), np.asarray(float(dtype(scale))))) == float(quotient)


def test_quotients_of_short_scales_stay() -> None:
    for scale in (0.5, 0.75, 0.25, 1.0):
        theta = np.asarray(2 * scale * (1 + 1e-7))
        quotient = divide(theta, np.asarray(scale), up=False)
        assert float(meant(quotient, theta, np.asarray(scale))) == float(quotient) != 2.0
