"""Integer networks that between them have every feature, drawn by seed, small enough that Lava runs one in a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from drawn import Inputs
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, conv_out, frozen

PLAIN = ("reset", "refractory", "rearm", "decays")


def population(name: str, inputs: tuple[str, ...], shape: tuple[int, ...], start: int, **changed: Any) -> Population:
    """A population with plain parameters (threshold 192, no decay, reset to zero) except those in `changed`."""
    parameters: dict[str, Any] = {
        "decay_u": 4096,
        "decay_v": 0,
        "bias": 0,
        "threshold": 192,
        "reset": Reset.ZERO,
        "reset_amount": 0,
        "v_init": 0,
        "lsb": 1.0,
    }
    values: dict[str, Any] = {
        key: value if key in PLAIN else frozen(value, np.float64 if key == "lsb" else np.int64)
        for key, value in (parameters | changed).items()
    }
    return Population(name=name, inputs=inputs, shape=shape, start=start, **values)


def dense(name: str, source: str, out: int, count: int, rng: np.random.Generator, **more: Any) -> Projection:
    """Ternary synapses from `count` sources to `out` neurons, gain 64."""
    codes = rng.integers(-1, 2, (out, count)).astype(np.int8)
    return Projection(name=name, inputs=(source,), **{"weight": frozen(codes), "gain": frozen(64, np.int64)} | more)


def conv(
    name: str, source: str, in_shape: tuple[int, int, int], out: int, kernel: tuple[int, int], rng: np.random.Generator,
    *, stride: tuple[int, int] = (1, 1), padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1), groups: int = 1, **more: Any,
) -> Projection:  # fmt: skip
    """A ternary convolution, gain 64."""
    channels, height, width = in_shape
    top, bottom, left, right = padding
    out_shape = (
        out,
        conv_out(height, kernel[0], stride[0], top + bottom, dilation[0]),
        conv_out(width, kernel[1], stride[1], left + right, dilation[1]),
    )
    geometry = ConvGeometry(
        in_shape=in_shape, out_shape=out_shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    codes = rng.integers(-1, 2, (out, channels // groups, *kernel)).astype(np.int8)
    parameters: dict[str, Any] = {"weight": frozen(codes), "gain": frozen(64, np.int64), "geometry": geometry}
    return Projection(name=name, inputs=(source,), **parameters | more)


def graph(*nodes: Any, arithmetic: Arithmetic | None = None) -> Graph:
    """An INTEGER graph whose output is its last population."""
    last = next(node for node in reversed(nodes) if isinstance(node, Population))
    return Graph(
        level=Level.INTEGER,
        arithmetic=arithmetic or Arithmetic(),
        nodes=(*nodes, Output(name="output", inputs=(last.name,))),
    )


def stock_chain(rng: np.random.Generator) -> Graph:
    """Dense layers that stock Lava executes exactly: LIF with and without leak and current, biases before start."""
    return graph(
        Input(name="x", shape=(20,)),
        dense("w1", "x", 16, 20, rng),
        population("h1", ("w1",), (16,), 1, decay_v=300, bias=rng.integers(-40, 250, 16), threshold=128),
        dense("w2", "h1", 12, 16, rng, gain=frozen(256, np.int64)),
        population("h2", ("w2",), (12,), 2, decay_u=1000, decay_v=4096, bias=640, threshold=64 * 17),
        dense("w3", "h2", 5, 12, rng),
        population("y", ("w3",), (5,), 3, decay_u=0, bias=200),
    )


def stock_convolution(rng: np.random.Generator) -> Graph:
    """Stride, padding, dilation, groups, a pooling kernel of ones and a flat read-out, on rectangles."""
    first = conv("c1", "x", (2, 7, 9), 4, (3, 2), rng, stride=(1, 2), padding=(1, 1, 2, 2), groups=2)
    assert first.geometry is not None
    middle = first.geometry.out_shape
    second = conv("c2", "h1", middle, 3, (2, 3), rng, dilation=(3, 1), gain=frozen(1024, np.int64))
    assert second.geometry is not None
    last = second.geometry.out_shape
    return graph(
        Input(name="x", shape=(2, 7, 9)),
        first,
        population("h1", ("c1",), middle, 1, decay_v=100, threshold=64, bias=30),
        second,
        population("h2", ("c2",), last, 2, threshold=1024 * 2, decay_u=2048, decay_v=37),
        dense("w", "h2", 4, int(np.prod(last)), rng),
        population("y", ("w",), (4,), 3),
    )


def own_neurons(rng: np.random.Generator) -> Graph:
    """Everything stock LIF cannot do: soft reset, none, thresholds, decays and gains per neuron, first states."""
    return graph(
        Input(name="x", shape=(18,)),
        dense("w1", "x", 14, 18, rng, gain=frozen(rng.integers(1, 90, 14), np.int64)),
        population(
            "h1",
            ("w1",),
            (14,),
            1,
            reset=Reset.SUBTRACT,
            reset_amount=rng.integers(50, 150, 14),
            threshold=rng.integers(-5, 150, 14),
            decay_v=rng.integers(0, 4097, 14),
            v_init=rng.integers(-99, 99, 14),
            bias=rng.integers(-9, 40, 14),
            bias_u=rng.integers(-9, 9, 14),
        ),
        dense("w2", "h1", 9, 14, rng, gain=frozen(3 * 64, np.int64)),
        population("h2", ("w2",), (9,), 2, reset=Reset.NONE, decay_u=rng.integers(0, 4097, 9), decay_v=900),
        dense("w3", "h2", 6, 9, rng),
        population("h3", ("w3",), (6,), 3, threshold=65, decay_u=0, decay_v=12),
        dense("w4", "h3", 5, 6, rng),
        population("y", ("w4",), (5,), 4),
    )


def own_convolution(rng: np.random.Generator) -> Graph:
    """Convolutions that stock Conv cannot do (gain per channel, one-sided padding), soft reset per channel."""
    first = conv(
        "c1", "x", (3, 6, 5), 6, (3, 3), rng, stride=(2, 1), padding=(1, 0, 2, 1), groups=3,
        gain=frozen(rng.integers(30, 90, 6), np.int64),
    )  # fmt: skip
    assert first.geometry is not None
    shape = first.geometry.out_shape
    return graph(
        Input(name="x", shape=(3, 6, 5)),
        first,
        population(
            "h",
            ("c1",),
            shape,
            1,
            reset=Reset.SUBTRACT,
            reset_amount=rng.integers(60, 130, 6),
            threshold=rng.integers(60, 130, 6),
            decay_v=200,
        ),
        dense("w", "h", 7, int(np.prod(shape)), rng),
        population("y", ("w",), (7,), 2, threshold=100),
    )


def residual_with_delays(rng: np.random.Generator) -> Graph:
    """Two projections into one population, a skipping one delayed by Lava's DelayDense, a delayed convolution."""
    across = conv("c", "x", (1, 4, 4), 2, (3, 3), rng, padding=(1, 1, 1, 1), delay=2)
    return graph(
        Input(name="x", shape=(1, 4, 4)),
        dense("w1", "x", 10, 16, rng),
        population("h", ("w1",), (10,), 1, threshold=64),
        dense("w2", "h", 32, 10, rng),
        dense("skip", "x", 32, 16, rng, delay=1),
        population("m", ("w2", "skip"), (32,), 2, decay_v=64, bias=13),
        across,
        dense("w3", "m", 32, 32, rng),
        population("y", ("w3", "c"), (2, 4, 4), 3, threshold=128),
    )


