"""The networks of the second table, chosen before any result was seen; all numbers drawn from seeds.

Weights are ternary, with a scale for each layer or channel; scales are bisected so that a population spikes in about
the share of neuron-timesteps that stands beside it. Decays are float32 as training leaves them, on no target's grid,
but in alif-grid. The last layer is fitted to the classes (`classes`), so that decisions are those of a network that
has learnt something. Three sets of samples: those that make the network, those that calibrate its integers, and those
that are counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from fidelity_data import MAKE, Samples, digits, events
from fidelity_own import Array, Layer, Network, Wire, drive, out_shape, run_layer

DESIGN = 16
HALVINGS = 14
# Counted samples where a network is small; others have fewer, which the bar on decisions takes as it is.
MANY = 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A network, its samples by part, and whether it is a recurrent one of stock LIF neurons, which targets that
    execute Lava's own LIF cut towards zero."""

    network: Network
    data: Samples
    stock_loop: bool = False


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


def leaky(beta: Any, reset: str, late: bool, fire: str = "gt", **more: Any) -> dict[str, Any]:
    return {"kind": "leaky", "beta": beta} | _rest(reset, late, fire) | more


def _rest(reset: str, late: bool, fire: str) -> dict[str, Any]:
    return {"threshold": 1.0, "reset": reset, "reset_delay": late, "fire": fire}


def _decay(tau: float) -> Array:
    """One float32 decay exp(-1 / tau) for a layer."""
    return np.exp(-1 / np.array([tau])).astype(np.float32)


def adaptive(grid: bool) -> Case:
    """Recurrent adaptive neurons. grid: thresholds of 0 at rest, weights 1/16 * {-1, 0, 1}, decays in 1/256; else the
    neurons of Yin, Corradi and Bohte 2021, with thresholds of 0.01."""
    steps = 250 if grid else 100
    data = events((700,), steps, 60 if grid else MANY)
    grow = Grower(data, steps, (700,), 1 + grid)
    alpha, rho = grow.taus(5, 60, 128), grow.taus(40, 200, 128)
    if not grid:
        neuron = {
            "kind": "alif", "alpha": alpha, "rho": rho, "jump": (1.8 * (1 - rho)).astype(np.float32),
            "decay_input": True, "threshold": np.full(1, 0.01, np.float32), "fire": "gt",
        }  # fmt: skip
        grow.dense(128, neuron, density=0.2, loop=0.6)
        return Case(network=grow.classes(leaky(_decay(20), "subtract", True)), data=data)
    codes, back = grow.codes(128, 700, density=0.2) / 16, grow.codes(128, 128, density=0.15) / 16
    bias = grow.codes(128, density=0.3) / 16
    alpha, rho = (np.round(value * 256) / 256 for value in (alpha, rho))

    def make(scale: np.float32) -> Layer:
        jump = np.maximum(np.round(np.full(1, 0.02 / scale) * 1024), 1) / 1024
        neuron = {"kind": "alif", "alpha": alpha, "rho": rho, "jump": jump.astype(np.float32), "decay_input": False}
        neuron |= {"threshold": 0.0, "fire": "gt"}
        wire = Wire(source="input", weight=codes, bias=bias)
        return Layer(name="n1", wires=(wire,), neuron=neuron, loop=back)

    grow.add(make, 0.1)
    return Case(network=grow.classes(leaky(_decay(20), "subtract", True)), data=data)


def recurrent(hard: bool) -> Case:
    """Recurrent LIF neurons, a decay for each. hard: one layer of the stock neuron; else two of snnTorch's Leaky."""
    data = events((200,), 100, MANY)
    grow = Grower(data, 100, (200,), 3 + hard)
    if hard:
        grow.dense(96, leaky(grow.taus(3, 30, 96), "zero", False), loop=0.7)
        return Case(network=grow.classes(leaky(_decay(9.5), "zero", False)), data=data, stock_loop=True)
    for _ in range(2):
        grow.dense(64, leaky(grow.taus(3, 30, 64), "subtract", True), loop=0.7)
    return Case(network=grow.classes(leaky(_decay(9.5), "subtract", True)), data=data)


def cuba(large: bool) -> Case:
    """Current-based neurons: 2312-512-10 with a decay for each layer and hard reset, or 200-128-64-10 with decays for
    each neuron and soft reset."""
    shape, steps = ((2, 34, 34), 60) if large else ((200,), 100)
    data = events(shape, steps, 100)
    grow = Grower(data, steps, shape, 5 + large)
    for count in (512,) if large else (128, 64):
        alpha, beta = (_decay(4.3), _decay(11.7)) if large else (grow.taus(2, 8, count), grow.taus(4, 25, count))
        neuron = {"kind": "cuba", "alpha": alpha, "beta": beta} | _rest("zero" if large else "subtract", False, "gt")
        grow.dense(count, neuron)
    last = {"kind": "cuba", "alpha": _decay(4.3), "beta": _decay(11.7)} | _rest("zero", False, "gt")
    return Case(network=grow.classes(last), data=data)


