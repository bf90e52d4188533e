"""Which populations the compiled kernels execute, in which integer type, and why."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.certify.wrapping import largest_current, largest_input
from tern2lava.compiler.ir.graph import Graph, Population, Projection
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.neurons.mechanism import kind_names, kinds_of
from tern2lava.sim.engine.weights import largest_code

# The mechanisms that the kernels of neuron.py execute (see step_further there); others are left to the reference.
KERNELS = ("refractory", "signed", "rearm", "adaptive")


def state_type(graph: Graph, population: Population) -> tuple[Any, str]:
    """(np.int32 or np.int64 or None, why): the type in which every intermediate value of `population` is exact.

    With R the largest |a + bias_u| over all inputs, |u| stays at or below B for any number of steps
    (wrapping.largest_current): B = M where R <= 2M, for then one wrap brings u back; beyond, B = (R - 2M) / (1 - f),
    which is finite where every current decays. What is wrapped is then at most B + R; sums over synapses are made in
    any order, of digits and of magnitudes apart, and are held to 4R. v and the adaptation stay in [-M, M] by clipping,
    so that the sums that lead to them are bounded by their terms.
    None: left to the reference.
    """
    arithmetic = graph.arithmetic
    assert arithmetic is not None
    if population.levels is not None:
        return None, "a relay: its spikes carry partial sums, which the kernels do not make"
    beyond = [name for name in kind_names(population) if name not in KERNELS]
    if beyond:
        return None, f"neurons of kind {', '.join(beyond)}, for which there is no kernel"
    for name in population.inputs:
        projection = graph.projection(name)
        source = graph[projection.inputs[0]]
        low, high = emitted_range(source)
        if not fits_byte(low, high):
            return None, f"{source.name} has values from {low} to {high}, more than a byte"
        if projection.reads is not None:
            return None, f"{name} reads a part of {source.name}"
        if max(map(abs, seen_range(graph, projection))) > np.iinfo(np.int16).max:
            return None, f"{name} pools values beyond 16 bits"
        if projection.weight.size and largest_code(projection) > 128:
            return None, f"{name} has codes beyond 8 bits"
    full = 1 << arithmetic.decay_bits
    for decays in (population.decay_u, population.decay_v, population.decay_a):
        if decays.size and (decays.min() < 0 or decays.max() > full):
            return None, f"a decay lies outside 0 to {full}"
    m = 1 << (arithmetic.state_bits - 1)
    reach = largest_input(graph, population)
    if reach > 2 * m and not population.decay_u.all():
        return None, "its current can wrap twice in a step and does not decay, so that it grows with the steps"
    current = largest_current(population, reach, arithmetic)
    most = max(m, _largest(population.v_init)) + current + _largest(population.bias) + _largest(population.reset_amount)
    if kinds_of(population):
        further = (population.threshold, population.threshold_low, population.gain_a, population.reset_amount)
        most += m + sum(_largest(value) for value in further if value is not None)
    most = max(3 * m, most, *((current + reach, 4 * reach) if reach > 2 * m else ()))
    if most < 1 << 31 and arithmetic.decay_bits <= 15:
        return np.int32, f"no value exceeds {most:,}: 32-bit integers are exact"
    if most < 1 << 62 and arithmetic.decay_bits <= 31:
        return np.int64, f"values up to {most:,}: 64-bit integers"
    return None, f"values up to {most:,} need more than 64 bits"


def fits_byte(low: int, high: int) -> bool:
    """Whether values from low to high fit a byte, signed where low is below 0."""
    return low >= -128 and high <= (127 if low < 0 else 255)


def seen_range(graph: Graph, projection: Projection) -> tuple[int, int]:
    """Least and largest value that the weights of a projection see: its source's, summed over a pooling window."""
    low, high = emitted_range(graph[projection.inputs[0]])
    area = 1 if projection.pooling is None else projection.pooling.area
    return min(low, 0) * area, max(high, 0) * area


def _largest(*arrays: Array) -> int:
    return max(int(np.abs(array).max(initial=0)) for array in arrays)
