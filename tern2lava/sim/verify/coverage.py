"""Coverage: which neurons spiked in a run, and which synapses carried a spike that still arrived.

A synapse is a weight that is not 0, between a neuron (of a pooled source: a window of neurons) and a neuron. It carried
a spike where its source sent one in a step from which it reaches the target within the target's window: a spike of step
k of the source's window arrives in step k + offset of the target's, offset = start of the source + 1 + delay - start of
the target, which must be one of the `steps` that the target runs. Convolutions are counted as convolutions of the
weights that are not 0, so that nothing is unrolled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.ranges import emitted_range
from tern2lava.compiler.image.core_image import CORE, decode_core
from tern2lava.compiler.ir import timing
from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.linear import accumulate, pooled, seen
from tern2lava.compiler.ir.shapes import Array, Bools, Ints, Spikes, frozen, size


@dataclass(frozen=True, kw_only=True)
class Share:
    """Neurons, and synapses that end in them: how many there are, how many spiked, and carried a spike. late: synapses
    that carried none because every spike of their source came too late to arrive.

    name: of an input, a population or a core; kind: "input", "population", "relay" or "core"."""

    name: str
    kind: str
    neurons: int
    spiked: int
    synapses: int
    carried: int
    late: int


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What spiked and what carried spikes in `samples` of `steps` steps: by input and population, and by core."""

    samples: int
    steps: int
    nodes: tuple[Share, ...]
    cores: tuple[Share, ...]

    @property
    def synapses(self) -> int:
        return sum(row.synapses for row in self.nodes)

    @property
    def carried(self) -> int:
        return sum(row.carried for row in self.nodes)

    @property
    def silent(self) -> tuple[str, ...]:
        """Inputs and populations none of whose neurons spiked."""
        return tuple(row.name for row in self.nodes if not row.spiked)


@dataclass(frozen=True, eq=False, kw_only=True)
class Activity:
    """Of every input and population, which neurons spiked (neurons,); of every projection, which neurons of its source
    sent a spike, and sent one that arrived."""

    samples: int
    steps: int
    spiked: Mapping[str, Bools]
    sent: Mapping[str, Bools]
    arrived: Mapping[str, Bools]


def offset_of(program: Graph, projection: Projection, target: Population) -> int:
    """Steps by which a spike's place in its source's window is before that of its arrival in the target's."""
    return timing.offset_of(projection, target, timing.starts(program)) // program.slowdown


def wires_of(program: Graph) -> tuple[tuple[Projection, Population], ...]:
    """Every projection with the population that it ends in."""
    return tuple(
        (program.projection(name), population) for population in program.of_kind(Population)
        for name in population.inputs
    )  # fmt: skip


def activity_of(program: Graph, spikes: Mapping[str, Spikes], sent: Mapping[str, Spikes]) -> Activity:
    """The activity of a run. spikes: of every population, (samples, steps, neurons); sent: of every input, and of those
    populations whose targets received something else than their spikes, values (samples, steps, *shape)."""
    samples, steps = next(iter(sent.values())).shape[:2]
    flat = {name: values.reshape(samples, steps, -1) for name, values in {**spikes, **sent}.items()}
    moved = {name: (values != 0).any(axis=0) for name, values in flat.items()}
    inputs = {node.name: moved[node.name].any(axis=0) for node in program.of_kind(Input)}
    arrived, whole = {}, {}
    for projection, target in wires_of(program):
        offset, rows = offset_of(program, projection, target), moved[projection.inputs[0]]
        arrived[projection.name] = rows[max(0, -offset) : max(0, steps - offset)].any(axis=0)
        whole[projection.name] = rows.any(axis=0)
    own = {name: (values != 0).any(axis=(0, 1)) for name, values in spikes.items()}
    return Activity(samples=samples, steps=steps, spiked=inputs | own, sent=whole, arrived=arrived)


def added_activity(parts: Iterable[Activity]) -> Activity:
    """The activity of several runs, one at least: what spiked or arrived in any of them."""
    first, *rest = parts
    total = first
    for part in rest:
        total = replace(
            total, samples=total.samples + part.samples, spiked=_either(total.spiked, part.spiked),
            sent=_either(total.sent, part.sent), arrived=_either(total.arrived, part.arrived),
        )  # fmt: skip
    return total


