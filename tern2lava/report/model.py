"""The one report model. Terminal, JSON and every other form are renderings of it; docs/report.md explains its keys."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tern2lava.compiler.shown import brief, shortened
from tern2lava.counts import count

Pair = tuple[int, int]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def __repr__(self) -> str:
        return shortened(f"{type(self).__name__}({self._shown()})")

    def __str__(self) -> str:
        return repr(self)

    def _shown(self) -> str:
        """What stands between the parentheses of the repr: by default every key, blocks and lists as what they are."""
        return ", ".join(f"{key}={brief(getattr(self, key))}" for key in type(self).model_fields)


class CoreRow(_Block):
    """One core and what it holds; pairs are [used, max]."""

    id: int = Field(description="Number of the core, in the order in which the partition made them.")
    chip: int = Field(description="Chip the core was placed on.")
    row: int = Field(description="Row of the core's router in the chip's mesh.")
    col: int = Field(description="Column of the core's router in the chip's mesh.")
    populations: list[str] = Field(description="Populations that have neurons on the core.")
    neurons: Pair = Field(description="Neurons.")
    synapse_bits: Pair = Field(description="Bits of synaptic memory, all overheads of the encoding included.")
    in_axons: Pair = Field(description="Input axons.")
    out_axons: Pair = Field(description="Output axons.")
    axon_bits: int = Field(
        description="Bits of axon ranges and routes in the core's image, and of formats and pointers of Loihi's "
        "synapse lists."
    )
    parameter_bits: int = Field(description="Bits of neuron parameters in the core's image.")
    state_bits: int = Field(description="Bits of current and potential while the neurons run.")
    image_bits: int = Field(description="Bits of the core's image: all but state_bits, with header and checksum.")


class Baselines(_Block):
    """The weights in plain formats, in bits, and how many times what is stored they take."""

    fp32_bits: int = Field(description="The weights in 32-bit floating point, 32 bits each, nothing else.")
    fp16_bits: int = Field(description="The weights in 16-bit floating point, 16 bits each, nothing else.")
    int8_bits: int = Field(description="The weights in 8-bit integers, 8 bits each, nothing else.")
    int4_bits: int = Field(description="The weights in 4-bit integers, 4 bits each, nothing else.")
    ratio_fp32: float | None = Field(
        description="fp32_bits / stored_bits: against 32-bit floating point, overheads counted; null where either is 0."
    )
    ratio_fp16: float | None = Field(
        description="fp16_bits / stored_bits: against 16-bit floating point, overheads counted; null where either is 0."
    )
    ratio_int8: float | None = Field(
        description="int8_bits / stored_bits: against 8-bit integers, overheads counted; null where either is 0."
    )
    ratio_int4: float | None = Field(
        description="int4_bits / stored_bits: against 4-bit integers, overheads counted; null where either is 0."
    )
    ternary_bits: int = Field(description="The codes alone at their width (2 bits where ternary), nothing else.")
    entropy_bits: float = Field(
        description="Entropy of the codes' frequencies times their number: h(p) + (1 - p) bits a code at a share p of "
        "zeros and balanced signs. No code that treats weights alike and apart is shorter."
    )
    transport_bits: int = Field(
        description="The weights entropy-coded (rANS) as a file for storage and transport, header and checksum too."
    )
    stored_bits: int = Field(
        description="Synaptic memory that the target's cores really hold: codes, headers, padding, indices, and copies "
        "on several cores."
    )
    over_entropy: float | None = Field(description="stored_bits / entropy_bits - 1; null where the entropy is 0.")
    synapses: int = Field(
        description="Connections from source neurons to target neurons on all cores: what an unrolled copy of the "
        "weights would hold."
    )


class LayerMemory(Baselines):
    """Synaptic memory of one projection, in bits."""

    projection: str = Field(description="Name of the projection (its weighted layer in the source).")
    weights: int = Field(
        description="Number of trained weights (a shared convolution kernel counts once; 0 where the sums of relays "
        "are passed on)."
    )
    zeros: float | None = Field(description="Share of the weights that are 0; null where there are no weights.")
    code_bits: int = Field(description="Width of a code: 2 for ternary weights, up to 8 for others.")
    cores: int = Field(description="Cores that hold synapses of it.")
    copies: float = Field(
        description="How often a weight is stored on average: above 1 where several cores hold the same kernel."
    )
    sharing: str = Field(
        description="dense: no convolution. kernel: each core holds the convolution's kernel once. lists: once for "
        "each way it falls at borders and strides. unrolled: once for each source neuron."
    )
    encodings: list[str] = Field(description="Encodings in use on these cores.")
    bits_per_weight: float | None = Field(description="stored_bits / weights; null where there are no weights.")


class MemoryTotal(Baselines):
    """Sums over all projections, and the rest of what the cores hold, in bits."""

    weights: int = Field(description="Number of weights.")
    axon_bits: int = Field(
        description="Axon ranges and routes in the core images, and of Loihi's synapse lists the formats and pointers."
    )
    parameter_bits: int = Field(description="Neuron parameters in the core images.")
    state_bits: int = Field(description="Current and potential of all neurons while they run, at the target's width.")
    image_bits: int = Field(description="All core images and the host's: everything but state_bits.")
    checkpoint_bits: int | None = Field(description="The file that was compiled; null: it was not one file.")
    ratio_checkpoint: float | None = Field(description="checkpoint_bits / image_bits: the file against all images.")


class NeuronArithmetic(_Block):
    """Widths of the numbers of a plain neuron on the target, and what it takes if each of them is its own."""

    state_bits: int = Field(description="Bits of a potential, and of a current where the target has one.")
    decay_bits: int = Field(description="Bits of a decay; 0: potentials lose a constant.")
    threshold_bits: int = Field(description="Bits of a threshold.")
    bias_bits: int = Field(description="Bits of a bias (of its mantissa, where it has an exponent).")
    neuron_bits: int = Field(description="Bits of its states, a decay for each of them, a threshold and a bias.")
    loihi_bits: int = Field(description="The same in Loihi's widths: 24, 12, 17 and 13.")


class Memory(_Block):
    """Synaptic memory per layer and in total, and what a neuron's numbers take."""

    layers: list[LayerMemory] = Field(description="One entry per projection.")
    total: MemoryTotal = Field(description="Sums over all projections.")
    arithmetic: NeuronArithmetic = Field(description="What the numbers of a neuron take.")


