"""The proof that one population spikes as its real dynamics do, by induction over the steps of a sample.

With S last bits to one real unit, the hypothesis after a step is that integers and real numbers hold the same point:

    u = S u_real,   v = S v_real + d,   S v_real a multiple of q,   low <= d <= high

d is what a bias moves that stands in the integers for the thresholds' sake; without one it is 0. The weighted sum of a
step is one free number within its range. From the hypothesis at one step follows that at the next, if

- gains, biases, start values and subtractions are S times the real ones, and decay factors are the real ones;
- no decay has anything to round: none is partial, or what is added is a multiple of so high a power of two that each
  product is a whole number up to the last step; or the source rounds alike (quantum), and is the same integers;
- no accumulator leaves its range, whatever the sums;
- no multiple of q spikes in one and not in the other, d added.

Everything is compared in whole numbers and fractions: real parameters are the float64 numbers of the graph, exactly.
Nothing here is from the compiler: it is a second opinion on the certificate EXACT.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from tern2lava.prove.arithmetic.graphs import Array, Ints, Network, Node, need, times
from tern2lava.prove.arithmetic.sums import Feed, feeds

# Relative difference of a potential's unit for readouts from what the integers stand for: a few roundings of float64.
CLOSE = 2.0**-50


@dataclass(frozen=True, eq=False, kw_only=True)
class Pair:
    """A population in real numbers and in integers, with what it takes in. decays: decay_u and decay_v over 2^bits."""

    real: Node
    coded: Node
    feeds: list[Feed]
    unit: Fraction
    bits: int
    top: int
    steps: int

    @property
    def subtracts(self) -> bool:
        return bool(self.coded["reset"] == "subtract")

    @property
    def signed(self) -> bool:
        return self.coded["threshold_low"] is not None

    @property
    def adapts(self) -> bool:
        return self.coded["gain_a"] is not None

    def partial(self, key: str) -> Any:
        """Where a decay is neither 0 nor all."""
        decay = self.coded.integers(key)
        return (decay > 0) & (decay < 1 << self.bits)

    def sums(self, key: str) -> Array:
        """Geometric sums over the steps of a sample, rounded up: how much of 1 in each step is gathered at most."""
        leak = self.coded.integers(key) / float(1 << self.bits)
        partial = (1 - (1 - leak) ** self.steps) / np.where(leak == 0, 1, leak)
        partial = np.where(leak < 1, np.minimum(partial * (1 + 1e-9), float(self.steps)), 1.0)
        return np.where(leak == 0, float(self.steps), partial)


def prove_population(real: Network, program: Network, name: str, steps: int) -> None:
    """Return where population `name` provably spikes as in real numbers for every input within `steps` steps of a
    sample. Raises NotProvenError with the reason where that does not follow."""
    found, coded = feeds(real, program, name), program[name]
    pair = Pair(
        real=real[name], coded=coded, feeds=found, unit=_unit(real[name], coded, found),
        bits=program.arithmetic["decay_bits"], top=(1 << (program.arithmetic["state_bits"] - 1)) - 1, steps=steps,
    )  # fmt: skip
    _same_kind(pair)
    moving, offset = _same_numbers(pair)
    grid = _grid(pair, moving)
    low, high = _drift(pair, offset)
    met_low, met_high = _ranges(pair, low, high)
    if np.all(real[name].array("threshold") == np.inf):
        _no_decisions(pair, program)
    else:
        _same_decisions(pair, grid, low, high, met_low, met_high)


def _no_decisions(pair: Pair, program: Network) -> None:
    """What has no threshold in real numbers is not reset in integers either, and sends no spike on: both hold the same
    point, which is all that is read of them."""
    need(pair.coded["reset"] == "none" and not pair.signed, "its reset")
    read = [node.name for node in program.nodes.values() if node.kind != "Output" and pair.coded.name in node.inputs]
    need(not read, "what reads its spikes")


def _unit(real: Node, coded: Node, found: list[Feed]) -> Fraction:
    """Last bits of one real unit: those of a synapse, or of the potential that is read where nothing comes in."""
    for feed in found:
        gain, scale = (np.ravel(x) for x in np.broadcast_arrays(feed.gain, feed.scale))
        for place in np.flatnonzero((gain > 0) & (scale > 0))[:1]:
            return Fraction(int(gain[place])) / Fraction(float(scale[place]))
    return Fraction(float(np.ravel(real["unit"])[0] / np.ravel(coded["lsb"])[0]))


def _same_kind(pair: Pair) -> None:
    """Both have the same mechanisms, in combinations that are defined here."""
    real, coded = pair.real, pair.coded
    need(real.shape == coded.shape, "its shape")
    need(not (real.fields.get("extra") or coded.fields.get("extra")), "its mechanism is not known here", False)
    need(coded["levels"] is None, "it is a relay", False)
    for key in ("reset", "refractory", "rearm", "record_before_reset"):
        need(real[key] == coded[key], f"its {key}")
    for key in ("threshold_low", "gain_a"):
        need((real[key] is None) == (coded[key] is None), f"its {key}")
    kinds = (bool(real["refractory"]), pair.signed, bool(real["rearm"]), pair.adapts)
    alone = sum(kinds) == 1 or not (real["rearm"] or pair.adapts)
    need(alone, "its mechanisms together are not known here", False)
    need(not (real["rearm"] or pair.adapts) or pair.subtracts, "its mechanism is not known with its reset", False)
    need(bool(real["reset_delay"]) == pair.adapts or coded["reset"] == "none", "its reset is delayed", False)
    need(real.array("gain_u") == 1, "its gain_u")
    need(real.array("gain_v") == 1, "its gain_v")
    need(coded["reset"] != "zero" or real.array("reset_value") == 0, "its reset value")
    read = real.array("unit") / (coded.array("lsb") * float(pair.unit))
    need(np.abs(read - 1) <= CLOSE, "the unit of its potentials")
    need(real.array("origin") == coded.array("origin"), "the origin of its potentials")


def _same_numbers(pair: Pair) -> tuple[list[Ints], Ints]:
    """(All that moves a potential, what the bias holds beyond the real one); the numbers are the same but for that."""
    real, coded, unit = pair.real, pair.coded, pair.unit
    need(unit > 0, "its unit")
    moving = []
    for feed in pair.feeds:
        gain, whole = times(feed.scale, unit)
        need(whole & (gain == feed.gain), "the scale of a sum")
        moving.append(feed.gain)
    names = ["bias_u", "v_init", *(["reset_amount"] if pair.subtracts else []), *(["gain_a"] if pair.adapts else [])]
    for key in names:
        value, whole = times(real.array(key), unit)
        need(whole & (value == coded.integers(key)), f"its {key}")
        if key != "v_init":
            moving.append(value)
    bias, whole = times(real.array("bias"), unit)
    need(whole, "its bias")
    for key, alpha in (("decay_u", "alpha_u"), ("decay_v", "alpha_v"), *((("decay_a", "alpha_a"),) * pair.adapts)):
        kept, whole = times(real.array(alpha), Fraction(1 << pair.bits))
        need(whole & (kept == (1 << pair.bits) - coded.integers(key)), f"its {key}")
        need((kept >= 0) & (kept <= 1 << pair.bits), f"its {key}")
    offset = coded.integers("bias") - bias
    plain = not (pair.adapts or real["rearm"]) and real["quantum"] is None
    need(plain or offset == 0, "its bias")
    return [*moving, bias], offset


def _grid(pair: Pair, moving: list[Ints]) -> int:
    """q: every potential is a multiple of it, and no decay rounds one. NotProvenError where one does."""
    v_init, keys = pair.coded.integers("v_init"), ("decay_u", "decay_v")
    partly = any(np.any(pair.partial(key)) for key in keys)
    if pair.real["quantum"] is not None:
        quanta = np.unique(pair.real.array("quantum"))
        need(quanta.size == 1 and Fraction(float(quanta[0])) * pair.unit == 1, "its quantum")
        need(pair.coded["decays"] == "truncate", "how its decays become whole")
        need(not (pair.adapts and np.any(pair.partial("decay_a"))), "its decay_a")
        if partly:
            return 1
    common = reduce(np.gcd, (int(np.gcd.reduce(np.ravel(value))) for value in moving), 0)
    if not partly and not (pair.adapts and np.any(pair.partial("decay_a"))):
        return max(1, int(reduce(np.gcd, np.ravel(v_init), common)))
    need(not pair.adapts, "its decay_a")
    # Factors p / 2^a, p odd: a potential after n steps is a multiple of 2^(k - A (n - 1)), the first of 2^k.
    kept = [(1 << pair.bits) - int(d) for key in keys for d in np.unique(pair.coded.integers(key))]
    halvings = max(pair.bits - ((k & -k).bit_length() - 1) for k in kept if 0 < k < 1 << pair.bits)
    common = int(reduce(np.gcd, [int(v) >> halvings for v in np.unique(v_init)], common))
    need(np.all(v_init % (1 << halvings) == 0), "its v_init, which a decay rounds")
    if common == 0:
        return 1
    power = (common & -common).bit_length() - 1
    need(power >= halvings * (pair.steps - 1), "a decay rounds its potentials")
    return 1 << (power - halvings * (pair.steps - 1))


def _drift(pair: Pair, offset: Ints) -> tuple[Ints, Ints]:
    """(low, high) of d over the steps; a decay makes d and a whole number into that number decayed and f d, made whole
    downwards or upwards."""
    low = high = np.zeros(np.shape(offset), np.int64)
    if not np.any(offset):
        return low, high
    kept = (1 << pair.bits) - pair.coded.integers("decay_v")
    if not np.any(pair.partial("decay_v")):
        far = np.where(kept == 0, 1, pair.steps) * offset
        return np.minimum(far, offset), np.maximum(far, offset)
    # A potential has the bias of one step in it where it first meets the threshold, and wherever it was reset before.
    low = high = least = most = low + offset
    for _ in range(pair.steps - 1):
        low, high = (low * kept >> pair.bits) + offset, -(-high * kept >> pair.bits) + offset
        least, most = np.minimum(least, low), np.maximum(most, high)
    return least, most


def _ranges(pair: Pair, low: Ints, high: Ints) -> tuple[Array, Array]:
    """(met_low, met_high), the range of potentials that meet the threshold; NotProvenError where u, v or the adaptation
    can leave that of the target. Float64, exact as far as the target's widths go."""
    coded, steps = pair.coded, pair.steps
    ends = [np.sort(np.stack(np.broadcast_arrays(f.gain * f.low, f.gain * f.high)), axis=0) for f in pair.feeds]
    bias_u, bias = (coded.integers(key).astype(np.float64) for key in ("bias_u", "bias"))
    u_low = pair.sums("decay_u") * np.minimum(sum((e[0] for e in ends), 0) + bias_u, 0)
    u_high = pair.sums("decay_u") * np.maximum(sum((e[1] for e in ends), 0) + bias_u, 0)
    down, up = np.minimum(u_low + bias, 0), np.maximum(u_high + bias, 0)
    start, code = coded.integers("v_init"), coded.integers("threshold")
    amount = coded.integers("reset_amount") if pair.subtracts else np.zeros((), np.int64)
    added = np.zeros(())
    if pair.adapts:
        added = pair.sums("decay_a") * coded.integers("gain_a")
        need((added >= 0) & (added <= pair.top), "its adaptation can overflow")
    need((amount >= 0) & (code >= 0), "its reset or threshold is below 0", False)
    # What is left after a step, least and most, whatever it was; then what a step adds, with what spikes leave behind.
    gathered = pair.sums("decay_v")
    met_low = np.minimum(start, 0) + gathered * down
    met_high = np.maximum(start, 0) + gathered * up
    if coded["reset"] != "none":
        low_code = coded.integers("threshold_low") if pair.signed else np.zeros((), np.int64)
        need(low_code <= 0, "its lower threshold is above 0", False)
        rest = np.maximum(code + added + (amount if coded["rearm"] else 0), start)
        if pair.subtracts:
            least = -amount - added if pair.adapts else np.minimum(code + 1 - amount, 0)
            met_low = met_low + np.minimum(least, 0)
            if pair.signed:
                raised = low_code - 1 + amount
                rest, met_high = np.maximum(rest, raised), met_high + np.maximum(raised, 0)
                floor = np.minimum(np.minimum(low_code, least), start) + down - steps * np.maximum(-down - amount, 0)
                met_low = np.maximum(floor, met_low)
            met_high = np.minimum(rest + up + steps * np.maximum(up - amount, 0), met_high)
        else:
            met_high = np.minimum(rest + up, met_high)
            if pair.signed:
                met_low = np.maximum(np.minimum(low_code, start) + down, met_low)
    # A bias beyond the real one is decayed to the nearest whole number, which may be the farther one.
    slack = np.where((low != 0) | (high != 0), float(steps), 0.0)
    met_low, met_high = met_low - slack, met_high + slack
    need((u_low >= -pair.top) & (u_high <= pair.top), "its current can overflow")
    need(met_low >= -pair.top, "its potential can overflow")
    # One that is cut at the top spikes and is set to 0, cut or not.
    need(code < pair.top if coded["reset"] == "zero" else met_high <= pair.top, "its potential can overflow")
    return met_low, met_high


def _same_decisions(pair: Pair, grid: int, low: Ints, high: Ints, met_low: Array, met_high: Array) -> None:
    """No multiple of `grid` spikes in one and not in the other, what the bias moved (low to high) added to it in
    integers; thresholds that no potential reaches in either are alike."""
    real, code = pair.real, pair.coded.integers("threshold")
    below, whole = times(real.array("threshold"), pair.unit / grid)
    first = np.where(whole & (real["compare"] == ">="), below, below + 1) * grid
    apart = (first + low > code) & (first - grid + high <= code)
    silent = (met_high <= code) & (met_high - low < first)
    need(apart | silent, "its threshold")
    if pair.signed:
        code = pair.coded.integers("threshold_low")
        below, whole = times(real.array("threshold_low"), pair.unit / grid)
        last = np.where(whole & (real["compare"] == ">"), below - 1, below) * grid
        apart = (last + high < code) & (last + grid + low >= code)
        silent = (met_low >= code) & (met_low - high > last)
        need(apart | silent, "its lower threshold")
