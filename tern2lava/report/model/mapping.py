"""Keys of how the network was mapped, and of how it would be on other targets."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block


class MappingBlock(Block):
    """How the network was mapped (docs/mapping.md), and what traffic and work that makes per step."""

    objective: str = Field(description="What the mapping minimises: cores, traffic, latency or balance.")
    placement: str = Field(description="Algorithm that placed the cores.")
    seed: int = Field(description="Seed of the placement.")
    max_neurons_per_core: int | None = Field(description="Most neurons on a core as asked for; null: as many as fit.")
    pins: list[str] = Field(description="Populations that must lie on a chip, as population=chip.")
    spare_cores: int = Field(description="Cores left free on each chip.")
    measured: bool = Field(description="Whether the traffic was measured on data.")
    rate: float | None = Field(description="Spikes per neuron and step assumed for the traffic; null: it was measured.")
    spike_hops: float = Field(description="Spikes per step times routers passed after the first, over all routes.")
    weighted_hops: float = Field(description="The same with a chip border counted as the profile's chip_hops more.")
    spikes_off_chip: float = Field(description="Spikes per step that leave a chip for another.")
    link: float = Field(description="Spikes per step on the most loaded link of the mesh.")
    link_at: str = Field(description="The router that this link leaves, rows and columns counted across all chips.")
    router: float = Field(description="Spikes per step that enter the most loaded router.")
    longest_route: float = Field(description="Hops of the longest route between cores, chip borders as above.")
    busiest_core: float = Field(description="Work per step of the busiest core: neuron updates and synaptic additions.")
    mean_core: float = Field(description="Work per step of a core on average.")
    step: float = Field(
        description="Estimated length of a step: the longer of the busiest core's work and the most loaded link's "
        "spikes, and the longest route."
    )
    unit: str = Field(description="Unit of work and step: ns by the profile's times, else events that count 1 each.")
    times: str = Field(description="Where the times of events come from.")


class WhatIfRow(Block):
    """The network on one target, mapped as it would be for that target alone."""

    target: str = Field(description="Name of the hardware profile.")
    cores: int | None = Field(description="Cores used; null: it does not fit.")
    cores_lower_bound: int | None = Field(description="No mapping can use fewer cores; null: it does not fit.")
    chips: int | None = Field(description="Chips used; null: it does not fit.")
    stored_bits: int | None = Field(description="Synaptic memory held by all cores; null: it does not fit.")
    image_bits: int | None = Field(description="All images; null: it does not fit.")
    spike_hops: float | None = Field(description="Spikes per step times hops; null: it does not fit.")
    link: float | None = Field(description="Spikes per step on the most loaded link; null: it does not fit.")
    step: float | None = Field(description="Estimated length of a step; null: it does not fit.")
    fits: bool = Field(description="Whether the target can hold and execute the network.")
    reason: str | None = Field(description="Why it does not; null: it does.")
