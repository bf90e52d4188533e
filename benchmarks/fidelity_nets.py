"""The networks of the second table, chosen before any result was seen; all numbers drawn from seeds.

Weights are ternary, with a scale for each layer or channel; scales are bisected so that a population spikes in about
a tenth of all neuron-timesteps. Decays are float32 as training leaves them, on no target's grid, but in alif-grid. The
last layer is fitted to the classes (Grower.classes), so that decisions are those of a network that has learnt
something. Three sets of samples: those that make the network, those that calibrate its integers, and those that are
counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from fidelity_data import Samples, digits, events
from fidelity_grow import Grower
from fidelity_own import Array, Layer, Network, Wire

# Counted samples where a network is small; others have fewer, which the bar on decisions takes as it is.
MANY = 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A network, its samples by part, and whether it is a recurrent one of stock LIF neurons, which targets that
    execute Lava's own LIF cut towards zero."""

    network: Network
    data: Samples
    stock_loop: bool = False


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
    data = events(shape, steps, 100 if large else MANY)
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
