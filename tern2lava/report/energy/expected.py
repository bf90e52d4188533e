"""The events that a mapping expects of a sample from rates alone, where no run was counted."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.connections import HOST
from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.mapped import Mapped
from tern2lava.compiler.place import router_positions
from tern2lava.compiler.traffic import ASSUMED_RELAY_RATE
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
    to_row, to_col, chip = router_positions(mapped.profile, places[routing.target])
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
    inputs = graph.of_kind(Input)
    found = CoreSteps.nothing(np.zeros(cores), 1)
    blocks = []
    for core in range(cores):
        parts = mapped.partition.of_core(core)
        for part in parts:
            found.neurons[core] += part.box.volume
            found.spikes[0, core] += rates[part.population] * part.box.volume
        blocks.append([(part.population, block) for part in parts for block in part.blocks])
    for i, messages in enumerate(routing.traffic.spikes.tolist()):
        source, target = int(routing.source[i]), int(routing.target[i])
        population, block = blocks[target][int(routing.axons[i])]
        projection = graph.projection(block.projection)
        area = 1 if projection.pooling is None else projection.pooling.area
        stored = messages * block.synapses * area / max(1, block.source.volume)
        nonzero = stored * density[projection.name]
        if mapped.profile.crossbar is not None:
            stored = nonzero
        if source == HOST:
            sender = inputs[int(routing.group[i])].name
        else:
            sender = mapped.partition.of_core(source)[int(routing.group[i])].population
            found.leaving[0, source] += messages
        found.arriving[0, target] += messages
        found.nonzero[0, target] += nonzero
        found.stored[0, target] += stored
        layers[sender] = layers[sender].plus(
            messages=steps * messages, local=0.0 if across[i] + along[i] else steps * messages,
            across=steps * messages * float(across[i]), along=steps * messages * float(along[i]),
        )  # fmt: skip
        layers[population] = layers[population].plus(nonzero=steps * nonzero, stored=steps * stored)
    found.across[0] = float(across.max(initial=0))
    found.along[0] = float(along.max(initial=0))
    events = Events(
        samples=1, steps=steps, timesteps=(steps - 1) * graph.slowdown + 1 + _further(graph), cores=cores,
        chips=len(set(chip.tolist())) or 1,
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
