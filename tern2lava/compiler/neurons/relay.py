"""Relays: neurons that keep nothing and send the sum of their inputs as a graded spike (passes/split_fan_in.py)."""

from __future__ import annotations

from tern2lava.compiler.ir.graph import Neuron, Population
from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.neurons.mechanism import IntegerCell, IntegerPart, Mechanism


class Relay(Mechanism):
    name = "relay"

    def used(self, node: Neuron | Population) -> bool:
        return isinstance(node, Population) and node.levels is not None

    def loses_nothing(self, neuron: Neuron, unit: float, lattice: float) -> bool:
        return True

    def keeps_whole(self, population: Population) -> bool:
        return True

    def in_integers(self, cell: IntegerCell) -> IntegerPart:
        return _Sum(cell)

    def emits(self, node: Neuron | Population, low: int, high: int) -> tuple[int, int]:
        assert isinstance(node, Population)
        assert node.levels is not None
        return node.levels

    def error_follows(self) -> bool:
        return True


class _Sum(IntegerPart):
    def fired(self, met: Ints, spikes: Ints) -> Ints:
        return met
