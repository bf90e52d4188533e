"""The proof that one population spikes as its real dynamics do, by trying all that can happen to each of its neurons.

The weighted sums of a neuron are free: every step brings any value that some spikes of its sources make. From the first
state on, all pairs of an integer state and a real state that sums lead to are followed step by step; real numbers are
dyadic fractions, held exactly as whole numbers over 2^e. Where every pair spikes alike in every step, the population
does for every input. Where one does not, the sums that led there are told: an input makes them if the neuron's sources
are inputs of the network, read at one delay; where they are other populations, maybe none does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tern2lava.prove.arithmetic.graphs import Network, Node, need
from tern2lava.prove.arithmetic.sums import Feed, emitted, feeds

# Pairs of a state and a sum that are followed for a population at most.
MOST_PAIRS = 1 << 20
ARRAYS = ("alpha_u", "alpha_v", "bias_u", "bias", "v_init", "threshold", "reset_amount", "threshold_low")
CODES = ("decay_u", "decay_v", "bias_u", "bias", "v_init", "threshold", "reset_amount", "threshold_low")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of it. kinds: neurons with other parameters or synapses; pairs: of a state and a sum, followed. sums:
    of a neuron, step by step, the last of which makes it spike in one dynamics and not in the other, in synapses of
    each input; None where there are no such. certain: whether some input of the network makes these sums in that
    neuron. reason: why it was not tried to the end, None where it was."""

    population: str
    steps: int
    kinds: int
    pairs: int
    neuron: tuple[int, ...] | None = None
    sums: tuple[tuple[int, ...], ...] | None = None
    certain: bool = False
    reason: str | None = None

    @property
    def proven(self) -> bool:
        """Whether every input makes the same spikes."""
        return self.sums is None and self.reason is None

    def __str__(self) -> str:
        """What came of it, after the population's name."""
        if self.reason is not None:
            return f"not tried to the end: {self.reason}"
        if self.sums is None:
            kinds = "one kind" if self.kinds == 1 else f"{self.kinds:,} kinds"
            what = f"{kinds} of neurons, {self.pairs:,} states and sums in {self.steps:,} steps"
            return f"PROVEN to spike as real numbers for every input, by trying: {what}"
        sums = ", ".join("+".join(map(str, each)) for each in self.sums)
        made = "an input makes them" if self.certain else "whether an input makes them is not known"
        return f"DIFFERS in neuron {self.neuron}, step {len(self.sums) - 1}, after sums of {sums}; {made}"


@dataclass(frozen=True)
class Kind:
    """Neurons alike: these, real and integer parameters by name, and per feed (scale, gain, its codes, what its sources
    send)."""

    neurons: list[int]
    real: dict[str, Fraction]
    coded: dict[str, int]
    synapses: tuple[tuple[Fraction, int, tuple[int, ...], tuple[int, int]], ...]


def try_population(real: Network, program: Network, name: str, steps: int, most: int = MOST_PAIRS) -> Tried:
    """Whether population `name` spikes as in real numbers, by trying. Raises NotProvenError where it has mechanisms
    that are not followed here, or more than `most` pairs."""
    found, node, coded = feeds(real, program, name), real[name], program[name]
    need(np.isfinite(node.array("threshold")), "it has no threshold", False)
    plain = node["quantum"] is None and not (coded["rearm"] or node.fields.get("extra") or coded.fields.get("extra"))
    plain = plain and coded["gain_a"] is None and coded["levels"] is None
    need(plain and not (node["reset_delay"] and coded["reset"] != "none"), "its mechanism is not followed here", False)
    for key in ("reset", "refractory", "rearm"):
        need(node[key] == coded[key], f"its {key}")
    one = (node.array("gain_u") == 1).all() and (node.array("gain_v") == 1).all()
    need(one and (node.array("reset_value") == 0).all(), "its real equations are not canonical", False)
    pairs, number = 0, 0
    certain = all(real[real[p].inputs[0]].kind == "Input" for p in node.inputs)
    certain = certain and len({real[p].inputs[0] for p in node.inputs}) == len(node.inputs)
    for number, kind in enumerate(_kinds(real, program, node, coded, found, most), 1):
        run = _Run(kind, coded, node["compare"], program.arithmetic, most - pairs)
        sums = run.through(steps)
        pairs += run.pairs
        if sums is not None:
            makes = (n for n in kind.neurons if _makes(real, node, kind, n, sums, most)) if certain else iter(())
            neuron = next(makes, None)
            place = np.unravel_index(kind.neurons[0] if neuron is None else neuron, coded.shape)
            return Tried(
                population=name, steps=steps, kinds=number, pairs=pairs, neuron=tuple(int(i) for i in place), sums=sums,
                certain=neuron is not None,
            )  # fmt: skip
    return Tried(population=name, steps=steps, kinds=number, pairs=pairs)


