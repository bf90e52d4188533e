"""Refractory neurons: for some steps after a spike v keeps its value and no spike is made; u goes on."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Arithmetic, Neuron, Population, Reset
from tern2lava.compiler.ir.shapes import Ints, Reals, Spikes
from tern2lava.compiler.neurons.mechanism import (
    COMBINED,
    ONE_OF_TWO,
    IntegerCell,
    IntegerPart,
    Mechanism,
    RealCell,
    RealPart,
    Word,
)
from tern2lava.errors import UnsupportedError


def _steps(text: Any) -> int:
    if not re.fullmatch(r"\d{1,4}", str(text)):
        raise ValueError(text)
    return int(text)


class Refractory(Mechanism):
    name = "refractory"
    words = (Word(name="refractory", expected="steps of rest after a spike, for example 2", read=_steps),)

    def used(self, node: Neuron | Population) -> bool:
        return node.refractory > 0

    def refuse_combination(self, neuron: Neuron) -> None:
        if neuron.reset_delay and neuron.reset is Reset.SUBTRACT:
            raise UnsupportedError(neuron.name, COMBINED, "a refractory period with a delayed subtraction", ONE_OF_TWO)

    def lowered(self, neuron: Neuron, unit: float, arithmetic: Arithmetic, on_lattice: bool) -> dict[str, Any]:
        return {"refractory": neuron.refractory}

    def loses_nothing(self, neuron: Neuron, unit: float, lattice: float) -> bool:
        return True

    def runs_exactly(self) -> bool:
        return True

    def keeps_whole(self, population: Population) -> bool:
        return True

    def in_real(self, cell: RealCell) -> RealPart:
        return RealRest(cell)

    def in_integers(self, cell: IntegerCell) -> IntegerPart:
        return _IntegerRest(cell)

    def error_follows(self) -> bool:
        return True

    def assumed(self, neuron: Neuron) -> tuple[str, ...]:
        return (f"refractory={neuron.refractory}",)


class RealRest(RealPart):
    """steps_left: of rest, (batch, neurons)."""

    def __init__(self, cell: RealCell) -> None:
        super().__init__(cell)
        self.steps_left = np.zeros(cell.spiked.shape, np.int64)

    def integrated(self, v: Reals, kept: Reals) -> Reals:
        return np.where(self.steps_left == 0, v, kept)

    def sent(self, spikes: Spikes) -> Spikes:
        return np.where(self.steps_left == 0, spikes, 0)

    def end(self, spikes: Spikes) -> None:
        self.steps_left = np.where(spikes != 0, self.cell.neuron.refractory, np.maximum(self.steps_left - 1, 0))


class _IntegerRest(IntegerPart):
    def __init__(self, cell: IntegerCell) -> None:
        super().__init__(cell)
        self.steps_left = np.zeros_like(cell.v)

    def held(self, v: Ints) -> Ints:
        return np.where(self.steps_left > 0, self.cell.v, v)

    def sent(self, spikes: Ints) -> Ints:
        spikes = np.where(self.steps_left > 0, 0, spikes)
        self.steps_left = np.where(spikes != 0, self.cell.population.refractory, np.maximum(self.steps_left - 1, 0))
        return spikes
