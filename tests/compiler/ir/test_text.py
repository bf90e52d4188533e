"""A graph as text: what is printed of every array, so that one weight can be followed."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Projection
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.ir.text import print_graph


def printed(weight: Array, **fields: Any) -> str:
    graph = Graph(
        level=Level.TERNARY, source="net.pt", steps=7, notes=("first", "second"), arithmetic=Arithmetic(),
        nodes=(Input(name="x", shape=(3,)), Projection(name="w", inputs=("x",), weight=frozen(weight), **fields),
               Output(name="y", inputs=("w",))),
    )  # fmt: skip
    return print_graph(graph)


def test_codes_are_counted_and_the_first_row_is_shown() -> None:
    text = printed(np.array([[1, 0, -1], [1, 1, 0]], np.int8))
    assert "weight: int8 (2, 3) from -1 .. 1; [0] 1 0 -1\n" in text
    assert "codes: 1 of -1, 2 of 0, 3 of +1\n" in text


def test_codes_of_more_bits_are_counted_apart() -> None:
    assert "codes: 0 of -1, 1 of 0, 1 of +1, 2 other" in printed(np.array([[5, 0, 1, -3]], np.int8))


def test_scalars_constants_and_long_rows_are_short() -> None:
    text = printed(np.zeros((2, 30)), scale=frozen(0.1))
    assert "weight: float64 (2, 30) all 0\n" in text
    assert "scale: 0.1\n" in text
    long = printed(np.arange(40.0).reshape(1, 40))
    assert "[0] 0 1 2 3 4 5 6 7 8 9 10 11 ...\n" in long


def test_the_head_and_the_notes_stand_first_and_last() -> None:
    lines = printed(np.ones((1, 3))).splitlines()
    assert lines[0] == "graph TERNARY from net.pt, 3 nodes, 7 steps"
    assert lines[1].startswith("  arithmetic: Arithmetic(decay_bits=12")
    assert lines[-2:] == ["note: first", "note: second"]
