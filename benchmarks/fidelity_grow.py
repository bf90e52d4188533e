"""Grows a network of the second table layer by layer, so that every population spikes at a given rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from fidelity_data import MAKE, Samples
from fidelity_own import Array, Layer, Network, Wire, drive, out_shape, run_layer

# Samples on which scales are bisected, and how often.
DESIGN = 16
HALVINGS = 14


@dataclass
class Grower:
    """Adds layers to a network; `spikes` are those of the samples that make it."""

    data: Samples
    steps: int
    shape: tuple[int, ...]
    seed: int
    network: Network = field(init=False)
    spikes: dict[str, Array] = field(init=False)

    def __post_init__(self) -> None:
        x, self.labels = self.data(MAKE)
        self.network = Network(shape=self.shape, steps=self.steps, shapes={"input": self.shape})
        self.spikes = {"input": x.reshape(*x.shape[:2], -1)}
        self.rng = np.random.default_rng([14, self.seed])

    def codes(self, *shape: int, density: float = 0.5) -> Array:
        signs = np.where(self.rng.random(shape) < 0.5, 1.0, -1.0)
        return (signs * (self.rng.random(shape) < density)).astype(np.float32)

    def taus(self, low: float, high: float, count: int) -> Array:
        """Decays exp(-1 / tau), tau drawn evenly, float32."""
        return np.exp(-1 / self.rng.uniform(low, high, count)).astype(np.float32)

    def add(self, make: Callable[[np.float32], Layer], rate: float) -> None:
        """The layer that `make` returns for the scale at which its neurons spike at `rate`."""
        few = {name: value[:DESIGN] for name, value in self.spikes.items()}
        shape = self._place(make(np.float32(1)))
        low, high = -10.0, 6.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            layer = make(np.float32(2**middle))
            found = np.abs(run_layer(layer, drive(self.network, layer, few))).mean()
            low, high = (middle, high) if found < rate else (low, middle)
        layer = make(np.float32(2**low))
        self.spikes[layer.name] = run_layer(layer, drive(self.network, layer, self.spikes))
        self.network = replace(
            self.network, layers=(*self.network.layers, layer), shapes=self.network.shapes | {layer.name: shape}
        )

    def _place(self, layer: Layer) -> tuple[int, ...]:
        wire = layer.wires[0]
        return out_shape(wire, self.network.shapes[wire.source])

    @property
    def last(self) -> str:
        return self.network.layers[-1].name if self.network.layers else "input"

    def dense(
        self, count: int, neuron: dict[str, Any], rate: float = 0.1, density: float = 0.5, loop: float = 0,
        rows: bool = False, bias: float = 0,
    ) -> None:  # fmt: skip
        """A dense layer; loop: the scale of its recurrent weights over that of the others; rows: a scale each."""
        name, source = f"n{len(self.network.layers) + 1}", self.last
        codes = self.codes(count, int(np.prod(self.network.shapes[source])), density=density)
        back = self.codes(count, count, density=0.15) if loop else None
        each = self.rng.uniform(0.5, 1.5, (count, 1)).astype(np.float32) if rows else np.ones((1, 1), np.float32)
        offset = (bias * self.rng.standard_normal(count)).astype(np.float32) if bias else None

        def make(scale: np.float32) -> Layer:
            wire = Wire(source=source, weight=codes * (each * scale), bias=offset)
            return Layer(
                name=name, wires=(wire,), neuron=neuron,
                loop=None if back is None else back * (np.float32(loop) * scale),
            )  # fmt: skip

        self.add(make, rate)

    def conv(
        self, count: int, neuron: dict[str, Any], rate: float = 0.1, kernel: int = 3, stride: int = 1, pool: int = 1,
        norm: bool = True, shortcut: str | None = None,
    ) -> None:  # fmt: skip
        """A convolution that keeps the size but for its stride, batch normalisation behind it, or a scale for each
        channel; `shortcut` adds another layer's spikes through a 1 x 1 convolution of a scale of its own."""
        name, source = f"n{len(self.network.layers) + 1}", self.last
        codes = self.codes(count, self.network.shapes[source][0], kernel, kernel, density=0.6)
        draw = self.rng.uniform(0.5, 1.5, (3, count)).astype(np.float32)
        mean, bias = (self.rng.standard_normal((2, count)) * [[0.2], [0.15]]).astype(np.float32)
        across = None if shortcut is None else self.codes(count, self.network.shapes[shortcut][0], 1, 1, density=0.8)

        def make(scale: np.float32) -> Layer:
            bn = {"weight": draw[1] * scale, "bias": bias, "running_mean": mean, "running_var": draw[2]}
            each = np.float32(0.37) if norm else draw[0].reshape(-1, 1, 1, 1) * scale
            wires = [
                Wire(source=source, weight=codes * each, norm=bn if norm else None, stride=stride, pad=kernel // 2,
                     pool=pool)
            ]  # fmt: skip
            if shortcut is not None:
                wires.append(Wire(source=shortcut, weight=across * (np.float32(1.37) * scale)))
            return Layer(name=name, wires=tuple(wires), neuron=neuron)

        self.add(make, rate)

    def classes(self, neuron: dict[str, Any], rate: float = 0.1, pool: int = 1) -> Network:
        """The layer of a neuron for each class: the signs of a ridge regression of classes on counts, 0 where a weight
        is less than half the mean magnitude, with biases that bring mean drives to 0. Returns the network."""
        name, source = f"n{len(self.network.layers) + 1}", self.last
        counts = self.spikes[source].sum(axis=1, dtype=np.float64)
        if pool > 1:
            c, h, w = self.network.shapes[source]
            counts = counts.reshape(-1, c, h // pool, pool, w // pool, pool).mean(axis=(3, 5)).reshape(len(counts), -1)
        mean = counts.mean(axis=0)
        counts -= mean
        wanted = np.eye(10)[self.labels] - 0.1
        gram = counts @ counts.T
        fitted = (counts.T @ np.linalg.solve(gram + 0.1 * np.trace(gram) / len(gram) * np.eye(len(gram)), wanted)).T
        keep = np.abs(fitted) > 0.5 * np.abs(fitted).mean(axis=1, keepdims=True)
        codes = (np.sign(fitted) * keep).astype(np.float32)
        bias = -(codes @ mean / self.steps).astype(np.float32)

        def make(scale: np.float32) -> Layer:
            wire = Wire(source=source, weight=codes * scale, bias=bias * scale, pool=pool)
            return Layer(name=name, wires=(wire,), neuron=neuron)

        self.add(make, rate)
        return self.network
