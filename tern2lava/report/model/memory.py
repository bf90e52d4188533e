"""Keys of what the weights take: per layer, in total, and with other weights."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block


class Baselines(Block):
    """The weights in plain formats, in bits, and how many times what is stored they would take with as many copies."""

    fp32_bits: int = Field(description="The weights in 32-bit floating point, 32 bits each, nothing else.")
    fp16_bits: int = Field(description="The weights in 16-bit floating point, 16 bits each, nothing else.")
    int8_bits: int = Field(description="The weights in 8-bit integers, 8 bits each, nothing else.")
    int4_bits: int = Field(description="The weights in 4-bit integers, 4 bits each, nothing else.")
    ratio_fp32: float | None = Field(
        description="32 x held_weights / stored_bits: against the same weights, as often as the cores hold them, in "
        "32-bit floating point; the target's overheads count, that format's do not; null where either is 0."
    )
    ratio_fp16: float | None = Field(
        description="16 x held_weights / stored_bits: against the same weights, as often as the cores hold them, in "
        "16-bit floating point; the target's overheads count, that format's do not; null where either is 0."
    )
    ratio_int8: float | None = Field(
        description="8 x held_weights / stored_bits: against the same weights, as often as the cores hold them, in "
        "8-bit integers; the target's overheads count, that format's do not; null where either is 0."
    )
    ratio_int4: float | None = Field(
        description="4 x held_weights / stored_bits: against the same weights, as often as the cores hold them, in "
        "4-bit integers; the target's overheads count, that format's do not; null where either is 0."
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
    over_entropy: float | None = Field(
        description="stored_bits / entropy_bits - 1: overheads and copies over each weight once; null where the "
        "entropy is 0."
    )
    held_weights: int = Field(
        description="Weights that the cores hold, copies counted, zeros too: of a convolution its kernel on each core "
        "that has some of it, once for each synapse list that it falls into, or once for each synapse (`sharing`)."
    )
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


class NeuronArithmetic(Block):
    """Widths of the numbers of a plain neuron on the target, and what it takes if each of them is its own."""

    state_bits: int = Field(description="Bits of a potential, and of a current where the target has one.")
    decay_bits: int = Field(description="Bits of a decay; 0: potentials lose a constant.")
    threshold_bits: int = Field(description="Bits of a threshold.")
    bias_bits: int = Field(description="Bits of a bias (of its mantissa, where it has an exponent).")
    neuron_bits: int = Field(description="Bits of its states, a decay for each of them, a threshold and a bias.")
    loihi_bits: int = Field(description="The same in Loihi's widths: 24, 12, 17 and 13.")


class Memory(Block):
    """Synaptic memory per layer and in total, and what a neuron's numbers take."""

    layers: list[LayerMemory] = Field(description="One entry per projection.")
    total: MemoryTotal = Field(description="Sums over all projections.")
    arithmetic: NeuronArithmetic = Field(description="What the numbers of a neuron take.")


class TwinRow(Block):
    """The network mapped onto the same target, as it is or with other weights of the same shapes."""

    name: str = Field(description="Which weights.")
    weight_bits: int = Field(description="Width of a weight (of the widest layer).")
    cores: int | None = Field(description="Cores used; null: it does not fit.")
    chips: int | None = Field(description="Chips used; null: it does not fit.")
    cores_lower_bound: int | None = Field(description="No mapping can use fewer cores; null: it does not fit.")
    stored_bits: int | None = Field(description="Synaptic memory held by all cores; null: it does not fit.")
    image_bits: int | None = Field(description="All images; null: it does not fit.")
    reason: str | None = Field(description="Why it does not fit; null: it does.")
