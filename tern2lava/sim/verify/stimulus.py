"""The cover stimulus: spikes that tell any two sources of a neuron apart and meet thresholds from both sides.

Every population is driven (sim.verify.driven), so that each sees what is sent here whatever those before it do. Two
kinds of samples:

codes: every input and every population that something reads numbers its neurons on from the one before; in one step
those spike whose number has bit b, in another those whose number has not, and in as many again each with a probability
of 1/2 or 1/8. The steps come in a drawn order, so that a spike that is late or early is another sum. Hence any two
sources send different spikes, each spikes in some step and rests in another, and one synapse with another weight,
delay, sign or source changes the current of its neuron in some step. (Codes by number alone would not tell the pairs 0,
3 and 1, 2 apart, which have equal sums.)

ramps: sources spike that move some of the neurons towards thresholds that were not met from both sides yet, first few
and in every step some more, so that potentials grow by little and cross.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import Ints, Reals, Spikes, size
from tern2lava.sim.verify.adjoint import votes
from tern2lava.sim.verify.coverage import offset_of, wires_of
from tern2lava.sim.verify.driven import Stimulus, driven_populations
from tern2lava.sim.verify.thresholds import SideWatch

SEED = 20
SENDING = (16, 64)
"""Steps of a sample in which sources send, at least and at most: as many as the network's samples have."""
DRAWN = (0.5, 0.125)
"""Shares of the sources that spike in a drawn step."""
RAMPS = (0.0, 0.0625, 1.0, 0.25, 0.015625)
"""Shares of the sources that help which spike at the end of a ramp; 0: all of them in every step."""
CHOSEN = (1.0, 0.25, 0.0625, 0.015625, 0.00390625)
"""Shares of the neurons with missing thresholds that a ramp is for."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """An input or driven population: its neurons, the number of its first one, and the least and largest value that it
    sends."""

    name: str
    neurons: int
    first: int
    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The steps of a sample: `sending` ones, `before` and `behind` them some for spikes to be awaited and to arrive, as
    delays need."""

    before: int
    sending: int
    behind: int

    @property
    def steps(self) -> int:
        return self.before + self.sending + self.behind


def frame_of(program: Graph) -> Frame:
    """The shortest sample in which every spike that is sent arrives."""
    offsets = [offset_of(program, *wire) for wire in wires_of(program)]
    sending = min(max(SENDING[0], program.steps), SENDING[1])
    return Frame(before=max(0, -min(offsets, default=0)), sending=sending, behind=max(0, max(offsets, default=0)))


def sources_of(program: Graph) -> tuple[Sources, ...]:
    """What sends spikes, numbered one after the other."""
    found, first = [], 0
    nodes: tuple[Input | Population, ...] = (*program.of_kind(Input), *driven_populations(program))
    for node in nodes:
        low, high = node.levels if isinstance(node, Input) else emitted_range(node)
        count = size(node.shape)
        found.append(Sources(name=node.name, neurons=count, first=first, low=int(low), high=int(high)))
        first += count
    return tuple(found)


def codes(program: Graph) -> Iterator[Stimulus]:
    """The samples of codes, one by one."""
    sources, frame = sources_of(program), frame_of(program)
    total = sum(source.neurons for source in sources)
    bits = max(1, (total - 1).bit_length())
    # Sources that send values below 0 too send them in patterns of their own.
    signs = (1, -1) if any(source.low < 0 for source in sources) else (1,)
    patterns = [(kind, index, sign) for kind in ("has", "lacks") for index in range(bits) for sign in signs]
    patterns += [("drawn", index, 1) for index in range(2 * bits)]
    order = np.random.default_rng(SEED).permutation(len(patterns)).tolist()
    for begin in range(0, len(order), frame.sending):
        chosen = [patterns[index] for index in order[begin : begin + frame.sending]]
        values = {}
        for source in sources:
            rows = np.zeros((1, frame.steps, source.neurons), _type_of(source))
            for k, pattern in enumerate(chosen):
                rows[0, frame.before + k] = _pattern(source, *pattern)
            values[source.name] = rows
        yield _stimulus(program, values)


