"""Weights are recognised as codes times a scale, or refused with what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes import node
from tern2lava.compiler.ir.graph import Graph, Input, Level, Neuron, Output, Projection
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.ternarize import ternarize
from tern2lava.errors import UnsupportedError


def normal(weight: Array, trained: int = 0) -> Graph:
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
    rows=st.lists(st.lists(st.integers(-1, 1), min_size=4, max_size=4), min_size=3, max_size=3),
    scales=st.lists(st.floats(1e-4, 1e3), min_size=3, max_size=3),
    single=st.booleans(),
)
def test_ternary_weights_give_back_their_codes_and_scales(
    rows: list[list[int]], scales: list[float], single: bool
) -> None:
    codes = np.array(rows)
    scale = np.array(scales[:1] * 3 if single else scales)[:, None]
    found = node(ternarize(normal((codes * scale).astype(np.float32)), Options()), "w", Projection)
    assert found.weight.dtype == np.int8
    assert found.weight.tolist() == codes.tolist()
    assert found.bits == 2
    spread = np.broadcast_to(found.scale.reshape(-1, 1) if found.scale.ndim else found.scale, codes.shape)
    assert np.allclose((codes * spread)[codes != 0], (codes * scale)[codes != 0], rtol=1e-6, atol=0)


@pytest.mark.parametrize(("values", "bits"), [([2, -1, 1], 3), ([3, 2, -4], 3), ([127, 1, 0], 8), ([1, -1, 0], 2)])
def test_small_integers_are_codes_of_more_bits_and_noted(values: list[int], bits: int) -> None:
    graph = ternarize(normal(0.25 * np.array([values])), Options())
    assert node(graph, "w", Projection).weight.tolist() == [values]
    assert node(graph, "w", Projection).bits == bits
    assert any("not ternary" in note for note in graph.notes) == (bits > 2)


def test_float_rounding_is_taken_for_ternary_and_noted_with_its_size() -> None:
    weight = 0.1 * np.array([[1.0, -1.0, 0.0]]) * (1 + np.array([[0, 3e-7, 0]]))
    graph = ternarize(normal(weight), Options())
    assert node(graph, "w", Projection).weight.tolist() == [[1, -1, 0]]
    assert "within 3.0e-07 of scale x integers" in graph.notes[0]


def effective(graph: Graph, name: str = "n") -> Array:
    """The weight that a neuron's projections amount to."""
    total: Array = np.zeros(())
    for projection in (node(graph, source, Projection) for source in graph[name].inputs):
        assert set(np.unique(projection.weight)) <= {-1, 0, 1}
        assert projection.bits == 2
        scale = projection.scale.reshape(-1, *([1] * (projection.weight.ndim - 1)))
        total = total + projection.weight * scale
    return total


def test_two_scales_become_two_groups_of_ternary_synapses() -> None:
    weight = np.array([[0.5, -0.3, 0.0], [0.5, 0.0, -0.3]])
    graph = ternarize(normal(weight), Options())
    assert graph["n"].inputs == ("w", "w_2")
    assert [node(graph, name, Projection).scale.tolist() for name in graph["n"].inputs] == [0.5, 0.3]
    assert np.array_equal(effective(graph), weight)
    assert sum(node(graph, name, Projection).source_weights for name in graph["n"].inputs) == weight.size
    assert graph.notes == ("w: weights of 2 scales, kept exactly as 2 groups of ternary synapses",)
    # A product of two layers may well take +5 and -3 times its scale.
    assert node(ternarize(normal(weight, trained=4), Options()), "w", Projection).weight.tolist() == [
        [5, -3, 0],
        [5, 0, -3],
    ]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("low", "high", "bits"), [(-128, 90, 8), (-128, 127, 8), (-64, 63, 7), (-4, 3, 3), (-2, 1, 3)])
def test_codes_reach_as_far_down_as_twos_complement_does(low: int, high: int, bits: int, whole: bool) -> None:
    scale = 2.0 if whole else 0.3
    codes = np.array([[low, high, 0], [1, high - 1, low + 1]])
    graph = normal(codes * scale)
    if whole:
        graph = graph.with_nodes(replace(n, quantum=np.float64(1 / 64)) if n.name == "n" else n for n in graph.nodes)
    found = node(ternarize(graph, Options()), "w", Projection)
    assert found.weight.tolist() == codes.tolist()
    assert (found.scale.tolist(), found.bits) == (scale, bits)


@pytest.mark.parametrize(("low", "high"), [(-129, 90), (-100, 128), (-3000, 3001)])
def test_integers_beyond_eight_bits_are_refused_as_what_they_are(low: int, high: int) -> None:
    weight = 0.25 * np.array([[low, high, 1], [1, 2, 4]])
    with pytest.raises(UnsupportedError) as error:
        ternarize(normal(weight), Options())
    assert error.value.found == f"0.25 times integers from {low:,} to {high:,}"
    assert "8 bits, from -128 to 127" in error.value.rule
    assert "changes the network" in error.value.hint


