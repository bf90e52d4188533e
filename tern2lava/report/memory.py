"""The account of memory: what the weights take in every form, and what the target really holds, from core images."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from tern2lava.compiler.build import Compiled
from tern2lava.compiler.image.code_rows import code_rows
from tern2lava.compiler.image.codecs import PLAIN, STORAGE
from tern2lava.compiler.image.codecs.stream import write_stream
from tern2lava.compiler.image.core_image import Sections, sections
from tern2lava.compiler.image.synapse_lists import synapse_lists
from tern2lava.compiler.ir.graph import Arithmetic, Population, Projection
from tern2lava.compiler.ir.shapes import Codes
from tern2lava.compiler.ir.slices import cut
from tern2lava.compiler.mapper.cost.core_cost import Block
from tern2lava.hw_profiles import Profile
from tern2lava.report.model import LayerMemory, Memory, MemoryTotal, NeuronArithmetic


def memory_account(compiled: Compiled) -> Memory:
    """Memory per layer and in total, all of it counted in the images that were made."""
    mapped = compiled.mapped
    blocks: dict[str, list[Block]] = defaultdict(list)
    cores: dict[str, set[int]] = defaultdict(set)
    held: dict[str, int] = defaultdict(int)
    stored: dict[str, int] = defaultdict(int)
    counter = _Held(compiled.profile.synapse.sharing.value)
    for part in mapped.partition.parts:
        for block in part.blocks:
            projection = mapped.graph.projection(block.projection)
            piece = cut(projection, part.box, whole=compiled.profile.crossbar is not None)
            assert piece is not None
            blocks[block.projection].append(block)
            cores[block.projection].add(part.core)
            held[block.projection] += int(piece.local.weight.size)
            stored[block.projection] += counter.weights(block, piece.local)
    sharing = compiled.profile.synapse.sharing.value
    layers = [
        _layer(
            projection,
            _weights(compiled, projection),
            blocks[projection.name],
            len(cores[projection.name]),
            held[projection.name],
            stored[projection.name],
            sharing,
        )
        for projection in compiled.lowered.program.of_kind(Projection)
    ]
    return Memory(layers=layers, total=_total(compiled, layers), arithmetic=neuron_arithmetic(compiled.profile))


class _Held:
    """Counts the weights that a core's block holds, zeros too: by them its bits are compared with those of plain
    formats. Slices of a convolution that differ in position only hold as many."""

    def __init__(self, sharing: str) -> None:
        self._sharing = sharing
        self._lists: dict[object, int] = {}

    def weights(self, block: Block, local: Projection) -> int:
        """Of what is stored unrolled, the synapses; of synapse lists, their entries; else the slice's own weights."""
        g = local.geometry
        if g is None or self._sharing == "kernel":
            return int(local.weight.size)
        if self._sharing == "none":
            return block.synapses
        key = (block.projection, local.weight.shape, g.in_shape, g.out_shape, g.padding, g.groups)
        if key not in self._lists:
            self._lists[key] = sum(int(codes.size) for codes, _, _ in synapse_lists(local.weight, local))
        return self._lists[key]


def image_sections(compiled: Compiled) -> list[Sections]:
    """How the image of each core divides, in the order of the partition."""
    return [sections(data) for data in compiled.mapped.images]


def axon_bits(found: Sections, synapse_bits: int) -> int:
    """Bits of axon ranges and routes, and of what synapse blocks hold beside the synaptic memory (formats and pointers
    of Loihi's synapse lists)."""
    return 8 * found.axons + max(0, 8 * found.blocks - synapse_bits)


def state_bits(compiled: Compiled, neurons: int) -> int:
    """Bits of current and potential of neurons while they run."""
    return 2 * compiled.profile.arithmetic.state_bits.value * neurons


def neuron_arithmetic(profile: Profile) -> NeuronArithmetic:
    """The widths of a plain neuron's numbers, and its bits where each is its own: its states (a potential, a current
    where the target has them), a decay for each where they decay by a factor, a threshold and a bias."""
    states = 2 if profile.neuron.synaptic_current.value else 1
    decays = states if profile.neuron.decay.value else 0

    def together(widths: Arithmetic) -> int:
        return states * widths.state_bits + decays * widths.decay_bits + widths.threshold_bits + widths.bias_bits

    # The formats of ir.Arithmetic are Loihi's where none are given.
    own = Arithmetic(**profile.arithmetic_values())
    return NeuronArithmetic(
        state_bits=own.state_bits, decay_bits=own.decay_bits if decays else 0, threshold_bits=own.threshold_bits,
        bias_bits=own.bias_bits, neuron_bits=together(own), loihi_bits=together(Arithmetic()),
    )  # fmt: skip