def conv() -> Case:
    """Convolutions with batch normalisation, strided, on digits as random spikes."""
    data = digits(24, MANY, "rate")
    grow = Grower(data, 24, (1, 16, 16), 7)
    grow.conv(8, leaky(_decay(7.7), "subtract", True), 0.12, stride=2)
    grow.conv(16, leaky(_decay(5.2), "subtract", True), stride=2)
    return Case(network=grow.classes(leaky(_decay(11), "subtract", True)), data=data)


def mlp(kind: str) -> Case:
    """256-128-64-10 on digits, as pictures that stand still or as random spikes."""
    data = digits(32, MANY, "rate" if kind in ("plif", "integrate") else "static")
    seed = 8 + ("plif", "hard", "soft", "signed", "integrate").index(kind)
    grow = Grower(data, 32, (1, 16, 16), seed)
    neurons: list[dict[str, Any]]
    if kind == "plif":
        neurons = [
            {"kind": "plif", "w": np.array([w]), "decay_input": True} | _rest("zero", False, "ge")
            for w in (-0.71, -1.13, -1.58)
        ]
    elif kind == "hard":
        neurons = [
            {"kind": "lif", "tau": tau, "decay_input": False} | _rest("zero", False, "ge") for tau in (3.3, 4.7, 6.1)
        ]
    elif kind == "soft":
        neurons = [leaky(_decay(tau), "subtract", True) for tau in (8.1, 13.3, 17.9)]
    elif kind == "signed":
        neurons = [
            {"kind": "lif", "tau": tau, "decay_input": True} | _rest("subtract", False, "ge") | {"threshold_low": -1.0}
            for tau in (2.2, 3.1, 4.3)
        ]
    else:
        neurons = [{"kind": "if"} | _rest("subtract", False, "ge")] * 3
    scaled = kind == "integrate"
    for count, neuron in zip((128, 64), neurons, strict=False):
        grow.dense(count, neuron, rows=scaled, bias=0.02 * scaled)
    return Case(network=grow.classes(neurons[-1]), data=data)


def pooled() -> Case:
    """Convolutions of a scale for each channel, averages over 2 x 2 spikes between them, on events."""
    data = events((2, 16, 16), 40, 100)
    grow = Grower(data, 40, (2, 16, 16), 13)
    grow.conv(8, leaky(_decay(6.4), "subtract", True), kernel=5, norm=False)
    grow.conv(16, leaky(_decay(9.1), "zero", False), pool=2, norm=False)
    return Case(network=grow.classes(leaky(_decay(14.2), "subtract", True), pool=2), data=data)


def residual() -> Case:
    """A population that reads two others through scales of their own."""
    data = digits(24, MANY, "rate")
    grow = Grower(data, 24, (1, 16, 16), 14)
    grow.conv(8, leaky(_decay(7.1), "zero", False), stride=2)
    grow.conv(8, leaky(_decay(4.9), "zero", False))
    grow.conv(8, leaky(_decay(5.8), "zero", False), shortcut="n1")
    return Case(network=grow.classes(leaky(_decay(11), "zero", False)), data=data)


def refractory() -> Case:
    """Current-based neurons that rest for two steps after a spike."""
    data = events((200,), 100, MANY)
    grow = Grower(data, 100, (200,), 15)
    neuron = {"kind": "cuba", "alpha": grow.taus(2, 8, 128), "beta": grow.taus(4, 25, 128), "refractory": 2}
    grow.dense(128, neuron | _rest("zero", False, "gt"))
    last = {"kind": "cuba", "alpha": _decay(4.3), "beta": _decay(11.7), "refractory": 2}
    return Case(network=grow.classes(last | _rest("zero", False, "gt")), data=data)


CASES: dict[str, Callable[[], Case]] = {
    "alif-grid": lambda: adaptive(True),
    "alif-float": lambda: adaptive(False),
    "rlif-hard": lambda: recurrent(True),
    "rlif-soft": lambda: recurrent(False),
    "cuba-2312-512-10": lambda: cuba(True),
    "cuba-mlp": lambda: cuba(False),
    "conv-bn": conv,
    "plif": lambda: mlp("plif"),
    "lif-hard": lambda: mlp("hard"),
    "lif-soft": lambda: mlp("soft"),
    "signed": lambda: mlp("signed"),
    "pooled": pooled,
    "residual": residual,
    "if": lambda: mlp("integrate"),
    "refractory": refractory,
}
