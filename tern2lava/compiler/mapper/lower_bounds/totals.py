"""Total resources of a network that no partition can avoid, for the lower bound on cores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tern2lava.compiler.image.codecs import CODECS
from tern2lava.compiler.ir.graph import Graph, Population, Projection
from tern2lava.compiler.ir.linear import stored_weights
from tern2lava.compiler.ir.shapes import Array, Bools, ConvGeometry, Ints, size
from tern2lava.compiler.ir.slices import incoming, taps
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.compiler.mapper.cost.nxtf import delay_bits
from tern2lava.hw_profiles import Profile


def total_resources(graph: Graph, profile: Profile, model: CostModel) -> dict[str, int]:
    """Neurons, synapse bits and input axons that any partition needs at least, by resource name.

    Input axons: every source neuron that has a synapse needs one. Synapse bits: see `least_synapse_bits`.
    """
    populations = graph.of_kind(Population)
    projections = [p for population in populations for p in incoming(graph, population)]
    return {
        "neurons": sum(size(p.shape) for p in populations),
        "synapse_bits": sum(least_synapse_bits(p, profile, model.encodings) for p in projections),
        "in_axons": sum(used_sources(p) for p in projections),
    }


def fan_in_axons(graph: Graph, profile: Profile, model: CostModel, limit: dict[str, int]) -> int:
    """Input axons that fan-in forces on any partition.

    A population lies on at least as many cores as its neurons or its synapses take alone, and each of them has an axon
    for every source that has a synapse into one of its neurons, no fewer than the neuron with the fewest has.
    Where that is more than the sources, each of which needs one axon, it counts instead.
    """
    total = 0
    for population in graph.of_kind(Population):
        projections = incoming(graph, population)
        bits = sum(least_synapse_bits(p, profile, model.encodings) for p in projections)
        cores = max(-(-size(population.shape) // limit["neurons"]), -(-bits // limit["synapse_bits"]))
        total += sum(max(used_sources(p), cores * least_field(p)) for p in projections)
    return total


def least_field(projection: Projection, *, whole: bool = False) -> int:
    """Source neurons with a synapse into the neuron that has the fewest of them; whole: a weight of 0 is one too."""
    if whole:
        projection = replace(projection, weight=np.broadcast_to(np.int8(1), projection.weight.shape))
    g = projection.geometry
    if g is None:
        return int(np.count_nonzero(projection.weight, axis=1).min())
    nonzero = np.count_nonzero(projection.weight, axis=1)
    rows, columns = (_taps_of_outputs(g, projection.weight.shape[2:], axis) for axis in (0, 1))
    return min(int(nonzero[:, row][:, :, column].sum(axis=(1, 2)).min()) for row in rows for column in columns)


def _taps_of_outputs(geometry: ConvGeometry, kernel: tuple[int, ...], axis: int) -> list[Bools]:
    """The different sets of taps of the kernel with which outputs along an axis (0: y, 1: x) see a source."""
    reached = taps(geometry, kernel, axis)
    found = np.zeros((geometry.out_shape[1 + axis], kernel[axis]), bool)
    _, tap = np.nonzero(reached >= 0)
    found[reached[reached >= 0], tap] = True
    return list(np.unique(found, axis=0))


def least_synapse_bits(projection: Projection, profile: Profile, encodings: tuple[str, ...]) -> int:
    """Bits below which no partition can store a projection.

    codec model: the codes alone, each row (output neuron or channel) in its cheapest codec, in bits without rounding,
    headers and gains, zeros only where axons bring them (see `least_row_bits`). nxtf model: each nonzero weight with
    the cheapest way to its neighbour, every kernel weight once.
    """
    if profile.synapse.memory_model.value == "nxtf":
        return _least_nxtf_bits(projection, encodings)
    return int(least_row_bits(projection, profile, encodings).sum())


def least_row_bits(
    projection: Projection, profile: Profile, encodings: tuple[str, ...], stored: Ints | None = None
) -> Array:  # fmt: skip
    """The same by row (output neuron or channel), each time that the row is stored; nxtf: nonzero weights alone.

    A core has axons of the sources alone that have a synapse into its neurons: of a dense row, zeros may all be left
    out, of a kernel those in channels that hold nothing else. stored: how many codes of each row are stored at least,
    where that is known.
    """
    rows = projection.weight.shape[0]
    flat = projection.weight.reshape(rows, -1)
    if profile.synapse.memory_model.value == "nxtf":
        weights, bits = stored_weights(projection)
        each = bits + delay_bits(projection.delay) - ("shared_sign" in encodings)
        counted: Array = np.count_nonzero(weights.reshape(rows, -1), axis=1) * float(each)
        return counted
    stored = least_kept_codes(projection) if stored is None else stored
    if projection.bits != 2:
        eight: Array = 8.0 * stored
        return eight
    nonzero, positive = np.count_nonzero(flat, axis=1), np.count_nonzero(flat > 0, axis=1)
    counts = np.stack([stored - nonzero, positive, nonzero - positive], axis=1)
    found = [c.least_bits(counts) for c in CODECS if c.ternary and c.encoding in encodings]
    result: Array = np.min(found, axis=0) if found else np.zeros(rows)
    return result


def least_kept_codes(projection: Projection) -> Ints:
    """Codes of each row (output neuron or channel) that are stored at least: those of sources with a synapse to it."""
    weight = projection.weight
    if projection.geometry is None:
        area = 1
        if projection.pooling is not None and projection.pooling.out_shape[0] != weight.shape[1]:
            area = weight.shape[1] // projection.pooling.out_shape[0]
        kernels = weight.reshape(weight.shape[0], -1, area)
    elif projection.geometry.groups == 1:
        kernels = weight.reshape(*weight.shape[:2], -1)
    else:
        return np.full(weight.shape[0], weight[0].size, np.int64)
    stored: Ints = kernels.any(axis=2).sum(axis=1) * kernels.shape[2]
    return stored


def _least_nxtf_bits(projection: Projection, encodings: tuple[str, ...]) -> int:
    """Sum over nonzero weights of weight and delay bits, plus the least that any encoding pays to reach the weight
    from the one before it (dense: the zeros between; run length: skip bits; sparse: 6 index bits; else a new entry of
    16 bits). A convolution counts its nonzero kernel weights alone."""
    weights, bits = stored_weights(projection)
    if encodings == ("shared_sign",):
        bits -= 1
    each = bits + delay_bits(projection.delay)
    nonzero = weights != 0
    if projection.geometry is not None or "shared_sign" in encodings:
        return int(nonzero.sum()) * (each - ("shared_sign" in encodings and encodings != ("shared_sign",)))
    target, source = np.nonzero(nonzero)
    order = np.lexsort((target, source))
    target, source = target[order], source[order]
    gap = np.diff(target, prepend=target[:1]) - 1
    same = np.diff(source, prepend=source[:1] - 1) == 0
    reach = np.full(gap.shape, 16)
    if "dense" in encodings:
        reach = np.minimum(reach, gap * each)
    if "run_length" in encodings:
        reach = np.minimum(reach, 2)
    if "sparse" in encodings:
        reach = np.minimum(reach, 6)
    return int(nonzero.sum()) * each + int(reach[same].sum())


def used_sources(projection: Projection, *, whole: bool = False) -> int:
    """Source neurons that have a synapse; whole: a weight of 0 is one too."""
    if whole:
        projection = replace(projection, weight=np.broadcast_to(np.int8(1), projection.weight.shape))
    g = projection.geometry
    if g is None:
        return int(projection.weight.any(axis=0).sum())
    kernel = projection.weight.shape[2:]
    rows, columns = ((taps(g, kernel, axis) >= 0).astype(np.int64) for axis in (0, 1))
    grouped = projection.weight.reshape(g.groups, g.out_shape[0] // g.groups, *projection.weight.shape[1:])
    kinds, times = np.unique(grouped.any(axis=1).reshape(-1, *kernel), axis=0, return_counts=True)
    return sum(
        int((rows @ kind @ columns.T > 0).sum()) * count for kind, count in zip(kinds, times.tolist(), strict=True)
    )
