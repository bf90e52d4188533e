"""Two executions of one program held against each other: the first difference, or how many values are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Bools, Shape
from tern2lava.errors import VerificationError
from tern2lava.sim.data.trace import Trace


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first place where two traces differ. step counts from 1 within a sample, chip_step is start + step.

    coordinates are the neuron's index in the population's own shape. reference and other hold the spike and, where
    both traces recorded it, v and u of that neuron after that step. place: the core and neuron group that hold it, of
    an execution of core images.
    """

    population: str
    sample: int
    step: int
    chip_step: int
    neuron: int
    coordinates: tuple[int, ...]
    reference: dict[str, int]
    other: dict[str, int]
    place: str = ""

    def __str__(self) -> str:
        """One line: step, population, neuron, both states."""
        place = f"{self.neuron}" if len(self.coordinates) == 1 else f"{self.neuron} {self.coordinates}"
        states = ", ".join(f"{key} {self.reference[key]} against {self.other[key]}" for key in self.reference)
        return (
            f"first difference in step {self.step} (hardware timestep {self.chip_step}) of sample {self.sample}, "
            f"population {self.population}, neuron {place}{f', {self.place}' if self.place else ''}: {states}"
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Result of comparing executions in a chain, such as ("I", "M", "L1", "L2"): every link held against the first.

    compared_values: spikes and states compared over all links; difference: the first one, and in which link.
    """

    chain: tuple[str, ...]
    equal: bool
    compared_values: int
    link: str = ""
    difference: Difference | None = None

    def __str__(self) -> str:
        """One line for the user."""
        if self.difference is None:
            return f"{' == '.join(self.chain)} on {self.compared_values:,} values"
        return f"{self.chain[0]} differs from {self.link}: {self.difference}"


def place_of(images: Sequence[bytes], difference: Difference) -> str:
    """The core that holds a neuron, and the port that its spikes leave by."""
    for data in images:
        image = decode_core(data, synapses=False)
        for number, group in enumerate(image.groups):
            if group.name == difference.population and (group.box.flat() == difference.neuron).any():
                return f"core {image.core}, port spikes_{number}"
    return ""


def compared_values(reference: Trace, other: Trace) -> int:
    """Number of spikes and states that `first_difference` compares: all that both traces recorded."""
    return sum(
        mine[name].size
        for mine, theirs in ((reference.spikes, other.spikes), (reference.v, other.v), (reference.u, other.u))
        for name in mine
        if name in theirs
    )


def first_difference(reference: Trace, other: Trace, graph: Graph) -> Difference | None:
    """The difference that is earliest in chip time, then first in the order of the network; None where there is none.

    Spikes of every population are compared, v and u wherever both traces recorded them.
    Raises VerificationError where a population is missing from `other` or has another shape.
    """
    first: tuple[int, int] | None = None
    found: Population | None = None
    at = 0
    populations = graph.of_kind(Population)
    for order, population in enumerate(populations):
        step = _first_differing_step(reference, other, population.name)
        if step is None:
            continue
        when = population.start + step * graph.slowdown + 1, order
        if first is None or when < first:
            first, found, at = when, population, step
    if first is None or found is None:
        return None
    return _describe(reference, other, found, at, first[0])


def compare(executions: Mapping[str, Trace], graph: Graph) -> Comparison:
    """Every execution (name -> trace) held against the first one, stopping at the first link that differs."""
    chain = tuple(executions)
    reference = executions[chain[0]]
    count = 0
    for link in chain[1:]:
        count += compared_values(reference, executions[link])
        difference = first_difference(reference, executions[link], graph)
        if difference is not None:
            return Comparison(chain=chain, equal=False, compared_values=count, link=link, difference=difference)
    return Comparison(chain=chain, equal=True, compared_values=count)


def _differences(reference: Trace, other: Trace, name: str) -> list[Bools]:
    """Masks (batch, steps, neurons), one per recorded kind of value that is not equal throughout."""
    pairs = [(reference.spikes, other.spikes), (reference.v, other.v), (reference.u, other.u)]
    masks = []
    for kind, (mine, theirs) in zip(("spikes", "v", "u"), pairs, strict=True):
        if name not in mine or name not in theirs:
            if kind == "spikes":
                raise VerificationError(f"population {name}: no spikes were recorded in one of the executions")
            continue
        if mine[name].shape != theirs[name].shape:
            raise VerificationError(
                f"population {name}: {kind} have shape {mine[name].shape} in one execution and {theirs[name].shape} "
                "in the other (samples, steps, neurons)"
            )
        mask = mine[name] != theirs[name]
        if mask.any():
            masks.append(mask)
    return masks


def _first_differing_step(reference: Trace, other: Trace, name: str) -> int | None:
    """Index of the first step in which any sample of population `name` differs."""
    steps = [int(np.flatnonzero(mask.any(axis=(0, 2)))[0]) for mask in _differences(reference, other, name)]
    return min(steps, default=None)


def _describe(reference: Trace, other: Trace, population: Population, step: int, chip_step: int) -> Difference:
    """The first differing neuron of `population` in `step`, in the lowest sample."""
    name = population.name
    here = np.any([mask[:, step] for mask in _differences(reference, other, name)], axis=0)
    sample, neuron = (int(i) for i in np.argwhere(here)[0])

    def state(trace: Trace, against: Trace) -> dict[str, int]:
        kinds = {"spike": (trace.spikes, against.spikes), "v": (trace.v, against.v), "u": (trace.u, against.u)}
        return {
            kind: int(mine[name][sample, step, neuron])
            for kind, (mine, theirs) in kinds.items()
            if name in mine and name in theirs
        }

    return Difference(
        population=name,
        sample=sample,
        step=step + 1,
        chip_step=chip_step,
        neuron=neuron,
        coordinates=_coordinates(neuron, population.shape),
        reference=state(reference, other),
        other=state(other, reference),
    )


def _coordinates(neuron: int, shape: Shape) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(neuron, shape))
