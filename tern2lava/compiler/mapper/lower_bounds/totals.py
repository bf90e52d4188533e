"""Total resources of a network that no partition can avoid, for the lower bound on cores."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.image.codecs import CODECS
from tern2lava.compiler.ir.graph import Graph, Population, Projection
from tern2lava.compiler.ir.linear import stored_weights
from tern2lava.compiler.ir.shapes import Array, size
from tern2lava.compiler.ir.slices import incoming, source_shape, taps
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
    for every input of each of its neurons: all inputs of a dense layer, as many as the least field of a convolution.
    Where that is more than the sources, each of which needs one axon, it counts instead.
    """
    total = 0
    for population in graph.of_kind(Population):
        projections = incoming(graph, population)
        bits = sum(least_synapse_bits(p, profile, model.encodings) for p in projections)
        cores = max(-(-size(population.shape) // limit["neurons"]), -(-bits // limit["synapse_bits"]))
        total += sum(max(used_sources(p), cores * least_field(p)) for p in projections)
    return total


def least_field(projection: Projection) -> int:
    """Source neurons that the neuron with the fewest of them has."""
    g = projection.geometry
    if g is None:
        return int(projection.weight.shape[1])
    least = int(projection.weight.shape[1])
    for axis in (0, 1):
        reached = taps(g, projection.weight.shape[2:], axis)
        least *= int(np.bincount(reached[reached >= 0], minlength=g.out_shape[1 + axis]).min())
    return least


def least_synapse_bits(projection: Projection, profile: Profile, encodings: tuple[str, ...]) -> int:
    """Bits below which no partition can store a projection.

    codec model: the codes alone, each row (output neuron or channel) in its cheapest codec, in bits without rounding,
    headers and gains. nxtf model: each nonzero weight with the cheapest way to its neighbour, every kernel weight once.
    """
    if profile.synapse.memory_model.value == "nxtf":
        return _least_nxtf_bits(projection, encodings)
    return int(least_row_bits(projection, profile, encodings).sum())


def least_row_bits(projection: Projection, profile: Profile, encodings: tuple[str, ...]) -> Array:
    """The same by row (output neuron or channel), each time that the row is stored; nxtf: nonzero weights alone."""
    rows = projection.weight.shape[0]
    flat = projection.weight.reshape(rows, -1)
    if profile.synapse.memory_model.value == "nxtf":
        weights, bits = stored_weights(projection)
        each = bits + delay_bits(projection.delay) - ("shared_sign" in encodings)
        counted: Array = np.count_nonzero(weights.reshape(rows, -1), axis=1) * float(each)
        return counted
    if projection.bits != 2:
        return np.full(rows, 8.0 * flat.shape[1])
    nonzero, positive = np.count_nonzero(flat, axis=1), np.count_nonzero(flat > 0, axis=1)
    counts = np.stack([flat.shape[1] - nonzero, positive, nonzero - positive], axis=1)
    found = [c.least_bits(counts) for c in CODECS if c.ternary and c.encoding in encodings]
    result: Array = np.min(found, axis=0) if found else np.zeros(rows)
    return result


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


def used_sources(projection: Projection) -> int:
    """Source neurons that lie in at least one receptive field."""
    if projection.geometry is None:
        return int(projection.weight.shape[1])
    g = projection.geometry
    kernel = projection.weight.shape[2:]
    rows = int((taps(g, kernel, 0) >= 0).any(axis=1).sum())
    columns = int((taps(g, kernel, 1) >= 0).any(axis=1).sum())
    return source_shape(projection)[0] * rows * columns
