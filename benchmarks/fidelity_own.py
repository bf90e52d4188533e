"""Networks of the second table as data, and their float64 runs, from docs/net-yaml.md and not by the product."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Array = Any
Spikes = dict[str, Array]


@dataclass(frozen=True, eq=False, kw_only=True)
class Wire:
    """What leads from one layer's spikes to another: average pooling over `pool` x `pool`, a weight (out, in), or
    (out, in, kernel, kernel) over an image, with a bias, and batch normalisation (weight, bias, running_mean,
    running_var) with the eps of `EPS`. All float32, as a checkpoint has them."""

    source: str
    weight: Array
    bias: Array | None = None
    norm: dict[str, Array] | None = None
    stride: int = 1
    pad: int = 0
    pool: int = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """A population: what it reads, its weights on its own spikes of the step before, and its neurons' keys as
    net.yaml has them, arrays being float32."""

    name: str
    wires: tuple[Wire, ...]
    neuron: dict[str, Any]
    loop: Array | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """Layers in order, the last one being read by its spike counts; `shape` of the input, without time."""

    shape: tuple[int, ...]
    steps: int
    layers: tuple[Layer, ...] = ()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


EPS = 1e-5


def out_shape(wire: Wire, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape behind a wire whose source has `shape`."""
    if wire.weight.ndim == 2:
        return (len(wire.weight),)
    length = shape[1] // wire.pool
    side = (length + 2 * wire.pad - wire.weight.shape[2]) // wire.stride + 1
    return (len(wire.weight), side, side)


