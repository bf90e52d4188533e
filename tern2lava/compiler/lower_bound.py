"""Total resources of a network that no partition can avoid, for the lower bound on cores."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.codecs import BY_NAME
from tern2lava.compiler.cost import CostModel, stored_weights
from tern2lava.compiler.ir import Array, Graph, Population, Projection, size
from tern2lava.compiler.nxtf import delay_bits
from tern2lava.compiler.slices import incoming, source_shape, taps
from tern2lava.hw_profiles import Profile


def total_resources(graph: Graph, profile: Profile, model: CostModel) -> dict[str, int]:
    """Neurons, synapse bits and input axons that any partition needs at least, by resource name.

    Input axons: every source neuron that has a synapse needs one. Synapse bits: see `least_synapse_bits`.
    """
    populations: tuple[Population, ...] = graph.of_kind(Population)
    projections = [p for population in populations for p in incoming(graph, population)]
    return {
        "neurons": sum(size(p.shape) for p in populations),
        "synapse_bits": sum(least_synapse_bits(p, profile, model.encodings) for p in projections),
        "in_axons": sum(_used_sources(p) for p in projections),
    }


def least_synapse_bits(projection: Projection, profile: Profile, encodings: tuple[str, ...]) -> int:
    """Bits below which no partition can store a projection.

    codec model: the codes alone, each row (output neuron or channel) in its cheapest codec, in bits without rounding,
    headers and gains. nxtf model: each nonzero weight with the cheapest way to its neighbour, every kernel weight once.
    """
    if profile.synapse.memory_model.value == "nxtf":
        return _least_nxtf_bits(projection, encodings)
    count = projection.weight[0].size
    if projection.bits != 2:
        return 8 * int(projection.weight.size)
    nonzero = np.count_nonzero(projection.weight.reshape(projection.weight.shape[0], -1), axis=1)
    rows: list[Array] = []
    for codec in BY_NAME.values():
        if codec.encoding in encodings and codec.ternary:
            per_code = {"packed2": 2.0, "base3": 1.6, "bitmap": 1.0}[codec.name]
            rows.append(per_code * count + nonzero * float(codec.name == "bitmap"))
    return int(np.min(rows, axis=0).sum()) if rows else 0


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


def _used_sources(projection: Projection) -> int:
    """Source neurons that lie in at least one receptive field."""
    if projection.geometry is None:
        return int(projection.weight.shape[1])
    g = projection.geometry
    kernel = projection.weight.shape[2:]
    rows = int((taps(g, kernel, 0) >= 0).any(axis=1).sum())
    columns = int((taps(g, kernel, 1) >= 0).any(axis=1).sum())
    return source_shape(projection)[0] * rows * columns
