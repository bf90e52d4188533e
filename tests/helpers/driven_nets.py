"""Small INTEGER networks whose steps are followed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Shape, frozen


def neurons(name: str, source: str, start: int, shape: Shape = (1,), **more: Any) -> Population:
    """Neurons that keep what they are sent, threshold 10, reset to zero."""
    values: dict[str, Any] = {
        "decay_u": frozen(4096), "decay_v": frozen(0), "bias": frozen(0), "threshold": frozen(10),
        "reset": Reset.ZERO, "reset_amount": frozen(0), "v_init": frozen(0), "lsb": frozen(1.0),
    }  # fmt: skip
    return Population(name=name, inputs=(source,), shape=shape, start=start, **values | more)


def chain(delay: int = 0) -> Graph:
    """x -(+6)-> h -(+4)-> y, thresholds 10, reset to zero."""
    return Graph(
        level=Level.INTEGER, arithmetic=Arithmetic(),
        nodes=(
            Input(name="x", shape=(1,)),
            Projection(name="w", inputs=("x",), weight=frozen(np.ones((1, 1)), np.int8), gain=frozen(6)),
            neurons("h", "w", 1),
            Projection(name="c", inputs=("h",), weight=frozen(np.ones((1, 1)), np.int8), gain=frozen(4), delay=delay),
            neurons("y", "c", 2),
            Output(name="out", inputs=("y",)),
        ),
    )  # fmt: skip