def _pattern(source: Sources, kind: str, index: int, sign: int) -> Spikes:
    """What a source's neurons send in a step, (neurons,)."""
    if kind == "drawn":
        rng = np.random.default_rng([SEED, index, source.first])
        spikes = rng.random(source.neurons) < DRAWN[index % len(DRAWN)]
        return np.where(spikes, rng.integers(source.low, source.high + 1, source.neurons), 0)
    has = (np.arange(source.first, source.first + source.neurons) >> index) & 1
    value = source.low if sign < 0 and source.low < 0 else source.high
    return np.where(has == (kind == "has"), value, 0)


def ramp(program: Graph, watch: SideWatch, number: int) -> Stimulus | None:
    """Ramp `number` towards thresholds that `watch` misses; None where none is missing."""
    rng = np.random.default_rng([SEED, 1, number])
    share, reach = CHOSEN[number % len(CHOSEN)], RAMPS[number // len(CHOSEN) % len(RAMPS)]
    wanted: dict[str, Reals] = {}
    for name, crossed in watch.crossed.items():
        missing = watch.missing(name)
        if missing.any():
            chosen = missing & (rng.random(crossed.shape) < share)
            if not chosen.any():
                one = rng.choice(np.flatnonzero(missing))
                chosen.reshape(-1)[one] = True
            # Up for the first threshold, down for the low one, where both are wanted one of them by chance.
            up, down = chosen[0], chosen[-1] & (len(chosen) > 1)
            both = up & down
            up = up & ~(both & (rng.random(up.shape) < 0.5))
            wanted[name] = np.where(up, 1.0, np.where(down, -1.0, 0.0))
    if not wanted:
        return None
    frame = frame_of(program)
    sources = {source.name: source for source in sources_of(program)}
    helping = {name: np.zeros(source.neurons) for name, source in sources.items()}
    for projection, target in wires_of(program):
        if target.name in wanted:
            source = sources[projection.inputs[0]]
            helping[source.name] += votes(projection, wanted[target.name][None], source.neurons)[0]
    values = {name: _ramped(source, helping[name], reach, frame, rng) for name, source in sources.items()}
    return _stimulus(program, values)


def _ramped(source: Sources, helping: Reals, reach: float, frame: Frame, rng: np.random.Generator) -> Spikes:
    """(1, steps, neurons): those that help spike, those that help most first."""
    rows = np.zeros((1, frame.steps, source.neurons), _type_of(source))
    sign = np.where((helping > 0) & (source.high > 0), 1, np.where((helping < 0) & (source.low < 0), -1, 0))
    order = np.lexsort((rng.random(source.neurons), -np.abs(helping)))
    order = order[sign[order] != 0]
    most = max(1.0, reach * order.size)
    for k in range(frame.sending):
        now: Ints = order[: int(np.ceil(most * (k + 1) / frame.sending))] if reach else order
        rows[0, frame.before + k, now] = sign[now]
    return rows


def together(parts: Sequence[Stimulus]) -> Stimulus:
    """All samples of several stimuli, one at least."""

    def joined(each: Sequence[Mapping[str, Spikes]]) -> dict[str, Spikes]:
        return {name: np.concatenate([part[name] for part in each]) for name in each[0]}

    return Stimulus(
        inputs=joined([part.inputs for part in parts]), driven=joined([part.driven for part in parts])
    )  # fmt: skip


def _type_of(source: Sources) -> np.dtype[np.integer]:
    return np.promote_types(np.min_scalar_type(source.low), np.min_scalar_type(source.high))


def _stimulus(program: Graph, values: Mapping[str, Spikes]) -> Stimulus:
    inputs = {node.name: values[node.name] for node in program.of_kind(Input)}
    driven = {p.name: values[p.name] for p in program.of_kind(Population) if p.name in values}
    return Stimulus(inputs=inputs, driven=driven)
