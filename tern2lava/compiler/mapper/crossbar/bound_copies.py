"""Columns that no windows of a network avoid, where an output axon reaches a whole window: copies are counted.

A neuron takes its bits times the fold of its window, as often as windows read it. Small windows have low folds and
overlap, so that each of their neurons has more of the source to itself; large ones need high folds. Which neurons lie
in windows of which fold, and how many copies they have there, is left open as the variables of a linear program:

    least  sum over s, f of bits_s f copies_sf
    where  copies_sf <= min(columns / (bits_s f), most_s) neurons_sf,  copies_sf >= neurons_sf,
           sum over f of copies_sf >= sum over readers r, f of share_rs(f) neurons_rf  (+ one each, read as an output),

with share_rs(f) the fewest neurons of s for each neuron of r that any window of fold f or less reads, and most_s the
most windows that can read one neuron of s: as many as positions do. Neurons near a border of an image may lie in
windows that see padding, and are counted apart from those that only large ones do. A core has one fold, so that cores
are whole for each fold: then the program is a mixed-integer one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_matrix

from tern2lava.compiler.ir.graph import Graph, Input, Output, Population, Projection
from tern2lava.compiler.ir.shapes import Array, Ints, Reals, Shape, size
from tern2lava.compiler.ir.slices import incoming, mapped_shape, source_window
from tern2lava.compiler.mapper.crossbar.windows import bits_of, crossbar_of, fold_of
from tern2lava.hw_profiles import Profile

# Distances from a border at which another class of positions begins.
_BINS = (0, 1, 2, 4, 8)
# Pixels of the largest image of which every window is looked at.
_LARGEST_IMAGE = 4096
_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class _Class:
    """Neurons of a population: how many, and for each fold the fewest neurons of each source for each of them."""

    neurons: int
    share: dict[int, dict[str, float]]


def least_columns(graph: Graph, profile: Profile) -> int:
    """Columns that any windows take at least; 0 where an image is too large, or no window can be had (which is refused
    where windows are chosen)."""
    classes = _all_classes(graph, profile)
    return _solved(graph, profile, classes, whole=False) if classes else 0


def least_cores(graph: Graph, profile: Profile) -> int:
    """Cores that any windows take at least, those of each fold whole; 0 as above."""
    classes = _all_classes(graph, profile)
    return _solved(graph, profile, classes, whole=True) if classes else 0


def _all_classes(graph: Graph, profile: Profile) -> dict[str, list[_Class]]:
    """Classes of all populations, none where there is no bound."""
    populations = graph.of_kind(Population)
    classes: dict[str, list[_Class]] = {}
    for population in populations:
        shape = mapped_shape(graph, population)
        if len(shape) == 3 and shape[1] * shape[2] > _LARGEST_IMAGE:
            return {}
        found = _classes(graph, profile, population, shape)
        if not all(each.share for each in found):
            return {}
        classes[population.name] = found
    return classes


def _solved(graph: Graph, profile: Profile, classes: dict[str, list[_Class]], *, whole: bool) -> int:
    """Least columns, or cores where these are `whole` for each fold."""
    have = crossbar_of(profile).columns.value
    outputs = graph.of_kind(Output)
    output = [name for node in outputs for name in node.inputs]
    cost: list[float] = []
    # x: neurons of a class in windows of a fold; c: copies of a population's neurons in windows of a fold.
    x: dict[tuple[str, int, int], int] = {}
    c: dict[tuple[str, int], int] = {}
    for name, each in classes.items():
        population = graph.population(name)
        bits = bits_of(graph, population, profile)
        for fold in sorted({f for one in each for f in one.share}):
            c[name, fold] = len(cost)
            cost.append(float(bits * fold))
        for at, one in enumerate(each):
            for fold in one.share:
                x[name, at, fold] = len(cost)
                cost.append(0.0)
    entries: list[tuple[int, int, float]] = []
    right: list[float] = []
    most_read = _most_readers(graph, output)
    integral = [0] * len(cost)
    for (name, fold), column in c.items():
        mine = [x[name, at, fold] for at in range(len(classes[name])) if (name, at, fold) in x]
        # copies >= neurons, and copies <= most * neurons.
        entries += [(len(right), column, -1.0), *((len(right), k, 1.0) for k in mine)]
        right.append(0.0)
        most = max(1.0, min(have // cost[column], most_read[name]))
        entries += [(len(right), column, 1.0), *((len(right), k, -most) for k in mine)]
        right.append(0.0)
    for name in classes:
        entries += [(len(right), column, -1.0) for (source, _), column in c.items() if source == name]
        for (reader, at, fold), column in x.items():
            read = classes[reader][at].share[fold].get(name, 0.0)
            if read:
                entries.append((len(right), column, read))
        right.append(-float(output.count(name) * sum(one.neurons for one in classes[name])))
    if whole:
        for fold in sorted({fold for _, fold in c}):
            # Columns of this fold <= columns of whole cores.
            entries += [(len(right), k, cost[k]) for (_, f), k in c.items() if f == fold]
            entries.append((len(right), len(integral), -float(have)))
            right.append(0.0)
            integral.append(1)
        cost = [0.0] * len(cost) + [1.0] * (len(integral) - len(cost))
    pairs = [(name, at) for name, each in classes.items() for at in range(len(each))]
    equal = [(row, x[name, at, fold]) for row, (name, at) in enumerate(pairs) for fold in classes[name][at].share]
    counts = [float(classes[name][at].neurons) for name, at in pairs]
    rows, columns, values = zip(*entries, strict=True)
    upper = coo_matrix((values, (rows, columns)), shape=(len(right), len(cost))).tocsr()
    sums = coo_matrix((np.ones(len(equal)), tuple(zip(*equal, strict=True))), shape=(len(counts), len(cost))).tocsr()
    solved = linprog(cost, upper, right, sums, counts, bounds=(0, None), method="highs", integrality=integral)
    return max(0, int(np.ceil(solved.fun * (1 - _TOLERANCE) - _TOLERANCE))) if solved.status == 0 else 0


def _most_readers(graph: Graph, output: list[str]) -> dict[str, int]:
    """By population, the most windows that one of its neurons can have a copy for."""
    result: dict[str, int] = {}
    populations = graph.of_kind(Population)
    for wire in (wire for population in populations for wire in incoming(graph, population)):
        positions = 1
        g = wire.geometry
        for axis in (0, 1) if g is not None else ():
            assert g is not None
            # Windows share no outputs: as many see a position as outputs do, and one where it lies between outputs.
            seen = np.zeros(g.in_shape[1 + axis], np.int64)
            for at in range(g.out_shape[1 + axis]):
                start, stop = source_window(g, int(wire.weight.shape[2 + axis]), axis, at, at + 1)
                seen[start:stop] += 1
            positions *= max(1, int(seen.max()))
        result[wire.inputs[0]] = result.get(wire.inputs[0], 0) + positions
    return {p.name: result.get(p.name, 0) + output.count(p.name) for p in populations}


def _classes(graph: Graph, profile: Profile, population: Population, shape: Shape) -> list[_Class]:
    wires = incoming(graph, population)
    if len(shape) == 1:
        fold = fold_of(profile, sum(int(wire.weight.shape[1]) for wire in wires))
        if fold > crossbar_of(profile).fold.value:
            return [_Class(shape[0], {})]
        share: dict[str, float] = {}
        for wire in wires:
            share[wire.inputs[0]] = share.get(wire.inputs[0], 0.0) + wire.weight.shape[1] / shape[0]
        return [_Class(shape[0], {fold: share})]
    axes = [_bins(length) for length in shape[1:]]
    seen = {wire.name: [_fields(wire, axis, axes[axis]) for axis in (0, 1)] for wire in wires}
    extent = np.multiply.outer(np.arange(1, shape[1] + 1), np.arange(1, shape[2] + 1)).astype(np.float64)
    result = []
    for (row, at_row), (column, at_column) in product(enumerate(axes[0]), enumerate(axes[1])):
        sources, reads = np.zeros_like(extent), dict[str, Array]()
        for wire in wires:
            fields = np.multiply.outer(seen[wire.name][0][row], seen[wire.name][1][column])
            g = wire.geometry
            if g is None:
                # Every window reads all of the source, by one axon.
                least: Array = np.full_like(extent, wire.weight.shape[1])
                each = least / size(shape)
            else:
                # The channels of one group to as many outputs; windows of several groups read as many more.
                least = fields * (g.in_shape[0] // g.groups)
                each = least / (extent * (g.out_shape[0] // g.groups))
            sources = sources + least
            reads[wire.inputs[0]] = reads.get(wire.inputs[0], np.zeros_like(extent)) + each
        result.append(_Class(shape[0] * at_row.size * at_column.size, _shares(profile, sources, reads, graph)))
    return result


def _shares(profile: Profile, sources: Reals, reads: dict[str, Reals], graph: Graph) -> dict[int, dict[str, float]]:
    """By fold the fewest neurons of each source for each neuron, over windows of that fold or less."""
    result: dict[int, dict[str, float]] = {}
    fold, most = fold_of(profile, int(sources.min())), crossbar_of(profile).fold.value
    while fold <= most:
        inside = sources <= crossbar_of(profile).inputs.value * fold
        result[fold] = {n: float(each[inside].min()) for n, each in reads.items() if not isinstance(graph[n], Input)}
        if inside.all():
            break
        fold *= 2
    return result


def _bins(length: int) -> list[Ints]:
    """Positions along an axis by their distance from its nearer end."""
    distance = np.minimum(np.arange(length), np.arange(length)[::-1])
    ends = [*_BINS, length]
    found = [np.flatnonzero((distance >= low) & (distance < high)) for low, high in pairwise(ends)]
    return [positions for positions in found if positions.size]


def _fields(wire: Projection, axis: int, bins: list[Ints]) -> list[Reals]:
    """For each bin the least that 1, 2, ... outputs in a row along an axis see, if one of them lies in the bin."""
    g = wire.geometry
    length = sum(positions.size for positions in bins)
    result = [np.full(length, np.inf) for _ in bins]
    for extent in range(1, length + 1):
        seen = np.zeros(length - extent + 1)
        if g is not None:
            kernel = int(wire.weight.shape[2 + axis])
            for low in range(seen.size):
                start, stop = source_window(g, kernel, axis, low, low + extent)
                seen[low] = stop - start
        for fields, positions in zip(result, bins, strict=True):
            holds = np.zeros(seen.size, bool)
            for position in positions.tolist():
                holds[max(0, position - extent + 1) : position + 1] = True
            fields[extent - 1] = seen[holds].min()
    return result
