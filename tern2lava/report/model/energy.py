"""Keys of energy, latency and throughput, estimated from published numbers per event."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block


class EventRow(Block):
    """Events of an input or population, a sample on average."""

    name: str = Field(description="Name of the input or population.")
    neurons: int = Field(description="Number of neurons (of an input: of values).")
    spikes: float = Field(description="Spikes of them.")
    messages: float = Field(description="Spikes times the cores and ranges of axons that each goes to.")
    link_hops: float = Field(description="Links between routers that these messages pass, added up.")
    synapses: float = Field(description="Synapses of it with a weight other than 0 that arriving spikes meet.")
    synapses_stored: float = Field(
        description="All synapses that arriving spikes meet where lists hold zeros too; in a crossbar: the same."
    )
    updates: float = Field(description="Steps of its neurons (0 of an input).")


class TermRow(Block):
    """One kind of event in one estimate: how often it happens a sample, what one takes, and where that is from."""

    event: str = Field(description="Name of the event in the profile (docs/energy.md).")
    least: float = Field(
        description="How often a sample where the energy is least (most neurons are inactive then); of chip_power: "
        "chips times latency_least."
    )
    most: float = Field(
        description="How often a sample where the energy is most; of chip_power: chips times latency_most."
    )
    price: str = Field(description="What one takes, with its unit; as in the profile.")
    energy_least: float = Field(description="Its part of energy_least, J a sample.")
    energy_most: float = Field(description="Its part of energy_most, J a sample.")
    kind: str = Field(description="How sure the price is: published, simulated, derived or assumed.")
    source: str = Field(description="Where the price is from.")


class LayerEnergy(Block):
    """Dynamic energy of an input or population: its neurons, the messages that it sends, the synapses that it has."""

    name: str = Field(description="Name of the input or population.")
    energy_least: float = Field(description="J a sample, at least.")
    energy_most: float = Field(description="J a sample, at most.")


class EnergyEstimate(Block):
    """The estimate by one table of the profile, that is by the numbers of one publication."""

    table: str = Field(description="Name of the table in the profile.")
    energy_least: float = Field(description="Dynamic energy, J a sample, at least.")
    energy_most: float = Field(description="Dynamic energy, J a sample, at most.")
    static_least: float | None = Field(
        description="Static energy of the chips in use, J a sample, at least; null: the table has no power or no times."
    )
    static_most: float | None = Field(description="The same, at most.")
    latency_least: float | None = Field(
        description="Time of a sample in s, at least: its timesteps one after the other; null: no times are public."
    )
    latency_most: float | None = Field(description="The same, at most.")
    throughput_least: float | None = Field(
        description="Samples a second, one after the other: 1 / latency_most; null: no times are public."
    )
    throughput_most: float | None = Field(description="The same: 1 / latency_least.")
    terms: list[TermRow] = Field(description="What the energy is made of, event by event.")
    layers: list[LayerEnergy] = Field(description="Dynamic energy by input and population.")
    missing: list[str] = Field(description="Events that happen and for which the table has no energy.")
    bounds: list[str] = Field(description="Prices of which the source says no more than the least or the most.")


class EnergyBlock(Block):
    """Energy, latency and throughput, estimated from published numbers per event (docs/energy.md)."""

    measured: bool = Field(description="Whether events were counted on data (`bench`); false: expected of rates.")
    samples: int = Field(description="Samples on which they were counted; 0: none.")
    steps: int = Field(description="Steps of a sample; where the network does not say and no data were run, 1.")
    timesteps: int = Field(
        description="Hardware timesteps of a sample: its steps, and those until the last spike arrived."
    )
    events: list[EventRow] = Field(description="Events, a sample on average.")
    estimates: list[EnergyEstimate] = Field(
        description="One for each table of the profile, never mixed; empty: no energies per event are public."
    )
    note: str = Field(description="Why there is no estimate; empty: there is one.")
    not_modelled: list[str] = Field(description="What no estimate includes.")
