"""Projections and neurons as one layer of a lava-dl file: a convolution where it can say one, else a dense layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.linear import accumulate, per_neuron
from tern2lava.compiler.ir.shapes import Array, Ints, Shape, size
from tern2lava.errors import UnsupportedError
from tern2lava.export.netx_neuron import KEEP, Saying
from tern2lava.export.netx_weights import netx_keeps
from tern2lava.sim.lava.process_choice import INT8_MAX, MAX_STOCK_DELAY

MOST_DENSE = 1 << 24
"""Weights of a dense layer that a convolution is written out as, at most: 64 MiB."""
SUM_BITS, CONV_BITS = 24, 23
WEIGHTS = "weights that netx and Lava keep as they are (9 bits, even beyond 127)"
NARROWER = (
    "compile for a profile that extends the target's with gain_max_shift 13, or less for wider codes (docs/exports.md)"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Feeds:
    """What a population reads: projections from the layer before and from itself, each with the steps that it waits
    beyond those of the pipeline. largest: the largest magnitude of a spike of the layer before."""

    population: Population
    inputs: int
    forward: tuple[tuple[Projection, int], ...]
    back: tuple[tuple[Projection, int], ...]
    largest: int

    @classmethod
    def of(cls, graph: Graph, before: Input | Population, population: Population) -> Feeds:
        """What `population` reads."""
        wires = [graph.projection(name) for name in population.inputs]
        start = 0 if isinstance(before, Input) else before.start
        return cls(
            population=population, inputs=size(before.shape),
            forward=tuple((w, start + 1 + w.delay - population.start) for w in wires if w.inputs[0] == before.name),
            back=tuple((w, 1 + w.delay) for w in wires if w.inputs[0] == population.name),
            largest=max(map(abs, emitted_range(before))),
        )  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Say:
    """A layer: its type (dense, dense_rec or conv), data sets, and shapes."""

    kind: str
    fields: dict[str, Any]
    in_shape: Shape
    out_shape: Shape


def layer_of(feeds: Feeds, saying: Saying, before: Shape | None) -> Say:
    """The layer of a population behind one of shape `before` (None: behind the input, which takes any). Raises
    UnsupportedError for delays and weights that it cannot have."""
    refused = _why_no_convolution(feeds, saying, before)
    if not refused:
        return _convolution(feeds, saying)
    population = feeds.population
    geometries = [wire.geometry for wire, _ in feeds.forward if wire.geometry is not None]
    if geometries and feeds.inputs * size(population.shape) > MOST_DENSE:
        raise UnsupportedError(population.name, "a convolution that netx runs", refused, KEEP)
    return _dense(feeds, saying)


def _why_no_convolution(feeds: Feeds, saying: Saying, before: Shape | None) -> str:
    """Why a population is no convolution of the file; empty where it is one."""
    wire, wait = feeds.forward[0]
    geometry = wire.geometry
    if geometry is None or len(feeds.forward) > 1 or feeds.back:
        return "more than a convolution"
    if wait or wire.reads is not None or saying.plain_sum:
        return "a delay" if wait else "one that reads a part or has no neurons"
    top, bottom, left, right = geometry.padding
    if top != bottom or left != right:
        return f"padding {geometry.padding}"
    if max(*geometry.stride, *geometry.dilation, top, left, *wire.weight.shape[2:], geometry.groups) > INT8_MAX:
        return f"a size above {INT8_MAX}"
    if before is not None and before != geometry.in_shape:
        return f"an image {geometry.in_shape} of {before}"
    for values in (saying.decay_u, saying.decay_v, saying.threshold, saying.bias):
        rows = values.reshape(geometry.out_shape[0], -1)
        if (rows != rows[:, :1]).any():
            return "neurons of a channel that differ"
    return ""


def _convolution(feeds: Feeds, saying: Saying) -> Say:
    (wire, _), name = feeds.forward[0], feeds.population.name
    geometry = wire.geometry
    assert geometry is not None
    gain = wire.gain.reshape(-1, 1, 1, 1) if wire.gain.ndim else wire.gain
    weight = wire.weight.astype(np.int64) * gain // saying.unit
    _refuse_sum(name, weight, feeds.largest, CONV_BITS)
    channels = geometry.out_shape[0]
    sizes = {
        "shape": geometry.out_shape, "kernelSize": weight.shape[2:], "stride": geometry.stride,
        "padding": (geometry.padding[0], geometry.padding[2]), "dilation": geometry.dilation,
    }  # fmt: skip
    fields: dict[str, Any] = {key: np.array(value, np.int32) for key, value in sizes.items()}
    fields |= {"groups": geometry.groups, "inChannels": geometry.in_shape[0], "outChannels": channels}
    fields["weight"] = weight.astype(np.int32)
    return Say(
        kind="conv", fields=fields | _neurons(saying, channels), in_shape=geometry.in_shape,
        out_shape=geometry.out_shape,
    )  # fmt: skip


def _dense(feeds: Feeds, saying: Saying) -> Say:
    name, out = feeds.population.name, size(feeds.population.shape)
    weight, delay = np.zeros((out, feeds.inputs), np.int64), np.zeros((out, feeds.inputs), np.int64)
    for wire, wait in feeds.forward:
        own = _matrix(wire, feeds.inputs) // saying.unit
        if ((weight != 0) & (own != 0) & (delay != wait)).any():
            raise UnsupportedError(name, "one delay for each synapse (lava-dl)", "synapses that wait twice", KEEP)
        weight += own
        delay[own != 0] = wait
    back = np.zeros((out, out if feeds.back else 0), np.int64)
    for wire, wait in feeds.back:
        if wait != 1 or delay.any():
            found = f"own spikes of {wait} steps before" if wait != 1 else "delays beside a recurrence"
            raise UnsupportedError(name, "a recurrence of one step without delays (dense_rec)", found, KEEP)
        back += _matrix(wire, out) // saying.unit
    if delay.max() > MAX_STOCK_DELAY:
        raise UnsupportedError(name, f"delays of up to {MAX_STOCK_DELAY} steps (netx)", f"{delay.max()}", KEEP)
    parts = [weight, back] if feeds.back else [weight]
    if not netx_keeps(*parts):
        raise UnsupportedError(name, WEIGHTS, _range(np.hstack(parts)), NARROWER)
    _refuse_sum(name, np.hstack(parts), max(feeds.largest, 1), SUM_BITS)
    sizes = {"shape": [out], "inFeatures": feeds.inputs, "outFeatures": out}
    fields: dict[str, Any] = {key: np.array(value, np.int32) for key, value in sizes.items()}
    fields["weight"] = weight.astype(np.int32)
    if feeds.back:
        fields["weight_rec"] = back.astype(np.int32)
    if delay.any():
        fields["delay"] = delay.astype(np.int32)
    neurons = {} if saying.plain_sum and not feeds.back else _neurons(saying, out)
    return Say(
        kind="dense_rec" if feeds.back else "dense", fields=fields | neurons,
        in_shape=(feeds.inputs,), out_shape=(out,),
    )  # fmt: skip


def _matrix(wire: Projection, inputs: int) -> Ints:
    """What each spike adds, (out, in), gain included."""
    if wire.geometry is None and wire.reads is None:
        codes = wire.weight.astype(np.int64)
    else:
        codes = accumulate(wire, np.eye(inputs)).T.astype(np.int64)
    return codes * per_neuron(wire.gain, wire)[:, None]


def _neurons(saying: Saying, channels: int) -> dict[str, Any]:
    """bias (channels,) and neuron/: numbers, or (channels,) where they differ."""

    def said(values: Ints) -> Array:
        rows = values.reshape(channels, -1)[:, 0].astype(np.int32)
        return np.array(rows[0]) if (rows == rows[0]).all() else rows

    neuron = {
        "type": "CUBA", "iDecay": said(saying.decay_u), "vDecay": said(saying.decay_v),
        "vThMant": said(saying.threshold), "refDelay": 1, "gradedSpike": 0, "wgtExp": 0,
    }  # fmt: skip
    bias = saying.bias.reshape(channels, -1)[:, 0].astype(np.int32)
    return ({"bias": bias} if bias.any() else {}) | {"neuron": neuron}


def _refuse_sum(name: str, weight: Ints, largest: int, bits: int) -> None:
    most = int(np.abs(weight).reshape(len(weight), -1).sum(axis=1).max(initial=0)) * largest
    if most >= 1 << bits:
        raise UnsupportedError(name, f"sums of a step of less than {bits + 1} bits (Lava)", f"up to {most:,}", KEEP)


def _range(weight: Ints) -> str:
    return f"weights of {int(weight.min()):,} to {int(weight.max()):,}" if weight.any() else "zeros alone"
