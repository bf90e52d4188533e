"""Keys of the populations and of what is proven of each."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block


class PopulationRow(Block):
    """One population of neurons."""

    name: str = Field(description="Name of the neuron layer in the source; NAME.relayK for relays of NAME.")
    shape: list[int] = Field(description="Shape: [neurons] or [channels, height, width].")
    neurons: int = Field(description="Number of neurons.")
    cores: int = Field(description="Cores that hold neurons of it.")
    lag: int = Field(
        description="Pipeline latency: hardware timesteps by which it lags the input, one per synapse on the way."
    )
    relay: bool = Field(
        description="Whether it is one of relays, which send partial sums of a population with more inputs than the "
        "target's cores have; such rows have no certificate of their own (the sums are exact)."
    )


class TieRow(Block):
    """What becomes of potentials that equal their threshold: spikes hang on them, however small an error is."""

    known: bool = Field(
        description="Whether it is known where potentials can lie: decays, gains, biases and resets are integers of "
        "the target without rounding. Else others than the `possible` ones may equal the threshold."
    )
    possible: int = Field(
        description="Neurons of which a potential is known to be able to equal the threshold within the steps."
    )
    kept: int = Field(description="Of these, neurons proven to spike as the real dynamics for every input.")
    lost: int = Field(
        description="Of these, neurons whose first potential after a rest spikes otherwise if it equals the threshold."
    )
    ran: int = Field(
        description="Neurons for which exact runs (rational arithmetic on drawn inputs) stand; 0: not all are kept by "
        "proof and none was run, or none needed to be."
    )
    met: int = Field(description="Potentials in these runs that equalled the threshold.")
    differ: int = Field(description="Those of them whose spike is another in integers.")


class CertificateRow(Block):
    """What is proven of a population's integers against its real dynamics."""

    population: str = Field(description="Name of the population.")
    verdict: str = Field(
        description="EXACT: spikes alike for every input within `steps`. BOUNDED: potentials differ by at most eps "
        "while spikes are alike. CONDITIONAL: so it is while accumulators stay within ranges observed on calibration "
        "samples, which `verify` watches. MEASURED: no useful bound; agreement is only observed."
    )
    eps: float | None = Field(
        description="Largest difference of potentials at the threshold, adaptation included, in units of the weights' "
        "scale; null: no bound."
    )
    eps_relative: float | None = Field(
        description="Largest eps over its threshold, of neurons whose threshold is not 0; null: no bound, or all are 0."
    )
    steps: int = Field(description="Time steps of a sample over which the bound and the overflow analysis hold.")
    no_overflow: bool = Field(description="Whether no accumulator can overflow within these steps, for any input.")
    safe_steps: int | None = Field(description="Steps for which no accumulator can overflow; null: any number.")
    first_overflow: str | None = Field(description="First neuron that could overflow and in which step; null: none.")
    u_limit: float = Field(
        description="Worst case of the current's magnitude, in membrane units; where `observed`, its range."
    )
    v_limit: float = Field(
        description="Worst case of the membrane potential's magnitude, in membrane units; where `observed`, its range."
    )
    observed: bool = Field(
        description="Whether these ranges were observed on calibration samples (times a margin) and hold for no others."
    )
    state_max: int = Field(description="Largest magnitude that the target's states hold.")
    reason: str = Field(description="What is rounded, or why there is no bound.")
    induction: bool | None = Field(
        default=None,
        description="Whether EXACT is proven a second time, by induction over the steps, by a checker that shares "
        "nothing with the compiler; false: it is so by the compiler's certificate alone; null: another verdict.",
    )
    ties: TieRow = Field(description="What becomes of potentials that equal their threshold.")
