"""What a failed proof says: where, what images hold and what the program requires."""

from __future__ import annotations

import numpy as np

from tern2lava.errors import Tern2LavaError
from tern2lava.prove.program import Population


class MistranslationError(Tern2LavaError):
    """Core images that are not the program."""

    exit_code = 1

    def __init__(self, where: str, found: str, required: str) -> None:
        super().__init__(f"{where}: the images hold {found}; the program requires {required}")


def neuron_of(population: Population, number: int) -> str:
    """A neuron of a population by its index in the population's shape."""
    return str(tuple(int(i) for i in np.unravel_index(number, population.shape)))