@given(data=st.data(), scope=st.sampled_from(["tensor", "row", "block"]))
def test_weights_of_several_scales_are_the_sum_of_their_groups(data: st.DataObject, scope: str) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    codes = rng.integers(-1, 2, (4, 12))
    if scope == "block":
        blocks = data.draw(st.sampled_from([3, 4, 6]))
        scales = np.repeat(rng.uniform(0.1, 2, (4, blocks)), 12 // blocks, axis=1)
    else:
        up, down = rng.uniform(0.1, 2, (2, 4 if scope == "row" else 1, 1))
        scales = np.where(codes > 0, up, down)
    weight = (codes * scales).astype(np.float32).astype(np.float64)
    graph = ternarize(normal(weight), Options())
    found = effective(graph)
    assert np.array_equal(found == 0, codes == 0)
    np.testing.assert_allclose(found, weight, rtol=2**-20, atol=0)
    for name in graph["n"].inputs:
        assert np.all(node(graph, name, Projection).scale > 0)


def test_one_weight_that_stands_out_is_no_scale() -> None:
    weight = 0.25 * np.random.default_rng(0).integers(-1, 2, (6, 32)).astype(np.float64)
    weight[2, np.flatnonzero(weight[2])[3]] *= 0.7310585
    with pytest.raises(UnsupportedError, match="different values, relative distance"):
        ternarize(normal(weight), Options())


def test_names_of_groups_are_free() -> None:
    weight = np.array([[0.5, -0.3, 0.0], [0.5, 0.0, -0.3]])
    graph = normal(weight)
    nodes = [replace(n, name="w_2", inputs=n.inputs) if n.name == "n" else n for n in graph.nodes[:-1]]
    graph = ternarize(graph.with_nodes([*nodes, Output(name="y", inputs=("w_2",))]), Options())
    assert graph["w_2"].inputs == ("w", "w_3")


def test_weights_are_rounded_to_eight_bits_when_asked_and_the_error_is_reported() -> None:
    weight = np.random.default_rng(0).normal(size=(5, 7))
    weight[2] = 0
    graph = ternarize(normal(weight), Options(ternarize="int8"))
    assert node(graph, "w", Projection).bits == 8
    assert np.abs(node(graph, "w", Projection).weight).max(axis=1).tolist() == [127, 127, 0, 127, 127]
    back = node(graph, "w", Projection).weight * node(graph, "w", Projection).scale[:, None]
    assert np.all(np.abs(back - weight) <= np.abs(weight).max(axis=1, keepdims=True) / 254 * (1 + 1e-12))
    error = np.linalg.norm(weight - back) / np.linalg.norm(weight)
    assert graph.notes == (f"w: kept at 8 bits, rounded after training, relative error {error:.2e}",)


def test_real_weights_are_refused_with_their_distance() -> None:
    weight = np.random.default_rng(0).normal(size=(5, 7))
    with pytest.raises(UnsupportedError, match=r"found 35 different values, relative distance 0\.\d+ from"):
        ternarize(normal(weight), Options())


def test_twn_ternarises_when_asked_and_reports_the_error() -> None:
    weight = np.random.default_rng(0).normal(size=(5, 7))
    graph = ternarize(normal(weight), Options(ternarize="twn"))
    codes, scale = node(graph, "w", Projection).weight, float(node(graph, "w", Projection).scale)
    above = np.abs(weight) > 0.7 * np.abs(weight).mean()
    assert np.array_equal(codes, np.where(above, np.sign(weight), 0))
    assert scale == pytest.approx(np.abs(weight[above]).mean())
    error = np.linalg.norm(weight - scale * codes) / np.linalg.norm(weight)
    assert graph.notes == (f"w: ternarised after training (TWN), relative error {error:.3f}",)


def test_twn_ternarises_trained_integers_but_not_sums_of_ternary_weights() -> None:
    weight = np.array([[2.0, -1.0, 1.0, 0.0]])
    assert node(ternarize(normal(weight), Options(ternarize="twn")), "w", Projection).weight.tolist() == [[1, -1, 1, 0]]
    assert (
        node(ternarize(normal(weight, trained=8), Options(ternarize="twn")), "w", Projection).weight.tolist()
        == weight.tolist()
    )


def test_a_layer_of_zeros_is_ternary() -> None:
    graph = ternarize(normal(np.zeros((2, 3))), Options())
    assert node(graph, "w", Projection).weight.tolist() == [[0, 0, 0]] * 2
    assert node(graph, "w", Projection).bits == 2
