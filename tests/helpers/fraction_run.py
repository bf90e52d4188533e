"""Real networks in rational numbers, from the equations of ir.Neuron: an oracle without rounding."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import trunc
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Compare, Graph, Input, Neuron, Projection, Reset
from tern2lava.compiler.ir.linear import accumulate, per_neuron
from tern2lava.compiler.ir.shapes import broadcast, size

Fractions = NDArray[Any]
_exact = np.frompyfunc(lambda value: Fraction(float(value)), 1, 1)
_cut = np.frompyfunc(trunc, 1, 1)


class FractionRun:
    """A TERNARY graph on `inputs` (batch, steps, *shape), every state a Fraction. `spikes` of a population are (batch,
    steps, neurons)."""

    def __init__(self, real: Graph, inputs: Mapping[str, Any]) -> None:
        self.real, self.inputs = real, inputs
        self.batch, self.steps = next(iter(inputs.values())).shape[:2]
        self.state = {neuron.name: _State(neuron, self.batch) for neuron in real.of_kind(Neuron)}
        self.made: dict[str, list[NDArray[np.int64]]] = {name: [] for name in self.state}
        self.maps = {p.name: _matrix(p, self._size(p.inputs[0])) for p in real.of_kind(Projection)}

    def spikes(self, name: str) -> NDArray[np.int64]:
        """Spikes of all steps of population `name`."""
        self._at(name, self.steps - 1)
        return np.stack(self.made[name], axis=1)

    def _size(self, name: str) -> int:
        node = self.real[name]
        assert isinstance(node, Input | Neuron)
        return size(node.shape)

    def _at(self, name: str, t: int) -> NDArray[np.int64]:
        if t < 0:
            return np.zeros((self.batch, self._size(name)), np.int64)
        node = self.real[name]
        if isinstance(node, Input):
            return np.asarray(self.inputs[name][:, t]).reshape(self.batch, -1).astype(np.int64)
        made = self.made[name]
        while len(made) <= t:
            now = len(made)
            x: Fractions = np.full((self.batch, self._size(name)), Fraction(0), object)
            for projection in self.real.projections(node.inputs):
                codes, scale = self.maps[projection.name]
                x = x + (self._at(projection.inputs[0], now - projection.delay) @ codes.T) * scale
            made.append(self.state[name].step(x))
        return made[t]


def _matrix(projection: Projection, source: int) -> tuple[NDArray[np.int64], Fractions]:
    """(codes (target, source), scale of each target neuron)."""
    codes = np.rint(accumulate(projection, np.eye(source))).astype(np.int64).T
    return codes, _exact(per_neuron(projection.scale, projection))[None]


class _State:
    def __init__(self, neuron: Neuron, batch: int) -> None:
        self.neuron = neuron
        for name in ("alpha_u", "gain_u", "alpha_v", "gain_v", "bias_u", "bias", "threshold", "reset_value"):
            setattr(self, name, self.flat(getattr(neuron, name)))
        self.amount = self.flat(neuron.reset_amount)
        self.quantum = None if neuron.quantum is None else self.flat(neuron.quantum)
        self.low = None if neuron.threshold_low is None else self.flat(neuron.threshold_low)
        self.alpha_a, self.gain_a = self.flat(neuron.alpha_a), self.flat(np.asarray(0.0))
        if neuron.gain_a is not None:
            self.gain_a = self.flat(neuron.gain_a)
        zero = np.full((batch, size(neuron.shape)), Fraction(0), object)
        self.u, self.a, self.v = zero, zero, zero + self.flat(neuron.v_init)
        self.spiked = np.zeros(zero.shape, np.int64)
        self.rest = np.zeros(zero.shape, np.int64)

    alpha_u: Fractions
    gain_u: Fractions
    alpha_v: Fractions
    gain_v: Fractions
    bias_u: Fractions
    bias: Fractions
    threshold: Fractions
    reset_value: Fractions

    def flat(self, value: Any) -> Fractions:
        found: Fractions = _exact(broadcast(np.asarray(value), self.neuron.shape).reshape(1, -1))
        return found

    def decayed(self, x: Fractions, alpha: Fractions) -> Fractions:
        """alpha x, cut to whole quanta where there are any."""
        found = alpha * x
        return found if self.quantum is None else _cut(found / self.quantum) * self.quantum

    def step(self, x: Fractions) -> NDArray[np.int64]:
        """Spikes of one step."""
        neuron, strict = self.neuron, self.neuron.compare is Compare.GT
        self.u = self.decayed(self.u, self.alpha_u) + self.gain_u * x + self.bias_u
        self.a = self.alpha_a * self.a + self.gain_a * self.spiked
        kept = self.v
        late = neuron.reset_delay
        if late and neuron.reset is Reset.ZERO:
            kept = np.where(self.spiked != 0, self.reset_value, kept)
        v = self.decayed(kept, self.alpha_v) + self.gain_v * self.u + self.bias
        if late and neuron.reset is Reset.SUBTRACT:
            v = v - (self.amount + self.a) * self.spiked
            kept = kept - (self.amount + self.a) * self.spiked
        v = np.where(self.rest > 0, kept, v)
        met = v - self.a
        if neuron.rearm:
            was = self.v > self.threshold if strict else self.v >= self.threshold
            met = met - self.amount * was.astype(bool)
        fired = (met > self.threshold if strict else met >= self.threshold).astype(np.int64)
        if self.low is not None:
            fired = fired - (met < self.low if strict else met <= self.low).astype(np.int64)
        fired = np.where(self.rest > 0, 0, fired)
        self.rest = np.where(fired != 0, neuron.refractory, np.maximum(self.rest - 1, 0))
        if not late and neuron.reset is Reset.ZERO:
            v = np.where(fired != 0, self.reset_value, v)
        elif not late and neuron.reset is Reset.SUBTRACT:
            v = v - self.amount * fired
        self.v, self.spiked = v, fired
        return fired
