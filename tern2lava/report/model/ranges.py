"""Keys of what accumulators did on the samples compared."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block


class RangeRow(Block):
    """What the accumulators of one population did on the samples compared, in units of the membrane's last bit."""

    population: str = Field(description="Name of the population.")
    neuron_steps: int = Field(description="Neuron-timesteps watched: samples x steps x neurons.")
    u_largest: int = Field(description="Largest magnitude of the current, before it is wrapped.")
    u_limit: float | None = Field(description="Worst case that the certificate states; null: a relay, which has none.")
    v_largest: int = Field(description="Largest magnitude of the potential, before it is clipped.")
    v_limit: float | None = Field(description="Worst case that the certificate states; null: a relay, which has none.")
    state_max: int = Field(description="Largest magnitude that the target's states hold.")
    u_wrapped: int = Field(description="Neuron-timesteps in which the current wrapped.")
    v_clipped: int = Field(
        description="Neuron-timesteps in which the potential was clipped, except before a reset to zero, which makes "
        "it 0 either way."
    )
    adaptation_clipped: int = Field(description="Neuron-timesteps in which the adaptation was clipped.")
    left: int = Field(
        description="Neuron-timesteps in which the current or the potential was beyond what the certificate states."
    )
    stayed: bool = Field(description="Whether none of these four happened.")
