"""Neurons: every one of the program on one core, once, with its parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tern2lava.prove.failure import ImageError, hold, neuron_of
from tern2lava.prove.image import Group, Image
from tern2lava.prove.program import Population, Program
from tern2lava.prove.reader import Ints


def prove_neurons(images: Sequence[Image], program: Program) -> int:
    """Number of neurons, those of inputs among them. Raises ImageError where images hold one never,
    twice, on the host where it belongs on a core, or with other parameters."""
    seen = [np.zeros(population.size, np.uint8) for population in program.populations]
    for image in images:
        for group in image.groups:
            hold(group.number < len(seen), image.name, f"population number {group.number}", f"{len(seen)} of them")
            population, size = program.populations[group.number], math.prod(group.box.shape)
            where, host = f"{image.name}, {population.name}", image.core is None
            hold(group.name == population.name, where, f"the name {group.name}", population.name)
            hold((population.modes is None) == host, where, "it here", "inputs on the host and populations on cores")
            hold(size == population.size, where, f"the shape {group.box.shape}", f"{population.size} neurons")
            marks = seen[group.number].reshape(group.box.shape)
            inside = marks[group.box.slices]
            if inside.any():
                first = group.box.neuron(int(np.flatnonzero(np.ravel(inside))[0]))
                raise ImageError(where, f"neuron {neuron_of(population, first)} again", "it once")
            marks[group.box.slices] = 1
            if population.modes is not None:
                _prove_parameters(where, group, population)
    for population, reached in zip(program.populations, seen, strict=True):
        if not reached.all():
            first = int(np.flatnonzero(reached == 0)[0])
            raise ImageError(population.name, f"neuron {neuron_of(population, first)} on no core", "it once")
    return sum(population.size for population in program.populations)


def _prove_parameters(where: str, group: Group, population: Population) -> None:
    assert population.modes is not None
    for key, mode in population.modes.items():
        hold(group.modes[key] == mode, where, f"{key} {group.modes[key]}", str(mode))
    keys = sorted(group.values), sorted(population.values)
    hold(keys[0] == keys[1], where, f"parameters {', '.join(keys[0])}", ", ".join(keys[1]))
    for key, values in population.values.items():
        found, required = group.values[key], _required(values, group, population)
        # One value, one for each index of the first axis, or one for each neuron: each divides the next.
        size = max(found.size, required.size)
        found, required = (given.repeat(size // given.size) for given in (found, required))
        wrong = np.flatnonzero(found != required)
        if wrong.size:
            place = int(wrong[0])
            first = group.box.neuron(place * (group.box.volume // size))
            raise ImageError(
                f"{where}, neuron {neuron_of(population, first)}", f"{key} {found[place]}", f"{required[place]}"
            )


def _required(values: Ints, group: Group, population: Population) -> Ints:
    """A parameter as the program has it, for the neurons of the group: one value, one for each index of the box's
    first axis, or one for each neuron."""
    if values.size == 1:
        return values.reshape(-1)
    shape, box = population.shape, group.box
    if values.ndim == 1 and len(shape) > 1 and values.size == shape[0]:
        values = values.reshape(-1, *[1] * (len(shape) - 1))
    if values.size == shape[0] and values.shape[:1] == shape[:1] and box.shape == shape:
        return values.reshape(-1)[box.slices[0]]
    return np.ravel(np.broadcast_to(values, shape).reshape(box.shape)[box.slices])
