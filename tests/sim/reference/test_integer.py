"""The integer reference against a loop over single neurons, written from the text of ir.Population alone."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes import node, there
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Level, Output, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Pooling, broadcast, conv_out, frozen, size
from tern2lava.sim.reference import integer

SMALL = Arithmetic(decay_bits=4, state_bits=7, threshold_bits=6, threshold_shift=0, gain_shift=0)
KINDS = ("plain", "plain", "refractory", "signed", "refractory signed", "rearm", "adaptive")


def truncated(x: int, d: int, bits: int) -> int:
    """x (2^bits - d) / 2^bits towards zero, in Python's unbounded integers."""
    magnitude: int = abs(x) * (2**bits - d) // 2**bits
    return magnitude if x >= 0 else -magnitude


def nearest(x: int, d: int, bits: int) -> int:
    """The whole number nearest to x (2^bits - d) / 2^bits, the one farther from 0 of two that are as near."""
    exact = Fraction(x * (2**bits - d), 2**bits)
    lower = floor(exact)
    below, above = exact - lower, lower + 1 - exact
    if below == above:
        return lower + 1 if exact > 0 else lower
    return lower if below < above else lower + 1


class OneNeuron:
    """A single neuron in plain Python."""

    def __init__(self, p: Population, k: int, arithmetic: Arithmetic) -> None:
        self.decayed = nearest if p.decays is Decays.NEAREST else truncated
        self.p, self.bits, self.m = p, arithmetic.decay_bits, 1 << (arithmetic.state_bits - 1)

        def own(value: Array) -> int:
            return int(broadcast(value, p.shape).reshape(-1)[k])

        self.decay_u, self.decay_v, self.bias, self.bias_u = map(own, (p.decay_u, p.decay_v, p.bias, p.bias_u))
        self.threshold, self.reset_amount, self.v_init = map(own, (p.threshold, p.reset_amount, p.v_init))
        self.decay_a, self.gain_a = own(p.decay_a), None if p.gain_a is None else own(p.gain_a)
        self.threshold_low = None if p.threshold_low is None else own(p.threshold_low)
        self.u, self.v, self.b, self.s, self.wait = 0, self.v_init, 0, 0, 0

    def clip(self, x: int) -> int:
        return max(-self.m + 1, min(self.m - 1, x))

    def step(self, a: int) -> int:
        p = self.p
        u = self.decayed(self.u, self.decay_u, self.bits) + a + self.bias_u
        if u > self.m:
            u -= 2 * self.m
        elif u <= -self.m:
            u += 2 * self.m
        self.u = u
        v, threshold = self.decayed(self.v, self.decay_v, self.bits) + u + self.bias, self.threshold
        if self.gain_a is not None:
            self.b = self.clip(self.decayed(self.b, self.decay_a, self.bits) + self.gain_a * self.s)
            v -= (self.reset_amount + self.b) * self.s
            threshold += self.b
        v = self.clip(v)
        if self.wait:
            self.wait -= 1
            self.s = 0
            return 0
        compared = v - self.reset_amount if p.rearm and self.v > self.threshold else v
        s = 1 if compared > threshold else 0
        if self.threshold_low is not None and compared < self.threshold_low:
            s -= 1
        if s and self.gain_a is None:
            if p.reset is Reset.ZERO:
                v = 0
            elif p.reset is Reset.SUBTRACT:
                v = self.clip(v - s * self.reset_amount)
        if s:
            self.wait = p.refractory
        self.v, self.s = v, s
        return s


