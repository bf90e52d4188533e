"""Maps that move and average elements become synapses that make every spike as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.ir.check import check
from tern2lava.compiler.ir.graph import (
    Conv2d,
    Dense,
    Flatten,
    Graph,
    Input,
    Level,
    Neuron,
    Node,
    Output,
    SparseLinear,
)
from tern2lava.compiler.ir.shapes import Array, Shape, frozen, size
from tern2lava.compiler.passes.pipeline import lower_until
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.sim.reference.real import run_float


def sparse(name: str, source: str, shape: Shape, matrix: Array) -> SparseLinear:
    """A SparseLinear of a matrix, its last entry in two halves."""
    rows, columns = np.nonzero(matrix)
    values = matrix[rows, columns].astype(float)
    if len(rows):
        values[-1] /= 2
        rows, columns = np.append(rows, rows[-1]), np.append(columns, columns[-1])
        values = np.append(values, values[-1])
    return SparseLinear(name=name, inputs=(source,), shape=shape, rows=rows, columns=columns, values=values)


def graph(*layers: Node, shape: Shape, neurons: Shape) -> Graph:
    nodes = (
        Input(name="x", shape=shape),
        *layers,
        Neuron(name="n", inputs=(layers[-1].name,), shape=neurons, alpha_v=frozen(0.5), threshold=frozen(0.75)),
        Output(name="y", inputs=("n",)),
    )
    return Graph(level=Level.IMPORTED, nodes=nodes, steps=6)


def random_graph(seed: int) -> tuple[Graph, Array]:
    """A chain of one to three linear layers, a SparseLinear among them, and its matrix by numpy."""
    rng = np.random.default_rng(seed)
    shape: Shape = [(6,), (2, 3, 3)][rng.integers(2)]
    whole, layers, source, at = np.eye(size(shape)), list[Node](), "x", shape
    for n in range(rng.integers(1, 4)):
        kind = rng.integers(3) if n else 0
        if kind == 1 and len(at) == 3:
            weight = rng.integers(-1, 2, (2, at[0], 1, 1)).astype(float)
            layers.append(Conv2d(name=f"l{n}", inputs=(source,), weight=weight))
            own = np.kron(weight[:, :, 0, 0], np.eye(at[1] * at[2]))
            at = (2, *at[1:])
        elif kind == 2:
            own = rng.integers(-1, 2, (4, size(at))).astype(float)
            layers.append(Dense(name=f"l{n}", inputs=(source,), weight=own))
            at = (4,)
        else:
            to: Shape = [(5,), (2, 2, 1), (3, 2, 2)][rng.integers(3)]
            own = rng.integers(-2, 3, (size(to), size(at))) * (rng.random((size(to), size(at))) < 0.3) / 2
            layers.append(sparse(f"l{n}", source, to, own))
            at = to
        whole, source = own @ whole, f"l{n}"
    return graph(*layers, shape=shape, neurons=at), whole


@given(st.integers(0, 2**32))
@settings(max_examples=30)
def test_a_random_chain_is_the_product_of_its_matrices_before_and_after_the_passes(seed: int) -> None:
    network, matrix = random_graph(seed)
    check(network)
    shape = network.of_kind(Input)[0].shape
    x = np.random.default_rng(seed).integers(0, 2, (2, 6, *shape))
    state, wanted = np.zeros((2, len(matrix))), list[Array]()
    for t in range(6):
        state = 0.5 * state + x[:, t].reshape(2, -1) @ matrix.T
        wanted.append(state > 0.75)
        state = np.where(wanted[-1], 0.0, state)
    expected = np.stack(wanted, axis=1)
    assert np.array_equal(run_float(network, {"x": x}).spikes["n"], expected)
    assert np.array_equal(run_float(lower_until(network, Level.NORMAL), {"x": x}).spikes["n"], expected)


def test_a_convolution_stands_behind_a_map_of_any_kind() -> None:
    rng = np.random.default_rng(3)
    move = rng.integers(-1, 2, (18, 6)).astype(float)
    weight = rng.integers(-1, 2, (3, 2, 2, 2)).astype(float)
    conv = Conv2d(name="conv", inputs=("move",), weight=weight, bias=np.ones(3))
    network = graph(sparse("move", "x", (2, 3, 3), move), conv, shape=(6,), neurons=(3, 2, 2))
    x = rng.integers(0, 2, (4, 6, 6))
    expected = run_float(network, {"x": x}).spikes["n"]
    assert expected.any()
    assert np.array_equal(run_float(lower_until(network, Level.TERNARY), {"x": x}).spikes["n"], expected)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": np.array([0, 5])}, "m: requires rows from 0 to 4 (shape (5,)); found 0 to 5"),
        ({"columns": np.array([-1, 5])}, "m: requires columns from 0 to 5 (shape (6,)); found -1 to 5"),
        ({"rows": np.array([0.0, 1.0])}, "m: requires whole rows; found dtype float64"),
        ({"values": np.ones(3)}, "of as many entries; found shapes (2,), (2,) and (3,)"),
        ({"values": np.array([1.0, np.inf])}, "m.values: requires finite numbers"),
        ({"shape": (5, 0)}, "m: requires one output at least; found shape (5, 0)"),
    ],
)
def test_a_map_with_entries_for_nothing_is_refused(fields: dict[str, Any], message: str) -> None:
    whole: dict[str, Any] = {"shape": (5,), "rows": np.array([0, 1]), "columns": np.array([2, 3])}
    node = SparseLinear(name="m", inputs=("x",), **(whole | fields))
    with pytest.raises(InputError) as error:
        check(graph(node, shape=(6,), neurons=(5,)))
    assert message in str(error.value)


def test_a_map_that_has_no_structure_is_written_out_up_to_a_size_alone() -> None:
    many = 1 << 14
    rows = np.arange(many)
    twice = SparseLinear(name="m", inputs=("x",), shape=(many,), rows=rows, columns=(rows * 7 + rows // 3) % many)
    network = graph(twice, shape=(many,), neurons=(many,))
    with pytest.raises(UnsupportedError, match="a product of 268,435,456 weights"):
        lower_until(network, Level.NORMAL)


def test_flattened_maps_keep_their_order() -> None:
    matrix = np.eye(12)[::-1]
    layers = (sparse("m", "x", (3, 2, 2), matrix), Flatten(name="f", inputs=("m",)))
    network = graph(*layers, shape=(12,), neurons=(12,))
    x = np.random.default_rng(0).integers(0, 2, (1, 6, 12))
    assert np.array_equal(run_float(lower_until(network, Level.NORMAL), {"x": x}).spikes["n"], x[:, :, ::-1])
