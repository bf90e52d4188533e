"""The events whose energy or time a profile may give, by name: what each counts, and its unit.

A profile has tables of them (`energy`, `latency`), each with a name of its own: the numbers of one publication, which
are never mixed with those of another. Tables of energy and of latency that belong together have the same name.
docs/energy.md says how they become an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

JOULES, SECONDS, WATTS = "J", "s", "W"


@dataclass(frozen=True)
class Event:
    """What an event counts; energy, latency: the unit of its number in such a table, "" where it has no place there."""

    what: str
    energy: str = JOULES
    latency: str = SECONDS


EVENTS: dict[str, Event] = {
    "synapse_op": Event("a spike that meets one synapse of its list"),
    "neuron_update_active": Event("a neuron's step in which it spikes, or its state changes"),
    "neuron_update_inactive": Event("a neuron's step in which nothing changes"),
    "spike_out": Event("a neuron that spikes, besides its step"),
    "axon_out": Event("a message that leaves a core: a spike for each core and range of axons that it goes to"),
    "axon_in": Event("a message that arrives at a core"),
    "spike_within_tile": Event("a message that ends at the router where it began"),
    "hop": Event("a message that passes a link between routers, in any direction"),
    "hop_east_west": Event("a message that passes a link between routers of one row"),
    "hop_north_south": Event("a message that passes a link between routers of one column"),
    "chip_power": Event("all the time of a sample, for each chip in use: power without any event", WATTS, ""),
    "barrier_one_chip": Event("the end of a step, where all cores are on one chip", ""),
    "barrier_many_chips": Event("the end of a step, where cores are on several chips", ""),
    "step": Event("a step, whatever happens in it", ""),
}


def problem(section: str, event: str, unit: str) -> str:
    """Why `event` with this unit has no place in a table of `section` ("energy" or "latency"); "" where it has one."""
    wanted = getattr(EVENTS[event], section) if event in EVENTS else ""
    if not wanted:
        names = ", ".join(name for name in EVENTS if getattr(EVENTS[name], section))
        return f"{section}: {event} is none of its events, which are {names}"
    return "" if unit == wanted else f"{section}: the unit of {event} must be {wanted}"