class PopulationRow(_Block):
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


class TieRow(_Block):
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


class CertificateRow(_Block):
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


class IntegersRow(_Block):
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


class CalibrationBlock(_Block):
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


class RoundingRow(_Block):
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


class BandRow(_Block):
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


class RangeRow(_Block):
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


class VerdictRow(_Block):
    """One of the five verdicts; none of them says anything of the others."""

    name: str = Field(
        description="execution: core images, Lava and the fast engine against the integers, bit for bit. arithmetic: "
        "the integers against the float model. reading: the float model against the framework's own run. ranges: "
        "accumulators against the ranges that certificates state. images: core images against the integers, for every "
        "input."
    )
    status: str = Field(
        description="execution: equal or differs. arithmetic: equal, within (no more differ than is allowed), "
        "differs, or not compared (without data). reading: equal, within (nothing but ties that the framework's "
        "rounding explains), differs or not compared. ranges: equal (every accumulator stayed within its range), "
        "differs or not compared. images: equal (proven), differs or not compared."
    )
    required: str | None = Field(description="What is required of it; null: nothing.")
    met: bool | None = Field(description="Whether that holds; null: nothing is required.")
    sentence: str = Field(description="The verdict in plain words, with its numbers.")


class ArithmeticRow(_Block):
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


class Arithmetic(_Block):
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


class ReadingRow(_Block):
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


