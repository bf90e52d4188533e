"""Weights are recognised as codes times a scale, or refused with what they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tern2lava.compiler.ir import Graph, Input, Level, Neuron, Output, Projection, frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.ternarize import ternarize
from tern2lava.errors import UnsupportedError


def normal(weight, trained=0):
    weight = np.asarray(weight, np.float64)
    return Graph(
        level=Level.NORMAL,
        nodes=(
            Input(name="x", shape=(weight.shape[1],)),
            Projection(name="w", inputs=("x",), weight=frozen(weight), source_weights=trained or weight.size),
            Neuron(name="n", inputs=("w",), shape=(weight.shape[0],)),
            Output(name="y", inputs=("n",)),
        ),
    )


@given(
    codes=st.lists(st.lists(st.integers(-1, 1), min_size=4, max_size=4), min_size=3, max_size=3),
    scales=st.lists(st.floats(1e-4, 1e3), min_size=3, max_size=3),
    single=st.booleans(),
)
def test_ternary_weights_give_back_their_codes_and_scales(codes, scales, single):
    codes = np.array(codes)
    scale = np.array(scales[:1] * 3 if single else scales)[:, None]
    found = ternarize(normal((codes * scale).astype(np.float32)), Options())["w"]
    assert found.weight.dtype == np.int8
    assert found.weight.tolist() == codes.tolist()
    assert found.bits == 2
    spread = np.broadcast_to(found.scale.reshape(-1, 1) if found.scale.ndim else found.scale, codes.shape)
    assert np.allclose((codes * spread)[codes != 0], (codes * scale)[codes != 0], rtol=1e-6, atol=0)


@pytest.mark.parametrize(("values", "bits"), [([2, -1, 1], 3), ([3, 2, -4], 4), ([127, 1, 0], 8), ([1, -1, 0], 2)])
def test_small_integers_are_codes_of_more_bits_and_noted(values, bits):
    graph = ternarize(normal(0.25 * np.array([values])), Options())
    assert graph["w"].weight.tolist() == [values]
    assert graph["w"].bits == bits
    assert any("not ternary" in note for note in graph.notes) == (bits > 2)


def test_float_rounding_is_taken_for_ternary_and_noted_with_its_size():
    weight = 0.1 * np.array([[1.0, -1.0, 0.0]]) * (1 + np.array([[0, 3e-7, 0]]))
    graph = ternarize(normal(weight), Options())
    assert graph["w"].weight.tolist() == [[1, -1, 0]]
    assert "within 3.0e-07 of scale x integers" in graph.notes[0]


def test_two_scales_are_refused_with_both():
    weight = [[0.5, -0.3, 0.0], [0.5, 0.0, -0.3]]
    with pytest.raises(UnsupportedError) as raised:
        ternarize(normal(weight), Options())
    assert "w: weights are a scale times {-1, 0, 1}: found two scales, +0.5 and -0.3" in str(raised.value)
    assert "twn" in str(raised.value)
    assert ternarize(normal(weight), Options(ternarize="twn"))["w"].bits == 2
    # A product of two layers may well take +5 and -3 times its scale.
    assert ternarize(normal(weight, trained=4), Options())["w"].weight.tolist() == [[5, -3, 0], [5, 0, -3]]


def test_real_weights_are_refused_with_their_distance():
    weight = np.random.default_rng(0).normal(size=(5, 7))
    with pytest.raises(UnsupportedError, match=r"found 35 different values, relative distance 0\.\d+ from"):
        ternarize(normal(weight), Options())


def test_twn_ternarises_when_asked_and_reports_the_error():
    weight = np.random.default_rng(0).normal(size=(5, 7))
    graph = ternarize(normal(weight), Options(ternarize="twn"))
    codes, scale = graph["w"].weight, float(graph["w"].scale)
    above = np.abs(weight) > 0.7 * np.abs(weight).mean()
    assert np.array_equal(codes, np.where(above, np.sign(weight), 0))
    assert scale == pytest.approx(np.abs(weight[above]).mean())
    error = np.linalg.norm(weight - scale * codes) / np.linalg.norm(weight)
    assert graph.notes == (f"w: ternarised after training (TWN), relative error {error:.3f}",)


def test_a_layer_of_zeros_is_ternary():
    graph = ternarize(normal(np.zeros((2, 3))), Options())
    assert graph["w"].weight.tolist() == [[0, 0, 0]] * 2
    assert graph["w"].bits == 2
