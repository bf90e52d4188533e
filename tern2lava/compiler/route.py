"""Which spikes go where: one route from each part (or input) to each synapse block that reads it, along X, then Y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.box import Box
from tern2lava.compiler.ir import Array, Graph, Input, Projection
from tern2lava.compiler.partition import Partition
from tern2lava.compiler.place import Placement, router_positions
from tern2lava.compiler.slices import sources
from tern2lava.hw_profiles import Profile

HOST = -1


@dataclass(frozen=True, eq=False)
class Routing:
    """Routes as equal-length arrays, sorted by source core and group.

    source: core index in the partition, or HOST; group: index of the part on that core (of the input, on the host);
    target: core index; axons: index of the axon range on the target core; neurons: how many of the part's neurons are
    sent; hops: routers passed after the first, by X then Y; crossings: chip borders passed; boxes: what the axons see.
    Inputs enter at the first router of the first chip. out_axons (cores,): entries used on each core.
    """

    source: Array
    group: Array
    target: Array
    axons: Array
    neurons: Array
    hops: Array
    crossings: Array
    boxes: tuple[Box, ...]
    out_axons: Array

    def multicast(self, source: int, group: int) -> tuple[int, ...]:
        """The cores that a part's spikes go to, ascending."""
        chosen = (self.source == source) & (self.group == group)
        return tuple(int(core) for core in np.unique(self.target[chosen]))


def route(graph: Graph, partition: Partition, placement: Placement, profile: Profile) -> Routing:
    """All routes of a placed partition, and the output axons that they take (see the profile's routing section)."""
    groups: dict[str, list[tuple[int, int, Box]]] = {}
    for index, node in enumerate(n for n in sources(graph) if isinstance(n, Input)):
        groups[node.name] = [(HOST, index, Box.full(node.shape))]
    for core in range(partition.cores):
        for group, part in enumerate(partition.of_core(core)):
            groups.setdefault(part.population, []).append((core, group, part.box))
    rows: list[tuple[int, int, int, int, int, int]] = []
    boxes: list[Box] = []
    for core in range(partition.cores):
        blocks = [block for part in partition.of_core(core) for block in part.blocks]
        for axons, block in enumerate(blocks):
            projection = graph[block.projection]
            assert isinstance(projection, Projection)
            shared = projection.geometry is not None and profile.synapse.sharing.value != "none"
            for source, group, box in groups[projection.inputs[0]]:
                neurons = box.common(block.source)
                if neurons:
                    price = profile.routing.shared_cost.value if shared else 1
                    rows.append((source, group, core, axons, neurons, price))
                    boxes.append(block.source)
    table = np.array(rows, np.int64).reshape(-1, 6)
    order = np.lexsort((table[:, 3], table[:, 2], table[:, 1], table[:, 0]))
    source, group, target, axons, neurons, price = table[order].T
    hops, crossings = _distances(placement, profile, source, target)
    used = np.zeros(partition.cores, np.int64)
    inside = source != HOST
    if profile.routing.out_axon_model.value == "edges":
        entries = neurons * (price + np.where(crossings > 0, profile.routing.offchip_cost.value, 0))
    else:
        entries = np.ones_like(neurons)
    np.add.at(used, source[inside], entries[inside])
    return Routing(source, group, target, axons, neurons, hops, crossings, tuple(boxes[i] for i in order), used)


def _distances(placement: Placement, profile: Profile, source: Array, target: Array) -> tuple[Array, Array]:
    """(hops, chip borders) of each route; both count along X, then Y."""
    begin = np.where(source == HOST, 0, placement.core[np.maximum(source, 0)] if len(placement.core) else 0)
    end = placement.core[target]
    row0, col0, _ = router_positions(profile, begin)
    row1, col1, _ = router_positions(profile, end)
    height, width = profile.system.mesh_rows.value, profile.system.mesh_cols.value
    hops = np.abs(row0 - row1) + np.abs(col0 - col1)
    crossings = np.abs(row0 // height - row1 // height) + np.abs(col0 // width - col1 // width)
    return hops, crossings
