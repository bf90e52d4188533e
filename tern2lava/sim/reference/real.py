"""The float reference: a graph of real numbers executed in float64, in source time, as its framework would.

Runs IMPORTED, NORMAL and TERNARY graphs; every pass is checked against it, and it stands for the trained model when
the certificate counts how near a membrane potential comes to its threshold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.ir.check import execution_order, shapes
from tern2lava.compiler.ir.graph import (
    Add,
    ChannelAffine,
    Compare,
    Conv2d,
    Delay,
    Dense,
    Flatten,
    Graph,
    Identity,
    Input,
    Neuron,
    Node,
    Output,
    Pool2d,
    PoolKind,
    Population,
    Projection,
    Reset,
    SparseLinear,
)
from tern2lava.compiler.ir.linear import accumulate, conv2d, per_neuron, windows2d
from tern2lava.compiler.ir.shapes import Bools, ConvGeometry, Ints, Reals, Shape, Spikes, broadcast, size
from tern2lava.compiler.ir.sparse import sparse_sums
from tern2lava.compiler.neurons.adaptive import RealAdaptation
from tern2lava.compiler.neurons.mechanism import RealCell, kinds_of
from tern2lava.compiler.neurons.refractory import RealRest
from tern2lava.sim.data.trace import Trace


class NeuronState(RealCell):
    """State of one Neuron node for a batch (see ir.Neuron for the equations); arrays (batch, neurons) float64.

    parts: the states of the mechanisms that its neurons have, by name.
    """

    def __init__(self, neuron: Neuron, batch: int) -> None:
        self.neuron = neuron
        self.alpha_u, self.gain_u = self.flat(neuron.alpha_u), self.flat(neuron.gain_u)
        self.alpha_v, self.gain_v = self.flat(neuron.alpha_v), self.flat(neuron.gain_v)
        self.bias_u, self.bias = self.flat(neuron.bias_u), self.flat(neuron.bias)
        self.quantum = None if neuron.quantum is None else self.flat(neuron.quantum)
        self.threshold = self.flat(neuron.threshold)
        self.threshold_low = None if neuron.threshold_low is None else self.flat(neuron.threshold_low)
        self.reset_value, self.reset_amount = self.flat(neuron.reset_value), self.flat(neuron.reset_amount)
        count = size(neuron.shape)
        self.u: Reals = np.zeros((batch, count))
        self.v = np.repeat(self.flat(neuron.v_init), batch, axis=0)
        self.spiked: Spikes = np.zeros((batch, count), np.int8)
        self.parts = {mechanism.name: mechanism.in_real(self) for mechanism in kinds_of(neuron)}

    def flat(self, value: Reals) -> Reals:
        """A parameter as (1, neurons) float64."""
        return broadcast(value, self.neuron.shape).reshape(1, -1).astype(np.float64)

    def step(self, x: Reals, forced: Spikes | None = None) -> tuple[Spikes, Reals]:
        """(spikes, membrane potential that met the threshold), each (batch, neurons), for summed input x.

        Spikes are int8 where the neuron's are signed, else uint8. The potential is given relative to what adaptation
        and rearming add to the threshold, so that it meets `threshold` itself. forced: spikes (batch, neurons) that
        reset and adapt the neurons in the place of their own, which are given out as before.
        """
        neuron, parts = self.neuron, self.parts.values()
        self.u = self.decayed(self.u, self.alpha_u) + self.gain_u * x + self.bias_u
        for part in parts:
            part.begin()
        kept = self.v
        if neuron.reset_delay and neuron.reset is Reset.ZERO:
            kept = np.where(self.spiked != 0, self.reset_value, kept)
        v: Reals = self.decayed(kept, self.alpha_v) + self.gain_v * self.u + self.bias
        if neuron.reset_delay and neuron.reset is Reset.SUBTRACT:
            owed = self.reset_amount * self.spiked
            for part in parts:
                owed = part.owed(owed)
            v, kept = v - owed, kept - owed
        for part in parts:
            v = part.integrated(v, kept)
        met = v
        for part in parts:
            met = part.met(met)
        fired: Spikes = self.above(met).astype(np.int8)
        for part in parts:
            fired = part.fired(met, fired)
        for part in parts:
            fired = part.sent(fired)
        spiked = fired if forced is None else forced
        if not neuron.reset_delay:
            if neuron.reset is Reset.ZERO:
                v = np.where(spiked != 0, self.reset_value, v)
            elif neuron.reset is Reset.SUBTRACT:
                v = v - spiked * self.reset_amount
        for part in parts:
            part.end(spiked)
        self.v, self.spiked = v, spiked
        return fired.astype(real_spike_type(neuron)), met

    @property
    def a(self) -> Reals:
        """What adaptive thresholds are raised by; 0 without them."""
        part = self.parts.get("adaptive")
        return part.a if isinstance(part, RealAdaptation) else np.zeros((1, 1))

    @property
    def held(self) -> Ints:
        """Refractory steps that are left, (batch, neurons); 0 without them."""
        part = self.parts.get("refractory")
        return part.steps_left if isinstance(part, RealRest) else np.zeros(self.spiked.shape, np.int64)

    def decayed(self, x: Reals, alpha: Reals) -> Reals:
        """alpha * x, cut towards zero to whole quanta where the source computes in integers."""
        if self.quantum is None:
            return np.asarray(alpha * x)
        return np.asarray(np.trunc(alpha * np.rint(x / self.quantum)) * self.quantum)

    def above(self, v: Reals) -> Bools:
        """Where v meets the threshold."""
        return np.asarray(v > self.threshold if self.neuron.compare is Compare.GT else v >= self.threshold)


def real_spike_type(neuron: Neuron) -> type[np.uint8] | type[np.int8]:
    """uint8 for spikes of 0 and 1, int8 where neurons spike -1 too."""
    return np.int8 if emitted_range(neuron)[0] < 0 else np.uint8


Observer = Callable[[str, NeuronState, Reals], None]


def pool2d(node: Pool2d, x: Reals) -> Reals:
    """Window sums or averages of x (batch, channels, height, width)."""
    (kh, kw), (sy, sx) = node.kernel, node.stride
    top, bottom, left, right = node.padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    total: Reals = windows2d(padded, (kh, kw))[:, :, ::sy, ::sx].sum(axis=(-2, -1))
    return total / (kh * kw) if node.kind is PoolKind.AVG else total


def stateless(node: Node, x: Reals, out_shape: Shape) -> Reals:
    """What a node without state computes for x (batch, *input shape); the result is (batch, *out_shape)."""
    match node:
        case Dense():
            y: Reals = x.reshape(x.shape[0], -1) @ node.weight.astype(np.float64).T
            return y if node.bias is None else y + node.bias
        case Conv2d():
            geometry = ConvGeometry(
                in_shape=(x.shape[1], x.shape[2], x.shape[3]),
                out_shape=(out_shape[0], out_shape[1], out_shape[2]),
                stride=node.stride,
                padding=node.padding,
                dilation=node.dilation,
                groups=node.groups,
            )
            y = conv2d(x, node.weight, geometry)
            return y if node.bias is None else y + node.bias.reshape(-1, 1, 1)
        case Pool2d():
            return pool2d(node, x)
        case SparseLinear():
            return sparse_sums(node, x).reshape(x.shape[0], *out_shape)
        case ChannelAffine():
            return x * broadcast(node.gain, x.shape[1:]) + broadcast(node.offset, x.shape[1:])
        case Projection():
            sums = accumulate(node, x.reshape(x.shape[0], -1)) * per_neuron(node.scale, node)
            return sums.reshape(x.shape[0], *out_shape)
        case Flatten() | Identity() | Add() | Output() | Delay(steps=0):
            return x.reshape(x.shape[0], *out_shape)
        case Input() | Delay() | Neuron() | Population():
            raise AssertionError(f"{node.name} is no stateless node")


def run_float(
    graph: Graph, inputs: Mapping[str, Spikes | Reals], *, states: bool = True, observe: Observer | None = None
) -> Trace:
    """The trace of a real-valued graph on `inputs`: for every Input, values (batch, steps, *shape).

    Spikes and v (after reset) of every Neuron, (batch, steps, neurons). `observe` is called after each step of a
    neuron with its name, its state and the membrane potentials that met its threshold, (batch, neurons).
    """
    return RealRun(graph, len(next(iter(inputs.values())))).advance(inputs, states=states, observe=observe)


class RealRun:
    """A run of a real-valued graph for a batch of samples that goes on from piece to piece of their steps."""

    def __init__(self, graph: Graph, batch: int) -> None:
        self.graph, self.batch = graph, batch
        self.known = shapes(graph)
        self.order = execution_order(graph)
        self.state = {node.name: NeuronState(node, batch) for node in graph.of_kind(Neuron)}
        self.queue: dict[str, deque[Reals]] = {node.name: deque() for node in graph.nodes}
        self.sequence: dict[str, Reals] = {}

    def advance(
        self, inputs: Mapping[str, Spikes | Reals], *, states: bool = True, observe: Observer | None = None
    ) -> Trace:
        """The trace of the next steps; arguments as of run_float."""
        steps = next(iter(inputs.values())).shape[1]
        v: dict[str, Reals] = {}
        for group in self.order:
            node = self.graph[group[0]]
            loop = len(group) > 1 or group[0] in node.inputs
            waits = any(_waits(self.graph[name]) for name in group)
            for name in group:
                self.sequence[name] = np.zeros((self.batch, steps, *self.known[name]))
            if isinstance(node, Input):
                given = np.asarray(inputs[node.name], np.float64)
                self.sequence[node.name] = given.reshape(self.batch, steps, *node.shape)
            elif not loop and not waits and not isinstance(node, Neuron):
                x = self._total(node, slice(None))
                y = stateless(node, x.reshape(self.batch * steps, *x.shape[2:]), self.known[node.name])
                self.sequence[node.name] = y.reshape(self.batch, steps, *self.known[node.name])
            else:
                if states:
                    kept = [name for name in group if name in self.state]
                    v.update({name: np.zeros((self.batch, steps, size(self.known[name]))) for name in kept})
                for t in range(steps):
                    self._step(group, t, v, observe)
        spikes = {
            node.name: self.sequence[node.name].reshape(self.batch, steps, -1).astype(real_spike_type(node))
            for node in self.graph.of_kind(Neuron)
        }
        return Trace(spikes=spikes, v=v)

    def entering(self, node: Node) -> Reals:
        """What entered a node in the steps of the last piece, (batch, steps, *shape of its first input)."""
        return self._total(node, slice(None))

    def _total(self, node: Node, t: slice | int) -> Reals:
        """Sum of a node's inputs over the steps `t`, (batch[, steps], *shape of the first)."""
        first, *rest = (self.sequence[source][:, t] for source in node.inputs)
        for other in rest:
            first = first + other.reshape(first.shape)
        return first

    def _step(self, group: Sequence[str], t: int, v: dict[str, Reals], observe: Observer | None) -> None:
        """Step `t` of the piece, of nodes that feed each other or wait."""
        for name in group:
            member = self.graph[name]
            if wait := _waits(member):
                if len(self.queue[name]) == wait:
                    self.sequence[name][:, t] = self.queue[name].popleft()
            elif isinstance(member, Neuron):
                x = self._total(member, t) if member.inputs else np.zeros((self.batch, size(member.shape)))
                spikes, met = self.state[name].step(x.reshape(self.batch, -1))
                self.sequence[name][:, t] = spikes.reshape(self.batch, *self.known[name])
                if name in v:
                    v[name][:, t] = self.state[name].v
                if observe is not None:
                    observe(name, self.state[name], met)
            else:
                self.sequence[name][:, t] = stateless(member, self._total(member, t), self.known[name])
        for name in group:
            member = self.graph[name]
            if isinstance(member, Delay) and member.steps:
                self.queue[name].append(self._total(member, t).copy())
            elif isinstance(member, Projection) and member.delay:
                self.queue[name].append(stateless(member, self._total(member, t), self.known[name]))


def _waits(node: Node) -> int:
    """Steps that a node holds back what it gives out."""
    return node.steps if isinstance(node, Delay) else node.delay if isinstance(node, Projection) else 0