def recurrent(rng: np.random.Generator) -> Graph:
    """Populations that feed themselves and earlier ones, the latest too, with delays; beside them a stock neuron."""
    return graph(
        Input(name="x", shape=(12,)),
        dense("w1", "x", 10, 12, rng),
        dense("self", "h1", 10, 10, rng),
        dense("back", "h2", 10, 8, rng, delay=2),
        population("h1", ("w1", "self", "back"), (10,), 1, decay_v=100, bias=40),
        dense("w2", "h1", 8, 10, rng),
        dense("top", "y", 8, 4, rng, delay=2),
        population("h2", ("w2", "top"), (8,), 2, reset=Reset.SUBTRACT, reset_amount=64, threshold=64, bias=20),
        dense("aside", "h1", 3, 10, rng),
        population("z", ("aside",), (3,), 2, bias=50),
        dense("w3", "h2", 4, 8, rng),
        population("y", ("w3",), (4,), 3, bias=rng.integers(-20, 130, 4), threshold=64),
    )


def graded(rng: np.random.Generator) -> Graph:
    """Inputs of small signed integers and codes of 4 and 8 bits."""
    four = frozen(rng.integers(-8, 8, (9, 11)).astype(np.int8))
    eight = frozen(rng.integers(-128, 128, (6, 9)).astype(np.int8))
    return graph(
        Input(name="x", shape=(11,), levels=(-3, 4)),
        dense("w1", "x", 9, 11, rng, weight=four, bits=4),
        population("h", ("w1",), (9,), 1, decay_v=400, threshold=64 * 11),
        dense("w2", "h", 6, 9, rng, weight=eight, bits=8, gain=frozen(128, np.int64)),
        population("y", ("w2",), (6,), 2, threshold=64 * 100),
    )


