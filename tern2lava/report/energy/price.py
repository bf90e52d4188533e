"""Events times what each takes: estimates of energy and time as ranges (docs/energy.md).

Ranges come from the source (a price from least to most), from what a table's words leave open (which neurons count as
active, whether a message that passes links also pays within a tile, whether lists hold zeros), and of times from how
the work of a core overlaps. All are sums of least and of most values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Reals
from tern2lava.hw_profiles import Profile
from tern2lava.hw_profiles.profile import Price, PriceTable
from tern2lava.sim.events.counts import CoreSteps, Events, LayerEvents

Span = tuple[float, float]


@dataclass(frozen=True)
class Term:
    """How often an event happens, at least and at most, and what one takes."""

    event: str
    times: Span
    price: Price

    @property
    def total(self) -> Span:
        least, most = self.price.span
        return self.times[0] * least, self.times[1] * most


def layer_terms(layer: LayerEvents, events: Events, table: Mapping[str, Price], source: bool) -> list[Term]:
    """The terms of dynamic energy of one layer, over all samples. source: it is an input, whose neurons are none of the
    target's and whose messages come from outside."""
    found: list[Term] = []

    def add(event: str, least: float, most: float) -> None:
        if event in table:
            found.append(Term(event, (least, most), table[event]))

    steps, timesteps = events.samples * events.steps, events.samples * events.timesteps
    if not source:
        if "neuron_update_inactive" in table:
            # A neuron that spikes is active; which others are, the tables do not say.
            add("neuron_update_active", layer.spikes, float(layer.neurons * timesteps))
            add("neuron_update_inactive", layer.neurons * steps - layer.spikes, 0.0)
        else:
            add("neuron_update_active", float(layer.neurons * steps), float(layer.neurons * timesteps))
        add("spike_out", layer.spikes, layer.spikes)
        add("axon_out", layer.messages, layer.messages)
    add("synapse_op", layer.nonzero, layer.stored)
    add("axon_in", layer.messages, layer.messages)
    add("spike_within_tile", layer.local, layer.messages)
    add("hop_east_west", layer.across, layer.across)
    add("hop_north_south", layer.along, layer.along)
    add("hop", layer.across + layer.along, layer.across + layer.along)
    return found


def missing(events: Events, table: Mapping[str, Price]) -> list[str]:
    """What happens and has no energy in a table."""
    wanted = {
        "synaptic events": (sum(layer.stored for layer in events.layers), ("synapse_op",)),
        "neuron updates": (sum(layer.neurons for layer in events.layers), ("neuron_update_active",)),
        "messages between routers": (
            sum(layer.across + layer.along for layer in events.layers), ("hop", "hop_east_west", "hop_north_south"),
        ),
    }  # fmt: skip
    return [what for what, (often, names) in wanted.items() if often and not any(name in table for name in names)]


def step_times(table: PriceTable, work: CoreSteps, chips: int) -> tuple[Reals, Reals] | None:
    """Length of each hardware timestep in s, (timesteps,) least and most; None where the table cannot say.

    step, where given: that, whatever happens. Else the barrier and the core that takes longest. Least: its synaptic
    events or its neurons, whichever take longer, at the least price. Most: its arriving messages, synaptic events,
    neurons, spikes and leaving messages one after the other, and the links of the longest route before them.
    """
    if "step" in table:
        low, high = table["step"].span
        return np.full(work.across.size, low), np.full(work.across.size, high)
    barrier = table.get("barrier_one_chip" if chips <= 1 else "barrier_many_chips")
    if barrier is None or "synapse_op" not in table or "neuron_update_active" not in table:
        return None

    def least(event: str) -> float:
        return table[event].span[0] if event in table else 0.0

    def most(event: str) -> float:
        return table[event].span[1] if event in table else 0.0

    # Between two steps neurons rest: what that takes is not known, at least nothing.
    idle = 0.0 if work.rest else table.get("neuron_update_inactive", table["neuron_update_active"]).span[0]
    neurons = work.spikes * least("neuron_update_active") + (work.neurons - work.spikes) * idle
    shortest = np.maximum(neurons, work.nonzero * least("synapse_op")).max(axis=1, initial=0.0)
    one_by_one = (
        work.neurons * most("neuron_update_active")
        + work.spikes * most("spike_out")
        + work.leaving * most("axon_out")
        + work.arriving * (most("axon_in") + most("spike_within_tile"))
        + work.stored * most("synapse_op")
    )
    links = work.across * max(most("hop_east_west"), most("hop")) + work.along * max(
        most("hop_north_south"), most("hop")
    )
    return barrier.span[0] + shortest, barrier.span[1] + one_by_one.max(axis=1, initial=0.0) + links


class Latency:
    """Time of all samples by each table of a profile, as pieces of a run come in."""

    def __init__(self, profile: Profile, chips: int) -> None:
        self.tables, self.chips = profile.latency, chips
        self.total: dict[str, Span] = {}

    def add(self, work: CoreSteps, repeated: int = 1) -> None:
        """Add timesteps, each as often as `repeated` says."""
        for name, table in self.tables.items():
            found = step_times(table, work, self.chips)
            if found is not None:
                least, most = self.total.get(name, (0.0, 0.0))
                low, high = (repeated * float(times.sum()) for times in found)
                self.total[name] = least + low, most + high
