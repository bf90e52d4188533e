"""What a failed proof says: where, what images hold and what the program requires."""

from __future__ import annotations

import numpy as np

from tern2lava.errors import Tern2LavaError
from tern2lava.prove.program import Population


class ImageError(Tern2LavaError):
    """Core images that are not the program."""

    exit_code = 1

    def __init__(self, where: str, found: str, required: str) -> None:
        super().__init__(f"{where}: the images hold {found}; the program requires {required}")


def hold(good: object, where: str, found: str, required: str) -> None:
    """ImageError unless `good`."""
    if not good:
        raise ImageError(where, found, required)


def fail(where: str, ends: tuple[Population, Population], source: int, target: int, found: int, required: int) -> None:
    """ImageError that names a synapse by its two neurons."""
    synapse = f"synapse from {ends[0].name} {neuron_of(ends[0], source)} to {neuron_of(ends[1], target)}"
    raise ImageError(f"{where}, {synapse}", f"weight {found}", str(required))


def neuron_of(population: Population, number: int) -> str:
    """A neuron of a population by its index in the population's shape."""
    return str(tuple(int(i) for i in np.unravel_index(number, population.shape)))
