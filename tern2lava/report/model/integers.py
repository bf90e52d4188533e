"""Keys of the integers that were chosen, on which samples, and of what was rounded."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block


class IntegersRow(Block):
    """The integers that were chosen for a population. Counts of spikes are of the calibration samples, where there were
    any, every population being fed and reset by the network's own spikes."""

    population: str = Field(description="Name of the population.")
    unit: float = Field(description="Last bits of a potential to one weight (to the unit of its layer's weights).")
    unit_exponent: int | None = Field(description="e where `unit` is 2^e; null: it is no power of two.")
    decays: str = Field(
        description="How decays become whole numbers: truncate (towards zero), nearest, or none, where nothing decays "
        "but all at once."
    )
    ranges: str = Field(
        description="What the accumulators hold. proven: every input, for any number of steps. steps: every input, for "
        "the steps of a sample. observed: what calibration samples showed, times a margin. short: some input makes one "
        "overflow."
    )
    thresholds: int = Field(description="Thresholds of the population, lower ones too; neurons may share one.")
    moved: int = Field(description="Thresholds that were moved to pay for other roundings.")
    furthest: float = Field(
        description="The largest such move, over its threshold (over one weight where that is 0); 0: none was moved."
    )
    samples: int | None = Field(
        description="Calibration samples that were looked at; null: there were none, or it is proven without any that "
        "every neuron spikes as in real numbers, or the source computes in integers already. So are the next four."
    )
    spikes: int | None = Field(description="Spikes of the network on these samples.")
    changed: int | None = Field(description="Neuron-timesteps that spike otherwise with these integers.")
    changed_without: int | None = Field(description="How many do with the integers that are chosen without samples.")
    saved: int | None = Field(description="What the samples bought: changed_without - changed.")
    finer_unit: float | None = Field(
        description="The finest unit whose accumulators would hold what the samples showed, which --range calibrated "
        "would try; null: ranges are those already, it is no finer, or no spike is expected to change."
    )


class CalibrationBlock(Block):
    """The samples that integers were chosen on (docs/calibration.md)."""

    file: str | None = Field(description="Name of the file; null: arrays.")
    sha256: str = Field(description="SHA-256 of the bytes of the file; of arrays, of their values.")
    samples: int = Field(description="Samples in it.")
    run: int = Field(description="Samples that were run, the first of them.")
    steps: int = Field(description="Steps of a sample.")
    u_margin: float = Field(
        description="How many times as far as observed a current may go before it leaves its range."
    )
    v_margin: float = Field(description="The same of potentials and adaptations.")


class RoundingRow(Block):
    """One quantity of a population that the integers do not hold exactly. Values are in the source's units; of a
    threshold, what counts is the distance to where the integers decide."""

    population: str = Field(description="Name of the population.")
    quantity: str = Field(
        description="What was rounded: weights of a projection (its scale), threshold, lower threshold, reset amount, "
        "bias, bias of the current, initial potential, decay of the potential, of the current or of the adaptation, "
        "adaptation by a spike, or potential: what decays cut off in each step, less than a last bit, or move it to "
        "the nearest whole number, at most half of one, which adds up; errors are then sums over a sample, relative to "
        "the threshold (to one weight where that is 0)."
    )
    neurons: int = Field(description="Number of neurons.")
    inexact: int = Field(description="Neurons of which it is not exact.")
    worst: float | None = Field(
        description="Largest relative error over the neurons whose value is not 0 (of a decay: relative to the factor "
        "or to what it leaves of 1, whichever is smaller); null: all are 0."
    )
    median: float | None = Field(description="Median of the relative errors of these neurons; null: all are 0.")
    absolute: float = Field(description="Largest error.")
    neuron: list[int] = Field(description="Index of the neuron with the largest relative error.")
    real: float | None = Field(description="Its value in the trained network; null: of potentials.")
    became: float | None = Field(description="What it became; null: of potentials.")
    shift: float | None = Field(
        description="For biases: the largest shift of a potential by it within a sample, without a reset, over the "
        "threshold (over one weight where that is 0); null: no bias."
    )