class ReadingBlock(_Block):
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


class ProcessRow(_Block):
    """Which Lava process executed a node in L1, and why."""

    node: str = Field(description="Name of the population, projection or input.")
    process: str = Field(description="The Lava process: stock (lava.proc) or ours.")
    reason: str = Field(description="Why that one.")


class MappedPartRow(_Block):
    """Parts of cores that one kind of Lava process executed in LM, and why."""

    part: str = Field(description="A population, or source and target of the synapses.")
    cores: list[int] = Field(description="The cores that hold it.")
    process: str = Field(description="The Lava process: stock (lava.proc) or ours.")
    reason: str = Field(description="Why that one.")


class MappedBlock(_Block):
    """The Lava network with a process for each core (LM)."""

    cores: int = Field(description="Cores, each a Lava process.")
    processes: int = Field(description="Processes of the operating system, inputs and readouts among them.")
    ports: int = Field(description="Ports of all cores: one for each route in, one for each neuron group out.")
    connections: int = Field(description="Connections: routes, and readouts of groups that lead to no core.")
    shared: list[list[int]] = Field(
        description="The cores that run in each process; empty: each part of each core had one of its own."
    )
    parts: list[MappedPartRow] = Field(description="Which Lava process executed what.")


class FallbackRow(_Block):
    """A population that the fast engine left to the integer reference."""

    population: str = Field(description="Name of the population.")
    reason: str = Field(description="What the compiled kernels do not cover.")


class ExecutionRow(_Block):
    """One execution of the program, and on how much it was held against the integer reference (I)."""

    name: str = Field(description="Its name in the chain.")
    what: str = Field(description="What executed the program.")
    samples: int = Field(description="Samples it ran.")
    values: int = Field(description="Its spikes and states that were compared with the reference's and are equal.")
    seconds: float = Field(description="Time it took, start included.")


class CoverageRow(_Block):
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


class CoverageBlock(_Block):
    """What a run covered: without a spike, a synapse shows nothing of its weight."""

    samples: int = Field(description="Samples.")
    steps: int = Field(description="Steps of each.")
    neurons: int = Field(description="Neurons of all populations, relays included, inputs not.")
    spiked: int = Field(description="Those that spiked.")
    synapses: int = Field(description="Synapses of all populations.")
    carried: int = Field(description="Those that carried a spike which arrived.")
    populations: list[CoverageRow] = Field(description="By input and population.")
    cores: list[CoverageRow] = Field(description="By core, which holds the synapses of its neurons.")


class ThresholdRow(_Block):
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


class UncoveredRow(_Block):
    """Synapses that no stimulus has carry a spike."""

    projection: str = Field(description="Name of the projection.")
    synapses: int = Field(description="Synapses.")
    reason: str = Field(description="Why.")


class CoverBlock(_Block):
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