def saturating(rng: np.random.Generator) -> Graph:
    """Currents that wrap and membranes that saturate at 24 bits, in stock LIF and in our neuron."""
    ones = frozen(np.ones((6, 10), np.int8))
    return graph(
        Input(name="x", shape=(10,)),
        dense("w1", "x", 6, 10, rng, weight=ones, gain=frozen(1 << 19, np.int64)),
        population("h", ("w1",), (6,), 1, decay_u=0, threshold=8388544),
        dense("w2", "x", 6, 10, rng, weight=ones, gain=frozen(1 << 19, np.int64), delay=1),
        population(
            "y",
            ("w2",),
            (6,),
            2,
            decay_u=5,
            threshold=8388600,
            reset=Reset.SUBTRACT,
            reset_amount=1 << 23,
        ),
    )


def every_kind(rng: np.random.Generator) -> Graph:
    """Refractory, signed, rearming and adaptive neurons, the signed ones in front of a stock and a delayed synapse."""
    return graph(
        Input(name="x", shape=(14,)),
        dense("w1", "x", 12, 14, rng),
        population("held", ("w1",), (12,), 1, refractory=2, threshold=64, decay_u=1500, decay_v=200, bias=30),
        dense("w2", "held", 10, 12, rng),
        population(
            "signed",
            ("w2",),
            (10,),
            2,
            threshold=64,
            threshold_low=rng.integers(-130, -20, 10),
            reset=Reset.SUBTRACT,
            reset_amount=64,
            refractory=1,
        ),
        dense("w3", "signed", 9, 10, rng),
        population(
            "rearmed",
            ("w3",),
            (9,),
            3,
            threshold=90,
            rearm=True,
            reset_amount=100,
            bias=rng.integers(0, 90, 9),
        ),
        dense("skip", "signed", 8, 10, rng, delay=1),
        dense("w4", "rearmed", 8, 9, rng),
        population(
            "adaptive",
            ("w4", "skip"),
            (8,),
            4,
            threshold=64,
            reset=Reset.SUBTRACT,
            reset_amount=rng.integers(30, 90, 8),
            gain_a=rng.integers(10, 60, 8),
            decay_a=600,
            decay_v=100,
            bias=rng.integers(0, 60, 8),
        ),
    )


def wide_convolution(rng: np.random.Generator) -> Graph:
    """More neurons and synapses than a few cores of the target for tests hold."""
    first = conv("c1", "x", (1, 8, 8), 8, (3, 3), rng, padding=(1, 1, 1, 1))
    second = conv("c2", "h1", (8, 8, 8), 16, (3, 3), rng, stride=(2, 2), padding=(1, 1, 1, 1))
    return graph(
        Input(name="x", shape=(1, 8, 8)),
        first,
        population("h1", ("c1",), (8, 8, 8), 1, threshold=128),
        second,
        population("h2", ("c2",), (16, 4, 4), 2, threshold=256),
        dense("w", "h2", 10, 256, rng),
        population("y", ("w",), (10,), 3, threshold=512),
    )


def narrow(rng: np.random.Generator) -> Graph:
    """Another target's arithmetic: states of 16 bits, decays of 8. Two inputs."""
    return graph(
        Input(name="x", shape=(9,)),
        Input(name="z", shape=(7,)),
        dense("w1", "x", 8, 9, rng, gain=frozen(900, np.int64)),
        population("h", ("w1",), (8,), 1, decay_u=200, decay_v=31, threshold=5000),
        dense("w2", "h", 4, 8, rng, gain=frozen(1, np.int64)),
        dense("side", "z", 4, 7, rng, gain=frozen(1, np.int64), delay=1),
        population("y", ("w2", "side"), (4,), 2, decay_u=256, threshold=1),
        arithmetic=Arithmetic(decay_bits=8, state_bits=16, gain_shift=0, threshold_shift=0, threshold_bits=15),
    )


