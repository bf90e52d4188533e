"""How good a mapping is, and in which order mappings are ranked by each objective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import Reals
from tern2lava.compiler.mapper.partition import Partition
from tern2lava.compiler.mapper.placement.slots import Placement
from tern2lava.compiler.mapper.routing.connections import HOST, Connections
from tern2lava.compiler.mapper.routing.routes import Routing
from tern2lava.compiler.mapper.routing.traffic import Traffic
from tern2lava.compiler.options import Objective
from tern2lava.hw_profiles import Profile


@dataclass(frozen=True)
class EventTimes:
    """What events take, in `unit`: a synapse's addition, a neuron's update, a hop (or a spike's passing of a link)."""

    synapse: float
    neuron: float
    hop: float
    unit: str
    source: str


@dataclass(frozen=True)
class Quality:
    """What the objectives rank.

    cores; cost: spikes per step times hops, chip borders counted as the profile says; peak and mean: work per step of
    the busiest core and of a core on average; route: hops of the longest route, chip borders likewise; link: spikes per
    step on the most loaded link; step: estimated length of a step, max(peak, link * hop time) + route * hop time; all
    times in the unit of `event_times`.
    """

    cores: int
    cost: float
    peak: float
    mean: float
    route: float
    link: float
    step: float

    def rank(self, objective: Objective) -> tuple[float, ...]:
        """The less, the better; ties are broken by what comes after."""
        orders: dict[Objective, tuple[float, ...]] = {
            "cores": (self.cores, self.cost),
            "traffic": (self.cost, self.cores),
            "latency": (self.step, self.cost),
            "balance": (self.cores, self.peak, self.cost),
        }
        return orders[objective]


def event_times(profile: Profile) -> EventTimes:
    """Times of the profile's first latency table that has them, in ns; else every event counts 1."""
    for name, table in profile.latency.items():
        needed = ("synapse_op", "neuron_update_active", "hop_east_west", "hop_north_south")
        if all(key in table for key in needed):
            synapse, neuron, east, north = (1e9 * table[key].value for key in needed)
            return EventTimes(synapse, neuron, max(east, north), "ns", f"{profile.name}: latency.{name}")
    return EventTimes(1.0, 1.0, 1.0, "events", "no times are public: every event counts 1")


def part_work(graph: Graph, partition: Partition, wired: Connections, carried: Traffic, times: EventTimes) -> Reals:
    """Work per step of each part (aligned with Partition.parts): its neurons' updates and the additions of arriving
    spikes, each spike reaching as many neurons as a synapse block holds synapses per source neuron."""
    blocks = [(index, block) for index, part in enumerate(partition.parts) for block in part.blocks]
    work = times.neuron * np.array([part.box.volume for part in partition.parts], np.float64)
    if not blocks:
        return work
    owner = np.array([index for index, _ in blocks])
    each = []
    for _, block in blocks:
        projection = graph.projection(block.projection)
        area = 1 if projection.pooling is None else projection.pooling.area
        each.append(block.synapses * area / max(1, block.source.volume))
    np.add.at(work, owner[wired.box], times.synapse * carried.spikes * np.array(each)[wired.box])
    return work


def quality(
    graph: Graph, profile: Profile, partition: Partition, wired: Connections, placement: Placement, routing: Routing
) -> Quality:
    """The quality of a placed and routed partition."""
    if partition.cores == 0:
        return Quality(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    times = event_times(profile)
    work = np.zeros(partition.cores)
    cores = np.array([part.core for part in partition.parts])
    np.add.at(work, cores, part_work(graph, partition, wired, routing.traffic, times))
    longest = routing.hops + profile.routing.chip_hops.value * routing.crossings
    inside = routing.source != HOST
    route = float(longest[inside].max(initial=0))
    peak, link = float(work.max()), routing.loads.most_loaded_link[0]
    step = max(peak, link * times.hop) + route * times.hop
    return Quality(partition.cores, placement.cost, peak, float(work.mean()), route, link, step)