class Verification(_Block):
    """The verification on data: five verdicts, and what they rest on."""

    verdicts: list[VerdictRow] = Field(
        description="The verdicts on execution, arithmetic, reading, ranges and images, in this order."
    )
    met: bool = Field(description="Whether every verdict that is required is met (exit code 0; 1 where not).")
    arithmetic: Arithmetic = Field(description="The integers against the float model, in numbers.")
    reading: ReadingBlock | None = Field(
        description="The float model against the framework's own run, in numbers; null: there was none."
    )
    effort: str = Field(
        description="The effort that was asked for (quick, normal, thorough, custom): how many samples LM, L3 and L1 "
        "run."
    )
    chain: list[str] = Field(
        description="Executions compared: I integer reference, E fast engine, M mapped reference (from the core "
        "images), LM Lava's runtime with a process for each core, L1 with one for each layer, L2 one Lava process that "
        "runs all core images, L3 the processes of L1 in sequence."
    )
    executions: list[ExecutionRow] = Field(description="The executions, with how many samples each ran.")
    equal: bool = Field(description="Whether all agree in every spike and state compared.")
    compared_values: int = Field(description="Number of spikes and states compared.")
    samples: int = Field(description="Samples on which executions were compared; Lava's may have run fewer.")
    engine_samples: int = Field(description="Samples run by the fast engine: these, and all others of the data.")
    engine_fallbacks: list[FallbackRow] = Field(description="What the engine left to the reference; empty: nothing.")
    accuracy_engine: float | None = Field(description="Accuracy on all samples of the engine; null without labels.")
    steps: int = Field(description="Time steps per sample.")
    first_difference: str | None = Field(description="The first difference; null: none.")
    processes: list[ProcessRow] = Field(description="What L1 was made of; empty where Lava was not run.")
    mapped: MappedBlock | None = Field(description="What LM was made of; null where it was not run.")
    accuracy_integer: float | None = Field(description="Accuracy of the integer program; null without labels.")
    accuracy_float: float | None = Field(description="Accuracy of the float model on the same samples; null without.")
    band: list[BandRow] = Field(description="Per population: distance of the potentials from the thresholds.")
    ranges: list[RangeRow] = Field(
        description="Per population: what its accumulators held, and how often they overflowed."
    )
    spike_exact: bool = Field(
        description="Whether integers provably spike as the real dynamics on this data: no accumulator "
        "overflowed, no potential came near its threshold, and no spike differs from the float model's."
    )
    coverage: CoverageBlock | None = Field(
        description="What the samples compared covered, in the integer reference; null: no data were given."
    )
    cover: CoverBlock | None = Field(
        description="The cover stimulus (verify --stimulus cover); null: it was not asked for, or executions differ on "
        "the data already."
    )

    def _shown(self) -> str:
        verdicts = ", ".join(f"{row.name} {row.status}" for row in self.verdicts)
        return f"{'met' if self.met else 'not met'}: {verdicts}; {count(self.samples, 'sample')}"

    def to_frame(self, table: str = "arithmetic") -> Any:
        """One of its tables as a pandas.DataFrame: "arithmetic" (spikes of each population in integers and in the float
        model), "verdicts", "executions", "band", "ranges", "reading", "coverage" and "core_coverage" (of the data,
        and of the cover stimulus, by the column stimulus). Raises InputError for another name or where there was no
        reading, MissingPackageError without pandas."""
        from tern2lava.report.frames import verification_frame

        return verification_frame(self, table)

    def _repr_html_(self) -> str:
        from tern2lava.report.html import document
        from tern2lava.report.verdict_tables import verification_table

        return document(f"Verification on {count(self.samples, 'sample')}", verification_table(self))

    def verdict(self, name: str) -> VerdictRow:
        """The verdict called `name`: execution, arithmetic, reading or ranges. Raises KeyError for another name."""
        return {row.name: row for row in self.verdicts}[name]


class BoundRow(_Block):
    """A number of cores that no mapping can go below."""

    name: str = Field(
        description="neurons, synapse_bits, in_axons: what the network needs in all over what a core has. "
        "fan_in_axons: axons for all inputs of each neuron on every core that a layer needs. boxes: what parts of any "
        "shape take. contents: what a core with a crossbar can hold at once, copies of neurons and their columns "
        "included."
    )
    cores: int = Field(description="Cores at least.")


class TwinRow(_Block):
    """The network mapped onto the same target, as it is or with other weights of the same shapes."""

    name: str = Field(description="Which weights.")
    weight_bits: int = Field(description="Width of a weight (of the widest layer).")
    cores: int | None = Field(description="Cores used; null: it does not fit.")
    chips: int | None = Field(description="Chips used; null: it does not fit.")
    cores_lower_bound: int | None = Field(description="No mapping can use fewer cores; null: it does not fit.")
    stored_bits: int | None = Field(description="Synaptic memory held by all cores; null: it does not fit.")
    image_bits: int | None = Field(description="All images; null: it does not fit.")
    reason: str | None = Field(description="Why it does not fit; null: it does.")


