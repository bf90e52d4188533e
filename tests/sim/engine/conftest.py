"""Random integer networks of any wiring, for the fast engine: every geometry, width, reset, delay and loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Decays,
    Graph,
    Input,
    Level,
    Node,
    Output,
    Population,
    Projection,
    Reset,
)
from tern2lava.compiler.ir.shapes import ConvGeometry, Pooling, conv_out, frozen, size

Inputs = dict[str, NDArray[Any]]
Shape = tuple[int, ...]
ARITHMETICS = (
    Arithmetic(),
    Arithmetic(decay_bits=8, state_bits=16),
    Arithmetic(state_bits=32),
    Arithmetic(decay_bits=16, state_bits=24),
    Arithmetic(decay_bits=24, state_bits=32),
)


class _Draw:
    """A random network in the making."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.arithmetic = self.pick(*ARITHMETICS)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.nodes: list[Node] = []
        self.planned: dict[tuple[Shape, Shape], tuple[Pooling | None, tuple[ConvGeometry, tuple[int, int]]]] = {}

    def pick(self, *values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def codes(self, *shape: int) -> tuple[NDArray[Any], int]:
        """Codes and their width in bits; ternary ones most often, with rows of zeros."""
        bits = self.pick(2, 2, 2, 4, 8)
        low, high = (-1, 1) if bits == 2 else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        codes = self.rng.integers(low, high + 1, shape) * (self.rng.random(shape) < self.pick(0.05, 0.6, 1.0))
        return codes.astype(np.int8), bits

    def gain(self, out: int) -> Any:
        scale = self.pick(1, 64, 4096)
        return frozen(self.rng.integers(-2, 5, out if self.pick(True, False) else ()) * scale, np.int64)

    def projection(self, name: str, source: str, shape: tuple[int, ...]) -> Projection:
        """Synapses from `source` to a population of `shape`: dense, or a convolution where one fits; often pooled."""
        given = self.shapes[source]
        delay = self.pick(0, 0, 1, 3)
        pooling, convolution = self.planned.get((given, shape), (None, None))
        if convolution is None and len(given) == 3:
            pooling = self.pooling(given)
            given = given if pooling is None else pooling.out_shape
            convolution = self.convolution(given, shape)
        common = {"name": name, "inputs": (source,), "delay": delay, "pooling": pooling}
        if convolution is not None:
            geometry, kernel = convolution
            codes, bits = self.codes(shape[0], geometry.in_shape[0] // geometry.groups, *kernel)
            return Projection(weight=frozen(codes), gain=self.gain(shape[0]), geometry=geometry, bits=bits, **common)
        codes, bits = self.codes(size(shape), size(given))
        return Projection(weight=frozen(codes), gain=self.gain(size(shape)), bits=bits, **common)

    def pooling(self, given: tuple[int, ...]) -> Pooling | None:
        """Sums over windows of an image, one time in two."""
        window = (self.pick(1, 2, 3), self.pick(1, 2, 2, 4))
        if self.pick(True, False) or window[0] > given[1] or window[1] > given[2]:
            return None
        return Pooling(in_shape=(given[0], given[1], given[2]), window=window)

    def geometry(self, given: tuple[int, ...]) -> tuple[ConvGeometry, tuple[int, int]]:
        """A random convolution over `given`, and its kernel."""
        channels, height, width = given
        while True:
            kernel = (self.pick(1, 2, 3, 5), self.pick(1, 2, 3))
            stride, dilation = (self.pick(1, 1, 2, 3), self.pick(1, 1, 2)), (self.pick(1, 1, 2), self.pick(1, 1, 3))
            top, bottom, left, right = (int(p) for p in self.rng.integers(0, 4, 4))
            padding = (top, bottom, left, right)
            groups = self.pick(*[g for g in range(1, channels + 1) if channels % g == 0])
            out = (
                groups * (self.pick(1, 2, 3, 5) if groups < 10 else 1),
                conv_out(height, kernel[0], stride[0], padding[0] + padding[1], dilation[0]),
                conv_out(width, kernel[1], stride[1], padding[2] + padding[3], dilation[1]),
            )
            if min(out) > 0:
                geometry = ConvGeometry(
                    in_shape=(channels, height, width), out_shape=out, stride=stride, padding=padding,
                    dilation=dilation, groups=groups,
                )  # fmt: skip
                return geometry, kernel

    def convolution(
        self, given: tuple[int, ...], shape: tuple[int, ...]
    ) -> tuple[ConvGeometry, tuple[int, int]] | None:
        """A random convolution from `given` to `shape`, if one is found."""
        if len(shape) != 3:
            return None
        for _ in range(200):
            geometry, kernel = self.geometry(given)
            if geometry.out_shape == shape:
                return geometry, kernel
        return None

    def parameter(self, low: int, high: int, shape: tuple[int, ...]) -> Any:
        """One value, one per channel, or one per neuron."""
        form = self.pick((), (), (shape[0], *[1] * (len(shape) - 1)), shape)
        return frozen(self.rng.integers(low, high + 1, form), np.int64)

    def kinds(self, reach: int, shape: tuple[int, ...]) -> dict[str, Any]:
        """Fields of a neuron that does more than the plain equations, one time in three."""
        kind = self.pick("refractory", "rearm", "signed", "adaptive", *[""] * 6)
        if kind == "adaptive":
            return {
                "reset": Reset.SUBTRACT,
                "gain_a": self.parameter(0, reach // 4, shape),
                "decay_a": self.parameter(0, 1 << self.arithmetic.decay_bits, shape),
                "refractory": self.pick(0, 0, 2),
            }
        return {
            "refractory": self.pick(1, 3) if kind == "refractory" else 0,
            "rearm": kind == "rearm",
            "threshold_low": self.parameter(-reach, 0, shape) if kind == "signed" else None,
        }

    def population(self, name: str, inputs: tuple[str, ...], shape: tuple[int, ...], start: int) -> None:
        full, top = 1 << self.arithmetic.decay_bits, self.arithmetic.state_max
        reach = self.pick(200, 20_000, top)
        decay = {}
        for key in ("u", "v"):
            low, high = self.pick((0, 0), (full, full), (0, full))
            decay[key] = self.parameter(low, high, shape)
        fields = {"reset": self.pick(*Reset), "decays": self.pick(*Decays)} | self.kinds(reach, shape)
        self.nodes.append(
            Population(
                name=name,
                inputs=inputs,
                shape=shape,
                start=start,
                decay_u=decay["u"],
                decay_v=decay["v"],
                bias=self.parameter(-reach // 8, reach // 8, shape),
                bias_u=self.parameter(-reach // 8, reach // 8, shape),
                threshold=self.parameter(-2, self.pick(reach, 2 * top), shape),
                reset_amount=self.parameter(0, reach, shape),
                v_init=self.parameter(-reach, self.pick(0, reach), shape),
                lsb=frozen(1.0),
                **fields,
            )
        )


def draw(seed: int) -> tuple[Graph, Inputs]:
    """A random INTEGER graph and spikes for it."""
    draw = _Draw(seed)
    image = (draw.pick(1, 2, 3, 4, 70), draw.pick(1, 4, 9), draw.pick(5, 12))
    given = draw.pick((int(draw.rng.integers(1, 150)),), image)
    draw.shapes["x"] = given
    draw.nodes.append(Input(name="x", shape=given))
    if draw.pick(True, False, False):
        draw.shapes["second"] = (7,)
        draw.nodes.append(Input(name="second", shape=(7,), levels=draw.pick((0, 1), (-2, 3), (0, 255))))
    count = int(draw.rng.integers(1, 5))
    names = [f"p{k}" for k in range(count)]
    for name in names:
        last = list(draw.shapes)[-1]
        given = draw.shapes[last]
        if len(given) == 3 and draw.pick(True, True, False):
            pooling = draw.pooling(given)
            geometry, kernel = draw.geometry(given if pooling is None else pooling.out_shape)
            draw.planned[given, geometry.out_shape] = pooling, (geometry, kernel)
            draw.shapes[name] = geometry.out_shape
        else:
            draw.shapes[name] = (int(draw.rng.integers(1, 90)),)
    for k, name in enumerate(names):
        sources = [list(draw.shapes)[list(draw.shapes).index(name) - 1]]
        while draw.pick(True, False, False):
            # Any population, later ones and itself included: a loop.
            sources.append(draw.pick(*(draw.shapes if draw.pick(True, False) else list(draw.shapes)[: k + 1])))
        wires = []
        sources = [s for j, s in enumerate(sources) if j == 0 or size(draw.shapes[s]) * size(draw.shapes[name]) < 10**5]
        for j, source in enumerate(sources):
            wire = draw.projection(f"{name}w{j}", source, draw.shapes[name])
            draw.nodes.append(wire)
            wires.append(wire.name)
        draw.population(name, tuple(wires), draw.shapes[name], k + 1 + draw.pick(0, 0, 2))
    nodes = (*draw.nodes, Output(name="out", inputs=(names[-1],)))
    batch, steps = int(draw.rng.integers(1, 4)), int(draw.rng.integers(1, 14))
    inputs = {}
    for node in nodes:
        if isinstance(node, Input):
            low, high = node.levels
            values = draw.rng.integers(low, high + 1, (batch, steps, *node.shape))
            active = draw.rng.random((batch, steps, *[1] * len(node.shape))) * draw.pick(0.2, 1.0)
            inputs[node.name] = values * (draw.rng.random(values.shape) < active)
    return Graph(level=Level.INTEGER, nodes=nodes, arithmetic=draw.arithmetic), inputs


@pytest.fixture(scope="session")
def draw_program() -> Callable[[int], tuple[Graph, Inputs]]:
    """draw_program(seed): a random INTEGER graph and spikes for it."""
    return draw
