"""Biases in the target's code, and what was added to them on purpose so that thresholds lie where they must."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.certify.source_integers import membrane_unit
from tern2lava.compiler.ir.graph import Arithmetic, Neuron, Population
from tern2lava.compiler.ir.shapes import Ints, Reals


def coded_bias(value: Reals, arithmetic: Arithmetic) -> Ints | None:
    """`value` as mantissa * 2^exponent, the least exponent for the whole population; None where there is none."""
    top = (1 << (arithmetic.bias_bits - 1)) - 1
    for exponent in range(arithmetic.bias_max_exp + 1):
        mantissa = np.rint(value / (1 << exponent))
        if np.all(np.abs(mantissa) <= top):
            result: Ints = mantissa.astype(np.int64) << exponent
            return result
    return None


def bias_offset(neuron: Neuron, population: Population, arithmetic: Arithmetic) -> Ints:
    """The last bits of `population`'s bias that ties.place added to the code of `neuron`'s."""
    plain = coded_bias(neuron.bias * membrane_unit(neuron, population), arithmetic)
    return np.zeros((), np.int64) if plain is None else np.asarray(population.bias - plain)
