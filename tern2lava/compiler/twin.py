"""The same network with 8-bit weights: mapped onto the target, not estimated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.certify.ranges import summed_input
from tern2lava.compiler.ir.graph import Graph, Node, Population, Projection
from tern2lava.compiler.ir.shapes import Reals, frozen
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.hw_profiles import Profile

_SEED = 0


@dataclass(frozen=True, eq=False)
class Twin:
    """A network on the target. weight_bits: of its widest weights. mapped: None where it does not fit, for `reason`."""

    name: str
    weight_bits: int
    mapped: Mapped | None
    reason: str | None = None


def map_twins(
    program: Graph, profile: Profile, options: MapOptions, rates: dict[str, Reals] | None = None
) -> Iterator[Twin]:
    """The INTEGER program and two twins on the same target: 8-bit weights where it has nonzero ones, and 8-bit weights
    everywhere. Twins have the network's shapes, thresholds and delays; their weights are random, since resources depend
    on widths and zeros only. rates: measured traffic (see traffic.traffic)."""
    for name, graph in (
        ("as compiled", program),
        ("8 bit, the same zeros", int8_twin(program, dense=False)),
        ("8 bit, no zeros", int8_twin(program, dense=True)),
    ):
        bits = max((p.bits for p in graph.of_kind(Projection)), default=0)
        try:
            yield Twin(name, bits, map_program(graph, profile, options, rates))
        except (CapacityError, UnsupportedError) as error:
            yield Twin(name, bits, None, str(error))


def int8_twin(program: Graph, *, dense: bool) -> Graph:
    """The INTEGER program with random weights of magnitude 1 to 127 in place of nonzero ones, or of all. What relays
    send is passed on as it is; it grows with the weights."""
    rng = np.random.default_rng(_SEED)
    relays = {p.name for p in program.of_kind(Population) if p.levels is not None}
    nodes: list[Node] = []
    for node in program.nodes:
        if isinstance(node, Projection) and node.inputs[0] not in relays:
            weight = rng.integers(1, 128, node.weight.shape) * rng.choice([-1, 1], node.weight.shape)
            kept = weight if dense else weight * (node.weight != 0)
            node = replace(node, weight=frozen(kept, np.int8), bits=8)
        nodes.append(node)
    twin = replace(program, nodes=tuple(nodes))
    for name in (node.name for node in nodes if node.name in relays):
        relay = twin.population(name)
        low, high = summed_input(twin, relay.inputs, relay.shape)
        wider = replace(relay, levels=(min(int(np.min(low)), 0), max(int(np.max(high)), 0)))
        twin = twin.with_nodes(wider if node is relay else node for node in twin.nodes)
    return twin
