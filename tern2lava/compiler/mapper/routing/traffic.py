"""How many spikes travel between the cores of a partition, from measured activity or from an assumed rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import Ints, Reals, broadcast, size
from tern2lava.compiler.ir.slices import sources
from tern2lava.compiler.mapper.partition import Partition
from tern2lava.compiler.mapper.routing.connections import HOST, Connections
from tern2lava.compiler.options import ASSUMED_RATE
from tern2lava.compiler.shown import Shown

# A relay sends whenever its sum is not 0: at most in every step.
ASSUMED_RELAY_RATE = 1.0


@dataclass(frozen=True, eq=False)
class Traffic(Shown):
    """Spikes per step of each connection (aligned with Connections); measured: from a run, else assumed."""

    spikes: Reals
    measured: bool


def traffic(
    graph: Graph, partition: Partition, connections: Connections, rates: dict[str, Reals] | None = None,
    assumed: float = ASSUMED_RATE,
) -> Traffic:  # fmt: skip
    """Spikes per step on each connection. rates: by population, spikes per neuron and step, one or one for each;
    without them every neuron spikes at the `assumed` rate, relays in every step."""
    if rates is None:
        return Traffic(connections.neurons * _assumed(graph, partition, connections, assumed), False)
    hosts = [node for node in sources(graph) if isinstance(node, Input)]
    mean: dict[tuple[int, int], float] = {}
    for index, node in enumerate(hosts):
        mean[HOST, index] = float(np.mean(rates[node.name]))
    for core in range(partition.cores):
        for group, part in enumerate(partition.of_core(core)):
            values = np.asarray(rates[part.population], np.float64)
            if values.size > 1:
                values = part.box.select(broadcast(values.reshape(part.box.shape), part.box.shape))
            mean[core, group] = float(values.mean())
    pairs = zip(connections.source.tolist(), connections.group.tolist(), strict=True)
    rate = np.fromiter((mean[pair] for pair in pairs), np.float64, connections.source.size)
    spikes: Reals = connections.neurons * rate
    _count_listed(partition, connections, rates, hosts, spikes)
    return Traffic(spikes, True)


def spikes_of(graph: Graph, name: str, count: int, rates: dict[str, Reals] | None, assumed: float) -> Reals:
    """Spikes per step of each of the `count` neurons of a population or input; see `traffic`."""
    node = graph[name]
    if rates is None:
        relay = isinstance(node, Population) and node.levels is not None
        return np.full(count, ASSUMED_RELAY_RATE if relay else assumed)
    assert isinstance(node, Population | Input)
    values = np.asarray(rates[name], np.float64)
    spread = broadcast(values, node.shape) if values.size in (1, count) else np.full(count, float(values.mean()))
    result: Reals = np.ascontiguousarray(spread).reshape(-1)
    return result


def _count_listed(
    partition: Partition, connections: Connections, rates: dict[str, Reals], hosts: list[Input], spikes: Reals
) -> None:
    """Puts into `spikes` what connections carry whose neurons are listed: the sum over just these, which may spike more
    or less than others of their part."""
    parts = partition.parts
    own = np.array([bool(part.box.kept) for part in parts] + [False])[connections.part]
    seen = np.array([bool(box.kept) for box in connections.boxes])[connections.box]
    listed = np.flatnonzero(own | seen)
    held: dict[str, Ints] = {}
    for box in np.unique(connections.box[listed]).tolist():
        rows = listed[connections.box[listed] == box]
        first = int(connections.part[rows[0]])
        name = hosts[int(connections.group[rows[0]])].name if first < 0 else parts[first].population
        neurons = connections.boxes[box].flat()
        rate = np.asarray(rates[name], np.float64).reshape(-1)
        weight = rate[neurons] if rate.size > 1 else np.full(neurons.size, float(rate[0]))
        if first < 0:
            spikes[rows] = weight.sum()
            continue
        if name not in held:
            held[name] = np.zeros(size(parts[first].box.shape), np.int64)
            for index, part in enumerate(parts):
                if part.population == name:
                    held[name][part.box.flat()] = index
        sums = np.bincount(held[name][neurons], weights=weight, minlength=len(parts))
        spikes[rows] = sums[connections.part[rows]]


def _assumed(graph: Graph, partition: Partition, connections: Connections, assumed: float) -> Reals:
    """Spikes per neuron and step of each connection's source where nothing was measured."""
    relays = {p.name for p in graph.of_kind(Population) if p.levels is not None}
    # The host, part -1, stands last.
    rates = [ASSUMED_RELAY_RATE if part.population in relays else assumed for part in partition.parts]
    result: Reals = np.array([*rates, assumed])[connections.part]
    return result
