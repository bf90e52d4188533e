"""The text of one small network after every pass, read and checked by hand.

After a change that is meant, TERN2LAVA_GOLDEN=write rewrites the texts; read the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import (
    Arithmetic,
    ChannelAffine,
    Compare,
    Conv2d,
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
    Reset,
)
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.ir.text import print_graph
from tern2lava.compiler.passes.pipeline import lower, stage_names

GOLDEN = Path(__file__).parent / "golden"
KERNEL = [[[[1, 0], [-1, 1]], [[0, 1], [1, -1]]], [[[1, -1], [0, 0]], [[1, 0], [0, 1]]]]
MATRIX = [[1, 0, -1, 0, 0, 1, 0, -1], [0, 0, 1, 1, -1, 0, 0, 1]]


def example() -> Graph:
    """Every pass has something to do: dropout, batch normalisation with a negative gain, a delayed subtraction with
    >=, overlapping average pooling in front of a dense layer, scales per channel."""
    return Graph(
        level=Level.IMPORTED,
        source="example",
        steps=4,
        nodes=(
            Input(name="x", shape=(2, 4, 4)),
            Identity(name="dropout", inputs=("x",)),
            Conv2d(name="conv", inputs=("dropout",), weight=frozen(0.5 * np.array(KERNEL)), bias=frozen([0.25, 0.0])),
            ChannelAffine(name="bn", inputs=("conv",), gain=frozen([2.0, -1.0]), offset=frozen([0.5, 1.0])),
            Neuron(
                name="lif", inputs=("bn",), shape=(2, 3, 3), alpha_v=frozen(0.5), gain_u=frozen(0.5),
                threshold=frozen(1.5), compare=Compare.GE, reset=Reset.SUBTRACT, reset_amount=frozen(1.5),
                reset_delay=True,
            ),
            Pool2d(name="pool", inputs=("lif",), kind=PoolKind.AVG, kernel=(2, 2), stride=(1, 1)),
            Flatten(name="flatten", inputs=("pool",)),
            Dense(name="fc", inputs=("flatten",), weight=frozen(MATRIX, np.float64)),
            Neuron(name="out", inputs=("fc",), shape=(2,), threshold=frozen(1.0)),
            Output(name="output", inputs=("out",)),
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def stages() -> dict[str, Graph]:
    return lower(example(), Arithmetic()).stages


@pytest.mark.parametrize("stage", stage_names())
def test_the_text_of_each_stage_is_as_it_was_checked(stages: dict[str, Graph], stage: str) -> None:
    found = print_graph(stages[stage])
    path = GOLDEN / f"{stage}.txt"
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")
