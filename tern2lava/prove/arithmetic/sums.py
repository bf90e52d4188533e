"""What a population takes in: that the program's weighted sums are those of the real network, and their range."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tern2lava.prove.arithmetic.graphs import Array, Ints, Network, Node, need

# Source times target neurons up to which linear maps of other shapes are compared column by column.
MOST = 1 << 26
# Values held at a time while they are.
CHUNK = 1 << 22


@dataclass(frozen=True, eq=False, kw_only=True)
class Feed:
    """One weighted sum s of a population: real numbers take in scale s, integers gain s. scale, gain, low and high (the
    range of s over all spikes) broadcast to the population's shape."""

    scale: Array
    gain: Ints
    low: Ints
    high: Ints


def feeds(real: Network, program: Network, name: str) -> list[Feed]:
    """Every sum that population `name` takes in; together the program's are those of `real`, in the same steps.

    Raises NotProvenError for a synapse, source, delay or relay that is another."""
    wanted, coded = real[name], program[name]
    wires = [program[wire] for wire in coded.inputs]
    need(
        {wire.name if wire["part_of"] == "" else wire["part_of"] for wire in wires} == set(wanted.inputs), "its inputs"
    )
    return [
        _feed(real, program, coded, real[p], [w for w in wires if p in (w.name, w["part_of"])]) for p in wanted.inputs
    ]


def _feed(real: Network, program: Network, coded: Node, whole: Node, wires: list[Node]) -> Feed:
    source = real[whole.inputs[0]]
    found = program[whole.inputs[0]]
    need(source.shape == found.shape and source.name == found.name, f"the source of {whole.name}")
    low, high = emitted(found)
    for wire in wires:
        _check_ways(program, wire, coded, source.name, int(whole["delay"]))
    keys = ("geometry", "pooling", "reads")
    alike = len(wires) == 1 and wires[0].inputs == whole.inputs and all(wires[0][k] == whole[k] for k in keys)
    if not alike:
        need(found.size * coded.size <= MOST, f"{whole.name} is too large to be compared as it is split", False)
        _compare_maps(program, whole, wires, source.size)
    else:
        need(np.array_equal(wires[0]["weight"], whole["weight"]), f"weights of {whole.name}")
    gains = [_spread(np.asarray(wire["gain"]), wire, coded) for wire in wires]
    need(all(np.all(gains[0] == other) for other in gains), f"the gains of {whole.name}")
    area = math.prod(whole["pooling"]["window"]) if whole["pooling"] else 1
    codes = whole["weight"].reshape(whole["weight"].shape[0], -1).astype(np.int64)
    up, down = np.maximum(codes, 0).sum(axis=1), np.minimum(codes, 0).sum(axis=1)
    return Feed(
        scale=_spread(np.asarray(whole["scale"]), whole, coded), gain=gains[0].astype(np.int64),
        low=_spread(area * (up * min(low, 0) + down * max(high, 0)), whole, coded),
        high=_spread(area * (up * max(high, 0) + down * min(low, 0)), whole, coded),
    )  # fmt: skip


def emitted(node: Node) -> tuple[int, int]:
    """Least and largest value that a source of spikes sends."""
    if node.kind == "Input" or node["levels"] is not None:
        return int(node["levels"][0]), int(node["levels"][1])
    return (-1 if node["threshold_low"] is not None else 0), 1


