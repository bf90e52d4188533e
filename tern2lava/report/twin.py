"""What the target would need for the same network with 8-bit weights: mapped, not estimated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.certify.ranges import summed_input
from tern2lava.compiler.ir.graph import Graph, Node, Population, Projection
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError, UnsupportedError
from tern2lava.hw_profiles import Profile
from tern2lava.report.model import Report, TwinRow

_SEED = 0


def add_twins(
    report: Report, program: Graph, profile: Profile, options: MapOptions, rates: dict[str, Array] | None = None
) -> Report:
    """`report` with the network and two twins on the same target: 8-bit weights where it has nonzero ones, and 8-bit
    weights everywhere. Twins have the network's shapes, thresholds and delays; their weights are random, since
    resources depend on widths and zeros only. A twin that does not fit says why. rates: measured traffic (see
    traffic.traffic)."""
    rows = [
        _row("as compiled", program, profile, options, rates),
        _row("8 bit, the same zeros", int8_twin(program, dense=False), profile, options, rates),
        _row("8 bit, no zeros", int8_twin(program, dense=True), profile, options, rates),
    ]
    return report.model_copy(update={"twins": rows})


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
        relay = twin[name]
        assert isinstance(relay, Population)
        low, high = summed_input(twin, relay.inputs, relay.shape)
        wider = replace(relay, levels=(min(int(np.min(low)), 0), max(int(np.max(high)), 0)))
        twin = twin.with_nodes(wider if node is relay else node for node in twin.nodes)
    return twin


def _row(name: str, program: Graph, profile: Profile, options: MapOptions, rates: dict[str, Array] | None) -> TwinRow:
    bits = max((p.bits for p in program.of_kind(Projection)), default=0)
    try:
        mapped: Mapped = map_program(program, profile, options, rates)
    except (CapacityError, UnsupportedError) as error:
        return TwinRow(
            name=name, weight_bits=bits, cores=None, chips=None, cores_lower_bound=None, stored_bits=None,
            image_bits=None, reason=str(error),
        )  # fmt: skip
    use = mapped.core_use()
    return TwinRow(
        name=name,
        weight_bits=bits,
        cores=len(use),
        chips=len({core.chip for core in use}),
        cores_lower_bound=mapped.cores_lower_bound,
        stored_bits=sum(core.synapse_bits[0] for core in use),
        image_bits=8 * (sum(map(len, mapped.images)) + len(mapped.host_image)),
        reason=None,
    )
