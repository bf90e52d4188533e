"""Which spikes go where: one route from each part (or input) to each synapse block that reads it, and what the links
of the mesh carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import Ints
from tern2lava.compiler.mapper.cost.output_axons import shares_lists
from tern2lava.compiler.mapper.partition import Partition
from tern2lava.compiler.mapper.placement.slots import Placement, router_positions
from tern2lava.compiler.mapper.routing.connections import HOST, Connections, connections
from tern2lava.compiler.mapper.routing.link_loads import LinkLoads, link_loads
from tern2lava.compiler.mapper.routing.traffic import Traffic, traffic
from tern2lava.compiler.shown import Shown
from tern2lava.hw_profiles import Profile


@dataclass(frozen=True, eq=False)
class Routing(Shown):
    """Routes as equal-length arrays, sorted by source core and group.

    source: core index in the partition, or HOST; group: index of the part on that core (of the input, on the host);
    target: core index; axons: index of the axon range on the target core; neurons: how many of the part's neurons are
    sent; hops: routers passed after the first; crossings: chip borders passed; boxes: what the axons see. Inputs enter
    at the first router of the first chip. out_axons (cores,): entries used on each core. traffic: spikes per step on
    each route. loads: what each link carries.
    """

    source: Ints
    group: Ints
    target: Ints
    axons: Ints
    neurons: Ints
    hops: Ints
    crossings: Ints
    boxes: tuple[Box, ...]
    out_axons: Ints
    traffic: Traffic
    loads: LinkLoads

    def multicast(self, source: int, group: int) -> tuple[int, ...]:
        """The cores that a part's spikes go to, ascending."""
        chosen = (self.source == source) & (self.group == group)
        return tuple(int(core) for core in np.unique(self.target[chosen]))

    @property
    def spike_hops(self) -> float:
        """Spikes per step times routers passed after the first."""
        return float((self.traffic.spikes * self.hops).sum())

    @property
    def spikes_off_chip(self) -> float:
        """Spikes per step that leave a chip for another (inputs to the first chip do not)."""
        return float(self.traffic.spikes[self.crossings > 0].sum())


def route(
    graph: Graph, partition: Partition, placement: Placement, profile: Profile,
    wired: Connections | None = None, carried: Traffic | None = None,
) -> Routing:  # fmt: skip
    """All routes of a placed partition, and the output axons that they take (see the profile's routing section).

    wired and carried, where known, are the partition's connections and their traffic.
    """
    wired = wired or connections(graph, partition)
    carried = carried or traffic(graph, partition, wired)
    begin = np.where(wired.source == HOST, 0, placement.core[np.maximum(wired.source, 0)] if partition.cores else 0)
    end = placement.core[wired.target]
    hops, crossings = _distances(profile, begin, end)
    if profile.routing.out_axon_model.value in ("single", "multicast"):
        used = partition.used["out_axons"].copy()
    else:
        used = np.zeros(partition.cores, np.int64)
        inside = wired.source != HOST
        np.add.at(used, wired.source[inside], entries(graph, partition, profile, wired, crossings)[inside])
    boxes = tuple(wired.boxes[i] for i in wired.box.tolist())
    return Routing(
        wired.source, wired.group, wired.target, wired.axons, wired.neurons, hops, crossings, boxes, used, carried,
        link_loads(profile, begin, end, carried.spikes),
    )  # fmt: skip


def entries(
    graph: Graph, partition: Partition, profile: Profile, wired: Connections, crossings: Ints
) -> Ints:  # fmt: skip
    """Output axons that each connection takes on its source core."""
    if profile.routing.out_axon_model.value == "ranges":
        return np.ones_like(wired.neurons)
    names = [block.projection for part in partition.parts for block in part.blocks]
    shared = {name: shares_lists(profile, graph.projection(name)) for name in set(names)}
    several = np.array([shared[name] for name in names], bool)[wired.box]
    cost = profile.routing.shared_cost.value
    entries = np.where(several, cost * wired.neurons - (cost - 1) * wired.single, wired.neurons)
    result: Ints = entries + wired.neurons * np.where(crossings > 0, profile.routing.offchip_cost.value, 0)
    return result


def _distances(profile: Profile, begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """(hops, chip borders) from core numbers to core numbers; dimension order makes no difference to either."""
    row0, col0, _ = router_positions(profile, begin)
    row1, col1, _ = router_positions(profile, end)
    height, width = profile.system.mesh_rows.value, profile.system.mesh_cols.value
    hops = np.abs(row0 - row1) + np.abs(col0 - col1)
    crossings = np.abs(row0 // height - row1 // height) + np.abs(col0 // width - col1 // width)
    return hops, crossings