class MappingBlock(_Block):
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


class WhatIfRow(_Block):
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


class Report(_Block):
    """Everything that is known of a compiled network."""

    version: str = Field(description="Version of tern2lava that wrote the report.")
    source: str = Field(description="What was compiled.")
    described: str = Field(
        description="What the float model rests on: as FILE describes it (the net.yaml), as the module was read, as "
        "FILE was read, as the graph describes it."
    )
    target: str = Field(description="Name of the hardware profile.")
    steps: int = Field(description="Time steps per sample; 0: the network does not say.")
    effort: str = Field(
        description="The effort of the compilation (quick, normal, thorough, custom): where no code of a threshold is "
        "proven to keep every spike (a note says so), code, bias and reset amount depend on it, as do the counts of "
        "ties in exact runs."
    )
    populations: list[PopulationRow] = Field(description="The populations, in network order.")
    cores: list[CoreRow] = Field(description="The cores used.")
    chips: int = Field(description="Chips that hold at least one of these cores.")
    cores_lower_bound: int = Field(description="No mapping can use fewer cores: the largest of `bounds`.")
    bounds: list[BoundRow] = Field(description="Where the lower bound comes from.")
    over_bound: float = Field(description="Cores above the lower bound, as a share of it; 0: no mapping is smaller.")
    mapping: MappingBlock = Field(description="How the network was mapped, its traffic and its work per step.")
    memory: Memory = Field(description="Synaptic memory.")
    certificate: list[CertificateRow] = Field(description="Certificates, one per population.")
    ranges: str = Field(
        description="What was asked of accumulators (--range): proven, steps or calibrated; `integers` says what they "
        "hold."
    )
    integers: list[IntegersRow] = Field(description="Integers that were chosen, one entry per population.")
    calibration: CalibrationBlock | None = Field(
        description="The samples that they were chosen on; null: without samples."
    )
    roundings: list[RoundingRow] = Field(
        description="Every quantity that was rounded, worst first; empty: the integers are the trained numbers."
    )
    exact_quantities: int = Field(description="Quantities, counted by population, that were not rounded.")
    verification: Verification | None = Field(description="Result of the last verify; null: not verified yet.")
    twins: list[TwinRow] = Field(
        description="The network and its twins with 8-bit weights, each really mapped; empty: not compared."
    )
    notes: list[str] = Field(description="Every approximation and assumption made of the network, in the order made.")
    assumptions: list[str] = Field(
        description="Numbers of the profile that are assumed rather than published, simulated or derived, with reasons."
    )
    bundle: str | None = Field(
        default=None,
        description="Digest of the bundle that the report is of: the SHA-256 under `digest` in its manifest.json, over "
        "all its files (docs/bundle.md); null: it was not written.",
    )

    def _shown(self) -> str:
        verified = self.verification
        said = "not verified" if verified is None else verified._shown()
        neurons = sum(row.neurons for row in self.populations)
        return (
            f"{brief(self.source or 'graph')} on {self.target}: {count(neurons, 'neuron')}, "
            f"{count(len(self.cores), 'core')} on {count(self.chips, 'chip')}; {said}"
        )

    def to_frame(self, table: str = "populations") -> Any:
        """One of its tables as a pandas.DataFrame, the columns being the keys of docs/report.md.

        "populations": shape, cores, certificate, and spikes where it was verified; "cores": each core and what it holds
        (KEY and KEY_max); "memory": bits of each projection; "certificate", "integers", "roundings", "bounds", "twins";
        and those of Verification.to_frame. Raises InputError for another name, MissingPackageError without pandas.
        """
        from tern2lava.report.frames import report_frame

        return report_frame(self, table)

    def _repr_html_(self) -> str:
        from tern2lava.report.html import document
        from tern2lava.report.terminal import render

        return document(f"{self.source or 'graph'} on {self.target}", render(self))
