"""Keys of the integers against the float model: spikes, and how near potentials came to thresholds."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block


class ArithmeticRow(Block):
    """Spikes of one population in integers against those in the float model, on the samples compared."""

    population: str = Field(description="Name of the population.")
    float_spikes: int = Field(description="Spikes of the float model.")
    integer_spikes: int = Field(description="Spikes of the integer program.")
    missing: int = Field(
        description="Spikes of the float model that the integers do not make; a spike of the other sign counts here "
        "and as extra."
    )
    extra: int = Field(description="Spikes of the integers that the float model does not make.")
    share: float = Field(description="(missing + extra) / float_spikes (/ 1 where there are none).")
    rate_float: float = Field(description="Spikes per neuron and step in the float model.")
    rate_integer: float = Field(description="Spikes per neuron and step in integers.")
    died: bool = Field(description="Whether it spikes in the float model and never in integers.")
    silent: bool = Field(
        description="Whether it never spikes in either, so that nothing is known of its spikes; false for populations "
        "whose potentials alone are read."
    )


class Arithmetic(Block):
    """The integers against the float model, on the samples compared."""

    float_model: str = Field(description="What the float model is: as mlp.yaml describes it, as the module was read.")
    ternarize: str | None = Field(
        description="How --ternarize changed weights that were not ternary; the float model has them as they were. "
        "null: it was not asked to."
    )
    samples: int = Field(description="Samples on which spikes were compared.")
    data_samples: int = Field(description="Samples of the data.")
    float_spikes: int = Field(description="Spikes of the float model, all populations together.")
    integer_spikes: int = Field(description="Spikes of the same populations in integers.")
    missing: int = Field(description="Spikes of the float model that the integers do not make.")
    extra: int = Field(description="Spikes of the integers that the float model does not make.")
    share: float = Field(description="(missing + extra) / float_spikes (/ 1 where there are none).")
    float_ties: int = Field(
        description="Neuron-timesteps in which float64 rounds a potential to the other side of its threshold than the "
        "numbers that are meant (three weights of 1/3 against 1); the float model's spikes are those of the latter."
    )
    worst: str | None = Field(description="Population with the largest share; null: no spike differs.")
    changed_decisions: int | None = Field(
        description="Samples whose predicted class is not the float model's; null: one output, which decides nothing."
    )
    died: list[str] = Field(description="Populations that spike in the float model and never in integers.")
    silent: list[str] = Field(description="Populations that never spike in either: nothing is known of their spikes.")
    populations: list[ArithmeticRow] = Field(description="One entry per population of the source.")


class BandRow(Block):
    """How near a population's real potentials came to their thresholds on the data."""

    population: str = Field(description="Name of the population.")
    neuron_steps: int = Field(description="Potentials looked at: samples x steps x neurons.")
    near: int = Field(
        description="How many came within the running error bound of their threshold; with 0 everywhere, integers and "
        "real dynamics provably spike alike on this data."
    )
    closest: float = Field(
        description="Least distance of a potential from its threshold, relative to it (from a threshold of 0: itself)."
    )
    closest_eps: float | None = Field(
        description="Least distance of a potential from its threshold, in units of the error bound there: above 1 "
        "nothing came near; null: nothing is rounded."
    )
