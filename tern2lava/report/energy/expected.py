"""The events that a mapping expects of a sample from rates alone, where no run was counted."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.shapes import Ints, Reals, size
from tern2lava.compiler.mapped import Mapped
from tern2lava.compiler.mapper.placement.slots import router_positions
from tern2lava.compiler.mapper.routing.connections import HOST
from tern2lava.compiler.mapper.routing.traffic import ASSUMED_RELAY_RATE
from tern2lava.sim.events.counts import CoreSteps, Events, LayerEvents


def expected_events(mapped: Mapped) -> tuple[Events, CoreSteps]:
    """The events of one sample (of one step where the network says no number of steps), and what each core does in a
    hardware timestep on average. Spikes on routes are those of the mapping's traffic; each meets as many synapses as a
    block has for a source neuron on average, and as many that are not 0 as its projection has on average."""
    graph, routing, cores = mapped.graph, mapped.routing, mapped.partition.cores
    steps = graph.steps or 1
    places = mapped.placement.core
    begin = np.where(routing.source == HOST, 0, places[np.maximum(routing.source, 0)] if cores else 0)
    row, col, _ = router_positions(mapped.profile, begin)
    to_row, to_col, _ = router_positions(mapped.profile, places[routing.target])
    chips = np.unique(router_positions(mapped.profile, places)[2]).size
    across, along = np.abs(col - to_col), np.abs(row - to_row)
    density = {p.name: float(np.mean(p.weight != 0)) for p in graph.of_kind(Projection)}
    rates = _rates(mapped)
    nodes: list[Input | Population] = [*graph.of_kind(Input), *graph.of_kind(Population)]
    layers = {
        node.name: LayerEvents(
            name=node.name, neurons=size(node.shape), spikes=steps * rates[node.name] * size(node.shape)
        )
        for node in nodes
    }
    names = [node.name for node in nodes]
    number = {name: index for index, name in enumerate(names)}
    inputs = graph.of_kind(Input)
    found = CoreSteps.nothing(np.zeros(cores), 1)
    # Of each core the number of its first part and of its first block, and of these: layer, synapses behind a spike.
    first_part, first_block = np.zeros((2, cores), np.int64)
    senders: list[int] = []
    readers: list[int] = []
    behind: list[float] = []
    thin: list[float] = []
    for core in range(cores):
        first_part[core], first_block[core] = len(senders), len(readers)
        for part in mapped.partition.of_core(core):
            found.neurons[core] += part.box.volume
            found.spikes[0, core] += rates[part.population] * part.box.volume
            senders.append(number[part.population])
            for block in part.blocks:
                projection = graph.projection(block.projection)
                area = 1 if projection.pooling is None else projection.pooling.area
                readers.append(number[part.population])
                behind.append(block.synapses * area / max(1, block.source.volume))
                thin.append(density[projection.name])
    messages, inside = routing.traffic.spikes, routing.source != HOST
    host = np.array([number[node.name] for node in inputs], np.int64)
    sender = np.zeros(messages.size, np.int64)
    sender[inside] = np.array(senders, np.int64)[first_part[routing.source[inside]] + routing.group[inside]]
    sender[~inside] = host[routing.group[~inside]]
    at = first_block[routing.target] + routing.axons
    reader = np.array(readers, np.int64)[at]
    stored = messages * np.array(behind)[at]
    nonzero = stored * np.array(thin)[at]
    if mapped.profile.crossbar is not None:
        stored = nonzero
    np.add.at(found.leaving[0], routing.source[inside], messages[inside])
    for where, what in ((found.arriving, messages), (found.nonzero, nonzero), (found.stored, stored)):
        np.add.at(where[0], routing.target, what)

    def by_layer(layer: Ints, what: Reals) -> list[float]:
        total: list[float] = (steps * np.bincount(layer, what, minlength=len(names))).tolist()
        return total

    summed = {
        "messages": by_layer(sender, messages), "local": by_layer(sender, messages * (across + along == 0)),
        "across": by_layer(sender, messages * across), "along": by_layer(sender, messages * along),
        "nonzero": by_layer(reader, nonzero), "stored": by_layer(reader, stored),
    }  # fmt: skip
    layers = {
        name: layers[name].plus(**{key: values[index] for key, values in summed.items()})
        for name, index in number.items()
    }
    found.across[0] = float(across.max(initial=0))
    found.along[0] = float(along.max(initial=0))
    events = Events(
        samples=1, steps=steps, timesteps=(steps - 1) * graph.slowdown + 1 + _further(graph), cores=cores,
        chips=max(1, chips),
        layers=tuple(layers.values()), measured=False,
    )  # fmt: skip
    return events, found.spread(graph.slowdown)


def _rates(mapped: Mapped) -> dict[str, float]:
    """Spikes per neuron and step by input and population: measured where the traffic is, else assumed."""
    if mapped.routing.traffic.measured:
        return dict(mapped.rates)
    nodes = [*mapped.graph.of_kind(Input), *mapped.graph.of_kind(Population)]
    relays = {node.name for node in mapped.graph.of_kind(Population) if node.levels is not None}
    return {node.name: ASSUMED_RELAY_RATE if node.name in relays else mapped.options.rate for node in nodes}


def _further(graph: Graph) -> int:
    """Hardware timesteps of a sample after the last step of its input, as sim/events/wiring.py counts them."""
    starts = {node.name: node.start for node in graph.of_kind(Population)}
    arrive = [starts.get(p.inputs[0], 0) + 1 + p.delay for p in graph.of_kind(Projection)]
    return max([*starts.values(), *arrive], default=0)
