"""Keys of what a run covered, and of the cover stimulus."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block
from tern2lava.report.model.executions import ExecutionRow


class CoverageRow(Block):
    """What spiked of an input, a population or a core, and which of the synapses that end in it carried a spike."""

    name: str = Field(description="Name of the input or population, number of the core.")
    kind: str = Field(description="input, population, relay (neurons that pass partial sums on) or core.")
    neurons: int = Field(description="Neurons, values of an input.")
    spiked: int = Field(description="Those that spiked (sent anything but 0) in some step of some sample.")
    synapses: int = Field(
        description="Weights that are not 0, each counted at every place of a convolution; a pooled source counts as "
        "one of each window."
    )
    carried: int = Field(description="Those that carried a spike which arrived within the steps of its sample.")
    late: int = Field(description="Those whose source spiked only when there were no steps left for it to arrive.")


class CoverageBlock(Block):
    """What a run covered: without a spike, a synapse shows nothing of its weight."""

    samples: int = Field(description="Samples.")
    steps: int = Field(description="Steps of each.")
    neurons: int = Field(description="Neurons of all populations, relays included, inputs not.")
    spiked: int = Field(description="Those that spiked.")
    synapses: int = Field(description="Synapses of all populations.")
    carried: int = Field(description="Those that carried a spike which arrived.")
    populations: list[CoverageRow] = Field(description="By input and population.")
    cores: list[CoverageRow] = Field(description="By core, which holds the synapses of its neurons.")


class ThresholdRow(Block):
    """Which thresholds of a population the cover stimulus met from both sides."""

    population: str = Field(description="Name of the population.")
    thresholds: int = Field(description="Thresholds: one of each neuron, two where it spikes -1 too.")
    crossed: int = Field(description="Those that a potential crossed: the neuron spiked.")
    near: int = Field(
        description="Those that a potential came near without crossing: less than the largest synapse of its neuron "
        "was lacking."
    )
    both: int = Field(description="Those that were met so from both sides.")
    helpless: int = Field(description="Those towards which no synapse and no bias moves the potential.")


class UncoveredRow(Block):
    """Synapses that no stimulus has carry a spike."""

    projection: str = Field(description="Name of the projection.")
    synapses: int = Field(description="Synapses.")
    reason: str = Field(description="Why.")


class CoverBlock(Block):
    """The cover stimulus: generated spikes that every input sends, and every population in the place of its own, so
    that any two sources of a neuron are told apart and thresholds are met from both sides."""

    chain: list[str] = Field(description="Executions that ran it and were compared.")
    left_out: list[str] = Field(description="Executions of this verification that did not run it.")
    executions: list[ExecutionRow] = Field(description="How many samples each ran.")
    equal: bool = Field(description="Whether all agree in every spike and state compared.")
    compared_values: int = Field(description="Number of spikes and states compared.")
    samples: int = Field(description="Samples.")
    steps: int = Field(description="Steps of each.")
    first_difference: str | None = Field(description="The first difference; null: none.")
    coverage: CoverageBlock = Field(description="What it covered; neurons spike on what they are sent.")
    thresholds: list[ThresholdRow] = Field(description="One entry per population that has thresholds.")
    uncovered: list[UncoveredRow] = Field(description="Synapses that no stimulus has carry a spike; empty: none.")
