"""A lower bound on cores from what boxes take at least: halos, copies of kernels and output axons cannot be avoided.

Every neuron lies in a box of some extent. A box of extent b takes u_r(b) of resource r, which is u_r(b) / volume(b) for
each neuron; output axons are charged to the box that reads, where they arise. With weights w_r >= 0 that add up to 1,

    cores >= sum over populations of neurons * min over extents of sum over r of w_r u_r(b) / (volume(b) limit_r),

because the weighted shares of all parts on one core are at most 1. The largest such bound over all w is a linear
program (the dual of packing boxes by fractions). It holds for every partition into boxes, in contrast to
lower_bound.total_resources, which holds for any partition at all and is weaker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Reals, Shape, size
from tern2lava.compiler.ir.slices import incoming, mapped_shape, source_window, tap_patterns
from tern2lava.hw_profiles import Profile

RESOURCES = ("neurons", "synapse_bits", "in_axons", "out_axons")
_ROUNDS = 40
_TOLERANCE = 1e-7
# Pixels of the largest image of which every extent is looked at.
_LARGEST_IMAGE = 4096
_CLASSES = 6


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
    graph: Graph, profile: Profile, limit: dict[str, int], row_bits: dict[str, Array]
) -> DensityBound | None:
    """The bound; row_bits: by projection, what the synapses of each row (neuron or output channel) take at least each
    time that they are stored (see lower_bound.least_row_bits).

    None where an image is too large to look at every extent.
    """
    tables: list[Array] = []
    neurons: list[float] = []
    for population in graph.of_kind(Population):
        shape = mapped_shape(graph, population)
        if len(shape) == 3 and shape[1] * shape[2] > _LARGEST_IMAGE:
            return None
        projections = incoming(graph, population)
        largest = max(projections, key=lambda p: float(row_bits[p.name].sum())).name
        rows = {p.name: np.sort(row_bits[p.name]) for p in projections}
        # Rows differ in what they take; a class of rows is counted by its least.
        classes = np.array_split(np.arange(rows[largest].size), min(_CLASSES, rows[largest].size))
        least = [{n: float(v[0]) for n, v in rows.items()} | {largest: float(rows[largest][c[0]])} for c in classes]
        table = _image_tables if len(shape) == 3 else _rows_tables
        tables += table(graph, profile, shape, projections, limit, least)
        neurons += [size(shape) * part.size / rows[largest].size for part in classes]
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
    classes: list[dict[str, float]],
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
            axons += float(p.weight.shape[1])
            out += _dense_out(graph, profile, p, volume)
            each = volume
        else:
            rows, columns = _axis(profile, p, 0), _axis(profile, p, 1)
            # The fewest groups in which `wide` channels lie.
            seen = np.ceil(wide / (g.out_shape[0] // g.groups)) * (g.in_shape[0] // g.groups)
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
    graph: Graph, profile: Profile, shape: Shape, projections: tuple[Projection, ...], limit: dict[str, int],
    classes: list[dict[str, float]],
) -> list[Reals]:  # fmt: skip
    """The same for a population that only dense layers feed: boxes of any number of neurons."""
    volume = np.arange(1, min(shape[0], limit["neurons"]) + 1, dtype=np.float64)
    axons = np.full_like(volume, sum(float(p.weight.shape[1]) for p in projections))
    out = np.zeros_like(volume)
    for p in projections:
        out += _dense_out(graph, profile, p, volume)
    return [_shares(volume, sum(bits.values()) * volume, axons, out, limit) for bits in classes]


def _shares(volume: Reals, memory: Reals, axons: Reals, out: Reals, limit: dict[str, int]) -> Reals:
    """Shares of a core for each neuron, of the boxes that a core can hold; of none where no box does."""
    used = np.stack([volume, memory, axons, out], axis=1)
    result: Reals = used / np.array([limit[name] for name in RESOURCES], np.float64) / volume[:, None]
    fits = (axons <= limit["in_axons"]) & (memory <= limit["synapse_bits"] * (1 + 1e-9))
    return result[fits] if fits.any() else np.zeros((1, len(RESOURCES)))


def _dense_out(graph: Graph, profile: Profile, projection: Projection, volume: Reals) -> Reals:
    """Output axons that a block of a dense layer costs its sources at least."""
    if isinstance(graph[projection.inputs[0]], Input):
        return np.zeros_like(volume)
    area = 1 if projection.pooling is None else projection.pooling.area
    edges = profile.routing.out_axon_model.value == "edges"
    return np.full_like(volume, float(projection.weight.shape[1] * area) if edges else 1.0)


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
