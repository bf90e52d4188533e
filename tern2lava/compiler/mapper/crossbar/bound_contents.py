"""Cores that no mapping avoids where a neuron reaches one core: what each core can hold at once.

A core holds some neurons of some populations, with axons for all that they read, and columns for each of their copies:
one for every core that reads a neuron, as often as a source takes axons. With z_k cores of contents k,

    cores >= least sum of z_k
    where  sum of neurons_kp z_k >= neurons_p,
           sum of (copies_kp - copies that k reads of p) z_k >= copies of p that the network's output reads,

over all contents that fit a core. There are too many to write down; a linear program over a few is extended by the one
that its dual values make most of, which a knapsack over axons and columns finds (P. C. Gilmore and R. E. Gomory, 1961).
Whatever the dual values are, the program's value over what the best contents make of them is a bound (A. A. Farley,
1990), so that it holds however early the search ends. Neurons may be fractions here, which only lowers it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numba import njit
from scipy.optimize import linprog

from tern2lava.compiler.ir.graph import Graph, Input, Output, Population, Projection
from tern2lava.compiler.ir.shapes import Array, size
from tern2lava.compiler.ir.slices import incoming, mapped_shape
from tern2lava.compiler.mapper.crossbar.bound_receptive_fields import least_seen
from tern2lava.compiler.mapper.crossbar.windows import axons_per_source, bits_of, crossbar_of
from tern2lava.hw_profiles import Profile

_ROUNDS = 60
_TOLERANCE = 1e-4
# Cores for a copy that no contents give, which keeps the first programs feasible.
_MISSING = 1.0
# Sources on a core up to which contents are searched.
_LARGEST = 4096
# Ways to share out axons that are tried.
_SHARED = 32


@dataclass(frozen=True, eq=False)
class _Item:
    """Neurons of one population that fill what they see: how many, the axons' sources, and copies that they read by
    source population. columns: of one copy of a neuron."""

    population: int
    neurons: int
    sources: int
    columns: int
    reads: Array


@dataclass(frozen=True, eq=False)
class _Contents:
    """Of one core: neurons, copies and what is read of each population."""

    neurons: Array
    copies: Array
    reads: Array


def least_cores_by_contents(graph: Graph, profile: Profile, limit: dict[str, int]) -> int:
    """Cores that any mapping takes at least; 0 where a population has no place, which is refused elsewhere."""
    populations = graph.of_kind(Population)
    crossbar = crossbar_of(profile)
    sources = crossbar.inputs.value * crossbar.fold.value // axons_per_source(profile)
    if sources > _LARGEST:
        return 0
    width = {p.name: bits_of(graph, p, profile) for p in populations}
    columns = min(crossbar.columns.value, limit["neurons"] * max(width.values()))
    seen = [_seen(graph, population) for population in populations]
    outputs = graph.of_kind(Output)
    read = [name for node in outputs for name in node.inputs]
    neurons = np.array([size(p.shape) for p in populations], np.float64)
    output = np.array([read.count(p.name) for p in populations], np.float64) * neurons
    best = 0.0
    ways = _shares(graph, populations, seen, sources)
    if math.prod(len(each) for each in ways) > _SHARED:
        ways = [each[:1] for each in ways]
    for shares in product(*ways):
        share = {name: value for each in shares for name, value in each.items()}
        items = [
            item
            for at, population in enumerate(populations)
            for item in _items(
                graph, profile, populations, at, seen[at], share, sources, columns // width[population.name]
            )
        ]
        if {item.population for item in items} != set(range(len(populations))):
            return 0
        best = max(best, _search(items, neurons, output, sources, columns))
    return int(np.ceil(best - 1e-6))


def _search(items: list[_Item], neurons: Array, output: Array, sources: int, columns: int) -> float:
    count = neurons.size
    tried = [_Contents(*_alone(item, count, columns)) for item in items]
    best = 0.0
    for _ in range(_ROUNDS):
        rows = np.stack([np.concatenate([k.neurons, k.copies - k.reads]) for k in tried], axis=1)
        missing = np.concatenate([np.zeros((count, count)), np.eye(count)])
        cost = np.concatenate([np.ones(len(tried)), np.full(count, _MISSING)])
        needed = np.concatenate([neurons, output])
        solved = linprog(cost, -np.hstack([rows, missing]), -needed, bounds=(0, None), method="highs")
        if solved.status != 0:
            break
        dual = np.maximum(-solved.ineqlin.marginals, 0.0)
        most, contents = _most(items, dual[:count], dual[count:], sources, columns)
        best = max(best, float(needed @ dual) / max(1.0, most))
        if most <= 1 + _TOLERANCE:
            break
        tried.append(contents)
    return best


def _alone(item: _Item, count: int, columns: int) -> tuple[Array, Array, Array]:
    """Neurons, copies and reads of a core that holds one item, all other columns copies of it."""
    neurons, copies = np.zeros(count), np.zeros(count)
    neurons[item.population] = item.neurons
    copies[item.population] = columns / item.columns
    return neurons, copies, item.reads


def _most(items: list[_Item], neuron: Array, copy: Array, sources: int, columns: int) -> tuple[float, _Contents]:
    """The contents of a core that are worth most, at these values of a neuron and of a copy by population."""
    lost = np.array([float(item.reads @ copy) for item in items])
    each = np.array([neuron[item.population] + copy[item.population] for item in items])
    values = np.array([item.neurons for item in items]) * each - lost
    worth, choice = _knapsack(items, values, sources, columns)
    best, found = 0.0, (-1, 0, 0.0)
    for at, item in enumerate(items):
        # Columns of the others; the rest takes copies of this population, or this item is the one not held in full.
        left = np.arange(columns + 1)
        row = worth[sources - item.sources]
        full = item.neurons * item.columns
        held = np.minimum((columns - left) / item.columns, item.neurons)
        more = np.maximum((columns - full - left) / item.columns, 0.0)
        value = row - lost[at] + held * each[at] + more * copy[item.population]
        top = int(np.argmax(value))
        if value[top] > best:
            best, found = float(value[top]), (at, top, float(held[top]))
    at, others, taken = found
    neurons, copies, reads = np.zeros(neuron.size), np.zeros(neuron.size), np.zeros(neuron.size)
    if at < 0:
        return 0.0, _Contents(neurons, copies, reads)
    room, used = sources - items[at].sources, others
    last = items[at]
    neurons[last.population] += taken
    # The columns that others leave are copies of what is held last, or neurons of it.
    copies[last.population] += (columns - others) / last.columns if taken == last.neurons else taken
    reads += last.reads
    while room >= 0:
        k = int(choice[room, used])
        if k < 0:
            room -= 1
            continue
        item = items[k]
        neurons[item.population] += item.neurons
        copies[item.population] += item.neurons
        reads += item.reads
        room, used = room - item.sources, used - item.neurons * item.columns
    return best, _Contents(neurons, copies, reads)


def _knapsack(items: list[_Item], values: Array, sources: int, columns: int) -> tuple[Array, Array]:
    """The largest worth of items that fit s sources and c columns, (sources + 1, columns + 1), and the item added last
    (-1 where one source fewer is worth as much)."""
    useful = np.flatnonzero(values > 0)
    takes = np.array([(items[k].sources, items[k].neurons * items[k].columns) for k in useful], np.int64).reshape(-1, 2)
    worth, choice = _filled(takes, values[useful], sources, columns)
    return worth, np.where(choice < 0, -1, useful[choice] if useful.size else -1)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _filled(takes: Array, values: Array, sources: int, columns: int) -> tuple[Array, Array]:
    """takes (items, 2): sources and columns of each."""
    worth = np.zeros((sources + 1, columns + 1))
    choice = np.full((sources + 1, columns + 1), -1, np.int64)
    for room in range(sources + 1):
        if room:
            worth[room] = worth[room - 1]
        # Upwards, so that what takes no axon of its own is added as often as columns let it.
        for left in range(columns + 1):
            for k in range(len(takes)):
                if takes[k, 0] <= room and takes[k, 1] <= left:
                    value = worth[room - takes[k, 0], left - takes[k, 1]] + values[k]
                    if value > worth[room, left]:
                        worth[room, left] = value
                        choice[room, left] = k
    return worth, choice


def _seen(graph: Graph, population: Population) -> dict[str, Array]:
    """By projection, the fewest sources that any 1, 2, ... neurons of a population see, of one group of channels where
    groups see different sources."""
    wires = incoming(graph, population)
    largest = _unit(mapped_shape(graph, population), wires)
    return {wire.name: _fewest(wire, np.arange(1, largest + 1), largest) for wire in wires}


def _shares(
    graph: Graph, populations: tuple[Population, ...], seen: list[dict[str, Array]], most: int
) -> list[list[dict[str, float]]]:
    """By source, ways to share out the axons for it among the projections that read it: neurons that read the same one
    on one core have them once, so that any shares that add up to 1 are right for all contents. Where no two
    populations that read it have room on one core, each has them all."""
    result: list[list[dict[str, float]]] = []
    readers: dict[str, dict[int, list[str]]] = {}
    for at, population in enumerate(populations):
        for wire in incoming(graph, population):
            readers.setdefault(wire.inputs[0], {}).setdefault(at, []).append(wire.name)
    least: list[dict[str, float]] = []
    for population, fields in zip(populations, seen, strict=True):
        each: dict[str, float] = {}
        for wire in incoming(graph, population):
            each[wire.inputs[0]] = max(each.get(wire.inputs[0], 0.0), float(fields[wire.name][0]))
        least.append(each)
    for by_population in readers.values():
        meet = any(
            sum(max(least[a].get(name, 0.0), least[b].get(name, 0.0)) for name in {*least[a], *least[b]}) <= most
            for a, b in combinations(by_population, 2)
        )
        # Groups of projections among which the axons are shared out.
        groups = [[w for wires in by_population.values() for w in wires]] if meet else list(by_population.values())
        ways = [
            [dict.fromkeys(group, 1 / len(group)), *({w: float(w == one) for w in group} for one in group)]
            if len(group) > 1 else [{group[0]: 1.0}]
            for group in groups
        ]  # fmt: skip
        result += ways
    return result


def _items(
    graph: Graph, profile: Profile, populations: tuple[Population, ...], at: int, seen: dict[str, Array],
    share: dict[str, float], sources: int, most: int,
) -> list[_Item]:  # fmt: skip
    """For each number of sources, the neurons of a population that see no more, at most `most`."""
    population = populations[at]
    number = {p.name: k for k, p in enumerate(populations)}
    length = len(next(iter(seen.values())))
    total, reads = np.zeros(length), np.zeros((length, len(populations)))
    for wire in incoming(graph, population):
        own = seen[wire.name] * share[wire.name]
        total += own
        if not isinstance(graph[wire.inputs[0]], Input):
            reads[:, number[wire.inputs[0]]] += own * axons_per_source(profile)
    width = bits_of(graph, population, profile)
    # A neuron whose axons all count with others still takes its place; 1e-9 is for thirds.
    return [
        _Item(at, min(k + 1, most), int(total[k] + 1e-9), width, reads[k])
        for k in range(length)
        if most and total[k] <= sources + 1e-9 and (k + 1 == length or total[k + 1] > total[k])
    ]


def _unit(shape: tuple[int, ...], wires: tuple[Projection, ...]) -> int:
    """Neurons of the largest group of channels of any projection, of which others make whole parts; all where they do
    not, or one projection is dense."""
    groups = [
        size(shape) if w.geometry is None else size(w.geometry.out_shape) // w.geometry.groups for w in wires
    ]  # fmt: skip
    largest = max(groups)
    return largest if all(largest % group == 0 for group in groups) else size(shape)


def _fewest(wire: Projection, counts: Array, largest: int) -> Array:
    """For each number of neurons in `counts`, the fewest sources that these neurons of a unit see by one projection."""
    g = wire.geometry
    if g is None:
        return np.full(counts.size, float(wire.weight.shape[1]))
    outputs, inputs = g.out_shape[0] // g.groups, g.in_shape[0] // g.groups
    positions = size(g.out_shape[1:])
    seen = inputs * least_seen(wire, min(positions, max(1, -(-largest // outputs))))
    if outputs * positions >= largest:
        result: Array = seen[-(-counts // outputs)]
        return result
    if positions == 1:
        result = inputs * np.ceil(counts / outputs)
        return result
    # Several groups: each of its own sources, as many as the best ratio asks for.
    share = float((seen[1:] / (outputs * np.arange(1, seen.size))).min())
    result = np.maximum(seen[1], np.ceil(counts * share - 1e-9))
    return result
