"""Adaptive thresholds: each spike raises the threshold by gain_a (adaptation gain), and the rise decays by alpha_a
(adaptation decay) in each step.

    a' = alpha_a a + gain_a s_previous
    v' = alpha_v v + ... - (reset_amount + a') s_previous         the delayed reset of these neurons
    s  = v' compare threshold + a'
and in integers b' = clip(dec(b, decay_a) + gain_a s_previous) in the place of a'. With a gain of 0 they are neurons
that subtract with delay and nothing else, which no subtraction at once can stand for where alpha_v is 0
(passes/canonical_neurons.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Neuron, Population, Reset
from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.neurons.mechanism import (
    COMBINED,
    ONE_OF_TWO,
    Divide,
    IntegerCell,
    IntegerPart,
    Mechanism,
    Ranges,
    RealCell,
    RealPart,
    kind_names,
    needed,
)
from tern2lava.errors import UnsupportedError

GAIN = "gain_a"


class Adaptive(Mechanism):
    name = "adaptive"
    real, integer = ("alpha_a", GAIN), ("decay_a", GAIN)
    delays_reset = True

    def used(self, node: Neuron | Population) -> bool:
        return node.gain_a is not None

    def refuse_combination(self, neuron: Neuron) -> None:
        if neuron.reset is not Reset.SUBTRACT or not neuron.reset_delay:
            found = f"an adaptive threshold with reset {neuron.reset.value}, reset_delay {neuron.reset_delay}"
            raise UnsupportedError(
                neuron.name,
                COMBINED,
                found,
                "adaptive thresholds take a delayed subtraction; another reset changes the network",
            )
        if len(kind_names(neuron)) > 1:
            raise UnsupportedError(neuron.name, COMBINED, "an adaptive threshold with another neuron kind", ONE_OF_TWO)

    def canonical(self, neuron: Neuron, gain: Reals, rest: Reals) -> dict[str, Any]:
        return {GAIN: needed(neuron, GAIN) / gain}

    def in_synapses(self, neuron: Neuron, over: Divide, up: Divide, down: Divide) -> dict[str, Any]:
        return {GAIN: over(needed(neuron, GAIN))}

    def refuse_values(self, neuron: Neuron) -> None:
        if np.any(needed(neuron, GAIN) < 0):
            raise UnsupportedError(
                neuron.name,
                "an adaptive threshold that a spike raises",
                f"by {float(np.min(needed(neuron, GAIN))):g} synapses",
                "a spike would lower the threshold; a positive adaptation changes the network",
            )

    def lowered(self, neuron: Neuron, unit: float, arithmetic: Arithmetic, on_lattice: bool) -> dict[str, Any]:
        whole = 1 << arithmetic.decay_bits
        return {
            "decay_a": np.rint((1.0 - neuron.alpha_a) * whole).astype(np.int64),
            GAIN: np.rint(needed(neuron, GAIN) * unit).astype(np.int64),
        }

    def loses_nothing(self, neuron: Neuron, unit: float, lattice: float) -> bool:
        return not np.any(needed(neuron, GAIN))

    def keeps_whole(self, population: Population) -> bool:
        return not np.any(needed(population, GAIN))

    def adaptation(self, population: Population, growth: Callable[[Ints], Reals]) -> Reals | None:
        return np.asarray(growth(population.decay_a) * np.abs(needed(population, GAIN)))

    def widen(self, population: Population, ranges: Ranges) -> None:
        ranges.met_low = ranges.met_low - population.reset_amount - ranges.adaptation

    def error_terms(self, neuron: Neuron, population: Population, unit: float, whole: float) -> dict[str, Reals]:
        decay = population.decay_a
        factor = 1.0 - decay / whole
        return {
            "factor_a": factor,
            "drift_a": np.abs(factor - neuron.alpha_a),
            "round_a": population.decays.off * np.asarray((decay > 0) & (decay < whole), np.float64),
            GAIN: np.abs(needed(population, GAIN) - needed(neuron, GAIN) * unit),
        }

    def moving(self, population: Population) -> list[Ints]:
        return [needed(population, GAIN)]

    def decays(self, neuron: Neuron, population: Population) -> Iterator[tuple[str, Reals, Ints]]:
        yield "decay of the adaptation", neuron.alpha_a, population.decay_a

    def own_decays(self, population: Population) -> list[Ints]:
        return [population.decay_a]

    def rounded(self, neuron: Neuron, population: Population, unit: float) -> Iterator[tuple[str, Reals, Ints]]:
        yield "adaptation by a spike", needed(neuron, GAIN) * unit, needed(population, GAIN)

    def in_real(self, cell: RealCell) -> RealPart:
        return RealAdaptation(cell)

    def in_integers(self, cell: IntegerCell) -> IntegerPart:
        return _IntegerAdaptation(cell)

    def error_follows(self) -> bool:
        return True

    def not_in_nir(self, neuron: Neuron) -> str | None:
        return "an adaptive threshold" if np.any(needed(neuron, GAIN)) else None


class RealAdaptation(RealPart):
    """a: what the threshold is raised by."""

    def __init__(self, cell: RealCell) -> None:
        super().__init__(cell)
        self.alpha, self.gain = cell.flat(cell.neuron.alpha_a), cell.flat(needed(cell.neuron, GAIN))
        self.a: Reals = np.zeros((1, 1))

    def begin(self) -> None:
        self.a = self.alpha * self.a + self.gain * self.cell.spiked

    def owed(self, owed: Reals) -> Reals:
        more: Reals = owed + self.a * self.cell.spiked
        return more

    def met(self, met: Reals) -> Reals:
        return met - self.a


class _IntegerAdaptation(IntegerPart):
    def __init__(self, cell: IntegerCell) -> None:
        super().__init__(cell)
        self.decay, self.gain = cell.flat(cell.population.decay_a), cell.flat(needed(cell.population, GAIN))
        self.b = np.zeros_like(cell.v)

    def integrated(self, v: Ints, threshold: Ints) -> tuple[Ints, Ints]:
        cell = self.cell
        self.b = cell.clip(cell.decayed(self.b, self.decay) + self.gain * cell.spiked)
        return v - (cell.reset_amount + self.b) * cell.spiked, threshold + self.b
