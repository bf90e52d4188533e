"""A lower bound on cores from what boxes take at least: halos, copies of kernels and output axons cannot be avoided.

Every neuron lies in a box of some extent. A box of extent b takes u_r(b) of resource r, which is u_r(b) / volume(b) for
each neuron; output axons are charged to the box that reads, where they arise. With weights w_r >= 0 that add up to 1,

    cores >= sum over populations of neurons * min over extents of sum over r of w_r u_r(b) / (volume(b) limit_r),

because the weighted shares of all parts on one core are at most 1. The largest such bound over all w is a linear
program (the dual of packing boxes by fractions). It holds for every partition into boxes, in contrast to
totals.total_resources, which holds for any partition at all and is weaker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Ints, Reals, Shape, size
from tern2lava.compiler.ir.slices import incoming, mapped_shape, source_window, tap_patterns
from tern2lava.compiler.mapper.lower_bounds.totals import least_kept_codes, least_row_bits
from tern2lava.hw_profiles import Profile

RESOURCES = ("neurons", "synapse_bits", "in_axons", "out_axons")
_ROUNDS = 40
_TOLERANCE = 1e-7
# Pixels of the largest image of which every extent is looked at.
_LARGEST_IMAGE = 4096
_CLASSES = 6
# Levels of sources at which bits of rows are looked at. Multiplications that all rows of a layer may take to be held
# against each other.
_LEVELS = 16
_MOST_SHARED = 2e10


@dataclass(frozen=True)
class DensityBound:
    """cores: the bound; weights: by resource, how scarce it is where the bound is largest."""

    cores: float
    weights: dict[str, float]


@dataclass(frozen=True, eq=False)
class _Axis:
    """What extents 1, 2, ... along an axis of a convolution's output see, over all positions: the fewest input axons,
    the fewest taps of all different lists together, and the different pairs (edges, edges to lists of their own)."""

    axons: Reals
    taps: Reals
    pairs: tuple[Reals, ...]


def density_bound(
    graph: Graph, profile: Profile, limit: dict[str, int], encodings: tuple[str, ...]
) -> DensityBound | None:  # fmt: skip
    """The bound; encodings: those that synapses may be stored in. None where an image is too large to look at every
    extent."""
    sources: dict[str, Reals] = {}
    tables: list[Array] = []
    neurons: list[float] = []
    for population in graph.of_kind(Population):
        shape = mapped_shape(graph, population)
        if len(shape) == 3 and shape[1] * shape[2] > _LARGEST_IMAGE:
            return None
        projections = incoming(graph, population)
        sources |= {p.name: least_sources(p) for p in projections}
        row_bits = {p.name: least_row_bits(p, profile, encodings) for p in projections}
        largest = max(projections, key=lambda p: float(row_bits[p.name].sum()))
        # Rows differ in what they take; a class of rows is counted by its least.
        order = np.argsort(row_bits[largest.name], kind="stable")
        classes = np.array_split(order, min(_CLASSES, order.size))
        every = [np.arange(p.weight.shape[0]) for p in projections]
        if len(shape) == 3:
            one = {p.name: float(row_bits[p.name].min()) for p in projections}
            least = [one | {largest.name: float(row_bits[largest.name][c].min())} for c in classes]
            tables += _image_tables(graph, profile, shape, projections, limit, least, sources)
        else:
            most = min(shape[0], limit["neurons"])
            taken = [
                {
                    p.name: _bits_of_boxes(p, profile, encodings, sources[p.name][:most], c if p is largest else rows)
                    for p, rows in zip(projections, every, strict=True)
                }
                for c in classes
            ]
            tables += _rows_tables(graph, profile, projections, limit, taken, sources)
        neurons += [size(shape) * part.size / order.size for part in classes]
    return _maximise(tables, np.array(neurons, np.float64))


def _maximise(tables: list[Reals], neurons: Reals) -> DensityBound:
    """max over weights w of sum_p neurons_p min_b tables_p[b] @ w, by adding the extents that bind."""
    count = len(RESOURCES)
    weights = np.full(count, 1 / count)
    rows: list[tuple[int, Array]] = []
    value = 0.0
    for _ in range(_ROUNDS):
        least = [table @ weights for table in tables]
        at = [int(np.argmin(found)) for found in least]
        value = max(value, float(sum(n * found[k] for n, found, k in zip(neurons, least, at, strict=True))))
        rows += [(p, tables[p][k]) for p, k in enumerate(at)]
        # Variables: the weights, then t_p <= row @ w for every row found; maximise sum of neurons_p t_p.
        matrix = np.zeros((len(rows), count + len(tables)))
        for line, (p, row) in enumerate(rows):
            matrix[line, :count], matrix[line, count + p] = -row, 1.0
        target = np.concatenate([np.zeros(count), -neurons])
        sums = np.concatenate([np.ones(count), np.zeros(len(tables))])[None]
        solved = linprog(target, matrix, np.zeros(len(rows)), sums, [1.0], bounds=(0, None), method="highs")
        if solved.status != 0:
            break
        best = weights
        weights = solved.x[:count]
        if -solved.fun <= value * (1 + _TOLERANCE) + _TOLERANCE:
            weights = best
            break
    return DensityBound(value, dict(zip(RESOURCES, weights.tolist(), strict=True)))


def _image_tables(
    graph: Graph, profile: Profile, shape: Shape, projections: tuple[Projection, ...], limit: dict[str, int],
    classes: list[dict[str, float]], sources: dict[str, Reals],
) -> list[Reals]:  # fmt: skip
    """For each class of rows (bits of a row, by projection), (extents, resources): the least share of a core that a
    neuron takes in a box of each extent."""
    extents = [
        (wide, y, x)
        for y in range(1, shape[1] + 1)
        for x in range(1, min(shape[2], limit["neurons"] // y) + 1)
        for wide in range(1, min(shape[0], limit["neurons"] // (y * x)) + 1)
    ]
    wide, y, x = np.array(extents, np.int64).T if extents else np.ones((3, 1), np.int64)
    volume = (wide * y * x).astype(np.float64)
    axons, out = np.zeros_like(volume), np.zeros_like(volume)
    memory = [np.zeros_like(volume) for _ in classes]
    for p in projections:
        g = p.geometry
        if g is None:
            seen = sources[p.name][np.minimum(wide * y * x, p.weight.shape[0]) - 1]
            axons += seen
            out += _dense_out(graph, profile, p, seen)
            each = volume
        else:
            rows, columns = _axis(profile, p, 0), _axis(profile, p, 1)
            # The fewest groups in which `wide` channels lie.
            seen = np.ceil(wide / (g.out_shape[0] // g.groups)) * (g.in_shape[0] // g.groups)
            if g.groups == 1:
                seen = sources[p.name][wide - 1]
            axons += seen * rows.axons[y] * columns.axons[x]
            edges = np.zeros((shape[1] + 1, shape[2] + 1))
            for a, b in np.unique(np.stack([y, x], axis=1), axis=0).tolist():
                edges[a, b] = _edges(graph, profile, p, rows.pairs[a], columns.pairs[b])
            out += seen * edges[y, x]
            each = wide * rows.taps[y] * columns.taps[x] / float(p.weight.shape[2] * p.weight.shape[3])
        for total, bits in zip(memory, classes, strict=True):
            total += each * bits[p.name]
    return [_shares(volume, total, axons, out, limit) for total in memory]


def _rows_tables(
    graph: Graph, profile: Profile, projections: tuple[Projection, ...], limit: dict[str, int],
    classes: list[dict[str, Reals]], sources: dict[str, Reals],
) -> list[Reals]:  # fmt: skip
    """The same for a population that only dense layers feed: boxes of any number of neurons. classes: bits of a row in
    a box of each number, by projection."""
    volume = np.arange(1, len(next(iter(classes[0].values()))) + 1, dtype=np.float64)
    axons, out = np.zeros_like(volume), np.zeros_like(volume)
    for p in projections:
        seen = sources[p.name][: volume.size]
        axons += seen
        out += _dense_out(graph, profile, p, seen)
    return [_shares(volume, np.sum(list(bits.values()), axis=0) * volume, axons, out, limit) for bits in classes]


def _shares(volume: Reals, memory: Reals, axons: Reals, out: Reals, limit: dict[str, int]) -> Reals:
    """Shares of a core for each neuron, of the boxes that a core can hold; of none where no box does."""
    used = np.stack([volume, memory, axons, out], axis=1)
    result: Reals = used / np.array([limit[name] for name in RESOURCES], np.float64) / volume[:, None]
    fits = (axons <= limit["in_axons"]) & (memory <= limit["synapse_bits"] * (1 + 1e-9))
    return result[fits] if fits.any() else np.zeros((1, len(RESOURCES)))


def least_sources(projection: Projection) -> Reals:
    """By number of rows (neurons of a dense layer, output channels) in a box, less 1: the fewest sources (axons, input
    channels) that have a synapse into one of them. Of n rows one has no fewer than the n-th smallest of all."""
    if projection.geometry is not None:
        counts: Reals = np.sort(least_kept_codes(projection) // projection.weight[0, 0].size).astype(np.float64)
        return counts
    return np.maximum(np.sort(least_kept_codes(projection)), _fewest_together(projection.weight))


def _fewest_together(weight: Array) -> Reals:
    """By number n of rows, less 1: columns that any n rows have at least one synapse in, together.

    Of n rows let d_j have a synapse in column j. (sum d_j)^2 <= columns * sum d_j^2 (Cauchy and Schwarz), the sum of
    d_j is that of the rows' synapses, and that of d_j^2 the same and the columns that each two rows share. 0 where the
    rows are too many to be held against each other.
    """
    rows, columns = weight.shape
    if float(rows) * rows * columns > _MOST_SHARED:
        return np.zeros(rows)
    synapses = (weight != 0).astype(np.float32)
    shared = synapses @ synapses.T
    counts = np.sort(np.diagonal(shared).astype(np.float64))
    np.fill_diagonal(shared, 0)
    # Most columns that a row shares with n - 1 others, over all rows.
    most = np.cumsum(-np.sort(-shared, axis=1), axis=1, dtype=np.float64).max(axis=0)
    others = np.concatenate([[0.0], most[: rows - 1]])
    number = np.arange(1, rows + 1)
    squares = np.cumsum(counts[::-1]) + number * others
    together: Reals = np.ceil(np.cumsum(counts) ** 2 / np.maximum(squares, 1.0) - 1e-6)
    return np.maximum.accumulate(together)


def _bits_of_boxes(
    projection: Projection, profile: Profile, encodings: tuple[str, ...], sources: Reals, rows: Ints
) -> Reals:  # fmt: skip
    """By number of rows in a box, less 1: what the least of `rows` takes in it; sources: axons that the box has at
    least, of which each row holds a code."""
    own = least_kept_codes(projection)
    # Few levels are looked at; a box counts by the one below.
    levels = np.unique(np.floor(np.linspace(sources[0], sources[-1], _LEVELS)))
    bits = [
        float(least_row_bits(projection, profile, encodings, np.maximum(own, int(level)))[rows].min())
        for level in levels
    ]
    result: Reals = np.array(bits)[np.searchsorted(levels, sources, side="right") - 1]
    return result


def _dense_out(graph: Graph, profile: Profile, projection: Projection, seen: Reals) -> Reals:
    """Output axons that a block of a dense layer costs its sources at least; seen: the axons that it has at least."""
    if isinstance(graph[projection.inputs[0]], Input):
        return np.zeros_like(seen)
    area = 1 if projection.pooling is None else projection.pooling.area
    edges = profile.routing.out_axon_model.value == "edges"
    return seen * area if edges else np.minimum(seen, 1.0)


def _edges(graph: Graph, profile: Profile, projection: Projection, rows: Reals, cols: Reals) -> float:
    """The least output axons per source channel of a block, over pairs (all, single) of its rows and columns."""
    if isinstance(graph[projection.inputs[0]], Input):
        return 0.0
    if profile.routing.out_axon_model.value != "edges":
        return 1.0 / max(1, int(projection.weight.shape[1]))
    shares = profile.synapse.sharing.value != "none"
    cost = profile.routing.shared_cost.value if shares else 1
    every = rows[:, None, 0] * cols[None, :, 0]
    single = rows[:, None, 1] * cols[None, :, 1]
    return float((cost * every - (cost - 1) * single).min())


def _axis(profile: Profile, projection: Projection, axis: int) -> _Axis:
    g = projection.geometry
    assert g is not None
    window = 1 if projection.pooling is None else projection.pooling.window[axis]
    length = g.out_shape[1 + axis]
    kernel = int(projection.weight.shape[2 + axis])
    lists = profile.synapse.sharing.value == "lists"
    axons, taps = np.full(length + 1, np.inf), np.full(length + 1, np.inf)
    pairs: list[Reals] = [np.zeros((1, 2))]
    for extent in range(1, length + 1):
        found: set[tuple[float, float]] = set()
        for low in _positions(g, axis, extent, length):
            start, stop = source_window(g, kernel, axis, low, low + extent)
            if stop == start:
                axons[extent], taps[extent] = 0.0, 0.0
                found.add((0.0, 0.0))
                continue
            single = 0
            if lists:
                patterns = tap_patterns(g, kernel, axis, start, stop, low, low + extent)
                kinds, inverse, counts = np.unique(patterns, axis=0, return_inverse=True, return_counts=True)
                taps[extent] = min(taps[extent], int((kinds >= 0).sum()))
                single = int((counts[inverse.reshape(-1)] == 1).sum())
            else:
                taps[extent] = min(taps[extent], kernel)
            axons[extent] = min(axons[extent], stop - start)
            found.add((float((stop - start) * window), float(single * window)))
        pairs.append(np.array(sorted(found)))
    return _Axis(axons, taps, tuple(pairs))


def _positions(geometry: ConvGeometry, axis: int, extent: int, length: int) -> list[int]:
    """Where a range of `extent` can begin so that every way of meeting the borders occurs: near both ends, and
    elsewhere one of each remainder."""
    last = length - extent
    reach = max(geometry.padding[2 * axis], geometry.padding[2 * axis + 1]) + 1
    near = set(range(min(reach + 1, last + 1))) | set(range(max(0, last - reach), last + 1))
    return sorted(near)
