"""The integer reference: the definition of our semantics, in chip time, written to be read.

Every other execution (mapped reference, Lava, fast engine) is compared with this one, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.certify.wrapping import refuse_unbounded
from tern2lava.compiler.ir.graph import Arithmetic, Decays, Graph, Input, Population, Projection, Reset
from tern2lava.compiler.ir.linear import accumulate, per_neuron
from tern2lava.compiler.ir.shapes import Ints, Spikes, broadcast, size
from tern2lava.compiler.ir.timing import starts
from tern2lava.compiler.neurons.mechanism import IntegerCell, kinds_of
from tern2lava.sim.data.trace import Trace


def decay(x: Ints, d: Ints, bits: int, made_whole: Decays = Decays.TRUNCATE) -> Ints:
    """x * (2^bits - d) / 2^bits as a whole number: TRUNCATE towards zero, as Lava's LIF (lava/proc/lif/models.py)
    computes it; NEAREST the nearest one, halves away from zero."""
    product = x * ((1 << bits) - d)
    half = 1 << (bits - 1) if made_whole is Decays.NEAREST else 0
    result: Ints = np.sign(product) * ((np.abs(product) + half) >> bits)
    return result


def wrap(u: Ints, arithmetic: Arithmetic) -> Ints:
    """u brought back once into (-M, M], M = 2^(state_bits - 1), as Lava's LIF wraps its current."""
    m = 1 << (arithmetic.state_bits - 1)
    return np.where(u > m, u - 2 * m, np.where(u <= -m, u + 2 * m, u))


class PopulationState(IntegerCell):
    """State of one population for a batch, and its step (see ir.Population for the equations).

    met: the potentials that met the threshold in the step before, less what mechanisms added to it.
    Shapes: every array is (batch, neurons) int64. What mechanisms add is in compiler/neurons/, a file each.
    """

    def __init__(self, population: Population, arithmetic: Arithmetic, batch: int) -> None:
        self.population = population
        self.arithmetic = arithmetic
        self.decay_u, self.decay_v = self.flat(population.decay_u), self.flat(population.decay_v)
        self.bias_u, self.bias = self.flat(population.bias_u), self.flat(population.bias)
        self.threshold = self.flat(population.threshold)
        self.reset_amount = self.flat(population.reset_amount)
        self.u: Ints = np.zeros((batch, size(population.shape)), np.int64)
        self.v: Ints = np.repeat(self.flat(population.v_init), batch, axis=0).astype(np.int64)
        self.spiked: Ints = np.zeros_like(self.v)
        self.met: Ints = self.v
        kinds = kinds_of(population)
        self.parts = [mechanism.in_integers(self) for mechanism in kinds]
        self.reset = Reset.NONE if any(mechanism.delays_reset for mechanism in kinds) else population.reset

    def flat(self, value: Ints) -> Ints:
        """A parameter as (1, neurons)."""
        return broadcast(value, self.population.shape).reshape(1, -1)

    def clip(self, x: Ints) -> Ints:
        """x within [-M + 1, M - 1], M = 2^(state_bits - 1)."""
        return np.clip(x, -self.arithmetic.state_max, self.arithmetic.state_max)

    def wrapped(self, u: Ints) -> Ints:
        """The current, brought back once."""
        return wrap(u, self.arithmetic)

    def clipped(self, v: Ints) -> Ints:
        """The potential, clipped."""
        return self.clip(v)

    def decayed(self, x: Ints, d: Ints) -> Ints:
        return decay(x, d, self.arithmetic.decay_bits, self.population.decays)

    def step(self, a: Ints, forced: Ints | None = None) -> Spikes:
        """Spikes (batch, neurons) of one active hardware timestep with summed synaptic input `a` (int64); see
        spike_type. forced: spikes (batch, neurons) that reset and adapt the neurons in the place of their own."""
        self.u = self.wrapped(self.decayed(self.u, self.decay_u) + a + self.bias_u)
        v, threshold = self.decayed(self.v, self.decay_v) + self.u + self.bias, self.threshold
        for part in self.parts:
            v, threshold = part.integrated(v, threshold)
        v = self.clipped(v)
        for part in self.parts:
            v = part.held(v)
        met = v
        for part in self.parts:
            met = part.met(met)
        spikes: Ints = (met > threshold).astype(np.int64)
        for part in self.parts:
            spikes = part.fired(met, spikes)
        self.met = met - threshold + self.threshold
        if forced is not None:
            spikes = forced
        for part in self.parts:
            spikes = part.sent(spikes)
        if self.reset is Reset.ZERO:
            v = np.where(spikes != 0, 0, v)
        elif self.reset is Reset.SUBTRACT:
            v = self.clipped(v - self.reset_amount * spikes)
        self.v, self.spiked = v, spikes
        return spikes.astype(spike_type(self.population))


