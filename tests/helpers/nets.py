"""Nodes of small INTEGER networks, and targets with some numbers changed, for the tests of the mapping."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Node, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Pooling, Shape, conv_out, frozen
from tern2lava.hw_profiles import Profile, load_profile

# Without memory of currents, with all memory of potentials, at rest without inputs.
PLAIN = {"decay_u": 4096, "decay_v": 0, "bias": 0, "threshold": 2, "reset_amount": 0, "v_init": 0}


@cache
def _shipped(name: str) -> Profile:
    return load_profile(name)


def variant(name: str, **values: Any) -> Profile:
    """A shipped profile with some leaves changed; `core__neurons=5` sets core.neurons."""
    data = _shipped(name).model_dump()
    for key, value in values.items():
        section, leaf = key.split("__")
        data[section][leaf]["value"] = value
    return Profile.model_validate(data)


def codes(rng: np.random.Generator, *shape: int) -> Array:
    """Ternary codes, each of the three as often."""
    return frozen(rng.integers(-1, 2, shape), np.int8)


def full_codes(rng: np.random.Generator, *shape: int) -> Array:
    """Codes of -1 and 1: every source has a synapse into every neuron."""
    return frozen(rng.choice([-1, 1], shape), np.int8)


def sparse_codes(rng: np.random.Generator, *shape: int, zeros: float = 1 / 3) -> Array:
    """Ternary codes with this share of zeros."""
    return frozen(rng.choice([-1, 0, 1], shape, p=[(1 - zeros) / 2, zeros, (1 - zeros) / 2]), np.int8)


def neurons(name: str, inputs: str | tuple[str, ...], shape: Shape, **changed: Any) -> Population:
    """Neurons with the parameters of PLAIN that are reset to zero, except for what is `changed`."""
    values: dict[str, Any] = {key: frozen(value, np.int64) for key, value in PLAIN.items()}
    values |= {"reset": Reset.ZERO, "lsb": frozen(1.0), "start": 0} | changed
    return Population(
        name=name, inputs=(inputs,) if isinstance(inputs, str) else inputs, shape=shape,
        **values,
    )  # fmt: skip


def geometry(
    in_shape: Shape, out: int, kernel: Shape, *, stride: Shape = (1, 1), padding: Shape = (0, 0, 0, 0),
    dilation: Shape = (1, 1), groups: int = 1,
) -> ConvGeometry:  # fmt: skip
    """A convolution of an image into `out` channels."""
    sides = [
        conv_out(in_shape[1 + a], kernel[a], stride[a], padding[2 * a] + padding[2 * a + 1], dilation[a])
        for a in (0, 1)
    ]
    return ConvGeometry(
        in_shape=(in_shape[0], in_shape[1], in_shape[2]), out_shape=(out, sides[0], sides[1]),
        stride=(stride[0], stride[1]), padding=(padding[0], padding[1], padding[2], padding[3]),
        dilation=(dilation[0], dilation[1]), groups=groups,
    )  # fmt: skip


def convolution(
    name: str, source: str, in_shape: Shape, weight: Array, *, window: tuple[int, int] | None = None,
    gain: int | Array = 1, **shape: Any,
) -> Projection:  # fmt: skip
    """A convolution by `weight` (out, in/groups, kh, kw), behind windows that are summed where there is a `window`;
    stride, padding, dilation and groups as in `geometry`."""
    pooling = None if window is None else Pooling(in_shape=(in_shape[0], in_shape[1], in_shape[2]), window=window)
    seen = in_shape if pooling is None else pooling.out_shape
    return Projection(
        name=name, inputs=(source,), weight=weight, gain=frozen(gain, np.int64), pooling=pooling,
        geometry=geometry(seen, weight.shape[0], weight.shape[2:], **shape),
    )  # fmt: skip


def same(*kernel: int) -> Shape:
    """The padding that keeps a side's length under a kernel of odd length and stride 1."""
    return tuple(length // 2 for length in kernel for _ in range(2))


def integer_graph(*nodes: Node) -> Graph:
    """The network of these nodes, whose last population is read."""
    last = [node.name for node in nodes if isinstance(node, Population)][-1]
    output = Output(name="out", inputs=(last,))
    return Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=(*nodes, output))


def convolutions(layers: int, channels: int, length: int) -> Graph:
    """Padded 3 x 3 convolutions of `channels` channels each, on an image of one channel."""
    rng = np.random.default_rng(0)
    nodes: list[Node] = [Input(name="in", shape=(1, length, length))]
    source, seen = "in", 1
    for layer in range(layers):
        weight, shape = codes(rng, channels, seen, 3, 3), (channels, length, length)
        nodes += [
            convolution(f"w{layer}", source, (seen, length, length), weight, padding=same(3, 3), gain=64),
            neurons(f"n{layer}", f"w{layer}", shape, threshold=frozen(64, np.int64), start=layer),
        ]
        source, seen = f"n{layer}", channels
    return integer_graph(*nodes)
