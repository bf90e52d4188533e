"""Small networks as front ends import them: dense layers and the neurons behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tern2lava.compiler.ir.graph import Dense, Graph, Input, Level, Neuron, Node, Output, Readout
from tern2lava.compiler.ir.shapes import frozen


def network(
    *weights: ArrayLike, names: Sequence[str] = (), output: str = "y", steps: int = 8,
    readout: Readout = Readout.SPIKE_COUNT, **neuron: Any,
) -> Graph:  # fmt: skip
    """x -> (a dense layer -> neurons) for each of `weights` (out, in) -> output, IMPORTED.

    Layer and neurons are w and n, or w1, n1, w2, n2 ... where there are several; names: of the neurons, others than
    these. neuron: fields of all neurons.
    """
    numbers = [""] if len(weights) == 1 else [str(k) for k in range(1, len(weights) + 1)]
    called = names or [f"n{number}" for number in numbers]
    source, nodes = "x", list[Node]([Input(name="x", shape=(np.shape(weights[0])[1],))])
    for number, name, weight in zip(numbers, called, weights, strict=True):
        nodes += [
            Dense(name=f"w{number}", inputs=(source,), weight=frozen(weight, np.float64)),
            Neuron(name=name, inputs=(f"w{number}",), shape=(len(np.asarray(weight)),), **neuron),
        ]
        source = name
    nodes.append(Output(name=output, inputs=(source,), readout=readout))
    return Graph(level=Level.IMPORTED, nodes=tuple(nodes), steps=steps)
