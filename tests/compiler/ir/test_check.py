"""What is wrong with a graph is found before anything is computed, and named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.ir.check import check, shapes
from tern2lava.compiler.ir.graph import (
    Add,
    ChannelAffine,
    Conv2d,
    Delay,
    Dense,
    Flatten,
    Graph,
    Identity,
    Input,
    Level,
    Neuron,
    Output,
    Pool2d,
    PoolKind,
    Readout,
)
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.errors import InputError, Tern2LavaError, UnsupportedError


def graph(*nodes: Any, level: Level = Level.IMPORTED) -> Graph:
    return Graph(level=level, nodes=nodes)


def network() -> Graph:
    return graph(
        Input(name="x", shape=(2, 4, 4)),
        Conv2d(name="conv", inputs=("x",), weight=frozen(np.ones((3, 2, 2, 2)))),
        Neuron(name="a", inputs=("conv",), shape=(3, 3, 3)),
        Pool2d(name="pool", inputs=("a",), kind=PoolKind.AVG, kernel=(3, 3), stride=(3, 3)),
        Flatten(name="flat", inputs=("pool",)),
        Dense(name="fc", inputs=("flat",), weight=frozen(np.ones((5, 3)))),
        Neuron(name="b", inputs=("fc",), shape=(5,)),
        Output(name="y", inputs=("b",)),
    )


def changed(changed_node: str, /, **fields: Any) -> Graph:
    whole = network()
    return whole.with_nodes(replace(node, **fields) if node.name == changed_node else node for node in whole.nodes)


def test_a_sound_graph_has_the_shapes_of_its_layers() -> None:
    check(network())
    assert shapes(network()) == {
        "x": (2, 4, 4), "conv": (3, 3, 3), "a": (3, 3, 3), "pool": (3, 1, 1), "flat": (3,), "fc": (5,), "b": (5,),
        "y": (5,),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (changed("fc", weight=frozen(np.ones((5, 4)))), "(an input of shape (3,)); found shape (5, 4)"),
        (changed("fc", bias=frozen(np.ones(4))), "fc: requires one bias for each of 5 outputs; found shape (4,)"),
        (changed("conv", weight=frozen(np.full((3, 2, 2, 2), np.nan))), "found 24 of 24 numbers NaN"),
        (changed("conv", weight=frozen(np.ones((3, 1, 2, 2)))), "weight for 2 channels; found shape (3, 1, 2, 2)"),
        (changed("conv", weight=frozen(np.ones((3, 2, 9, 2)))), "than its padded input of 4x4; found 9x2"),
        (changed("conv", weight=frozen(np.ones((3, 2)))), "of (out, in, height, width); found (3, 2)"),
        (changed("pool", kernel=(4, 4)), "than its padded input of (3, 3); found (4, 4)"),
        (changed("b", shape=(4,)), "b: requires an input of its shape (4,); found (5,)"),
        (changed("b", shape=(0,)), "b: requires one element at least; found shape (0,)"),
        (changed("b", threshold=frozen([1.0, np.inf, 1, 1, 1])), "b.threshold: requires finite numbers"),
        (changed("b", threshold=frozen([1.0, 2.0])), "to its neurons' (5,); found (2,)"),
        (changed("y", classes=frozen(np.ones((2, 4)))), "y.classes: requires (classes, neurons) for 5 neurons; found"),
        (changed("y", offset=frozen(np.ones(4))), "y.offset: requires one number for each of 5 classes; found"),
        (changed("y", classes=frozen(np.ones((2, 5))), offset=frozen(np.ones(5))), "each of 2 classes; found"),
        (changed("y", step_weights=frozen(np.ones((2, 2)))), "one number, or one for each step; found shape (2, 2)"),
        (changed("y", step_weights=frozen(np.zeros(3))), "y.step_weights: requires a step that counts; found zeros"),
        (
            changed("y", step_weights=frozen(np.ones(3)), readout=Readout.MEMBRANE_LAST),
            "requires one number with membrane_last, which reads one step",
        ),
        (replace(changed("y", step_weights=frozen(np.ones(3))), steps=4), "each step of 4; found shape (3,)"),
        (changed("y", inputs=("b", "b")), "y: requires one population to read; found 2 nodes"),
        (changed("fc", inputs=("nowhere",)), "fc: requires inputs that exist; found 'nowhere', which does not"),
        (changed("fc", name="a"), "a: requires a name of its own for each node; found two alike"),
        (changed("fc", inputs=()), "fc: requires an input; found none"),
        (graph(Input(name="x", shape=(2,))), "requires an output; found none"),
        (graph(Output(name="y", inputs=())), "requires an input; found none"),
        (
            graph(Input(name="x", shape=(2,)), ChannelAffine(name="bn", inputs=("x",), gain=frozen([1.0]),
                  offset=frozen(0.0)), Output(name="y", inputs=("bn",))),
            "bn: requires one gain for each channel of (2,); found shape (1,)",
        ),
        (
            graph(Input(name="x", shape=(2,)), Input(name="z", shape=(3,)), Add(name="sum", inputs=("x", "z")),
                  Output(name="y", inputs=("sum",))),
            "sum: requires inputs of one shape; found (2,), (3,)",
        ),
        (
            graph(Input(name="x", shape=(2,)), Delay(name="d", inputs=("i",), steps=1),
                  Identity(name="i", inputs=("d",)), Output(name="y", inputs=("x",))),
            "requires a shape of its own in each loop; found one that depends on itself",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(broken: Graph, message: str) -> None:
    with pytest.raises(InputError) as raised:
        check(broken)
    assert message in str(raised.value)


def test_layers_of_different_shape_may_meet_in_a_neuron_if_their_sizes_agree() -> None:
    whole = graph(
        Input(name="x", shape=(2, 2, 2)),
        Conv2d(name="conv", inputs=("x",), weight=frozen(np.ones((2, 2, 1, 1)))),
        Dense(name="fc", inputs=("x",), weight=frozen(np.ones((8, 8)))),
        Neuron(name="n", inputs=("fc", "conv"), shape=(8,)),
        Output(name="y", inputs=("n",)),
    )
    check(whole)


@pytest.mark.parametrize("level", [Level.NORMAL, Level.TERNARY, Level.INTEGER])
def test_kinds_of_another_level_are_refused(level: Level) -> None:
    with pytest.raises(UnsupportedError, match=f"conv: requires nodes of level {level.name}; found Conv2d"):
        check(replace(network(), level=level))


def test_every_rejection_is_an_error_of_ours_with_one_line() -> None:
    for broken in (changed("fc", inputs=("fc",)), changed("conv", inputs=("b",)), changed("b", inputs=("y",))):
        with pytest.raises(Tern2LavaError) as raised:
            check(broken)
        assert "\n" not in str(raised.value)
