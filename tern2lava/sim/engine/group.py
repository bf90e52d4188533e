"""One group of populations over all steps of some samples, in compiled loops driven by tables (see program.Program).

A group without a loop is one population: its sources' whole spike trains are known, so several steps are summed at a
time and weights are read once for all of them. Populations that feed each other are executed chip step by chip step.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tern2lava.compiler.ir import Array
from tern2lava.sim.engine import conv, dense, neuron
from tern2lava.sim.engine.bits import pack, positions

# Columns of the table of populations; PLACE is where its neurons begin in a row of spikes or states.
START, NEURONS, PLACE, STATES, FIRST, LAST, PARAMETERS_AT, KINDS, BLOCK, KEEP = range(10)
POPULATION_FIELDS = 10
# Columns of the table of projections. SHIFT: a source's step minus the target's. LIMIT: with fewer spikes per row than
# this, summing spike by spike is faster.
FROM_INPUT, SOURCE_AT, SOURCE_SIZE, SHIFT, IS_CONV, LIMIT = range(6)
WORDS, PLANES_AT, DIGITS, CODES_AT, FLUSH, GAIN_AT = range(6, 12)
CONV_AT = 12
PROJECTION_FIELDS = CONV_AT + conv.FIELDS


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def run_group(
    populations: Array, projections: Array, codes: Array, planes: Array, gains: Array, parameters: Array,
    inputs: Array, spikes: Array, v_trace: Array, u_trace: Array, decay_bits: int, state_bits: int, recurrent: bool,
) -> None:  # fmt: skip
    """Fill the group's part of spikes (samples, steps, places) uint8, and of v_trace and u_trace (same) where their
    first axis is not empty.

    inputs: (samples, steps, values) uint8 of 0 and 1. gains and parameters have the type of the states.
    """
    samples, steps = spikes.shape[0], spikes.shape[1]
    neurons, words, values, pixels, sums = 0, 1, 1, 1, 1
    for p in range(populations.shape[0]):
        neurons = max(neurons, populations[p, NEURONS])
        for j in range(populations[p, FIRST], populations[p, LAST]):
            row = projections[j]
            words = max(words, (row[SOURCE_SIZE] + 63) // 64)
            values = max(values, row[SOURCE_SIZE])
            sums = max(sums, populations[p, NEURONS])
            if row[IS_CONV]:
                field = row[CONV_AT:]
                words = max(words, row[WORDS])
                pixels = max(pixels, field[conv.OUT_HEIGHT] * field[conv.OUT_WIDTH])
                pixels = max(pixels, field[conv.HEIGHT] * field[conv.WIDTH])
    block = 1 if recurrent else populations[0, BLOCK]
    a = np.zeros(block * neurons, gains.dtype)
    packed = np.zeros(((block + dense.ROWS - 1) // dense.ROWS * dense.ROWS, words), np.uint64)
    found = np.zeros(values, np.int64)
    counts = np.zeros(block, np.int64)
    short = np.zeros(sums, np.int16)
    lanes = np.zeros(max(dense.ROWS * dense.LANES, conv.SHARED * conv.PIXELS), np.int64)
    windows = np.zeros(words * pixels, np.uint64)
    channel_bits = np.zeros(pixels, np.uint64)
    last = populations.shape[0] - 1
    u = np.zeros(populations[last, STATES] + populations[last, NEURONS], gains.dtype)
    v = np.zeros_like(u)
    begin, end = 0, steps
    if recurrent:
        begin, end = populations[:, START].min(), populations[:, START].max() + steps
    for sample in range(samples):
        for p in range(populations.shape[0]):
            _reset(populations[p], parameters, u, v)
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
                        _add_conv(
                            row, source, k, rows, codes, planes, gain, packed[0], found, short, lanes, windows,
                            channel_bits, own,
                        )  # fmt: skip
                    else:
                        _add_dense(row, source, k, rows, codes, planes, gain, packed, counts, found, short, lanes, own)
                states = population[STATES]
                own_u, own_v = u[states : states + size], v[states : states + size]
                for r in range(rows):
                    _step(
                        population, parameters, own[r], own_u, own_v, spikes[sample, k + r, place : place + size],
                        decay_bits, state_bits,
                    )  # fmt: skip
                    if v_trace.shape[0]:
                        v_trace[sample, k + r, place : place + size] = own_v
                        u_trace[sample, k + r, place : place + size] = own_u


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _reset(population: Array, parameters: Array, u: Array, v: Array) -> None:
    """Put a population's states back to the start of a sample."""
    states, kinds, size = population[STATES], population[KINDS], population[NEURONS]
    inner = size // kinds
    first = population[PARAMETERS_AT] + neuron.V_INIT * kinds
    for c in range(kinds):
        v[states + c * inner : states + (c + 1) * inner] = parameters[first + c]
    u[states : states + size] = 0


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _step(
    population: Array, parameters: Array, a: Array, u: Array, v: Array, spikes: Array, decay_bits: int, state_bits: int
) -> None:
    """One step of a population with summed input a."""
    kinds = population[KINDS]
    first = population[PARAMETERS_AT]
    own = parameters[first : first + neuron.PARAMETERS * kinds].reshape(neuron.PARAMETERS, kinds)
    inner = a.size // kinds
    keep = population[KEEP]
    if inner == 1:
        neuron.step_each(a, u, v, spikes, own, decay_bits, state_bits, keep)
        return
    for c in range(kinds):
        span = slice(c * inner, (c + 1) * inner)
        neuron.step_alike(a[span], u[span], v[span], spikes[span], own[:, c], decay_bits, state_bits, keep)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_dense(
    row: Array, source: Array, k: int, rows: int, codes: Array, planes: Array, gain: Array, packed: Array,
    counts: Array, found: Array, short: Array, lanes: Array, a: Array,
) -> None:  # fmt: skip
    """Add a dense projection's sums for target steps k to k + rows to a (rows, outputs)."""
    total = 0
    words = row[WORDS]
    source_at, source_end = row[SOURCE_AT], row[SOURCE_AT] + row[SOURCE_SIZE]
    packed[:, :words] = 0
    for r in range(rows):
        then = k + r + row[SHIFT]
        counts[r] = pack(source[then, source_at:source_end], packed[r]) if 0 <= then < source.shape[0] else 0
        total += counts[r]
    if total == 0:
        return
    outputs = a.shape[1]
    if total < row[LIMIT] * rows:
        own = codes[row[CODES_AT] : row[CODES_AT] + row[SOURCE_SIZE] * outputs]
        for r in range(rows):
            if counts[r]:
                positions(packed[r], words, found)
                dense.by_spikes(found, counts[r], own, row[FLUSH], gain, short, a[r])
        return
    blocks = (outputs + dense.LANES - 1) // dense.LANES
    each = blocks * dense.LANES * 2 * words
    for digit in range(row[DIGITS]):
        first = row[PLANES_AT] + digit * each
        dense.by_planes(packed, rows, words, planes[first : first + each], gain, digit, lanes, a)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_conv(
    row: Array, source: Array, k: int, rows: int, codes: Array, planes: Array, gain: Array, packed: Array,
    found: Array, short: Array, lanes: Array, windows: Array, channel_bits: Array, a: Array,
) -> None:  # fmt: skip
    """Add a convolution's sums for target steps k to k + rows to a (rows, outputs)."""
    field = row[CONV_AT:]
    words = row[WORDS]
    pixels = field[conv.OUT_HEIGHT] * field[conv.OUT_WIDTH]
    outputs = field[conv.OUT_CHANNELS] // field[conv.GROUPS]
    each = (outputs + conv.SHARED - 1) // conv.SHARED * conv.SHARED * words * 2
    own_windows = windows[: words * pixels].reshape(words, pixels)
    for r in range(rows):
        then = k + r + row[SHIFT]
        if not 0 <= then < source.shape[0]:
            continue
        active = source[then, row[SOURCE_AT] : row[SOURCE_AT] + row[SOURCE_SIZE]]
        count = pack(active, packed)
        if count == 0:
            continue
        if count < row[LIMIT]:
            positions(packed, (row[SOURCE_SIZE] + 63) // 64, found)
            conv.by_spikes(found, count, codes[row[CODES_AT] :], field, gain, short, a[r])
            continue
        for group in range(field[conv.GROUPS]):
            conv.pack_windows(active, group, field, channel_bits, own_windows)
            scale = gain[group * outputs : (group + 1) * outputs]
            target = a[r, group * outputs * pixels : (group + 1) * outputs * pixels]
            for digit in range(row[DIGITS]):
                first = row[PLANES_AT] + (digit * field[conv.GROUPS] + group) * each
                conv.by_planes(own_windows, planes[first : first + each], scale, digit, lanes, target)