def _kinds(real: Network, program: Network, node: Node, coded: Node, found: list[Feed], most: int) -> Iterator[Kind]:
    """Neurons that differ in a parameter or in the codes of their synapses; of a convolution's, those of the whole
    kernel, whose sums are all that one at a border has."""
    need(coded.size <= most, "it has too many neurons to be tried", False)

    def flat(each: Node, names: tuple[str, ...]) -> dict[str, Any]:
        return {
            key: np.broadcast_to(each.array(key), coded.shape).reshape(-1)
            for key in names if each.fields[key] is not None
        }  # fmt: skip

    reals, codes = flat(node, ARRAYS), flat(coded, CODES)
    spread = [
        (np.broadcast_to(f.scale, coded.shape).reshape(-1), np.broadcast_to(f.gain, coded.shape).reshape(-1))
        for f in found
    ]
    wholes = [real[p] for p in node.inputs]
    rows = [p["weight"].reshape(p["weight"].shape[0], -1).astype(int) for p in wholes]
    areas = [int(np.prod(p["pooling"]["window"])) if p["pooling"] else 1 for p in wholes]
    levels = [emitted(program[p.inputs[0]]) for p in wholes]
    known: dict[Any, Kind] = {}
    for neuron in range(coded.size):
        synapses = []
        for (scale, gain), row, area, (low, high) in zip(spread, rows, areas, levels, strict=True):
            channel = row[neuron * len(row) // coded.size]
            values = tuple(sorted(int(c) for c in channel if c)) * area
            synapses.append((Fraction(float(scale[neuron])), int(gain[neuron]), values, (min(low, 0), max(high, 0))))
        parameters = (
            {key: Fraction(float(value[neuron])) for key, value in reals.items()},
            {key: int(value[neuron]) for key, value in codes.items()},
        )
        key = (*(tuple(part.values()) for part in parameters), tuple(synapses))
        if key in known:
            known[key].neurons.append(neuron)
        else:
            known[key] = Kind([neuron], *parameters, tuple(synapses))
    yield from known.values()


def _makes(
    real: Network, node: Node, kind: Kind, neuron: int, sums: tuple[tuple[int, ...], ...], most: int
) -> bool:  # fmt: skip
    """Whether inputs of the network make these sums in a neuron: none before a delay has passed, and at the border of a
    convolution with the synapses that lie within the image."""
    for index, name in enumerate(node.inputs):
        whole, (_, _, _, levels) = real[name], kind.synapses[index]
        told, delay = [each[index] for each in sums], int(whole["delay"])
        if any(told[:delay]) or not set(told) <= set(_values(_own_codes(whole, node, neuron), levels, most)):
            return False
    return True


def _own_codes(whole: Node, node: Node, neuron: int) -> tuple[int, ...]:
    """The codes of a neuron's synapses, of a convolution those within the image."""
    geometry, weight = whole["geometry"], whole["weight"]
    area = int(np.prod(whole["pooling"]["window"])) if whole["pooling"] else 1
    row = weight[neuron * len(weight) // node.size].astype(int)
    if geometry is not None:
        _, height, width = geometry["in_shape"]
        _, rows, columns = geometry["out_shape"]
        (sy, sx), (dy, dx), (top, _, left, _) = geometry["stride"], geometry["dilation"], geometry["padding"]
        y, x = np.divmod(neuron % (rows * columns), columns)
        ys = y * sy - top + dy * np.arange(row.shape[1])
        xs = x * sx - left + dx * np.arange(row.shape[2])
        row = row[:, (ys >= 0) & (ys < height)][:, :, (xs >= 0) & (xs < width)]
    return tuple(int(code) for code in np.ravel(row) if code) * area


def _values(codes: tuple[int, ...], levels: tuple[int, int], most: int) -> list[int]:
    """Every sum of codes times values of their sources."""
    found = {0}
    for code in codes:
        found = {value + code * x for value in found for x in range(levels[0], levels[1] + 1)}
        need(len(found) <= most, "its sums are too many to be tried", False)
    return sorted(found)


State = tuple[int, ...]


class _Run:
    """All that can happen to a neuron. A state: integers (u, v), steps of rest left in both dynamics, real numbers
    (u, v) as whole numbers over 2^(base + n shift) after n steps."""

    def __init__(self, kind: Kind, coded: Node, compare: str, arithmetic: Any, most: int) -> None:
        self.kind, self.most, self.pairs = kind, most, 0
        self.reset, self.rest, self.compare = coded["reset"], int(coded["refractory"]), compare
        self.nearest, self.bits = coded["decays"] == "nearest", int(arithmetic["decay_bits"])
        self.half = 1 << (int(arithmetic["state_bits"]) - 1)
        real = kind.real
        alphas = (real["alpha_u"], real["alpha_v"])
        self.shift = max(alpha.denominator.bit_length() - 1 for alpha in alphas)
        self.alpha_u, self.alpha_v = (int(alpha * (1 << self.shift)) for alpha in alphas)
        others = [value for key, value in real.items() if not key.startswith("alpha")]
        self.base = max(value.denominator.bit_length() - 1 for value in [*others, *(s[0] for s in kind.synapses)])
        self.inputs: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, ())]
        for scale, gain, codes, levels in kind.synapses:
            values = _values(codes, levels, most)
            need(len(values) * len(self.inputs) <= most, "its sums are too many to be tried", False)
            exact = int(scale * (1 << self.base))
            self.inputs = [(a + gain * s, x + exact * s, (*t, s)) for a, x, t in self.inputs for s in values]

    def through(self, steps: int) -> tuple[tuple[int, ...], ...] | None:
        """The sums after which spikes differ, None where they never do. Raises NotProvenError beyond `most` pairs."""
        first = (0, self.kind.coded["v_init"], 0, 0, 0, self._over(self.kind.real["v_init"], 0))
        layers: list[dict[State, tuple[State, tuple[int, ...]] | None]] = [{first: None}]
        for step in range(1, steps + 1):
            self.pairs += len(layers[-1]) * len(self.inputs)
            need(self.pairs <= self.most, f"more than {self.most:,} states and sums", False)
            reached: dict[State, tuple[State, tuple[int, ...]] | None] = {}
            numbers = {k: self._over(v, step) for k, v in self.kind.real.items() if not k.startswith("alpha")}
            for state in layers[-1]:
                for a, x, told in self.inputs:
                    after, alike = self._step(state, a, x << (self.shift * step), numbers)
                    if not alike:
                        return self._way(layers, state, told)
                    reached.setdefault(after, (state, told))
            layers.append(reached)
        return None

    def _over(self, value: Fraction, step: int) -> int:
        """A real parameter as a whole number over the scale of a step."""
        return int(value * (1 << (self.base + self.shift * step)))

    def _decayed(self, x: int, decay: int) -> int:
        product = abs(x) * ((1 << self.bits) - decay)
        size = (product + ((1 << self.bits >> 1) if self.nearest else 0)) >> self.bits
        return size if x >= 0 else -size

    def _step(self, state: State, a: int, x: int, real: dict[str, int]) -> tuple[State, bool]:
        """(the state after a step, whether both spike alike in it)."""
        u, v, left, real_left, real_u, real_v = state
        coded, half, top = self.kind.coded, self.half, self.half - 1
        u = self._decayed(u, coded["decay_u"]) + a + coded["bias_u"]
        u = u - 2 * half if u > half else u + 2 * half if u <= -half else u
        held = v
        v = max(-top, min(top, self._decayed(v, coded["decay_v"]) + u + coded["bias"]))
        v = held if left else v
        fired = int(v > coded["threshold"]) - int("threshold_low" in coded and v < coded["threshold_low"])
        fired, left = (0, left - 1) if left else (fired, self.rest if fired else 0)
        real_u = self.alpha_u * real_u + x + real["bias_u"]
        grown = self.alpha_v * real_v + real_u + real["bias"]
        real_v = (real_v << self.shift) if real_left else grown
        strict = self.compare == ">"
        above = real_v > real["threshold"] if strict else real_v >= real["threshold"]
        below = "threshold_low" in real and (
            real_v < real["threshold_low"] if strict else real_v <= real["threshold_low"]
        )
        meant = int(above) - int(below)
        meant, real_left = (0, real_left - 1) if real_left else (meant, self.rest if meant else 0)
        if self.reset == "zero":
            v, real_v = 0 if fired else v, 0 if meant else real_v
        elif self.reset == "subtract":
            v = max(-top, min(top, v - coded["reset_amount"] * fired))
            real_v -= real["reset_amount"] * meant
        return (u, v, left, real_left, real_u, real_v), fired == meant

    @staticmethod
    def _way(layers: list[Any], state: State, told: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        way = [told]
        for layer in reversed(layers[1:]):
            state, before = layer[state]
            way.append(before)
        return tuple(reversed(way))
