"""A small network for each feature of tern2lava.export.features, and inputs for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sample_nets import codes, drawn
from tern2lava.compiler.ir.graph import (
    Compare,
    Conv2d,
    Delay,
    Dense,
    Graph,
    Input,
    Level,
    Neuron,
    Node,
    Output,
    Pool2d,
    PoolKind,
    Readout,
    Reset,
    SparseLinear,
)
from tern2lava.compiler.ir.shapes import Spikes, frozen, size
from tern2lava.compiler.options import Options

STEPS, SAMPLES = 8, 3


@dataclass(frozen=True, kw_only=True)
class Net:
    """A network, the target that it is compiled for, and how."""

    graph: Graph
    target: str = "loihi2"
    options: Options = field(default_factory=Options)

    def inputs(self) -> dict[str, Spikes]:
        """Values (samples, steps, *shape) of each input, 0 and 1 half the time each."""
        found: dict[str, Spikes] = {}
        for node in self.graph.of_kind(Input):
            low, high = node.levels
            numbers = drawn(f"values of {node.name}", SAMPLES, STEPS, size(node.shape))
            values = np.floor(low + numbers * (high - low + 1)).astype(np.int8 if low < 0 else np.uint8)
            found[node.name] = values.reshape(SAMPLES, STEPS, *node.shape)
        return found


def network(*nodes: Node) -> Graph:
    return Graph(level=Level.IMPORTED, steps=STEPS, nodes=nodes)


def dense(name: str, source: str, out: int, count: int, *, scale: Any = 0.5, **more: Any) -> Dense:
    return Dense(name=name, inputs=(source,), weight=codes(f"export {name}", out, count, zeros=0.3) * scale, **more)


def neurons(name: str, inputs: str | tuple[str, ...], *shape: int, **fields: Any) -> Neuron:
    """Neurons with a threshold of 0.7 that are reset to zero, but for `fields`."""
    read = (inputs,) if isinstance(inputs, str) else inputs
    real = {
        key: frozen(value, np.float64) if isinstance(value, float | list) else value for key, value in fields.items()
    }
    return Neuron(name=name, inputs=read, shape=shape, **({"threshold": frozen(0.7)} | real))


def one(output: Output | None = None, *, levels: tuple[int, int] = (0, 1), fan_in: int = 9, **fields: Any) -> Graph:
    """A dense layer and neurons with these fields."""
    return network(
        Input(name="x", shape=(fan_in,), levels=levels), dense("w", "x", 6, fan_in), neurons("n", "w", 6, **fields),
        output or Output(name="out", inputs=("n",)),
    )  # fmt: skip


def two(*between: Node, reads: tuple[str, ...] = ("v",)) -> Graph:
    """Two dense layers, and what lies between them."""
    return network(
        Input(name="x", shape=(9,)), dense("w", "x", 6, 9), neurons("h", "w", 6), *between,
        neurons("n", reads, 5), Output(name="out", inputs=("n",)),
    )  # fmt: skip


def image(conv: Conv2d, shape: tuple[int, int, int], *behind: Node, last: str) -> Graph:
    """A convolution of an image of (4, 5, 6) into one of `shape`, and a dense layer of 5 neurons."""
    return network(
        Input(name="x", shape=(4, 5, 6)), conv, neurons("h", "c", *shape), *behind, neurons("n", last, 5),
        Output(name="out", inputs=("n",)),
    )  # fmt: skip


def kernel(out: int, group: int) -> Any:
    return codes("export kernel", out, group, 3, 3, zeros=0.3) * 0.5


def moved() -> Graph:
    rows, columns = np.arange(6), np.arange(6)[::-1]
    move = SparseLinear(name="m", inputs=("h",), shape=(6,), rows=frozen(rows), columns=frozen(columns))
    return two(move, dense("v", "m", 5, 6), reads=("v",))


def several(*more: Node, first: tuple[str, ...], second: tuple[str, ...], **inputs: Any) -> Graph:
    """Two layers that read what is named, and further nodes."""
    nodes = (Input(name="x", shape=(9,)), dense("w", "x", 6, 9), *more)
    return network(*nodes, neurons("h", first, 6), neurons("n", second, 5), Output(name="out", inputs=("n",)))


def quantum() -> Graph:
    """CUBA neurons of a lava-dl file, whose decays cut towards zero."""
    weight = 2 * np.rint(60 * drawn("export integers", 6, 9) - 25)
    return network(
        Input(name="x", shape=(9,)), Dense(name="w", inputs=("x",), weight=frozen(weight)),
        neurons("n", "w", 6, alpha_u=0.75, alpha_v=1 - 128 / 4096, threshold=60.0, quantum=1 / 64, bias=3.0),
        Output(name="out", inputs=("n",)),
    )  # fmt: skip


POTENTIAL = Output(name="out", inputs=("n",), readout=Readout.MEMBRANE_LAST)
LEAK: dict[str, Any] = {"alpha_v": 0.875}
NETS: dict[str, Callable[[], Net]] = {
    "dense": lambda: Net(graph=two(dense("v", "h", 5, 6))),
    "convolution": lambda: Net(
        graph=image(
            Conv2d(
                name="c", inputs=("x",), weight=kernel(6, 2), stride=(2, 1), padding=(1, 1, 2, 2), dilation=(1, 2),
                groups=2,
            ),
            (6, 3, 6), dense("v", "h", 5, 108), last="v",
        )
    ),
    "uneven padding": lambda: Net(
        graph=image(
            Conv2d(name="c", inputs=("x",), weight=kernel(3, 4), padding=(1, 0, 0, 1)), (3, 4, 5),
            dense("v", "h", 5, 60), last="v",
        )
    ),
    "average pooling": lambda: Net(
        graph=image(
            Conv2d(name="c", inputs=("x",), weight=kernel(3, 4), padding=(1, 1, 1, 1)), (3, 5, 6),
            Pool2d(name="p", inputs=("h",), kind=PoolKind.AVG, kernel=(2, 2), stride=(2, 2)),
            dense("v", "p", 5, 18), last="v",
        )
    ),
    "moved elements": lambda: Net(graph=moved()),
    "delay": lambda: Net(graph=two(Delay(name="d", inputs=("h",), steps=3), dense("v", "d", 5, 6))),
    "delays of synapses": lambda: Net(
        graph=two(
            Delay(name="d", inputs=("h",), steps=2),
            Dense(name="v", inputs=("d",), weight=codes("export late", 5, 6) * np.tile([0.5, 0.0], 3)),
            Dense(name="now", inputs=("h",), weight=codes("export now", 5, 6) * np.tile([0.0, 0.5], 3)),
            reads=("v", "now"),
        )
    ),
    "recurrence": lambda: Net(
        graph=several(
            Delay(name="d", inputs=("h",), steps=1), dense("r", "d", 6, 6), dense("v", "h", 5, 6),
            first=("w", "r"), second=("v",),
        )
    ),
    "loop of layers": lambda: Net(
        graph=several(
            Delay(name="d", inputs=("n",), steps=2), dense("r", "d", 6, 5), dense("v", "h", 5, 6),
            first=("w", "r"), second=("v",),
        )
    ),
    "long step": lambda: Net(
        graph=several(
            Delay(name="d", inputs=("n",), steps=1), dense("r", "d", 6, 5), dense("v", "h", 5, 6),
            first=("w", "r"), second=("v",),
        )
    ),
    "skip": lambda: Net(
        graph=several(dense("v", "h", 5, 6), dense("s", "x", 5, 9), first=("w",), second=("v", "s"))
    ),
    "two inputs": lambda: Net(
        graph=several(
            Input(name="y", shape=(4,)), dense("s", "y", 6, 4), dense("v", "h", 5, 6), first=("w", "s"), second=("v",)
        )
    ),
    "bias": lambda: Net(graph=one(bias=[-0.25, 0.125, 0.25, 0.0, 0.125, 0.25], **LEAK)),
    "bias of the current": lambda: Net(graph=one(alpha_u=0.5, bias_u=0.125, **LEAK)),
    "scales of channels": lambda: Net(
        graph=network(
            Input(name="x", shape=(9,)), dense("w", "x", 6, 9, scale=np.linspace(0.3, 0.6, 6)[:, None]),
            neurons("n", "w", 6), Output(name="out", inputs=("n",)),
        )
    ),
    "8-bit codes": lambda: Net(
        graph=network(
            Input(name="x", shape=(9,)), Dense(name="w", inputs=("x",), weight=frozen(drawn("wide", 6, 9) - 0.4)),
            neurons("n", "w", 6), Output(name="out", inputs=("n",)),
        ),
        options=Options(ternarize="int8"),
    ),
    "leak": lambda: Net(graph=one(**LEAK)),
    "synaptic current": lambda: Net(graph=one(alpha_u=0.5, alpha_v=0.75)),
    "reset to zero": lambda: Net(graph=one()),
    "reset to a value": lambda: Net(graph=one(reset_value=0.25)),
    "delayed reset": lambda: Net(graph=one(reset_delay=True, **LEAK)),
    "soft reset": lambda: Net(graph=one(reset=Reset.SUBTRACT, reset_amount=0.7, **LEAK)),
    "fire >=": lambda: Net(graph=one(compare=Compare.GE, threshold=0.5, **LEAK)),
    "first potential": lambda: Net(graph=one(v_init=0.25, **LEAK)),
    "thresholds of neurons": lambda: Net(graph=one(threshold=[0.5, 0.7, 0.9, 1.1, 0.8, 0.6])),
    "refractory": lambda: Net(graph=one(refractory=2)),
    "signed": lambda: Net(graph=one(threshold_low=-0.7)),
    "adaptive": lambda: Net(
        graph=one(
            alpha_v=0.5, alpha_a=0.75, gain_a=0.25, threshold=0.5, reset=Reset.SUBTRACT, reset_amount=0.5,
            reset_delay=True,
        )
    ),
    "rearm": lambda: Net(graph=one(reset=Reset.SUBTRACT, reset_amount=0.7, rearm=True, **LEAK)),
    "relay": lambda: Net(graph=one(fan_in=30, threshold=1.5), target="tiny"),
    "graded input": lambda: Net(graph=one(levels=(-2, 3), threshold=1.7)),
    "potentials read": lambda: Net(graph=one(POTENTIAL, reset=Reset.NONE, threshold=np.inf)),
    "scores": lambda: Net(
        graph=one(
            Output(name="out", inputs=("n",), classes=frozen(np.eye(3).repeat(2, axis=1)), step_weights=frozen(0.5))
        )
    ),
    "nearest decays": lambda: Net(graph=one(POTENTIAL, reset=Reset.NONE, threshold=np.inf, **LEAK)),
    "lava-dl integers": lambda: Net(graph=quantum(), options=Options(ternarize="int8")),
}  # fmt: skip
