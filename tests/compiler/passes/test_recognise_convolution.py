"""What is moved, padded, selected and averaged in front of a convolution stays one convolution, by its numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.ir.graph import (
    Add,
    ChannelAffine,
    Conv2d,
    Dense,
    Flatten,
    Graph,
    Input,
    Level,
    Neuron,
    Node,
    Output,
    Projection,
    SparseLinear,
)
from tern2lava.compiler.ir.linear import accumulate, conv2d
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Pooling, Shape, conv_out, frozen, size
from tern2lava.compiler.ir.sparse import convolution_matrix
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import lower_until
from tern2lava.compiler.passes.recognise_convolution import as_convolution
from tern2lava.compiler.passes.ternarize import ternarize
from tern2lava.sim.reference.real import run_float

RNG = np.random.default_rng(7)
CODES = RNG.integers(-1, 2, (4, 6, 3, 3)).astype(float)


def moved(name: str, source: str, codes: Array, inputs: Shape, values: Array | None = None) -> SparseLinear:
    """The map that takes element codes[k] of its input for its element k, none where that is -1."""
    assert codes.max(initial=0) < size(inputs)
    rows = np.flatnonzero(codes.reshape(-1) >= 0)
    columns = codes.reshape(-1)[rows]
    return SparseLinear(
        name=name, inputs=(source,), shape=codes.shape, rows=rows, columns=columns,
        values=frozen(1.0) if values is None else values,
    )  # fmt: skip


def lowered(*layers: Node, level: Level = Level.NORMAL, **inputs: Shape) -> Graph:
    """The layers between inputs and neurons, after the passes; they spike as before."""
    given = [Input(name=name, shape=shape) for name, shape in inputs.items()]
    neurons = Neuron(name="n", inputs=(layers[-1].name,), shape=out_shape(*given, *layers), threshold=frozen(0.515))
    nodes = (*given, *layers, neurons, Output(name="y", inputs=("n",)))
    graph = Graph(level=Level.IMPORTED, nodes=nodes, steps=4)
    x = {name: RNG.integers(0, 2, (2, 4, *shape)) for name, shape in inputs.items()}
    result = lower_until(graph, level)
    expected = run_float(graph, x).spikes["n"]
    assert 0 < expected.mean() < 1
    assert np.array_equal(run_float(result, x).spikes["n"], expected)
    return result


def out_shape(*nodes: Node) -> Shape:
    from tern2lava.compiler.ir.check import output_shape

    known: dict[str, Shape] = {}
    for node in nodes:
        known[node.name] = output_shape(node, [known[name] for name in node.inputs])
    return known[nodes[-1].name]


def only(graph: Graph) -> Projection:
    (found,) = graph.of_kind(Projection)
    return found


@given(st.integers(0, 2**32))
@settings(max_examples=30)
def test_the_matrix_of_a_convolution_is_that_convolution_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    channels, out, height, width = rng.integers(1, 4), rng.integers(1, 4), *rng.integers(4, 9, 2)
    depthwise = rng.random() < 0.4
    kernel = rng.integers(1, 4, 2)
    stride, sides = rng.integers(1, 3, 2), rng.integers(0, 2, 4)
    sides = np.minimum(sides, np.repeat(kernel - 1, 2))
    outs = [
        conv_out(int(n), int(kernel[a]), int(stride[a]), int(sides[2 * a : 2 * a + 2].sum()), 1)
        for a, n in enumerate((height, width))
    ]
    weight = rng.integers(1, 4, (channels if depthwise else out, 1 if depthwise else channels, *kernel)).astype(float)
    geometry = ConvGeometry(
        in_shape=(int(channels), int(height), int(width)), out_shape=(len(weight), outs[0], outs[1]),
        stride=(int(stride[0]), int(stride[1])), padding=(*map(int, sides),), dilation=(1, 1),  # type: ignore[arg-type]
        groups=int(channels) if depthwise else 1,
    )  # fmt: skip
    matrix = convolution_matrix(weight, geometry)
    x = rng.integers(-3, 4, (2, *geometry.in_shape)).astype(float)
    assert np.array_equal((matrix @ x.reshape(2, -1).T).T, conv2d(x, weight, geometry).reshape(2, -1))
    found = as_convolution(matrix, geometry.in_shape, geometry.out_shape)
    if found is None:
        assert weight.shape[2] > height or weight.shape[3] > width or weight.size >= size(matrix.shape)
        return
    again, read = found
    assert np.array_equal(conv2d(x, again, read), conv2d(x, weight, geometry))
    assert again.size <= weight.size * (channels if depthwise else 1)
    spoiled = matrix.copy()
    spoiled.data[rng.integers(matrix.nnz)] += 1
    other = as_convolution(spoiled, geometry.in_shape, geometry.out_shape)
    if other is not None:
        assert np.array_equal(convolution_matrix(*other).toarray(), spoiled.toarray())


def test_a_cat_of_maps_in_front_of_a_convolution_is_a_sum_of_two_with_its_slices() -> None:
    codes = np.full((6, 5, 5), -1)
    left, right = codes.copy(), codes.copy()
    left[:2], right[2:] = np.arange(50).reshape(2, 5, 5), np.arange(100).reshape(4, 5, 5)
    placed = (moved("left", "a", left, (2, 5, 5)), moved("right", "b", right, (4, 5, 5)))
    conv = Conv2d(name="c", inputs=("cat",), weight=CODES, padding=(1, 1, 1, 1), bias=np.full(4, 0.25))
    graph = lowered(*placed, Add(name="cat", inputs=("left", "right")), conv, a=(2, 5, 5), b=(4, 5, 5))
    first, second = graph.of_kind(Projection)
    assert np.array_equal(first.weight, CODES[:, :2])
    assert np.array_equal(second.weight, CODES[:, 2:])
    assert graph.neuron("n").bias == 0.25


def test_shuffled_channels_are_permuted_weights_of_a_grouped_convolution_too() -> None:
    order = np.array([0, 3, 1, 4, 2, 5])
    codes = np.arange(150).reshape(6, 5, 5)[order]
    shuffle = moved("s", "x", codes, (6, 5, 5))
    found = only(lowered(shuffle, Conv2d(name="c", inputs=("s",), weight=CODES), x=(6, 5, 5)))
    assert np.array_equal(found.weight[:, order], CODES)
    grouped = Conv2d(name="c", inputs=("s",), weight=CODES[:, :3], groups=2)
    found = only(lowered(shuffle, grouped, x=(6, 5, 5)))
    assert found.weight.shape == (4, 6, 3, 3)
    behind = moved("t", "c", np.arange(36).reshape(4, 3, 3)[[2, 0]], (4, 3, 3))
    found = only(lowered(shuffle, grouped, behind, x=(6, 5, 5)))
    assert found.weight.shape == (2, 6, 3, 3)


def test_padding_crops_and_windows_are_geometry() -> None:
    padded = np.pad(np.arange(150).reshape(6, 5, 5), ((0, 0), (1, 0), (2, 1)), constant_values=-1)
    conv = Conv2d(name="c", inputs=("p",), weight=CODES)
    found = only(lowered(moved("p", "x", padded, (6, 5, 5)), conv, x=(6, 5, 5)))
    assert found.geometry is not None
    assert (found.weight.shape, found.geometry.padding) == (CODES.shape, (1, 0, 2, 1))
    crop = moved("p", "x", np.arange(150).reshape(6, 5, 5)[:, 1:, :4], (6, 5, 5))
    found = only(lowered(crop, conv, x=(6, 5, 5)))
    assert found.geometry is not None
    assert found.weight.shape == (4, 6, 4, 4)


@pytest.mark.parametrize("side", [2, 5])
def test_means_over_windows_of_one_size_are_pooling_with_a_factor(side: int) -> None:
    windows = np.arange(150).reshape(6, 5, 5)[:, : side * (5 // side), : side * (5 // side)]
    count = 5 // side
    columns = windows.reshape(6, count, side, count, side).transpose(0, 1, 3, 2, 4).reshape(-1)
    rows = np.repeat(np.arange(6 * count**2), side**2)
    mean = SparseLinear(
        name="m", inputs=("x",), shape=(6, count, count), rows=rows, columns=columns, values=frozen(1 / side**2)
    )
    codes = CODES[:, :, :count, :count].reshape(4, -1)
    dense = Dense(name="d", inputs=("m",), weight=3.0 * codes)
    graph = lowered(mean, dense, x=(6, 5, 5))
    found = only(ternarize(graph, Options()))
    assert found.pooling == Pooling(in_shape=(6, 5, 5), window=(side, side))
    assert np.array_equal(found.weight, codes)
    assert found.scale == pytest.approx(3 / side**2)


def test_a_mean_over_less_at_the_border_makes_small_integers_of_ternary_codes() -> None:
    place, window = np.arange(25).reshape(5, 5), []
    for y in range(3):
        for x in range(3):
            seen = place[max(2 * y - 1, 0) : 2 * y + 2, max(2 * x - 1, 0) : 2 * x + 2].reshape(-1)
            window += [(3 * y + x, c, 1 / len(seen)) for c in seen]
    rows, columns, values = (np.array(part) for part in zip(*window, strict=True))
    mean = SparseLinear(
        name="m", inputs=("x",), shape=(1, 3, 3), rows=rows.astype(int), columns=columns.astype(int), values=values
    )
    dense = Dense(name="d", inputs=("m",), weight=2.0 * CODES[0].reshape(6, 9))
    found = only(ternarize(lowered(mean, dense, x=(1, 5, 5)), Options()))
    matrix = np.zeros((9, 25))
    matrix[rows.astype(int), columns.astype(int)] = values
    assert found.weight * found.scale == pytest.approx(dense.weight @ matrix)
    assert found.scale == pytest.approx(2 / 36)
    assert 2 < found.bits < 8


def test_a_reshape_between_two_layers_moves_nothing() -> None:
    conv = Conv2d(name="c", inputs=("x",), weight=CODES)
    turned = moved("r", "c", np.arange(36).reshape(9, 2, 2), (4, 3, 3))
    after = Conv2d(name="d", inputs=("r",), weight=RNG.integers(-1, 2, (3, 9, 2, 2)).astype(float))
    graph = lowered(conv, turned, after, x=(6, 5, 5))
    assert only(graph).weight.shape == (3, 150)
    straight = lowered(conv, moved("r", "c", np.arange(36), (4, 3, 3)), x=(6, 5, 5))
    assert np.array_equal(only(straight).weight, CODES)


def test_an_upsampled_image_is_a_matrix_and_gains_follow_the_new_channels() -> None:
    codes = np.arange(32).reshape(2, 4, 4).repeat(2, axis=1).repeat(2, axis=2)
    up = moved("u", "x", codes, (2, 4, 4))
    conv = Conv2d(name="c", inputs=("u",), weight=CODES[:, :2], padding=(1, 1, 1, 1))
    gain = ChannelAffine(name="g", inputs=("c",), gain=np.array([1.0, -1.0, 2.0, 0.5]), offset=np.full(4, 0.5))
    graph = lowered(up, conv, gain, x=(2, 4, 4))
    assert only(graph).weight.shape == (256, 32)
    turned = moved("r", "c", np.arange(36).reshape(2, 6, 3), (4, 3, 3))
    affine = ChannelAffine(name="g", inputs=("r",), gain=np.array([1.0, -1.0]), offset=np.zeros(2))
    first = Conv2d(name="c", inputs=("x",), weight=CODES)
    lowered(first, turned, affine, Flatten(name="f", inputs=("g",)), x=(6, 5, 5))


def test_padding_behind_partial_windows_is_exact() -> None:
    windows = np.arange(150).reshape(6, 5, 5)[:, :4, :4]
    columns = windows.reshape(6, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(-1)
    mean = SparseLinear(
        name="m", inputs=("x",), shape=(6, 2, 2), rows=np.repeat(np.arange(24), 4), columns=columns, values=frozen(0.25)
    )
    conv = Conv2d(name="c", inputs=("m",), weight=CODES, padding=(1, 1, 1, 1))
    assert only(lowered(mean, conv, x=(6, 5, 5))).pooling is None


def test_a_bias_behind_a_sum_of_two_populations_counts_once() -> None:
    added = Add(name="s", inputs=("a", "b"))
    dense = Dense(name="d", inputs=("s",), weight=np.eye(6), bias=np.full(6, -0.75))
    graph = lowered(added, dense, a=(6,), b=(6,))
    assert graph.neuron("n").bias == -0.75
    assert [accumulate(p, np.ones((1, 6))).sum() for p in graph.of_kind(Projection)] == [6.0, 6.0]
