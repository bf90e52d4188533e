"""Retiming: from a framework's time, where a spike crosses all layers in one step, to the chip's one step a synapse."""

from __future__ import annotations

from tern2lava.compiler.ir.graph import Graph, Input, Neuron, Population, Projection
from tern2lava.counts import count
from tern2lava.errors import UnsupportedError


def pipeline_latencies(graph: Graph) -> dict[str, int]:
    """The pipeline latency of each population, in hardware timesteps behind the input: the least that every synapse
    keeps.

    After Leiserson and Saxe, "Retiming synchronous circuitry", Algorithmica 6, 1991: a projection with source delay d
    needs latency(target) >= latency(source) + 1 - d, for each synapse takes one hardware timestep; inputs have 0. The
    least solution is the longest path. Raises UnsupportedError, naming the loop, where a loop has fewer steps of delay
    in the source than synapses on the chip.
    """
    edges: list[tuple[str, str, int]] = []
    for node in graph.nodes:
        if isinstance(node, Neuron | Population):
            for name in node.inputs:
                projection = graph.projection(name)
                edges.append((projection.inputs[0], node.name, 1 - projection.delay))
    inputs = {node.name for node in graph.of_kind(Input)}
    latency = {node.name: 0 for node in graph.nodes if isinstance(node, Input | Neuron | Population)}
    origin: dict[str, str] = {}
    for _ in range(len(latency) + 1):
        changed = ""
        for source, target, length in edges:
            if latency[source] + length > latency[target] and target not in inputs:
                latency[target] = latency[source] + length
                origin[target] = source
                changed = target
        if not changed:
            return latency
    raise _too_fast(changed, origin, edges)


def _too_fast(node: str, origin: dict[str, str], edges: list[tuple[str, str, int]]) -> UnsupportedError:
    for _ in origin:
        node = origin[node]
    loop = [node]
    while origin[loop[-1]] != node:
        loop.append(origin[loop[-1]])
    loop.reverse()
    # Of parallel synapses between two populations the fastest closes the loop.
    pairs = set(zip(loop, [*loop[1:], loop[0]], strict=True))
    steps = sum(
        min(1 - length for source, target, length in edges if (source, target) == pair) for pair in sorted(pairs)
    )
    return UnsupportedError(
        " -> ".join([*loop, loop[0]]),
        "at least one step of delay for each synapse of a loop",
        f"{count(steps, 'step')} of delay over {count(len(loop), 'synapse')}",
        "a chip takes one step per synapse, and its neurons leak in each, so that no step of the network can take two; "
        "a longer delay in the loop fits, but is another network, to be trained again",
    )


def chip_delay(projection: Projection, target: str, latency: dict[str, int]) -> int:
    """Hardware timesteps beyond the first that a spike must wait so that it arrives in the step its source meant."""
    return latency[target] + projection.delay - latency[projection.inputs[0]] - 1
