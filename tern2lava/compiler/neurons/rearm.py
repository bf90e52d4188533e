"""Rearming neurons, as snnTorch's immediate subtraction makes them: a neuron whose v is still above its threshold after
the reset compares v' - reset_amount with the threshold in the next step."""

from __future__ import annotations

from typing import Any

from tern2lava.compiler.ir.graph import Arithmetic, Neuron, Population, Reset
from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.compiler.neurons.mechanism import (
    COMBINED,
    ONE_OF_TWO,
    IntegerCell,
    IntegerPart,
    Mechanism,
    RealCell,
    RealPart,
    Word,
    kind_names,
)
from tern2lava.errors import UnsupportedError


def _flag(text: Any) -> bool:
    return {"true": True, "false": False}[str(text)]


class Rearm(Mechanism):
    name = "rearm"
    words = (Word(name="rearm", expected="one of true, false", read=_flag),)

    def used(self, node: Neuron | Population) -> bool:
        return node.rearm

    def refuse_combination(self, neuron: Neuron) -> None:
        hint = ONE_OF_TWO
        if neuron.reset is not Reset.SUBTRACT or neuron.reset_delay:
            raise UnsupportedError(neuron.name, COMBINED, "rearming without an immediate subtraction", hint)
        if len(kind_names(neuron)) > 1:
            raise UnsupportedError(neuron.name, COMBINED, "rearming with another neuron kind", hint)

    def lowered(self, neuron: Neuron, unit: float, arithmetic: Arithmetic, on_lattice: bool) -> dict[str, Any]:
        return {"rearm": True}

    def loses_nothing(self, neuron: Neuron, unit: float, lattice: float) -> bool:
        return True

    def keeps_whole(self, population: Population) -> bool:
        return True

    def above_threshold(self, population: Population) -> Ints:
        return population.reset_amount

    def in_real(self, cell: RealCell) -> RealPart:
        return _RealAgain(cell)

    def in_integers(self, cell: IntegerCell) -> IntegerPart:
        return _IntegerAgain(cell)

    def error_follows(self) -> bool:
        return True

    def assumed(self, neuron: Neuron) -> tuple[str, ...]:
        return ("rearm=true",)


class _RealAgain(RealPart):
    def met(self, met: Reals) -> Reals:
        again: Reals = met - self.cell.reset_amount * self.cell.above(self.cell.v)
        return again


class _IntegerAgain(IntegerPart):
    def met(self, met: Ints) -> Ints:
        again: Ints = met - self.cell.reset_amount * (self.cell.v > self.cell.threshold)
        return again
