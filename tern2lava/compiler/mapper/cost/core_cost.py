"""What a part of a population takes of a core: every formula that turns a slice of the network into resources.

Two models of synapse memory, named by the profile's synapse.memory_model:

nxtf   the published accounting of Loihi 1 (nxtf.py). A convolution's lists are counted once per source
       channel and border variant where source neurons share lists (population axons), once per source neuron else.
codec  the synapse blocks of our core images, byte for byte (image/core_image.py): a header, a gain table where the gain
       differs by row, and the codes in the cheapest codec that the profile allows. Where the profile shares nothing, a
       convolution is counted unrolled: per synapse its code and the index of its target.

In-axons are source neurons with a synapse, once per block (whole channels where a convolution or pooling reads them);
the neurons of a pooling window share one.
Fan-in counts synapses with the zeros between these sources, without padding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tern2lava.compiler.image.block_header import header_of
from tern2lava.compiler.image.code_rows import code_rows
from tern2lava.compiler.image.codecs import CODECS, LISTS, PLAIN
from tern2lava.compiler.image.layout import codes_groups, gain_bytes, integer_width, padded
from tern2lava.compiler.image.synapse_lists import encodings_used, plan_lists, synapse_lists
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Population, Projection, Reset
from tern2lava.compiler.ir.linear import stored_weights
from tern2lava.compiler.ir.shapes import Ints, broadcast, frozen, size
from tern2lava.compiler.ir.slices import (
    Slice,
    conv_window,
    cut,
    fan_in,
    in_source,
    incoming,
    reached_sources,
    synapse_count,
)
from tern2lava.compiler.mapper.cost.nxtf import delay_bits, list_words
from tern2lava.compiler.mapper.cost.output_axons import NO_EDGES, Edges, single_edges
from tern2lava.compiler.mapper.regroup.layers import Regrouper
from tern2lava.errors import CapacityError
from tern2lava.hw_profiles import Profile

RESOURCES = ("neurons", "synapse_bits", "in_axons", "out_axons", "fan_in", "threshold_sets", "decay_sets")
# Of a core's parts, fan-in counts the largest; everything else adds up.
LARGEST = ("fan_in",)
# What a part can exceed although a smaller part would not, besides the limits of a core.
LIST_WORDS = "words in one synapse list"


@dataclass(frozen=True)
class Block:
    """Synapses of one projection into one part: what they take, and how they are stored.

    encoding: the name under which memory is counted; codec: the name of the codec in the core image. single: see
    output_axons.single_edges.
    """

    projection: str
    source: Box
    encoding: str
    codec: str
    synapse_bits: int
    in_axons: int
    fan_in: int
    synapses: int
    single: Edges = NO_EDGES


@dataclass(frozen=True)
class PartCost:
    """Resources of a part, by name, output axons excepted (they depend on where its targets are), and its blocks."""

    used: dict[str, int]
    blocks: tuple[Block, ...]


def limits(profile: Profile) -> dict[str, int]:
    """What one core of the target holds, for every name in RESOURCES."""
    core = profile.core
    return {
        "neurons": core.neurons.value,
        "synapse_bits": core.synapse_memory.value,
        "in_axons": core.in_axons.value,
        "out_axons": core.out_axons.value,
        "fan_in": core.fan_in.value,
        "threshold_sets": core.threshold_sets.value,
        "decay_sets": core.decay_sets.value,
    }


def allowed_encodings(profile: Profile, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """The profile's encodings, only those that are wanted where any are named."""
    return tuple(e for e in profile.synapse.encodings.value if wanted is None or e in wanted)


