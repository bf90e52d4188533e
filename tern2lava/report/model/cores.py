"""Keys of the cores, and of the bound that their number cannot go below."""

from __future__ import annotations

from pydantic import Field

from tern2lava.report.model.block import Block, Pair


class CoreRow(Block):
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


class BoundRow(Block):
    """A number of cores that no mapping can go below."""

    name: str = Field(
        description="neurons, synapse_bits, in_axons: what the network needs in all over what a core has. "
        "fan_in_axons: axons for all inputs of each neuron on every core that a layer needs. boxes: what parts of any "
        "shape take. contents: what a core with a crossbar can hold at once, copies of neurons and their columns "
        "included."
    )
    cores: int = Field(description="Cores at least.")
