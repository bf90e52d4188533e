"""Networks that the tests of exported C run: of every feature, drawn ones, some that overflow, and odd names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import integer_nets
import overflowing
from drawn import Inputs
from nets import codes, integer_graph, neurons
from random_mechanisms import drawn_network
from random_programs import input_values
from tern2lava.compiler.ir.graph import Graph, Input, Output, Projection, Readout, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.passes.split_fan_in import split_fan_in
from tern2lava.hw_profiles import Profile, load_profile

RANDOM = 7
# Others have what they have.
LEFT = ("stock_chain", "stock_convolution", "wide_convolution", "wide_in_stock")
HOSTILE = ("*/ #include <stdio.h>", "int", "Größe/0", "größe_0", "日本", "??/", "a_b", "a b", "1", "_", "x" * 300)


def relays() -> tuple[Graph, Inputs]:
    """A convolutional network whose fan-in is split over relays."""
    network, inputs = integer_nets.integer_network("stock_convolution")
    data = load_profile("generic-ternary").model_dump()
    for leaf in ("fan_in", "in_axons"):
        data["core"][leaf]["value"] = 14
    return split_fan_in(network, Profile.model_validate(data)), inputs


def hostile() -> tuple[Graph, Inputs]:
    """A chain whose names are none of C, and whose comments they would end."""
    rng = np.random.default_rng(3)
    nodes: list[Any] = [Input(name=HOSTILE[0], shape=(5,))]
    for source, name in pairwise(HOSTILE):
        wire = Projection(name=f"{name} ", inputs=(source,), weight=codes(rng, 5, 5), gain=frozen(2, np.int64))
        nodes += [wire, neurons(name, wire.name, (5,), threshold=frozen(1, np.int64), bias=frozen(1, np.int64))]
    graph = integer_graph(*nodes)
    graph = replace(graph, source='*/ int main(void) { } /* \\\n "')
    return graph, {HOSTILE[0]: rng.integers(0, 2, (2, 6, 5))}


def late() -> tuple[Graph, Inputs]:
    """A population that begins later than its source's spikes need: it receives those of later steps of its source,
    which spikes by itself, and none once the source's steps are over. The source hears it in turn; it hears the input
    of five steps ago."""
    rng = np.random.default_rng(5)
    one = frozen(1, np.int64)
    wires = [Projection(name=name, inputs=(source,), weight=codes(rng, 6, 6)) for name, source in
             (("w", "x"), ("v", "a"), ("back", "b"), ("old", "x"))]  # fmt: skip
    wires[2:] = [replace(wires[2], delay=2), replace(wires[3], delay=6)]
    graph = integer_graph(
        Input(name="x", shape=(6,)), *wires, neurons("a", ("w", "back"), (6,), start=1, bias=one, threshold=one),
        neurons("b", ("v", "old"), (6,), start=4, threshold=one),
    )  # fmt: skip
    return graph, {"x": rng.integers(0, 2, (4, 7, 6))}


OUTPUTS: dict[str, dict[str, Any]] = {
    "counts": {},
    "mean": {"step_weights": frozen(0.25)},
    "grouped": {"classes": frozen([[1.0, -2, 0, 3], [0, 1, 1, 0]]), "offset": frozen([5.0, -7])},
    "shares": {"classes": frozen([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])},
    "shifted": {"offset": frozen([0.5, 0, 0, 0])},
    "late": {"step_weights": frozen([0.0, 0, 1, 2, 3, -4])},
    "fading": {"step_weights": frozen([1, 0.5, 0.25, 0.1, 0, 0])},
}
POTENTIALS: dict[str, dict[str, Any]] = {
    "sum": {"readout": Readout.MEMBRANE_SUM},
    "sum of groups": {"readout": Readout.MEMBRANE_SUM, "classes": frozen([[1.0, 1, 0.5, 0]]), "offset": frozen([2.0])},
    "sum of late": {"readout": Readout.MEMBRANE_SUM, "step_weights": frozen([0.0, 0, 0, 1, 2, 1])},
    "mean of v": {"readout": Readout.MEMBRANE_SUM, "step_weights": frozen(1 / 6)},
    "last": {"readout": Readout.MEMBRANE_LAST},
    "largest": {"readout": Readout.MEMBRANE_MAX},
    "largest late": {"readout": Readout.MEMBRANE_MAX, "step_weights": frozen([0.0, 0, 2, 2, 2, 0])},
    "least": {"readout": Readout.MEMBRANE_MAX, "step_weights": frozen(-1.0)},
    "votes": {"readout": Readout.MEMBRANE_ARGMAX},
    "votes late": {"readout": Readout.MEMBRANE_ARGMAX, "step_weights": frozen([0.0, 1, 2, 3, 0, 5])},
    "votes of groups": {"readout": Readout.MEMBRANE_ARGMAX, "classes": frozen([[1.0, 1, 0, 0], [0, 0, 1, 1]])},
    "softmax": {"readout": Readout.MEMBRANE_SOFTMAX},
}


def readouts() -> tuple[Graph, Inputs]:
    """A population whose spikes are read, and one whose potentials are, which the source records before a reset."""
    rng = np.random.default_rng(8)
    wires = [Projection(name=f"w{k}", inputs=("x",), weight=codes(rng, 4, 9), gain=frozen(3, np.int64)) for k in (0, 1)]
    soft: dict[str, Any] = {"reset": Reset.SUBTRACT, "reset_amount": frozen([3, 4, 5, 6], np.int64)}
    graph = integer_graph(
        Input(name="x", shape=(9,)), *wires,
        neurons("fires", "w0", (4,), v_init=frozen([0, 1, -2, 0], np.int64), decay_v=frozen(100, np.int64)),
        neurons(
            "read", "w1", (4,), record_before_reset=True, lsb=frozen(0.125), origin=frozen(-1.5), **soft
        ),
    )  # fmt: skip
    outputs = [Output(name=name, inputs=("fires",), **fields) for name, fields in OUTPUTS.items()]
    outputs += [Output(name=name, inputs=("read",), **fields) for name, fields in POTENTIALS.items()]
    return graph.with_nodes([*graph.nodes[:-1], *outputs]), {"x": rng.integers(0, 2, (5, 6, 9))}


def drawn(seed: int) -> tuple[Graph, Inputs]:
    graph = drawn_network(seed)
    return graph, input_values(np.random.default_rng(seed), graph, 3, 9)


NETWORKS: dict[str, Callable[[], tuple[Graph, Inputs]]] = {
    **{f"n_{name}": partial(integer_nets.integer_network, name) for name in integer_nets.NETWORKS if name not in LEFT},
    **{f"drawn{seed}": partial(drawn, seed) for seed in range(RANDOM)},
    "overflows": lambda: (overflowing.network(overflowing.FIELDS), overflowing.spikes()),
    "relays": relays, "late": late, "hostile": hostile, "readouts": readouts,
}  # fmt: skip