def _spread(value: Array, projection: Node, target: Node) -> Array:
    """A value for each row of a projection's weight (or one for all), for the neurons of its target."""
    geometry = projection["geometry"]
    if value.ndim == 0:
        return value
    if len(target.shape) == 3 and geometry is not None and tuple(geometry["out_shape"]) == target.shape:
        return value.reshape(-1, 1, 1)
    return np.repeat(value, target.size // value.shape[0]).reshape(target.shape)


def _check_ways(program: Network, wire: Node, target: Node, source: str, delay: int) -> None:
    """Every way from `source` over `wire` into `target`, through relays, takes `delay` steps of the source, each of
    as many hardware timesteps as the program says; relays send what they take in."""
    slow = program.slowdown
    for ways, first in _ways(program, wire, target):
        need(first == source, f"the source of {wire.name}")
        whole = all(way >= 0 and way % slow == 0 for way in ways)
        need(whole and sum(ways) == delay * slow, f"the delay of {wire.name}")


def _ways(program: Network, wire: Node, target: Node) -> Iterator[tuple[list[int], str]]:
    """(hardware timesteps of each synapse on the way, those of the pipeline left out, its first source)."""
    node = program[wire.inputs[0]]
    begins = 0 if node.kind == "Input" else int(node["start"])
    steps = int(wire["delay"]) + 1 + begins - int(target["start"])
    if node.kind == "Input" or node["levels"] is None:
        yield [steps], node.name
        return
    _check_relay(program, node)
    for inner in node.inputs:
        for ways, first in _ways(program, program[inner], node):
            yield [*ways, steps], first


def _check_relay(program: Network, relay: Node) -> None:
    """A relay keeps nothing, adds nothing and overflows at no input."""
    whole = 1 << program.arithmetic["decay_bits"]
    for key, value in {"decay_u": whole, "decay_v": whole, "bias": 0, "bias_u": 0, "v_init": 0}.items():
        need(relay.integers(key) == value, f"{key} of relay {relay.name}")
    plain = not (
        relay["refractory"] or relay["rearm"] or relay["threshold_low"] is not None or relay.fields.get("extra")
    )
    need(plain and relay["gain_a"] is None and relay["reset"] == "none", f"what relay {relay.name} does")
    low, high = _reach(program, relay)
    top = (1 << (program.arithmetic["state_bits"] - 1)) - 1
    inside = low.min() >= max(relay["levels"][0], -top) and high.max() <= min(relay["levels"][1], top)
    need(inside, f"sums of relay {relay.name} beyond its range")


def _reach(program: Network, node: Node) -> tuple[Ints, Ints]:
    """Least and largest value of each neuron that a source of spikes sends, (1, neurons)."""
    if node.kind == "Input" or node["levels"] is None:
        low, high = emitted(node)
        return np.full((1, node.size), min(low, 0)), np.full((1, node.size), max(high, 0))
    lowest: Ints = np.zeros((1, node.size), np.int64)
    highest: Ints = np.zeros((1, node.size), np.int64)
    for wire in (program[name] for name in node.inputs):
        least, most = _reach(program, program[wire.inputs[0]])
        codes, gain = wire["weight"].astype(np.int64), _per_neuron(wire)
        up, down = np.maximum(codes, 0), np.minimum(codes, 0)
        need(np.all(gain >= 0), f"a gain of {wire.name} below 0", False)
        lowest = lowest + gain * (apply(wire, least, up) + apply(wire, most, down))
        highest = highest + gain * (apply(wire, most, up) + apply(wire, least, down))
    return lowest, highest


def _compare_maps(program: Network, whole: Node, wires: list[Node], size: int) -> None:
    """The wires' map of the source, gains of the last left out, is that of `whole`, column by column."""
    piece = max(1, CHUNK // max(1, size))
    for first in range(0, size, piece):
        unit = np.zeros((min(piece, size - first), size), np.int64)
        unit[np.arange(len(unit)), np.arange(first, first + len(unit))] = 1
        required = apply(whole, unit, whole["weight"])
        found = sum((apply(wire, _arriving(program, wire, unit), wire["weight"]) for wire in wires), 0 * required)
        need(np.array_equal(required, found), f"weights of {whole.name}")


def _arriving(program: Network, wire: Node, x: Ints) -> Ints:
    """What reaches a wire's beginning where the real source sends x."""
    node = program[wire.inputs[0]]
    if node.kind == "Input" or node["levels"] is None:
        return x
    inner = [program[name] for name in node.inputs]
    total = np.zeros((len(x), node.size), np.int64)
    for each in inner:
        total += _per_neuron(each) * apply(each, _arriving(program, each, x), each["weight"])
    return total


def _per_neuron(wire: Node) -> Ints:
    gain, geometry = np.asarray(wire["gain"], np.int64), wire["geometry"]
    places = 1 if geometry is None else math.prod(geometry["out_shape"][1:])
    return gain.reshape(1, -1) if gain.size == 1 else np.repeat(gain.reshape(-1), places)[None]


def apply(wire: Node, x: Ints, weight: Array) -> Ints:
    """weight @ x as the wire sees its source, x (batch, neurons of the source) and the result whole numbers."""
    reads, pooling, geometry = wire["reads"], wire["pooling"], wire["geometry"]
    if reads:
        inside = (slice(None), *(slice(low, high) for low, high in zip(reads["lo"], reads["hi"], strict=True)))
        x = x.reshape(len(x), *reads["shape"])[inside].reshape(len(x), -1)
    if pooling:
        channels, height, width = pooling["in_shape"]
        py, px = pooling["window"]
        rows, columns = height // py, width // px
        image = x.reshape(len(x), channels, height, width)[:, :, : rows * py, : columns * px]
        x = image.reshape(len(x), channels, rows, py, columns, px).sum(axis=(3, 5)).reshape(len(x), -1)
    codes = weight.astype(np.int64)
    if geometry is None:
        return np.asarray(x @ codes.T)
    (top, bottom, left, right), groups = geometry["padding"], geometry["groups"]
    (sy, sx), (dy, dx), (out, rows, columns) = geometry["stride"], geometry["dilation"], geometry["out_shape"]
    image = np.pad(x.reshape(len(x), *geometry["in_shape"]), ((0, 0), (0, 0), (top, bottom), (left, right)))
    image = image.reshape(len(x), groups, -1, *image.shape[2:])
    kernels = codes.reshape(groups, out // groups, *codes.shape[1:])
    total = np.zeros((len(x), groups, out // groups, rows, columns), np.int64)
    for ky in range(codes.shape[2]):
        for kx in range(codes.shape[3]):
            seen = image[..., ky * dy :, kx * dx :][..., : (rows - 1) * sy + 1 : sy, : (columns - 1) * sx + 1 : sx]
            total += np.einsum("bgiyx,goi->bgoyx", seen, kernels[..., ky, kx])
    return total.reshape(len(x), -1)
