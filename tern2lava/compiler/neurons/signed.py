"""Signed neurons: a spike of -1 where v is below a lower threshold; ZERO resets, SUBTRACT adds reset_amount."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Compare, Neuron, Population, Reset
from tern2lava.compiler.ir.shapes import Ints, Reals, Spikes
from tern2lava.compiler.neurons.mechanism import (
    Divide,
    IntegerCell,
    IntegerPart,
    Mechanism,
    Ranges,
    RealCell,
    RealPart,
    needed,
)
from tern2lava.errors import UnsupportedError

LOW = "threshold_low"


class Signed(Mechanism):
    name = "signed"
    real = integer = (LOW,)

    def refuse_combination(self, neuron: Neuron) -> None:
        """What does not go with signed spikes says so itself."""

    def canonical(self, neuron: Neuron, gain: Reals, rest: Reals) -> dict[str, Any]:
        return {LOW: (needed(neuron, LOW) - rest) / gain}

    def in_synapses(self, neuron: Neuron, over: Divide, up: Divide, down: Divide) -> dict[str, Any]:
        return {LOW: (up if neuron.compare is Compare.GT else down)(needed(neuron, LOW))}

    def refuse_values(self, neuron: Neuron) -> None:
        low = needed(neuron, LOW)
        if np.any(low >= 0):
            raise UnsupportedError(
                neuron.name,
                "negative lower thresholds",
                f"{float(np.max(low)):g} in units of the synapses' scale",
                "such a neuron spikes -1 at rest; a negative one changes the network",
            )

    def lowered(self, neuron: Neuron, unit: float, arithmetic: Arithmetic, on_lattice: bool) -> dict[str, Any]:
        """The strict lower code, rounded as the upper one; beyond the largest code it becomes that code."""
        lattice = float(1 << arithmetic.threshold_shift)
        scaled = needed(neuron, LOW) * unit / lattice
        if not on_lattice and lattice > 1:
            low = np.rint(scaled) * lattice
        elif neuron.compare is Compare.GT:
            low = np.ceil(scaled) * lattice
        else:
            low = (np.floor(scaled) + 1) * lattice
        return {LOW: np.asarray(np.maximum(low, -arithmetic.threshold_max).astype(np.int64))}

    def has_codes(self, neuron: Neuron, met_low: Reals, unit: float, arithmetic: Arithmetic) -> bool:
        top = arithmetic.threshold_max
        return not np.any((needed(neuron, LOW) * unit < -top) & (met_low < -top))

    def loses_nothing(self, neuron: Neuron, unit: float, lattice: float) -> bool:
        return True

    def keeps_whole(self, population: Population) -> bool:
        return True

    def widen(self, population: Population, ranges: Ranges) -> None:
        if population.reset is Reset.NONE:
            return
        low, amount = needed(population, LOW), population.reset_amount
        floor = np.minimum(np.minimum(low, population.v_init), 0) + ranges.down
        if population.reset is Reset.SUBTRACT:
            floor = floor - float(ranges.steps) * np.maximum(-ranges.down - amount, 0)
            floor = floor + np.minimum(population.threshold - amount, 0)
            ranges.met_high = ranges.met_high + np.maximum(low + amount, 0)
        ranges.met_low = np.maximum(floor, ranges.met_low)

    def error_terms(self, neuron: Neuron, population: Population, unit: float, whole: float) -> dict[str, Reals]:
        return {LOW: np.abs(needed(population, LOW) - needed(neuron, LOW) * unit)}

    def in_real(self, cell: RealCell) -> RealPart:
        return _RealBelow(cell)

    def in_integers(self, cell: IntegerCell) -> IntegerPart:
        return _IntegerBelow(cell)

    def emits(self, node: Neuron | Population, low: int, high: int) -> tuple[int, int]:
        return -1, high

    def error_follows(self) -> bool:
        return True

    def not_in_nir(self, neuron: Neuron) -> str | None:
        return "signed spikes"


class _RealBelow(RealPart):
    def __init__(self, cell: RealCell) -> None:
        super().__init__(cell)
        self.low = cell.flat(needed(cell.neuron, LOW))

    def fired(self, met: Reals, spikes: Spikes) -> Spikes:
        below = met < self.low if self.cell.neuron.compare is Compare.GT else met <= self.low
        return spikes - below.astype(np.int8)


class _IntegerBelow(IntegerPart):
    def __init__(self, cell: IntegerCell) -> None:
        super().__init__(cell)
        self.low = cell.flat(needed(cell.population, LOW))

    def fired(self, met: Ints, spikes: Ints) -> Ints:
        return spikes - (met < self.low)
