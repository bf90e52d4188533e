"""When what happens on the chip: how long a step of the network takes, and which loop makes it so long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tern2lava.compiler.ir.graph import Graph, Input, Neuron, Node, Population, Projection


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A synapse's way from one population (or Input) to another, `waits` steps of the network long."""

    source: str
    target: str
    waits: int


def starts(program: Graph) -> dict[str, int]:
    """The start of every Input (0) and Population of an INTEGER graph."""
    return {n.name: 0 for n in program.of_kind(Input)} | {p.name: p.start for p in program.of_kind(Population)}


def offset_of(projection: Projection, target: Population, start: Mapping[str, int]) -> int:
    """Hardware timesteps from the start of a projection's source to the arrival of its first spike, less the target's
    start: a multiple of the slowdown, which is one step of the network."""
    return start[projection.inputs[0]] + 1 + projection.delay - target.start


def in_source_time(program: Graph) -> Graph:
    """An INTEGER graph with delays that count steps of the network, as at the levels before."""
    start = starts(program)
    nodes: dict[str, Node] = {node.name: node for node in program.nodes}
    for population in program.of_kind(Population):
        for projection in program.projections(population.inputs):
            waited = offset_of(projection, population, start)
            nodes[projection.name] = replace(projection, delay=waited // program.slowdown)
    return program.with_nodes(nodes.values())


def wires(graph: Graph) -> tuple[Wire, ...]:
    """The wires of a graph whose delays count steps of the network, in the order of its populations."""
    return tuple(
        Wire(source=projection.inputs[0], target=node.name, waits=projection.delay)
        for node in graph.nodes
        if isinstance(node, Neuron | Population)
        for projection in graph.projections(node.inputs)
    )


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Populations in a circle, each feeding the next, the last the first, with `waits` steps of delay in all."""

    names: tuple[str, ...]
    waits: int

    @property
    def slowdown(self) -> int:
        """The least hardware timesteps of a step in which its spikes go round in time, one for each synapse; a loop
        without delay has none."""
        return -(-len(self.names) // self.waits)

    def __str__(self) -> str:
        return " -> ".join([*self.names, self.names[0]])


def latencies(graph: Graph, slowdown: int) -> dict[str, int] | Loop:
    """The pipeline latency of each Input and population, in hardware timesteps behind the input, or a loop that needs
    more than `slowdown` hardware timesteps a step; of a graph whose delays count steps of the network.

    After Leiserson and Saxe, "Retiming synchronous circuitry", Algorithmica 6, 1991, who call a circuit c-slow where
    each register is c of them: a wire that waits d steps needs latency(target) >= latency(source) + 1 - d * slowdown,
    for each synapse takes one hardware timestep; inputs have 0. The least solution is the longest path (Bellman and
    Ford), which exists where no loop has more synapses than hardware timesteps of delay.
    """
    inputs = {node.name for node in graph.of_kind(Input)}
    latency = {node.name: 0 for node in graph.nodes if isinstance(node, Input | Neuron | Population)}
    edges = [wire for wire in wires(graph) if wire.target not in inputs]
    origin: dict[str, str] = {}
    changed = ""
    for _ in range(len(latency) + 1):
        changed = ""
        for wire in edges:
            least = latency[wire.source] + 1 - wire.waits * slowdown
            if least > latency[wire.target]:
                latency[wire.target] = least
                origin[wire.target] = wire.source
                changed = wire.target
        if not changed:
            return latency
    return _loop_behind(changed, origin, edges)


def _loop_behind(node: str, origin: Mapping[str, str], edges: Iterable[Wire]) -> Loop:
    """The loop from which a longest path without an end comes to `node`."""
    for _ in origin:
        node = origin[node]
    loop = [node]
    while origin[loop[-1]] != node:
        loop.append(origin[loop[-1]])
    loop.reverse()
    # Of parallel synapses between two populations the fastest closes the loop.
    pairs = set(zip(loop, [*loop[1:], loop[0]], strict=True))
    waits = sum(min(wire.waits for wire in edges if (wire.source, wire.target) == pair) for pair in sorted(pairs))
    return Loop(names=tuple(loop), waits=waits)


def slowest_loop(program: Graph) -> Loop | None:
    """A loop that makes a step of an INTEGER graph as long as it is; None where it takes one hardware timestep."""
    if program.slowdown == 1:
        return None
    found = latencies(in_source_time(program), program.slowdown - 1)
    return found if isinstance(found, Loop) else None
