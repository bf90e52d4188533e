"""The float model run on a framework's recorded run: every population is fed its sources' recorded spikes.

Frameworks run in float32, so a spike now and then falls otherwise than in exact arithmetic, and all that follows with
it. Here nothing follows: a population reads what the framework's own populations gave out, and its recorded spikes, not
those of the model, reset it. What is left at a difference is one potential and one threshold, and the bound of
sim/reading/bound_neuron.py says whether rounding can explain it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.ir.check import execution_order, shapes
from tern2lava.compiler.ir.graph import Compare, Delay, Graph, Input, Neuron, Output, Pool2d, Readout, Reset
from tern2lava.compiler.ir.shapes import Array, Bools, Reals, Spikes
from tern2lava.sim.data.stored_values import StoredValues
from tern2lava.sim.reading.bound_layers import Bounded, Layer, nothing, total, whole_numbers
from tern2lava.sim.reading.bound_neuron import NeuronBound
from tern2lava.sim.reading.compare import Misreading, PopulationReading, Reading, ScoreReading
from tern2lava.sim.reading.oracle import Oracle
from tern2lava.sim.reading.precision import Precision
from tern2lava.sim.reading.scores import OutputRun, read_scores
from tern2lava.sim.reference.real import NeuronState

_SAME = 4.0 * 2.0**-53
"""Distance, relative to both, within which potential and threshold are the same number in the reference's float64."""


def read(graph: Graph, inputs: Mapping[str, Spikes], oracle: Oracle, *, begin: int = 0) -> Reading:
    """The recorded run `oracle` held against `graph` (IMPORTED) on `inputs`, for every Input (samples, steps, *shape).

    begin: the number of the first of these samples. Populations without recorded spikes are run on the model's own;
    where rounding may have changed one of those, what follows in that sample is left out, and said to be.
    """
    run = _Run(graph, inputs, oracle, begin)
    for t in range(run.steps):
        run.step(t)
    return run.reading()


@dataclass(eq=False)
class _Layer:
    """A neuron layer on the way: its state and bound, what was recorded of it, and its row so far."""

    node: Neuron
    state: NeuronState
    bound: NeuronBound
    spikes: Spikes | None
    v: Array | None
    before: bool
    row: PopulationReading
    doubt: Bools
    first: Misreading | None = None
    first_tie: Misreading | None = None