def _either(one: Mapping[str, Bools], other: Mapping[str, Bools]) -> dict[str, Bools]:
    return {name: found | other[name] for name, found in one.items()}


def coverage_of(program: Graph, images: Sequence[bytes], found: Activity) -> Coverage:
    """The coverage of an activity. images: of the cores, which say on which of them each neuron lies."""
    by_target: dict[str, tuple[Ints, Ints, Ints]] = {}
    nodes = [_share(node.name, "input", found.spiked[node.name]) for node in program.of_kind(Input)]
    for population in program.of_kind(Population):
        counts = np.zeros((3, size(population.shape)), np.int64)
        for name in population.inputs:
            projection = _counting(program.projection(name))
            arrived, sent = found.arrived[name], found.sent[name]
            carried = _reached(projection, arrived)
            counts += _reached(projection, np.ones_like(sent)), carried, _reached(projection, sent) - carried
        by_target[population.name] = counts[0], counts[1], counts[2]
        kind = "population" if population.levels is None else "relay"
        nodes.append(_share(population.name, kind, found.spiked[population.name], *by_target[population.name]))
    return Coverage(
        samples=found.samples, steps=found.steps, nodes=tuple(nodes), cores=_by_core(images, found.spiked, by_target)
    )


def silent_synapses(program: Graph) -> tuple[tuple[str, int, str], ...]:
    """(projection, synapses, reason) of the synapses that no stimulus has carry a spike."""
    found = []
    for projection, _ in wires_of(program):
        source = program[projection.inputs[0]]
        levels = emitted_range(source) if isinstance(source, Population) else (0, 1)
        if isinstance(source, Input):
            levels = source.levels
        if tuple(levels) == (0, 0):
            every = np.ones(_source_size(program, projection), bool)
            synapses = int(_reached(_counting(projection), every).sum())
            found.append((projection.name, synapses, f"{source.name} sends nothing but 0"))
    return tuple(found)


def _source_size(program: Graph, projection: Projection) -> int:
    source = program[projection.inputs[0]]
    assert isinstance(source, Input | Population)
    return size(source.shape)


def _counting(projection: Projection) -> Projection:
    """The projection with 1 for every weight that is not 0."""
    weights = projection.weight != 0
    gain = projection.gain.reshape(-1, *([1] * (weights.ndim - 1))) if projection.gain.ndim else projection.gain
    return replace(projection, weight=frozen(weights & (gain != 0), np.int8), gain=frozen(1, np.int64))


def _reached(counting: Projection, sources: Bools) -> Ints:
    """Synapses from some of the source's neurons (neurons,) that end in each neuron of the target."""
    x: Array = sources[None]
    if counting.reads is not None:
        x = seen(counting.reads, x)
    if counting.pooling is not None:
        x = pooled(counting.pooling, x) > 0
    reached: Ints = accumulate(replace(counting, reads=None, pooling=None), x)[0].astype(np.int64)
    return reached


def _share(name: str, kind: str, spiked: Bools, *counts: Ints) -> Share:
    synapses, carried, late = (int(each.sum()) for each in counts) if counts else (0, 0, 0)
    return Share(
        name=name, kind=kind, neurons=spiked.size, spiked=int(np.count_nonzero(spiked)), synapses=synapses,
        carried=carried, late=late,
    )  # fmt: skip


def _by_core(
    images: Sequence[bytes], spiked: Mapping[str, Bools], by_target: Mapping[str, tuple[Ints, Ints, Ints]]
) -> tuple[Share, ...]:
    """The same for the neurons that each core holds."""
    rows = []
    for data in images:
        image = decode_core(data, synapses=False)
        if image.kind != CORE:
            continue
        parts = [(group.name, group.box.flat()) for group in image.groups]
        mine = np.concatenate([spiked[name][index] for name, index in parts])
        counts = (np.concatenate([by_target[name][k][index] for name, index in parts]) for k in range(3))
        rows.append(_share(str(image.core), "core", mine, *counts))
    return tuple(rows)
