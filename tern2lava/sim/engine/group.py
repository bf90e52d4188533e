"""One group of populations over all steps of some samples, in compiled loops driven by tables (see program.Program).

A group without a loop is one population: its sources' whole spike trains are known, so several steps are summed at a
time and weights are read once for all of them. Populations that feed each other are executed chip step by chip step.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tern2lava.compiler.ir import Array
from tern2lava.sim.engine import conv, dense, neuron
from tern2lava.sim.engine.columns import (
    ADAPTIVE,
    BLOCK,
    CONV_AT,
    DISTINCT,
    FIRST,
    FROM_INPUT,
    FURTHER,
    GAIN_AT,
    IS_CONV,
    LAST,
    NEURONS,
    PARAMETERS_AT,
    PLACE,
    REARM,
    REFRACTORY,
    RESET,
    SIGNED,
    SOURCE_SIZE,
    START,
    STATES,
    WORDS,
)
from tern2lava.sim.engine.sums import add_conv, add_dense


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def run_group(
    populations: Array, projections: Array, codes: Array, planes: Array, windows_of: Array, gains: Array,
    parameters: Array, inputs: Array, spikes: Array, v_trace: Array, u_trace: Array, decay_bits: int,
    state_bits: int, recurrent: bool,
) -> None:  # fmt: skip
    """Fill the group's part of spikes (samples, steps, places) uint8, and of v_trace and u_trace (same) where their
    first axis is not empty.

    inputs: (samples, steps, values) uint8, as spikes are; negative values are int8 in its guise. windows_of: for a
    pooled source, the window of every neuron or -1. gains and parameters have the type of the states.
    """
    samples, steps = spikes.shape[0], spikes.shape[1]
    neurons, words, values, pixels, sums, window_words = 0, 1, 1, 1, 1, 1
    for p in range(populations.shape[0]):
        neurons = max(neurons, populations[p, NEURONS])
        for j in range(populations[p, FIRST], populations[p, LAST]):
            row = projections[j]
            words = max(words, (row[SOURCE_SIZE] + 63) // 64)
            values = max(values, row[SOURCE_SIZE])
            sums = max(sums, populations[p, NEURONS])
            if row[IS_CONV]:
                field = row[CONV_AT:]
                window_words = max(window_words, row[WORDS] * field[conv.OUT_HEIGHT] * field[conv.OUT_WIDTH])
                pixels = max(pixels, field[conv.HEIGHT] * max(field[conv.WIDTH], field[conv.OUT_WIDTH]))
    block = 1 if recurrent else populations[0, BLOCK]
    a = np.zeros(block * neurons, gains.dtype)
    packed = np.zeros(((block + dense.ROWS - 1) // dense.ROWS * dense.ROWS, words), np.uint64)
    found = np.zeros(values, np.int64)
    seen = np.zeros((2, values), np.int16)
    bits = np.zeros(values, np.uint8)
    counts = np.zeros(block, np.int64)
    short = np.zeros(sums, np.int16)
    lanes = np.zeros(dense.ROWS * dense.LANES, np.int64)
    windows = np.zeros(window_words, np.uint64)
    image_bits = np.zeros((2, pixels), np.uint64)
    last = populations.shape[0] - 1
    u = np.zeros(populations[last, STATES] + populations[last, NEURONS], gains.dtype)
    v = np.zeros_like(u)
    further = np.zeros((neuron.FURTHER, u.size if populations[:, FURTHER].any() else 0), gains.dtype)
    begin, end = 0, steps
    if recurrent:
        begin, end = populations[:, START].min(), populations[:, START].max() + steps
    for sample in range(samples):
        for p in range(populations.shape[0]):
            _reset(populations[p], parameters, u, v)
        further[:] = 0
        for t in range(begin, end, block):
            for p in range(populations.shape[0]):
                population = populations[p]
                k = t - population[START] if recurrent else t
                if k < 0 or k >= steps:
                    continue
                rows = min(block, steps - k)
                size, place = population[NEURONS], population[PLACE]
                own = a[: rows * size].reshape(rows, size)
                own[:] = 0
                for j in range(population[FIRST], population[LAST]):
                    row = projections[j]
                    source = (inputs if row[FROM_INPUT] else spikes)[sample]
                    gain = gains[row[GAIN_AT] :]
                    if row[IS_CONV]:
                        add_conv(
                            row, source, k, rows, codes, planes, windows_of, gain, packed[0], found, seen, bits, short,
                            windows, image_bits, own,
                        )  # fmt: skip
                    else:
                        add_dense(
                            row, source, k, rows, codes, planes, windows_of, gain, packed, counts, found, seen, bits,
                            short, lanes, own,
                        )  # fmt: skip
                states = population[STATES]
                own_u, own_v = u[states : states + size], v[states : states + size]
                for r in range(rows):
                    fired = spikes[sample, k + r, place : place + size]
                    _step(population, parameters, own[r], own_u, own_v, further, fired, decay_bits, state_bits)
                    if v_trace.shape[0]:
                        v_trace[sample, k + r, place : place + size] = own_v
                        u_trace[sample, k + r, place : place + size] = own_u


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _reset(population: Array, parameters: Array, u: Array, v: Array) -> None:
    """Put a population's states back to the start of a sample."""
    states, distinct, size = population[STATES], population[DISTINCT], population[NEURONS]
    inner = size // distinct
    first = population[PARAMETERS_AT] + neuron.V_INIT * distinct
    for c in range(distinct):
        v[states + c * inner : states + (c + 1) * inner] = parameters[first + c]
    u[states : states + size] = 0


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _step(
    population: Array, parameters: Array, a: Array, u: Array, v: Array, further: Array, spikes: Array,
    decay_bits: int, state_bits: int,
) -> None:  # fmt: skip
    """One step of a population with summed input a."""
    distinct, first, reset = population[DISTINCT], population[PARAMETERS_AT], population[RESET]
    own = parameters[first : first + neuron.PARAMETERS * distinct].reshape(neuron.PARAMETERS, distinct)
    inner = a.size // distinct
    if population[FURTHER]:
        states = population[STATES]
        neuron.step_further(
            a, u, v, further[:, states : states + a.size], spikes, own, decay_bits, state_bits, reset,
            population[REFRACTORY], population[REARM] != 0, population[SIGNED] != 0, population[ADAPTIVE] != 0,
        )  # fmt: skip
        return
    if inner == 1:
        neuron.step_each(a, u, v, spikes, own, decay_bits, state_bits, reset)
        return
    for c in range(distinct):
        span = slice(c * inner, (c + 1) * inner)
        neuron.step_alike(a[span], u[span], v[span], spikes[span], own[:, c], decay_bits, state_bits, reset)