def synapses(projection: Projection) -> list[tuple[int, int, int]]:
    """(target neuron, source neuron, weight) of every synapse, padding and pooling written out."""
    source = np.arange(size(projection.geometry.in_shape) if projection.geometry else projection.weight.shape[1])
    groups = [[int(k)] for k in source]
    if projection.pooling is not None:
        (py, px), (channels, height, width) = projection.pooling.window, projection.pooling.in_shape
        groups = [
            [(c * height + y * py + i) * width + x * px + j for i in range(py) for j in range(px)]
            for c in range(channels) for y in range(height // py) for x in range(width // px)
        ]  # fmt: skip
    result = []
    if projection.geometry is None:
        for out, row in enumerate(projection.weight.tolist()):
            result += [(out, k, w) for group, w in zip(groups, row, strict=True) for k in group]
        return result
    g = projection.geometry
    (_, height, width), (channels, oh, ow) = g.in_shape, g.out_shape
    for c in range(channels):
        group = c // (channels // g.groups)
        for y, x in np.ndindex(oh, ow):
            for i, ky, kx in np.ndindex(*projection.weight.shape[1:]):
                at = (y * g.stride[0] + ky * g.dilation[0] - g.padding[0],
                      x * g.stride[1] + kx * g.dilation[1] - g.padding[2])  # fmt: skip
                if 0 <= at[0] < height and 0 <= at[1] < width:
                    pixel = ((group * projection.weight.shape[1] + i) * height + at[0]) * width + at[1]
                    w = int(projection.weight[c, i, ky, kx])
                    result += [((c * oh + y) * ow + x, k, w) for k in groups[pixel]]
    return result


def run_neuron_by_neuron(
    graph: Graph, x: Array
) -> tuple[dict[str, list[Any]], dict[str, list[Any]], dict[str, list[Any]]]:
    """Spikes, v and u (steps, neurons) of every population for one sample x (steps, *shape)."""
    steps = len(x)
    emitted = {"x": {k + 1: row.reshape(-1).tolist() for k, row in enumerate(x)}}
    populations = graph.of_kind(Population)
    states = {p.name: [OneNeuron(p, k, there(graph.arithmetic)) for k in range(size(p.shape))] for p in populations}
    wires = {name: synapses(node(graph, name, Projection)) for p in populations for name in p.inputs}
    spikes: dict[str, list[Any]] = {p.name: [] for p in populations}
    v: dict[str, list[Any]] = {p.name: [] for p in populations}
    u: dict[str, list[Any]] = {p.name: [] for p in populations}
    emitted |= {p.name: {} for p in populations}
    for t in range(1, steps + 20):
        fired = {}
        for p in populations:
            if not p.start < t <= p.start + steps:
                continue
            a = [0] * size(p.shape)
            for name in p.inputs:
                projection = node(graph, name, Projection)
                gain = broadcast(projection.gain, (projection.weight.shape[0],))
                channel = size(p.shape) // projection.weight.shape[0]
                arriving = emitted[projection.inputs[0]].get(t - 1 - projection.delay)
                if arriving:
                    for out, k, w in wires[name]:
                        a[out] += int(gain[out // channel]) * w * arriving[k]
            fired[p.name] = [neuron.step(a[k]) for k, neuron in enumerate(states[p.name])]
        for name, row in fired.items():
            emitted[name][t] = row
            spikes[name].append(row)
            v[name].append([neuron.v for neuron in states[name]])
            u[name].append([neuron.u for neuron in states[name]])
    return spikes, v, u


def draw_population(
    rng: np.random.Generator,
    name: str,
    inputs: tuple[str, str, str] | tuple[str],
    shape: tuple[int, int, int] | tuple[int],
    start: int,
) -> Population:
    """Any population; the small state wraps and saturates often."""

    def values(low: int, high: int) -> Array:
        per_neuron = [(), (shape[0],), shape][rng.integers(3)]
        return frozen(rng.integers(low, high, per_neuron), np.int64)

    kind = KINDS[rng.integers(len(KINDS))]
    resets = {"rearm": [Reset.SUBTRACT], "adaptive": [Reset.SUBTRACT]}.get(kind, list(Reset))
    return Population(
        name=name, inputs=inputs, shape=shape, start=start, decay_u=values(0, 17), decay_v=values(0, 17),
        bias=values(-6, 7), bias_u=values(-4, 5), threshold=values(0, 40), reset=resets[rng.integers(len(resets))],
        reset_amount=values(0, 50), v_init=values(-50, 50), lsb=frozen(1.0),
        refractory=int(rng.integers(1, 4)) if "refractory" in kind else 0, rearm=kind == "rearm",
        threshold_low=values(-40, 0) if "signed" in kind else None, decay_a=values(0, 17),
        gain_a=values(0, 30) if kind == "adaptive" else None, decays=list(Decays)[rng.integers(2)],
    )  # fmt: skip


def draw_program(seed: int) -> tuple[Graph, Array]:
    """A convolution (perhaps behind a pooling), a dense layer, a residual, a loop; gains, delays, late starts."""
    rng = np.random.default_rng(seed)
    height, width, groups = int(rng.integers(3, 6)), int(rng.integers(3, 6)), int(rng.integers(1, 3))
    window = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    image = (2, height, width)
    pooling = Pooling(in_shape=image, window=window) if rng.random() < 0.4 else None
    seen = pooling.out_shape if pooling else image
    kernel = (int(rng.integers(1, seen[1] + 1)), int(rng.integers(1, seen[2] + 1)))
    top, bottom, left, right = (int(n) for n in rng.integers(0, 2, 4))
    padding = (top, bottom, left, right)
    out = (2, conv_out(seen[1], kernel[0], 2, padding[0] + padding[1], 1),
           conv_out(seen[2], kernel[1], 1, padding[2] + padding[3], 1))  # fmt: skip
    geometry = ConvGeometry(
        in_shape=seen, out_shape=out, stride=(2, 1), padding=padding, dilation=(1, 1), groups=groups
    )

    def gain(channels: int) -> Array:
        return frozen(rng.integers(1, 9, () if rng.random() < 0.5 else (channels,)), np.int64)

    def codes(*shape: Any) -> Array:
        return frozen(rng.integers(-1, 2, shape), np.int8)

    starts = sorted(int(n) for n in rng.integers(0, 4, 2))
    nodes = (
        Input(name="x", shape=image, levels=(-3, 3)),
        Projection(name="conv", inputs=("x",), weight=codes(2, 2 // groups, *kernel), gain=gain(2), geometry=geometry,
                   pooling=pooling, delay=int(rng.integers(0, 3))),
        draw_population(rng, "a", ("conv",), out, starts[0]),
        Projection(name="fc", inputs=("a",), weight=codes(3, size(out)), gain=gain(3), delay=int(rng.integers(0, 3))),
        Projection(name="skip", inputs=("x",), weight=codes(3, size(image)), gain=gain(3)),
        Projection(name="loop", inputs=("b",), weight=codes(3, 3), gain=gain(3), delay=int(rng.integers(0, 3))),
        draw_population(rng, "b", ("fc", "skip", "loop"), (3,), starts[1]),
        Output(name="y", inputs=("b",)),
    )  # fmt: skip
    graph = Graph(level=Level.INTEGER, nodes=nodes, arithmetic=SMALL)
    return graph, rng.integers(-3, 4, (2, 7, *image))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_every_spike_and_state_is_that_of_single_neurons(seed: int) -> None:
    graph, x = draw_program(seed)
    trace = integer.run(graph, {"x": x})
    for sample in range(len(x)):
        spikes, v, u = run_neuron_by_neuron(graph, x[sample])
        for name in ("a", "b"):
            assert trace.spikes[name][sample].tolist() == spikes[name]
            assert trace.v[name][sample].tolist() == v[name]
            assert trace.u[name][sample].tolist() == u[name]


def test_the_examples_wrap_saturate_and_spike_both_ways() -> None:
    spikes, currents, potentials = [], [], []
    for seed in range(30):
        graph, x = draw_program(seed)
        trace = integer.run(graph, {"x": x})
        spikes.append(np.concatenate([s.reshape(-1) for s in trace.spikes.values()]))
        potentials.append(np.concatenate([v.reshape(-1) for v in trace.v.values()]))
        wide = integer.run(replace(graph, arithmetic=replace(SMALL, state_bits=30)), {"x": x})
        currents.append(max(int(np.abs(u).max()) for u in wide.u.values()))
    assert set(np.concatenate(spikes).tolist()) == {-1, 0, 1}
    assert {-63, 63} <= set(np.concatenate(potentials).tolist())
    assert max(currents) > 64


@pytest.mark.parametrize(
    ("x", "d", "expected"), [(100, 1, 93), (-100, 1, -93), (100, 16, 0), (-100, 0, -100), (-1, 8, 0)]
)
def test_decay_truncates_towards_zero(x: int, d: int, expected: int) -> None:
    assert integer.decay(np.array([x]), np.array([d]), 4).tolist() == [expected]


@pytest.mark.parametrize(
    ("x", "d", "expected"),
    [(100, 1, 94), (-100, 1, -94), (100, 16, 0), (-100, 0, -100), (1, 8, 1), (-1, 8, -1), (3, 8, 2), (1, 9, 0)],
)
def test_decay_rounds_to_the_nearest_whole_number_and_halves_away_from_zero(x: int, d: int, expected: int) -> None:
    assert integer.decay(np.array([x]), np.array([d]), 4, Decays.NEAREST).tolist() == [expected]
    assert nearest(x, d, 4) == expected


@pytest.mark.parametrize(("u", "expected"), [(64, 64), (65, -63), (-63, -63), (-64, 64), (-65, 63), (200, 72)])
def test_a_current_wraps_once(u: int, expected: int) -> None:
    assert integer.wrap(np.array([u]), SMALL).tolist() == [expected]


def test_states_are_not_kept_unless_asked_for() -> None:
    graph, x = draw_program(1)
    trace = integer.run(graph, {"x": x}, states=False)
    assert trace.v == trace.u == {}
    assert np.array_equal(trace.spikes["b"], integer.run(graph, {"x": x}).spikes["b"])
