"""One group of populations over all steps of some samples, in compiled loops driven by tables (see tables.Tables).

A group without a loop is one population: its sources' whole spike trains are known, so several steps are summed at a
time and weights are read once for all of them. Populations that feed each other are executed hardware timestep by
hardware timestep; where a step of the network takes several of them, round by round of as many, those that step first
in a round first.
"""

from __future__ import annotations

from tern2lava.compiler.ir.shapes import Bytes, Ints
from tern2lava.sim.engine import neuron
from tern2lava.sim.engine.calls import Pools, Scratch, States, call_add, call_step
from tern2lava.sim.engine.columns import (
    ADD,
    DISTINCT,
    FIRST,
    FROM_INPUT,
    LAST,
    NEURONS,
    PARAMETERS_AT,
    PLACE,
    START,
    STATES,
    STEP,
)
from tern2lava.sim.engine.kernels import kernel


@kernel
def run_group(
    populations: Ints, projections: Ints, addresses: Ints, span: Ints, pools: Pools, parameters: States,
    scratch: Scratch, a: States, u: States, v: States, further: States, inputs: Bytes, spikes: Bytes, v_trace: Ints,
    u_trace: Ints, decay_bits: int, state_bits: int,
) -> None:  # fmt: skip
    """Fill the group's part of spikes (samples, steps, places) uint8, and of v_trace and u_trace (same) where their
    first axis is not empty.

    addresses: of the ways of summing and stepping (see columns). span: rounds before the first and after the last step
    of a sample that some population of a loop executes, steps at a time, and whether there is a loop.
    inputs: (samples, steps, values) uint8, as spikes are; negative values are int8 in its guise. a, u, v, further:
    scratch for sums and states.
    """
    samples, steps = spikes.shape[0], spikes.shape[1]
    begin, end, block, recurrent = span[0], span[1] + steps, span[2], span[3] != 0
    for sample in range(samples):
        for p in range(populations.shape[0]):
            _reset(populations[p], parameters, u, v)
        for row in range(further.shape[0]):
            further[row, :] = 0
        for t in range(begin, end, block):
            for p in range(populations.shape[0]):
                population = populations[p]
                k = t - population[START] if recurrent else t
                if k < 0 or k >= steps:
                    continue
                rows = min(block, steps - k)
                size, place = population[NEURONS], population[PLACE]
                own = a[: rows * size]
                own[:] = 0
                for j in range(population[FIRST], population[LAST]):
                    row = projections[j]
                    source = inputs[sample] if row[FROM_INPUT] else spikes[sample]
                    call_add(addresses[row[ADD]], row, source, k, rows, pools, scratch, own)
                states, first = population[STATES], population[PARAMETERS_AT]
                own_u, own_v = u[states : states + size], v[states : states + size]
                parameters_of = parameters[first : first + neuron.PARAMETERS * population[DISTINCT]]
                for r in range(rows):
                    fired = spikes[sample, k + r, place : place + size]
                    call_step(
                        addresses[population[STEP]], population, parameters_of, own[r * size : (r + 1) * size],
                        own_u, own_v, further, fired, decay_bits, state_bits,
                    )  # fmt: skip
                    if v_trace.shape[0]:
                        for i in range(size):
                            v_trace[sample, k + r, place + i] = own_v[i]
                            u_trace[sample, k + r, place + i] = own_u[i]


@kernel
def _reset(population: Ints, parameters: States, u: States, v: States) -> None:
    """Put a population's states back to the start of a sample."""
    states, distinct, size = population[STATES], population[DISTINCT], population[NEURONS]
    inner = size // distinct
    first = population[PARAMETERS_AT] + neuron.V_INIT * distinct
    for c in range(distinct):
        for i in range(states + c * inner, states + (c + 1) * inner):
            v[i] = parameters[first + c]
    for i in range(states, states + size):
        u[i] = 0