def _weights(compiled: Compiled, projection: Projection) -> int:
    """Trained weights that a projection stands for: none where it passes the sums of relays on."""
    source = compiled.lowered.program[projection.inputs[0]]
    if isinstance(source, Population) and source.levels is not None:
        return 0
    return projection.source_weights or int(projection.weight.size)


def _layer(
    projection: Projection, weights: int, blocks: list[Block], cores: int, held: int, counted: int, sharing: str
) -> LayerMemory:  # fmt: skip
    plain = counted if weights else 0
    stored = sum(int(block.synapse_bits) for block in blocks)
    bound = entropy(projection.weight) * weights
    rows = code_rows(projection.weight, 1 if projection.geometry is None else projection.geometry.groups)
    codec = (STORAGE if projection.bits == 2 else PLAIN).name
    conv = projection.geometry is not None
    return LayerMemory(
        projection=projection.name,
        weights=weights,
        zeros=float(np.mean(projection.weight == 0)) if weights else None,
        held_weights=plain,
        synapses=sum(block.synapses for block in blocks),
        code_bits=projection.bits,
        fp32_bits=32 * weights,
        fp16_bits=16 * weights,
        int8_bits=8 * weights,
        int4_bits=4 * weights,
        ternary_bits=projection.bits * weights,
        entropy_bits=bound,
        transport_bits=8 * len(write_stream(rows, codec)) if weights else 0,
        cores=cores,
        copies=held / int(projection.weight.size),
        sharing={"kernel": "kernel", "lists": "lists", "none": "unrolled"}[sharing] if conv else "dense",
        encodings=sorted({block.encoding for block in blocks}),
        stored_bits=stored,
        bits_per_weight=_ratio(stored, weights),
        over_entropy=stored / bound - 1 if bound else None,
        ratio_fp32=_ratio(32 * plain, stored),
        ratio_fp16=_ratio(16 * plain, stored),
        ratio_int8=_ratio(8 * plain, stored),
        ratio_int4=_ratio(4 * plain, stored),
    )


def _ratio(amount: float, baseline: float) -> float | None:
    """amount / baseline; None where either is 0 and the ratio says nothing (no weights, nothing stored)."""
    return amount / baseline if amount and baseline else None


def _total(compiled: Compiled, layers: list[LayerMemory]) -> MemoryTotal:
    def over(key: str) -> int:
        return sum(getattr(layer, key) for layer in layers)

    mapped = compiled.mapped
    found = image_sections(compiled)
    stored, held = over("stored_bits"), over("held_weights")
    bound = sum(layer.entropy_bits for layer in layers)
    whole = 8 * (sum(map(len, mapped.images)) + len(mapped.host_image))
    file_bits = None if compiled.source_bytes is None else 8 * compiled.source_bytes
    used = mapped.partition.used
    synapses = used["synapse_bits"]
    return MemoryTotal(
        weights=over("weights"),
        held_weights=held,
        synapses=over("synapses"),
        fp32_bits=over("fp32_bits"),
        fp16_bits=over("fp16_bits"),
        int8_bits=over("int8_bits"),
        int4_bits=over("int4_bits"),
        ternary_bits=over("ternary_bits"),
        entropy_bits=bound,
        transport_bits=over("transport_bits"),
        stored_bits=stored,
        over_entropy=stored / bound - 1 if bound else None,
        axon_bits=sum(axon_bits(s, int(bits)) for s, bits in zip(found, synapses, strict=True)),
        parameter_bits=sum(8 * s.neurons for s in found),
        state_bits=state_bits(compiled, int(used["neurons"].sum())),
        image_bits=whole,
        checkpoint_bits=file_bits,
        ratio_checkpoint=None if file_bits is None else file_bits / whole,
        ratio_fp32=_ratio(32 * held, stored),
        ratio_fp16=_ratio(16 * held, stored),
        ratio_int8=_ratio(8 * held, stored),
        ratio_int4=_ratio(4 * held, stored),
    )


def entropy(codes: Codes) -> float:
    """Shannon entropy of the codes' own frequencies, bits per code: h(p) + (1 - p) for ternary codes with a share p of
    zeros and as many +1 as -1, at most log2 3 = 1.585."""
    _, counts = np.unique(codes, return_counts=True)
    shares = counts / codes.size
    return float(-(shares * np.log2(shares)).sum()) + 0.0
