"""Keys of the float model against the framework's own run."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block


class ReadingRow(Block):
    """One recorded population: the float model, fed the recorded spikes of its sources, against its recorded spikes."""

    population: str = Field(description="Name of the population.")
    spikes: int = Field(description="Spikes of the recording.")
    neuron_steps: int = Field(description="Neurons times steps times samples that were compared.")
    missing: int = Field(description="Spikes of the recording that the float model does not make.")
    extra: int = Field(description="Spikes of the float model that the recording has not.")
    ties: int = Field(
        description="Of both, those where the potential lies within its error bound of the threshold: the rounding of "
        "the framework's own arithmetic explains them."
    )
    misread: int = Field(description="Spikes and potentials that it does not explain.")
    potentials: int = Field(description="Recorded potentials that were compared, each within its bound.")
    left_out: int = Field(
        description="Neuron-timesteps that were not compared: rounding may have changed spikes that they read and that "
        "were not recorded."
    )


class ReadingBlock(Block):
    """The float model against the framework's own run (docs/oracle.md)."""

    dtype: str = Field(description="What the framework ran in.")
    kept: bool = Field(description="Whether the run is that which the bundle keeps, not the data's.")
    samples: int = Field(description="Samples that were compared.")
    steps: int = Field(description="Steps of the recording.")
    spikes: int = Field(description="Recorded spikes that were compared.")
    equal_spikes: int = Field(description="Of those, the float model makes.")
    ties: int = Field(description="Spikes, missing or extra, that the framework's rounding explains.")
    misreadings: int = Field(description="Spikes, potentials and scores that it does not explain: 0 if read rightly.")
    misread_scores: int | None = Field(description="Samples with other class scores; null: none were recorded.")
    first: str | None = Field(description="The first misreading, with both values; null: none.")
    not_compared: list[str] = Field(description="What the recording lacks, in words.")
    populations: list[ReadingRow] = Field(description="One entry per recorded population.")