def spike_type(population: Population) -> type[np.uint8] | type[np.int8] | type[np.int32]:
    """uint8 for spikes of 0 and 1, int8 where a population spikes -1 too, int32 for the partial sums of relays."""
    if population.levels is not None:
        return np.int32
    return np.int8 if emitted_range(population)[0] < 0 else np.uint8


def run(
    graph: Graph, inputs: Mapping[str, Spikes], *, states: bool = True,
    make: Callable[[Population, Arithmetic, int], PopulationState] = PopulationState,
    driven: Mapping[str, Spikes] | None = None,
) -> Trace:  # fmt: skip
    """The trace of an INTEGER graph on `inputs`: for every Input, values (batch, steps, *shape).

    A spike of hardware timestep t reaches its targets in hardware timestep t + 1 + delay. Each population steps, and is
    recorded, in the hardware timesteps start + 1 + k * slowdown of its window, k = 0 to steps - 1, and keeps its state
    in all others. make: what executes a population (watch.Watch also notes what its accumulators hold). driven: of some
    populations, values (batch, steps, *shape) that their targets receive in the place of their spikes, step k of their
    window being k; they themselves spike, reset and are recorded as ever. Raises UnsupportedError where a current can
    outgrow 64 bits.
    """
    assert graph.arithmetic is not None
    nodes, populations = graph.of_kind(Input), graph.of_kind(Population)
    batch, steps = next(iter(inputs.values())).shape[:2]
    refuse_unbounded(graph, steps)
    state = {p.name: make(p, graph.arithmetic, batch) for p in populations}
    start = starts(graph)
    sizes = {n.name: size(n.shape) for n in nodes} | {p.name: size(p.shape) for p in populations}
    emitted: dict[str, Spikes] = {p.name: np.zeros((batch, steps, sizes[p.name]), spike_type(p)) for p in populations}
    for node in nodes:
        values = inputs[node.name].reshape(batch, steps, -1)
        emitted[node.name] = values if node.levels != (0, 1) else values.astype(np.uint8)
    sent = emitted | {name: values.reshape(batch, steps, -1) for name, values in (driven or {}).items()}
    v = {p.name: np.zeros((batch, steps, sizes[p.name]), np.int64) for p in populations if states}
    u = {p.name: np.zeros((batch, steps, sizes[p.name]), np.int64) for p in populations if states}

    def step_at(name: str, t: int) -> int | None:
        """Which of its steps a population or Input makes in hardware timestep t; None: it rests."""
        k, late = divmod(t - start[name] - 1, graph.slowdown)
        return k if late == 0 and 0 <= k < steps else None

    def arriving(projection: Projection, t: int) -> Spikes | None:
        """What the source sent 1 + delay hardware timesteps before t; None where it rested."""
        source = projection.inputs[0]
        k = step_at(source, t - 1 - projection.delay)
        return None if k is None else sent[source][:, k]

    for t in range(1, (steps - 1) * graph.slowdown + 1 + max(start.values()) + 1):
        for population in populations:
            k = step_at(population.name, t)
            if k is None:
                continue
            a = np.zeros((batch, sizes[population.name]), np.int64)
            for name in population.inputs:
                projection = graph.projection(name)
                x = arriving(projection, t)
                if x is not None:
                    a += accumulate(projection, x).astype(np.int64) * per_neuron(projection.gain, projection)
            emitted[population.name][:, k] = state[population.name].step(a)
            if states:
                v[population.name][:, k] = state[population.name].v
                u[population.name][:, k] = state[population.name].u
    spikes = {p.name: emitted[p.name] for p in populations}
    return Trace(spikes=spikes, v=v, u=u)
