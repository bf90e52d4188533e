"""Which thresholds a run met from both sides: neurons that spiked, and that stayed just below in another step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.certify.ranges import input_range, on_shape
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Population, Projection, Reset
from tern2lava.compiler.ir.linear import per_neuron
from tern2lava.compiler.ir.shapes import Bools, Ints, Spikes, broadcast, size
from tern2lava.sim.reference.integer import PopulationState


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Thresholds of one population (two of each neuron that spikes -1 too): how many were crossed, how many potentials
    came within one synapse of without crossing, and how many were met so from both sides. helpless: thresholds towards
    which no spikes move the potential, since no synapse and no bias does."""

    population: str
    thresholds: int
    crossed: int
    near: int
    both: int
    helpless: int


class SideWatch:
    """Makes the states of a run of sim.reference.integer (its `make`) and keeps, over many runs, which thresholds were
    met from which side. Relays and integrators have no thresholds.

    crossed, near: by population (thresholds of a neuron, neurons). A potential is near a threshold where it lacks less
    than the largest weight of its neuron's synapses.
    """

    def __init__(self, program: Graph) -> None:
        self.reach = {p.name: largest_weight(program, p) for p in program.of_kind(Population) if compares(program, p)}
        self.helpless: dict[str, Bools] = {}
        self.crossed: dict[str, Bools] = {}
        self.near: dict[str, Bools] = {}
        for population in program.of_kind(Population):
            if population.name in self.reach:
                shape = (1 if population.threshold_low is None else 2, size(population.shape))
                self.helpless[population.name] = helpless(program, population)
                self.crossed[population.name], self.near[population.name] = np.zeros(shape, bool), np.zeros(shape, bool)

    def __call__(self, population: Population, arithmetic: Arithmetic, batch: int) -> PopulationState:
        if population.name not in self.reach:
            return PopulationState(population, arithmetic, batch)
        return _SideState(population, arithmetic, batch, self)

    def missing(self, name: str) -> Bools:
        """The thresholds of a population that were not met from both sides, and towards which something moves."""
        return ~(self.crossed[name] & self.near[name]) & ~self.helpless[name]

    def sides(self) -> tuple[Sides, ...]:
        """One Sides for each population that has thresholds."""
        return tuple(
            Sides(
                population=name, thresholds=crossed.size, crossed=int(crossed.sum()), near=int(self.near[name].sum()),
                both=int((crossed & self.near[name]).sum()), helpless=int((self.helpless[name] & ~crossed).sum()),
            )
            for name, crossed in self.crossed.items()
        )  # fmt: skip


class _SideState(PopulationState):
    """The state of a population that tells a SideWatch where its potentials were."""

    def __init__(self, population: Population, arithmetic: Arithmetic, batch: int, watch: SideWatch) -> None:
        super().__init__(population, arithmetic, batch)
        self.crossed, self.near = watch.crossed[population.name], watch.near[population.name]
        self.reach = watch.reach[population.name]
        # Steps since the last spike: one that rests compares nothing.
        self.awake = np.full(self.v.shape, population.refractory)

    def step(self, a: Ints, forced: Ints | None = None) -> Spikes:
        compared = self.awake >= self.population.refractory
        spikes = super().step(a, forced)
        room = self.threshold - self.met
        self._note(0, spikes > 0, compared & (spikes == 0) & (room >= 0) & (room < self.reach))
        if self.population.threshold_low is not None:
            room = self.met - self.flat(self.population.threshold_low)
            self._note(1, spikes < 0, compared & (spikes == 0) & (room >= 0) & (room < self.reach))
        self.awake = np.where(spikes != 0, 0, self.awake + 1)
        return spikes

    def _note(self, which: int, crossed: Bools, near: Bools) -> None:
        self.crossed[which] |= crossed.any(axis=0)
        self.near[which] |= near.any(axis=0)


def compares(program: Graph, population: Population) -> bool:
    """Whether neurons compare potentials with a threshold that matters: not relays, nor integrators, which have the
    largest threshold, no reset and no reader of spikes."""
    assert program.arithmetic is not None
    read = any(isinstance(reader, Projection) for reader in program.consumers(population.name))
    highest = bool((population.threshold == program.arithmetic.threshold_max).all())
    return population.levels is None and (read or not highest or population.reset is not Reset.NONE)


def helpless(program: Graph, population: Population) -> Bools:
    """The thresholds towards which no spikes move the potential, (thresholds of a neuron, neurons)."""
    shape, count = population.shape, size(population.shape)
    low = high = np.zeros(shape)
    for name in population.inputs:
        projection = program.projection(name)
        ends = [end * projection.gain for end in input_range(projection, program)]
        low = low + on_shape(np.minimum(*ends), projection, shape)
        high = high + on_shape(np.maximum(*ends), projection, shape)
    moves = [np.broadcast_to(broadcast(each, shape), shape) for each in (population.bias_u, population.bias)]
    up = np.maximum(high + moves[0], 0) + np.maximum(moves[1], 0) + broadcast(np.maximum(population.v_init, 0), shape)
    found = [(up <= 0).reshape(count)]
    if population.threshold_low is not None:
        down = np.minimum(low + moves[0], 0) + np.minimum(moves[1], 0) + broadcast(population.v_init, shape)
        found.append((down >= 0).reshape(count))
    return np.stack(found)


def largest_weight(program: Graph, population: Population) -> Ints:
    """The largest magnitude of a synapse of each neuron, in last bits of the potential, (neurons,); at least 1."""
    found = np.ones(size(population.shape), np.int64)
    for name in population.inputs:
        projection = program.projection(name)
        weight = np.abs(projection.weight.astype(np.int64))
        rows = weight.reshape(weight.shape[0], -1).max(axis=1) * np.abs(broadcast(projection.gain, weight.shape[:1]))
        found = np.maximum(found, per_neuron(rows, projection))
    return found