def matrix(wire: Wire, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """(matrix (out, in), bias (out,)) float64 of a wire on a source of `shape`, flattened in C order."""
    weight = wire.weight.astype(np.float64)
    out = out_shape(wire, shape)
    count = int(np.prod(shape))
    if weight.ndim == 2:
        dense = weight
        if wire.pool > 1:
            dense = weight @ _pooling(shape, wire.pool)
    else:
        c, side = shape[0], shape[1] // wire.pool
        m = np.zeros((*out, c, side, side))
        for y in range(out[1]):
            for x in range(out[2]):
                for ky in range(weight.shape[2]):
                    for kx in range(weight.shape[3]):
                        iy, ix = y * wire.stride + ky - wire.pad, x * wire.stride + kx - wire.pad
                        if 0 <= iy < side and 0 <= ix < side:
                            m[:, y, x, :, iy, ix] = weight[:, :, ky, kx]
        dense = m.reshape(int(np.prod(out)), c * side * side)
        if wire.pool > 1:
            dense = dense @ _pooling(shape, wire.pool)
    assert dense.shape[1] == count
    channels, each = len(weight), len(dense) // len(weight)
    gain, bias = np.ones(channels), np.zeros(channels)
    if wire.bias is not None:
        bias = wire.bias.astype(np.float64)
    if wire.norm is not None:
        n = {key: value.astype(np.float64) for key, value in wire.norm.items()}
        gain = n["weight"] / np.sqrt(n["running_var"] + EPS)
        bias = (bias - n["running_mean"]) * gain + n["bias"]
    return dense * np.repeat(gain, each)[:, None], np.repeat(bias, each)


def _pooling(shape: tuple[int, ...], pool: int) -> Array:
    c, h, w = shape
    m = np.zeros((c, h // pool, w // pool, c, h, w))
    for channel in range(c):
        for y in range(h // pool * pool):
            for x in range(w // pool * pool):
                m[channel, y // pool, x // pool, channel, y, x] = 1 / pool**2
    return m.reshape(c * (h // pool) * (w // pool), c * h * w)


def run_layer(layer: Layer, drives: Array) -> Array:
    """Spikes (samples, steps, neurons) int8 of a layer driven by `drives` (samples, steps, neurons) float64: the sums
    of its wires. A recurrent layer adds its own spikes of the step before."""
    k: dict[str, Any] = {
        key: value.astype(np.float64) if isinstance(value, np.ndarray) else value for key, value in layer.neuron.items()
    }
    kind, subtract, late = k["kind"], k.get("reset") == "subtract", k.get("reset_delay", False)
    samples, steps, count = drives.shape
    u, v, b, s = (np.zeros((samples, count)) for _ in range(4))
    rest = np.zeros((samples, count), np.int64)
    loop = None if layer.loop is None else layer.loop.astype(np.float64)
    spikes = np.zeros((samples, steps, count), np.int8)
    for t in range(steps):
        x = drives[:, t] if loop is None else drives[:, t] + s @ loop.T
        if kind == "alif":
            b = k["rho"] * b + k["jump"] * s
            v = k["alpha"] * v + ((1 - k["alpha"]) * x if k["decay_input"] else x) - (b + k["threshold"]) * s
        else:
            kept = np.where(s != 0, 0.0, v) if late and not subtract else v
            if kind == "cuba":
                u = k["alpha"] * u + x
            new = _integrated(kind, k, kept, u, x)
            owed = k["threshold"] * s if late and subtract else 0.0
            v = np.where(rest > 0, kept - owed, new - owed)
        top = k["threshold"] + b
        s = (v > top if k["fire"] == "gt" else v >= top).astype(np.float64)
        if "threshold_low" in k:
            s = s - (v < k["threshold_low"] if k["fire"] == "gt" else v <= k["threshold_low"])
        s = np.where(rest > 0, 0.0, s)
        rest = np.where(s != 0, k.get("refractory", 0), np.maximum(rest - 1, 0))
        if not late and kind != "alif":
            v = v - k["threshold"] * s if subtract else np.where(s != 0, 0.0, v)
        spikes[:, t] = s
    return spikes


def _integrated(kind: str, k: dict[str, Any], v: Array, u: Array, x: Array) -> Array:
    if kind == "if":
        return v + x
    if kind == "leaky":
        return k["beta"] * v + x
    if kind == "cuba":
        return k["beta"] * v + u
    rate = 1 / (1 + np.exp(-k["w"])) if kind == "plif" else 1 / k["tau"]
    return (1 - rate) * v + (rate * x if k["decay_input"] else x)


def drive(network: Network, layer: Layer, spikes: Spikes) -> Array:
    """What the wires of `layer` bring it, (samples, steps, neurons), of the spikes of the layers before it."""
    total: Array = 0.0
    for wire in layer.wires:
        m, bias = matrix(wire, network.shapes[wire.source])
        total = total + spikes[wire.source].astype(np.float64) @ m.T + bias
    return total


def run(network: Network, inputs: Array) -> Spikes:
    """Spikes (samples, steps, neurons) int8 of every layer, on inputs (samples, steps, *shape)."""
    spikes = {"input": inputs.reshape(*inputs.shape[:2], -1)}
    for layer in network.layers:
        spikes[layer.name] = run_layer(layer, drive(network, layer, spikes))
    del spikes["input"]
    return spikes


def write(network: Network, folder: Path) -> None:
    """net.yaml and net.npz of the network in `folder`."""
    tensors: dict[str, Array] = {}
    lines = [f"input: {{shape: {list(network.shape)}}}", f"steps: {network.steps}", "readout: spike_count", "layers:"]
    for layer in network.layers:
        ends = []
        for at, wire in enumerate(layer.wires):
            end, source = f"{layer.name}_{at}", wire.source
            if wire.pool > 1:
                lines.append(f"  - {{name: {end}p, from: {source}, avgpool: {{kernel: {wire.pool}}}}}")
                source = f"{end}p"
            tensors[f"{end}.weight"] = wire.weight
            if wire.bias is not None:
                tensors[f"{end}.bias"] = wire.bias
            keys: dict[str, Any] = {"tensors": end}
            if wire.weight.ndim == 4:
                keys |= {"stride": wire.stride, "padding": wire.pad}
            kind = "conv2d" if wire.weight.ndim == 4 else "dense"
            lines.append(f"  - {{name: {end}, from: {source}, {kind}: {json.dumps(keys)}}}")
            if wire.norm is not None:
                tensors |= {f"{end}n.{key}": value for key, value in wire.norm.items()}
                lines.append(f"  - {{name: {end}n, from: {end}, batchnorm: {{tensors: {end}n, eps: {EPS:.1e}}}}}")
                end += "n"
            ends.append(end)
        neuron: dict[str, Any] = {}
        for key, value in layer.neuron.items():
            if key == "fire":
                value = {"gt": ">", "ge": ">="}[value]
            if isinstance(value, np.ndarray):
                tensors[f"{layer.name}.{key}"] = value
                value = f"{layer.name}.{key}"
            neuron[key] = value
        if layer.loop is not None:
            tensors[f"{layer.name}_loop"] = layer.loop
            neuron["recurrent"] = {"dense": {"weight": f"{layer.name}_loop"}}
        lines.append(f"  - {{name: {layer.name}, from: {json.dumps(ends)}, neuron: {json.dumps(neuron)}}}")
    (folder / "net.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    np.savez(folder / "net.npz", **tensors)