class _Run:
    def __init__(self, graph: Graph, inputs: Mapping[str, Spikes], oracle: Oracle, begin: int) -> None:
        self.graph, self.inputs, self.oracle, self.begin = graph, inputs, oracle, begin
        self.batch, self.steps = next(iter(inputs.values())).shape[:2]
        self.precision = Precision(oracle.dtype)
        self.shapes = shapes(graph)
        self.order = [name for group in execution_order(graph) for name in group]
        self.stateless = {
            name: Layer(graph[name], self.shapes[name], self.precision)
            for name in self.order
            if not isinstance(graph[name], Input | Neuron) and not self.waits(name)
        }
        waiting = [name for name in self.order if self.waits(name)]
        self.queues: dict[str, deque[tuple[Bounded, Bools]]] = {name: deque() for name in waiting}
        products = oracle.framework == "snntorch"
        self.layers = {
            node.name: _Layer(
                node=node, state=NeuronState(node, self.batch),
                bound=NeuronBound(node, self.batch, self.precision, products),
                spikes=_held(oracle.spikes.get(node.name)), v=_held(oracle.v.get(node.name)),
                before=node.name in oracle.before, row=PopulationReading(population=node.name),
                doubt=np.zeros(self.batch, bool),
            )
            for node in graph.of_kind(Neuron)
        }  # fmt: skip
        outputs = graph.of_kind(Output)
        self.output: Output | None = outputs[0] if oracle.scores is not None else None
        self.output_v: list[Reals] = []
        self.output_error: list[Reals] = []
        self.output_spikes: list[Array] = []
        self.values: dict[str, Bounded] = {}
        self.doubts: dict[str, Bools] = {}

    def waits(self, name: str) -> bool:
        node = self.graph[name]
        return isinstance(node, Delay) and node.steps > 0

    def step(self, t: int) -> None:
        """One step of the whole network."""
        none = np.zeros(self.batch, bool)
        for name in self.order:
            node = self.graph[name]
            if isinstance(node, Input):
                self.values[name] = whole_numbers(self.inputs[name][:, t].reshape(self.batch, *node.shape))
                self.doubts[name] = none
            elif name in self.queues:
                full = len(self.queues[name]) == node.steps  # type: ignore[union-attr]
                waiting = self.queues[name].popleft() if full else (nothing((self.batch, *self.shapes[name])), none)
                self.values[name], self.doubts[name] = waiting
            elif isinstance(node, Neuron):
                self.neuron(self.layers[name], t)
            else:
                x = total([self.values[source] for source in node.inputs], self.precision)
                self.values[name] = self.stateless[name].apply(x)
                self.doubts[name] = self.doubt_of(node.inputs)
        for name, queue in self.queues.items():
            node = self.graph[name]
            x = total([self.values[source] for source in node.inputs], self.precision)
            queue.append((x.reshaped(self.shapes[name]), self.doubt_of(node.inputs)))

    def doubt_of(self, sources: tuple[str, ...]) -> Bools:
        """Samples in which a source may be other than the framework's."""
        return np.asarray(np.any([self.doubts[source] for source in sources], axis=0))

    def neuron(self, layer: _Layer, t: int) -> None:
        """One step of a neuron layer, forced to its recorded spikes where there are some."""
        node, state, bound = layer.node, layer.state, layer.bound
        parts = [self.values[source].reshaped(node.shape) for source in node.inputs]
        x = total(parts, self.precision) if parts else nothing((self.batch, *node.shape))
        if node.inputs:
            layer.doubt = layer.doubt | self.doubt_of(node.inputs)
        free, again = state.held == 0, state.above(state.v) if node.rearm else None
        error = bound.before(state, x, parts)
        recorded = None if layer.spikes is None else layer.spikes[:, t].astype(np.int8)
        fired, met = state.step(x.value.reshape(self.batch, -1), recorded)
        error_v = bound.e_v
        bound.after(state)
        distance = np.abs(met - state.threshold)
        if state.threshold_low is not None:
            distance = np.minimum(distance, np.abs(met - state.threshold_low))
        near = free & (error > 0) & (distance <= error)
        if recorded is None:
            layer.doubt = layer.doubt | near.any(axis=1)
            self.doubts[node.name] = layer.doubt
            given = fired.astype(np.float64)
        else:
            self.doubts[node.name] = np.zeros(self.batch, bool)
            given = recorded.astype(np.float64)
            wrong = self.compare(layer, t, recorded, fired.astype(np.int8), met, error, near, free)
            if layer.v is not None and again is None and node.gain_a is None:
                self.compare_rule(layer, t, recorded, met, error, free & ~wrong)
        self.values[node.name] = whole_numbers(given.reshape(self.batch, *node.shape))
        if layer.v is not None:
            pre = met + (state.a if node.gain_a is not None else 0.0)
            pre = pre if again is None else pre + again * state.reset_amount
            mine = np.where(state.spiked != 0, pre, state.v) if layer.before else state.v
            self.compare_v(layer, t, fired, mine, error_v if layer.before else bound.e_v, met)
        if self.output is not None and self.output.inputs[0] == node.name:
            self.output_spikes.append(given)
            if self.output.readout is not Readout.SPIKE_COUNT:
                self.output_v.append(state.v)
                self.output_error.append(np.broadcast_to(bound.e_v, state.v.shape))

    def compare(
        self, layer: _Layer, t: int, recorded: Spikes, fired: Spikes, met: Reals, error: Reals, near: Bools, free: Bools
    ) -> Bools:
        """Account for the spikes of one step; where they are misread, (batch, neurons)."""
        row, state = layer.row, layer.state
        known = ~layer.doubt[:, None] & np.ones(met.shape, bool)
        differs = known & (recorded != fired)
        # A spike of the wrong sign is at two thresholds' distance.
        ties = differs & near & (np.abs(recorded - fired) == 1)
        wrong = differs & ~ties
        same = (
            free
            & known
            & np.isfinite(state.threshold)
            & (np.abs(met - state.threshold) <= _SAME * (np.abs(met) + np.abs(state.threshold)))
        )
        if state.threshold_low is not None:
            low = state.threshold_low
            same |= free & known & (np.abs(met - low) <= _SAME * (np.abs(met) + np.abs(low)))
        # Where potential and threshold are equal, `fire` alone decides.
        by_rule = (recorded != 0) == (layer.node.compare is Compare.GE)
        # Recorded potentials tell more (compare_rule).
        against = same & ties & ~by_rule & (layer.v is None)
        spikes = known & (recorded != 0)
        layer.row = replace(
            row,
            spikes=row.spikes + int(np.count_nonzero(spikes)),
            neuron_steps=row.neuron_steps + int(np.count_nonzero(known)),
            equal_spikes=row.equal_spikes + int(np.count_nonzero(spikes & ~differs)),
            missing=row.missing + int(np.count_nonzero(differs & (recorded != 0))),
            extra=row.extra + int(np.count_nonzero(differs & (fired != 0))),
            ties=row.ties + int(np.count_nonzero(ties)),
            misread=row.misread + int(np.count_nonzero(wrong)),
            met_with=row.met_with + int(np.count_nonzero(same & by_rule)),
            met_against=row.met_against + int(np.count_nonzero(against)),
            left_out=row.left_out + int(np.count_nonzero(~known)),
        )
        if layer.first is None and wrong.any():
            layer.first = self.describe(layer, t, wrong, recorded, fired, met, error, "spike")
        if layer.first_tie is None and against.any():
            layer.first_tie = self.describe(layer, t, against, recorded, fired, met, error, "spike")
        return np.asarray(wrong)

    def compare_rule(self, layer: _Layer, t: int, recorded: Spikes, met: Reals, error: Reals, where: Bools) -> None:
        """Account for recorded potentials that are the framework's threshold itself: `fire` alone says what they do."""
        assert layer.v is not None
        node, state, v = layer.node, layer.state, layer.v[:, t].astype(np.float64)
        held = self.precision.nearest(state.threshold)
        equal = (v == held) & (recorded == 0)
        if layer.before or node.reset_delay or node.reset is Reset.NONE:
            equal = v == held
        elif node.reset is Reset.SUBTRACT and (state.reset_amount == state.threshold).all():
            equal |= (v == 0) & (recorded == 1)
        rule = np.asarray((recorded != 0) != (node.compare is Compare.GE))
        wrong = where & ~layer.doubt[:, None] & equal & rule
        if wrong.any():
            layer.row = replace(layer.row, rule_misread=layer.row.rule_misread + int(np.count_nonzero(wrong)))
            if layer.first is None:
                model = np.full(met.shape, int(node.compare is Compare.GE))
                layer.first = self.describe(layer, t, wrong, recorded, model, met, error, "rule")

    def compare_v(self, layer: _Layer, t: int, fired: Spikes, mine: Reals, error: Reals, met: Reals) -> None:
        """Account for the potentials of one step."""
        assert layer.v is not None
        row = layer.row
        recorded = layer.v[:, t].astype(np.float64)
        known = ~layer.doubt[:, None] & np.ones(met.shape, bool)
        # What adaptation and rearming take off is put on again in float64.
        slack = np.where(error > 0, _SAME * (np.abs(mine) + np.abs(met)), 0.0)
        if layer.node.gain_a is not None or layer.node.rearm:
            slack = _SAME * (np.abs(mine) + np.abs(met))
        wrong = known & ~(np.abs(recorded - mine) <= error + slack)
        layer.row = replace(
            row,
            potentials=row.potentials + int(np.count_nonzero(known)),
            potentials_misread=row.potentials_misread + int(np.count_nonzero(wrong)),
        )
        if layer.first is None and wrong.any():
            spikes = fired if layer.spikes is None else layer.spikes[:, t]
            layer.first = self.describe(layer, t, wrong, spikes, fired, mine, error, "potential")

    def describe(
        self, layer: _Layer, t: int, where: Bools, recorded: Spikes, fired: Spikes, met: Reals, error: Reals, what: str
    ) -> Misreading:
        """The first of the neurons `where`, (batch, neurons), in the lowest sample."""
        sample, neuron = (int(i) for i in np.argwhere(where)[0])
        state = layer.state
        threshold = np.broadcast_to(state.threshold, met.shape)
        if state.threshold_low is not None:
            below = np.abs(met - state.threshold_low) < np.abs(met - threshold)
            threshold = np.where(below, state.threshold_low, threshold)
        return Misreading(
            population=layer.node.name, sample=self.begin + sample, step=t + 1, neuron=neuron,
            coordinates=tuple(int(i) for i in np.unravel_index(neuron, layer.node.shape)), what=what,
            recorded=int(recorded[sample, neuron]), model=int(fired[sample, neuron]),
            recorded_v=None if layer.v is None else float(layer.v[sample, t, neuron]),
            potential=float(met[sample, neuron]), threshold=float(threshold[sample, neuron]),
            bound=float(np.broadcast_to(error, met.shape)[sample, neuron]),
        )  # fmt: skip

    # Result

    def reading(self) -> Reading:
        """The rows of all recorded populations, the first misreading, and what was not compared."""
        recorded = [layer for layer in self.layers.values() if layer.spikes is not None or layer.v is not None]
        others = [layer.node for layer in self.layers.values() if layer not in recorded]
        silent = [node.name for node in others if not self.is_maximum(node)]
        said = []
        if silent:
            said.append(f"no spikes recorded of {', '.join(silent)}: not compared, the float model's own feed the rest")
        left = sum(layer.row.left_out for layer in recorded)
        if left:
            said.append(f"{left:,} neuron-timesteps not compared: rounding may have changed spikes that they read")
        lacking = [layer.node.name for layer in recorded if layer.spikes is None]
        if lacking:
            said.append(f"potentials alone recorded of {', '.join(lacking)}: its spikes are not compared")
        if self.oracle.scores is None:
            said.append("no scores recorded: the readout is not compared")
        firsts = [layer.first for layer in recorded if layer.first is not None]
        firsts += [
            layer.first_tie for layer in recorded if layer.first_tie is not None and layer.row.fires_otherwise
        ]  # fmt: skip
        order = {layer.node.name: index for index, layer in enumerate(self.layers.values())}
        first = min(firsts, key=lambda one: (one.step, order[one.population]), default=None)
        return Reading(
            dtype=self.oracle.dtype, samples=self.batch, steps=self.steps, graph_steps=self.graph.steps,
            populations=tuple(layer.row for layer in recorded), scores=self.scores(), not_compared=tuple(said),
            first=first, kept=self.oracle.kept,
        )  # fmt: skip

    def is_maximum(self, node: Neuron) -> bool:
        """Whether these neurons stand for a maximum of spikes, which follows from those exactly."""
        memory = node.alpha_v.any() or node.alpha_u.any()
        return not memory and len(node.inputs) == 1 and isinstance(self.graph[node.inputs[0]], Pool2d)

    def scores(self) -> ScoreReading | None:
        """The recorded scores against the readout of the recorded spikes and of the potentials that they leave."""
        if self.output is None or self.oracle.scores is None:
            return None
        name = self.output.inputs[0]
        potentials = bool(self.output_v)
        read_from = OutputRun(
            output=self.output, spikes=np.stack(self.output_spikes, axis=1),
            v=np.stack(self.output_v, axis=1) if potentials else None,
            error=np.stack(self.output_error, axis=1) if potentials else None, known=~self.layers[name].doubt,
        )  # fmt: skip
        return read_scores(self.graph, read_from, self.oracle.scores, self.precision, self.begin)


def _held(values: Spikes | StoredValues | None) -> Spikes | None:
    """Values read into memory."""
    return None if values is None else np.asarray(values[:])