def nearest(rng: np.random.Generator) -> Graph:
    """Decays to the nearest whole number, halves and negative potentials among them: in a neuron that forgets at once
    (stock), in plain ones, with every reset, in signed and adaptive ones."""
    near = {"decays": Decays.NEAREST}
    return graph(
        Input(name="x", shape=(14,)),
        dense("w1", "x", 12, 14, rng),
        population("stock", ("w1",), (12,), 1, decay_v=4096, threshold=64, **near),
        dense("w2", "stock", 10, 12, rng, gain=frozen(3, np.int64)),
        population("halves", ("w2",), (10,), 2, decay_u=2048, decay_v=2048, threshold=3, bias=1, **near),
        dense("w3", "halves", 9, 10, rng, gain=frozen(rng.integers(1, 90, 9), np.int64)),
        population(
            "soft", ("w3",), (9,), 3, decay_v=rng.integers(0, 4097, 9), decay_u=rng.integers(0, 4097, 9), threshold=60,
            reset=Reset.SUBTRACT, reset_amount=70, bias=rng.integers(-9, 30, 9), **near,
        ),
        dense("w4", "soft", 9, 9, rng, gain=frozen(5, np.int64)),
        population(
            "signed", ("w4",), (9,), 4, decay_v=77, threshold=4, threshold_low=-3, refractory=1, bias_u=1, decay_u=700,
            v_init=-3, **near,
        ),
        dense("w5", "signed", 8, 9, rng, gain=frozen(7, np.int64)),
        population(
            "adaptive", ("w5",), (8,), 5, threshold=6, reset=Reset.SUBTRACT, reset_amount=rng.integers(3, 9, 8),
            gain_a=rng.integers(1, 6, 8), decay_a=2048, decay_v=1000, bias=rng.integers(0, 7, 8), **near,
        ),
    )  # fmt: skip


def wide(rng: np.random.Generator) -> Graph:
    """States of 32 bits and decays of 24: currents that wrap, potentials that saturate, to the nearest and cut."""
    ones = frozen(np.ones((6, 10), np.int8))
    return graph(
        Input(name="x", shape=(10,)),
        dense("w1", "x", 6, 10, rng, weight=ones, gain=frozen(1 << 27, np.int64)),
        population(
            "cut", ("w1",), (6,), 1, decay_u=5, decay_v=rng.integers(0, 1 << 23, 6), threshold=(1 << 31) - 2,
            reset=Reset.SUBTRACT, reset_amount=(1 << 31) - 1,
        ),
        dense("w2", "x", 6, 10, rng, gain=frozen(rng.integers(1 << 20, 1 << 27, 6), np.int64), delay=1),
        population(
            "near", ("w2",), (6,), 2, decay_u=1 << 23, decay_v=rng.integers(0, 1 << 23, 6), threshold=1 << 27,
            decays=Decays.NEAREST, bias=rng.integers(-(1 << 26), 1 << 26, 6),
        ),
        dense("w3", "near", 6, 6, rng, gain=frozen(1 << 26, np.int64)),
        population("y", ("w3",), (6,), 3, decay_u=(1 << 24) - 1, decay_v=1 << 20, threshold=3, bias=5),
        arithmetic=Arithmetic(
            decay_bits=24, state_bits=32, gain_shift=0, threshold_shift=0, threshold_bits=31, bias_bits=32,
            bias_max_exp=0, gain_max_shift=28,
        ),
    )  # fmt: skip


def wide_in_stock(rng: np.random.Generator) -> Graph:
    """States of 32 bits and decays of 24, whose decays have 12 and whose states never leave 24: stock LIF."""
    return graph(
        Input(name="x", shape=(20,)),
        dense("w1", "x", 16, 20, rng),
        population(
            "h", ("w1",), (16,), 1, decay_u=1000 << 12, decay_v=300 << 12, bias=rng.integers(-40, 250, 16),
            threshold=128,
        ),
        dense("w2", "h", 5, 16, rng),
        population("y", ("w2",), (5,), 2, decay_u=1 << 24, decay_v=0, bias=200, decays=Decays.NEAREST),
        arithmetic=Arithmetic(decay_bits=24, state_bits=32, gain_shift=0, threshold_shift=0, threshold_bits=31),
    )  # fmt: skip


NETWORKS: dict[str, Callable[[np.random.Generator], Graph]] = {
    builder.__name__: builder
    for builder in (
        stock_chain, stock_convolution, own_neurons, own_convolution, residual_with_delays, recurrent, graded,
        saturating, narrow, every_kind, wide_convolution, nearest, wide,
        wide_in_stock,
    )
}  # fmt: skip


def inputs_of(network: Graph, rng: np.random.Generator, batch: int = 3, steps: int = 9) -> Inputs:
    """Values for every input of a network, about a third of them 0."""
    inputs: dict[str, Array] = {}
    for node in network.of_kind(Input):
        low, high = node.levels
        values = rng.integers(low, high + 1, (batch, steps, *node.shape))
        inputs[node.name] = values * (rng.random(values.shape) < 0.7)
    return inputs


def integer_network(name: str, seed: int = 0, batch: int = 3, steps: int = 9) -> tuple[Graph, Inputs]:
    """A network of NETWORKS and inputs that make about a third fire."""
    rng = np.random.default_rng(seed)
    network = NETWORKS[name](rng)
    return network, inputs_of(network, rng, batch, steps)
