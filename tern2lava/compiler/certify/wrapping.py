"""How large a current becomes that is brought back once into its range, over all inputs: what simulators must hold.

Nothing here says that a current does not wrap (ranges.py does): this is about the numbers that occur where it does.
"""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.certify.ranges import FOREVER, input_range, on_shape
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Population
from tern2lava.errors import UnsupportedError


def largest_input(graph: Graph, population: Population) -> int:
    """R, the largest |a + bias_u| over all spikes and neurons, whatever the signs of gains."""
    low = high = np.zeros(())
    for name in population.inputs:
        projection = graph.projection(name)
        ends = [end * projection.gain for end in input_range(projection, graph)]
        low = low + on_shape(np.minimum(*ends), projection, population.shape)
        high = high + on_shape(np.maximum(*ends), projection, population.shape)
    return int(np.abs(population.bias_u).max(initial=0)) + int(max(-low.min(initial=0), high.max(initial=0)))


def largest_current(population: Population, most: int, arithmetic: Arithmetic, steps: int = FOREVER) -> int:
    """The largest |u| after any step up to `steps`, given |a + bias_u| <= `most`.

    With M = 2^(state_bits - 1), f = 1 - decay_u / 2^D and R = `most`, x = dec(u) + a + bias_u is at most |dec(u)| + R,
    and |dec(u)| <= min(|u|, f |u| + 1/2) however decays are made whole. Brought back once, |x| <= 3M lies in [-M, M],
    and beyond, |x| falls by 2M. Hence |u'| <= max(M, |dec(u)| + R - 2M), and with R <= 2M u never leaves [-M, M]. With
    R > 2M it is at most M + steps (R - 2M); where f < 1 for every neuron, also the fixed point
    max(M, (R - 2M + 1/2) / (1 - f)) of the smallest decay.
    """
    m = 1 << (arithmetic.state_bits - 1)
    over = most - 2 * m
    if over <= 0:
        return m
    grown = m + steps * over
    decay = int(population.decay_u.min())
    if decay <= 0:
        return grown
    return min(grown, max(m, ((over + 1) << arithmetic.decay_bits) // decay + 1))


def refuse_unbounded(graph: Graph, steps: int) -> None:
    """Raise UnsupportedError for the first population of an INTEGER graph whose current can become so large, within
    `steps` steps, that its decay is not exact in 64-bit integers: (|u| + 1) 2^D and |u| + R must be below 2^63."""
    arithmetic = graph.arithmetic
    assert arithmetic is not None
    for population in graph.of_kind(Population):
        most = largest_input(graph, population)
        largest = largest_current(population, most, arithmetic, steps)
        if max((largest + 1) << arithmetic.decay_bits, largest + most) >= 1 << 63:
            raise UnsupportedError(
                population.name, "currents that 64-bit integers decay exactly",
                f"inputs up to {most:,} a step, beyond two wraps of states of {arithmetic.state_bits} bits",
                "let the current decay, scale its weights down or run fewer steps",
            )  # fmt: skip