class CostModel:
    """Costs of boxes of one graph on one profile; remembers blocks that differ in position only. regrouper: which
    neurons of its sparse layers belong together."""

    def __init__(self, graph: Graph, profile: Profile, encodings: tuple[str, ...] | None = None) -> None:
        self.graph = graph
        self.profile = profile
        self.encodings = allowed_encodings(profile, encodings)
        self._memory: dict[object, tuple[str, str, int]] = {}
        self._blocks: dict[object, Block | None] = {}
        self._reached: dict[object, int] = {}
        self._parameters: dict[object, tuple[int, int]] = {}
        self.regrouper = Regrouper(graph)

    def shape_of(self, population: Population, box: Box) -> dict[str, int]:
        """The resources of a part that do not depend on how its synapses are stored: neurons, in_axons."""
        axons = 0
        for projection in incoming(self.graph, population):
            g = projection.geometry
            if g is None:
                axons += self._share_of(projection, int(projection.weight.shape[1]), box)
            else:
                window = conv_window(g, box, projection.weight.shape[2:])
                axons += self._share_of(projection, window[0].volume, box) if window is not None else 0
        return {"neurons": box.volume, "in_axons": axons}

    def _share_of(self, projection: Projection, axons: int, box: Box) -> int:
        """Those of `axons` that have a synapse into the box. Channels of a convolution are looked up."""
        key = (projection.name, box.lo[0], box.hi[0]) if projection.geometry is not None else None
        if key not in self._reached:
            reached = reached_sources(projection, box)
            found = axons if reached is None else int(reached.sum()) * (axons // reached.size)
            if key is None:
                return found
            self._reached[key] = -1 if reached is None else int(reached.sum())
            return found
        count = self._reached[key]
        assert projection.geometry is not None
        return axons if count < 0 else axons // (projection.geometry.in_shape[0] // projection.geometry.groups) * count

    def part(self, population: Population, box: Box, *, as_stored: bool = False) -> PartCost:
        """Cost of the neurons of `population` in `box`. as_stored: what the core image holds, where that is less than
        the accounting by which parts are cut. Raises CapacityError where a block cannot be stored at all."""
        found = (self._block_into(population, p, box, as_stored) for p in incoming(self.graph, population))
        blocks = [block for block in found if block is not None]
        thresholds, decays = self._sets(population, box)
        used = {
            "neurons": box.volume,
            "synapse_bits": sum(b.synapse_bits for b in blocks),
            "in_axons": sum(b.in_axons for b in blocks),
            "fan_in": sum(b.fan_in for b in blocks),
            "threshold_sets": thresholds,
            "decay_sets": decays,
        }
        return PartCost(used, tuple(blocks))

    def _block_into(self, population: Population, projection: Projection, box: Box, as_stored: bool) -> Block | None:
        """The block of a projection into a box, taken from one that differs in position only where there is one."""
        g = projection.geometry
        if g is None:
            piece = cut(projection, box)
            return None if piece is None else self.block(population, projection, piece, box, as_stored=as_stored)
        window = conv_window(g, box, projection.weight.shape[2:])
        if window is None:
            return None
        seen, padding, _ = window
        key = (projection.name, box.lo[0], box.hi[0], box.extent, seen.extent, padding, as_stored)
        if key not in self._blocks:
            piece = cut(projection, box)
            known = None if piece is None else self.block(population, projection, piece, box, as_stored=as_stored)
            self._blocks[key] = known
            return known
        known = self._blocks[key]
        if known is None:
            return None
        return replace(known, source=in_source(projection, seen).listed(known.source.first))

    def _sets(self, population: Population, box: Box) -> tuple[int, int]:
        """parameter_sets, looked up for channels where no parameter differs within one."""
        shape = population.shape
        values = [population.threshold, population.decay_u, population.decay_v]
        values += [population.reset_amount] if population.reset is Reset.SUBTRACT else []
        if len(shape) == 3 and box.shape == shape and all(v.size == 1 or v.shape[0] == v.size for v in values):
            key = (population.name, box.lo[0], box.hi[0])
        elif all(v.size == 1 for v in values):
            key = (population.name, 0, 1)
        else:
            return parameter_sets(population, box)
        if key not in self._parameters:
            self._parameters[key] = parameter_sets(population, box)
        return self._parameters[key]

    def block(
        self, population: Population, projection: Projection, piece: Slice, box: Box, *, as_stored: bool = False
    ) -> Block:
        """Cost of one slice."""
        where = box if piece.local.geometry is None else (box.lo[0], box.hi[0], _shape_key(piece.local))
        lists = self.profile.synapse.memory_model.value == "nxtf"
        key = (projection.name, where, lists and as_stored)
        stored = self._memory.get(key)
        if stored is None:
            if lists:
                memory = stored_lists if as_stored else nxtf_memory
                stored = memory(piece.local, self.profile, self.encodings, population.name)
            else:
                stored = codec_memory(piece.local, self.profile, self.encodings, population.name)
            self._memory[key] = stored
        encoding, codec, bits = stored
        return Block(
            projection.name, piece.source, encoding, codec, bits, piece.axons, fan_in(piece.local),
            synapse_count(piece.local), single_edges(self.profile, projection, box),
        )  # fmt: skip


def _shape_key(local: Projection) -> object:
    g = local.geometry
    assert g is not None
    return (g.in_shape, g.out_shape, g.padding, g.groups)


def parameter_sets(population: Population, box: Box) -> tuple[int, int]:
    """Number of different thresholds, and of different (decay_u, decay_v, reset amount), in the box."""

    def inside(value: Ints) -> Ints:
        if value.size == 1:
            return value.reshape(1)
        spread = broadcast(value, population.shape)
        if len(box.shape) == len(population.shape) and box.shape == population.shape:
            return box.select(spread).reshape(-1)
        return spread.reshape(-1)[box.flat()]

    thresholds = np.unique(inside(population.threshold)).size
    columns = [inside(population.decay_u), inside(population.decay_v)]
    if population.reset is Reset.SUBTRACT:
        columns.append(inside(population.reset_amount))
    if all(column.size == 1 for column in columns):
        return thresholds, 1
    length = max(column.size for column in columns)
    table = np.stack([np.broadcast_to(column, (length,)) for column in columns], axis=1)
    return thresholds, int(np.unique(table, axis=0).shape[0])


def codec_memory(local: Projection, profile: Profile, encodings: tuple[str, ...], node: str) -> tuple[str, str, int]:
    """(encoding, codec, bits) of a block in the codec model: what its record in a core image takes."""
    ternary = local.bits == 2
    _check_bits(local.bits, profile, node)
    if local.gain.ndim and not profile.synapse.channel_gain.value:
        _check_bits(stored_weights(local)[1], profile, node)
    codes = code_rows(local.weight, codes_groups(local))
    choices = [
        (codec.size(codes), codec) for codec in CODECS if codec.encoding in encodings and codec.ternary == ternary
    ]
    if not choices and not ternary:
        choices = [(PLAIN.size(codes), PLAIN)]
    if not choices:
        own = f"allow one of the target's own, {', '.join(profile.synapse.encodings.value)}"
        raise CapacityError(node, "allowed encodings of ternary codes", 1, 0, own)
    payload, codec = min(choices, key=lambda choice: choice[0])
    # The group's number has a field of fixed width: a block takes the same on every core.
    head = len(header_of(local, codec.number, integer_width(local.gain), payload).encode()) + gain_bytes(local)
    if local.geometry is not None and profile.synapse.sharing.value == "none":
        index_bits = max(1, (size(local.geometry.out_shape) - 1).bit_length())
        bits = synapse_count(local) * (local.bits + index_bits)
        return codec.encoding, codec.name, 8 * padded(head) + -(-bits // 64) * 64
    return codec.encoding, codec.name, 8 * padded(head + payload)


def nxtf_memory(local: Projection, profile: Profile, encodings: tuple[str, ...], node: str) -> tuple[str, str, int]:
    """(encoding, codec, bits) of a slice on Loihi 1 by NxTF's accounting, in the cheapest allowed encoding for all
    lists. What a core image holds is never more: see `stored_lists`."""
    weights, bits = stored_weights(local)
    width = _check_bits(bits, profile, node)
    synapse = profile.synapse
    delay = delay_bits(local.delay)
    totals = dict.fromkeys(encodings, 0)
    for codes, index, times in synapse_lists(weights, local):
        for encoding in list(totals):
            words = list_words(codes, index, encoding, width, delay, synapse.max_per_entry.value)
            if words.max(initial=0) > synapse.max_words_per_list.value:
                del totals[encoding]
            else:
                totals[encoding] += int(words.sum()) * (times if synapse.sharing.value == "none" else 1)
    if not totals:
        raise CapacityError(
            node, LIST_WORDS, synapse.max_words_per_list.value + 1, synapse.max_words_per_list.value,
            _shorter_lists(local),
        )  # fmt: skip
    encoding = min(totals, key=lambda name: totals[name])
    return encoding, LISTS.name, totals[encoding] * synapse.word_bits.value


def stored_lists(local: Projection, profile: Profile, encodings: tuple[str, ...], node: str) -> tuple[str, str, int]:
    """(encodings, codec, bits) of the synapse lists that a core image holds of a slice: each list in its own best
    entries (synapse_lists.py)."""
    synapse = profile.synapse
    planned = plan_lists(stored_projection(local, profile, node), encodings, synapse.max_per_entry.value)
    longest = max((int(lists.words.max(initial=0)) for lists in planned), default=0)
    if longest > synapse.max_words_per_list.value:
        raise CapacityError(
            node, LIST_WORDS, longest, synapse.max_words_per_list.value, _shorter_lists(local),
        )  # fmt: skip
    unrolled = synapse.sharing.value == "none"
    words = sum(int(lists.words.sum()) * (lists.times if unrolled else 1) for lists in planned)
    return "+".join(encodings_used(planned)), LISTS.name, words * synapse.word_bits.value


def _shorter_lists(local: Projection) -> str:
    """What shortens the synapse lists of a slice: fewer of its neurons on a core."""
    neurons = local.weight.shape[0] if local.geometry is None else size(local.geometry.out_shape)
    return f"put fewer than {neurons:,} of its neurons on a core (--max-neurons {max(1, neurons // 2):,})"


def stored_projection(local: Projection, profile: Profile, node: str) -> Projection:
    """The same linear map with the integers that synapses hold as its weight, their width in the target as its bits,
    and one gain, a power of two."""
    weights, bits = stored_weights(local)
    gain = int(np.bitwise_or.reduce(local.gain.reshape(-1)))
    return replace(
        local, weight=frozen(weights, np.int8 if bits <= 8 else np.int64), bits=_check_bits(bits, profile, node),
        gain=frozen(gain & -gain if gain else 0, np.int64),
    )  # fmt: skip


def _check_bits(bits: int, profile: Profile, node: str) -> int:
    """The smallest weight width of the target that holds `bits`; CapacityError where there is none."""
    allowed = [width for width in profile.synapse.weight_bits.value if width >= bits]
    if not allowed:
        have = max(profile.synapse.weight_bits.value)
        hint = (
            "choose a target with wider weights; one scale for summed layers, or --ternarize twn, changes the network"
        )
        raise CapacityError(node, "weight bits", bits, have, hint)
    return min(allowed)
