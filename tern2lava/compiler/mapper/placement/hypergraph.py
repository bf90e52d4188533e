"""Placement by Mt-KaHyPar, which partitions graphs and maps them onto a target graph (optional package)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.mapper.placement.curves import along, hilbert_order
from tern2lava.compiler.mapper.placement.problem import Problem
from tern2lava.extras import require

# Up to AT_ONCE cores are mapped all at once, in some seconds (time grows with their cube and faster). More are mapped
# onto regions of about _REGION cores, and again inside each: at most _REGIONS at a time (both numbers are tried; beyond
# _MANY cores only the last).
AT_ONCE = 96
_REGIONS = (48, 8)
_REGION = 8
_MANY = 2_000
# Weights and distances are integers there: the largest traffic, and a hop.
_TRAFFIC = 1_000
_HOP = 8
_initializer: list[Any] = []


def place_mtkahypar(problem: Problem, seed: int) -> Array:
    """Mt-KaHyPar's own mapping of the traffic graph onto the mesh, one core a slot (T. Heuer, "A Direct k-Way
    Hypergraph Partitioning Algorithm for Optimizing the Steiner Tree Metric", ALENEX 2024).

    More than AT_ONCE cores are mapped onto regions of the mesh, then onto the slots of each region; what talks to a
    region's cores from outside is fixed where it lies. Raises MissingPackageError without the package.
    """
    require("mapping", "mtkahypar")
    import mtkahypar

    order = hilbert_order(problem)
    n = problem.cores
    if n < 2 or (problem.allowed >= 0).any():
        return along(problem, order)
    slots = order[:n]
    if not _initializer:
        _initializer.append(mtkahypar.initialize(min(2, os.cpu_count() or 1), print_warnings=False))
    mtkahypar.set_seed(seed)
    if n <= AT_ONCE:
        far = np.rint(problem.distances(slots)).astype(np.int64)
        result: Array = slots[_mapped(problem.traffic(), far, np.ones(n, np.int64), np.zeros((n, 0)))]
        return result
    tried = _REGIONS if n <= _MANY else _REGIONS[-1:]
    return min((_divided(problem, slots, most) for most in tried), key=problem.cost)


def _divided(problem: Problem, slots: Array, most: int) -> Array:
    """A slot for each core: onto at most `most` regions, and from there on; large regions before smaller ones."""
    traffic, at = problem.traffic(), problem.coordinates.astype(np.float64)
    where = np.tile(at[slots].mean(axis=0), (problem.cores, 1))
    slot = np.full(problem.cores, -1, np.int64)
    todo = [(np.arange(problem.cores), slots)]
    while todo:
        cores, region = todo.pop(0)
        count = cores.size if cores.size <= most else min(most, -(-cores.size // _REGION))
        runs = np.array_split(region, count)
        centres = np.array([at[run].mean(axis=0) for run in runs])
        outside, places = _outside(problem, traffic, cores, where, at[region].mean(axis=0))
        spots = np.concatenate([centres, places])
        apart = np.abs(spots[:, None] - spots[None, :])
        far = apart[:, :, 0] + apart[:, :, 1] + problem.chip_hops * (apart[:, :, 2] + apart[:, :, 3])
        sizes = np.array([run.size for run in runs])
        block = _mapped(traffic[cores][:, cores], np.rint(_HOP * far).astype(np.int64), sizes, outside)
        where[cores] = centres[block]
        for index, run in enumerate(runs):
            mine = cores[block == index]
            if run.size > 1:
                todo.append((mine, run))
            else:
                slot[mine] = run
    return slot


def _outside(problem: Problem, traffic: csr_matrix, cores: Array, where: Array, centre: Array) -> tuple[Array, Array]:
    """What talks to these cores from outside, gathered in eight directions and the host: traffic (cores, places), and
    where each place is on the mean (places, 4)."""
    mine = np.zeros(problem.cores, bool)
    mine[cores] = True
    rows = traffic[cores].tocoo()
    away = ~mine[rows.col]
    core, other, spikes = rows.row[away], rows.col[away], rows.data[away]
    north, east = np.sign(where[other, :2] - centre[:2]).astype(np.int64).T
    direction = 3 * (north + 1) + east + 1
    load, places = np.zeros((cores.size, 10)), np.zeros((10, 4))
    np.add.at(load, (core, direction), spikes)
    np.add.at(places, direction, spikes[:, None] * where[other])
    places[:9] /= np.maximum(load[:, :9].sum(axis=0), 1e-12)[:, None]
    load[:, 9], places[9] = problem.host[cores], problem.host_at
    used = load.sum(axis=0) > 0
    return load[:, used], places[used]


def _mapped(traffic: csr_matrix, far: Array, sizes: Array, outside: Array) -> Array:
    """The block of each core. far (blocks + places, ...): distances; sizes (blocks,): cores that each is to hold;
    outside (cores, places): traffic with places, which stay where they are."""
    import mtkahypar

    kahypar = _initializer[0]
    cores, blocks, places = traffic.shape[0], sizes.size, outside.shape[1]
    context = kahypar.context_from_preset(mtkahypar.PresetType.DETERMINISTIC)
    context.set_mapping_parameters(blocks + places, 1e-9)
    context.set_individual_target_block_weights([*sizes.tolist(), *[1] * places])
    context.logging = False
    pairs = traffic.tocoo()
    upper = pairs.row < pairs.col
    core, place = np.nonzero(outside)
    ends = np.concatenate([np.stack([pairs.row[upper], pairs.col[upper]]), np.stack([core, cores + place])], axis=1).T
    spikes = np.concatenate([pairs.data[upper], outside[core, place]])
    weights = np.maximum(1, np.rint(spikes * (_TRAFFIC / spikes.max(initial=1e-9)))).astype(np.int64)
    edges = [tuple(end) for end in ends.tolist()]
    graph = kahypar.create_graph(context, cores + places, len(edges), edges, [1] * (cores + places), weights.tolist())
    if places:
        graph.add_fixed_vertices([-1] * cores + [blocks + p for p in range(places)], blocks + places)
    every = [(a, b) for a in range(blocks + places) for b in range(a + 1, blocks + places)]
    # Several cores at one router are no hop apart; a target graph's edges need a weight.
    target = kahypar.create_target_graph(
        context, blocks + places, len(every), every, [max(1, int(far[a, b])) for a, b in every]
    )
    mapped = graph.map_onto_graph(target, context)
    block = np.array([mapped.block_id(number) for number in range(cores)])
    return _filled(traffic, far, sizes, outside, block)


def _filled(traffic: csr_matrix, far: Array, sizes: Array, outside: Array, block: Array) -> Array:
    """Blocks that hold as many cores as they are to: beside fixed nodes Mt-KaHyPar keeps sizes nearly. Cores of blocks
    with too many, and those put where only fixed nodes are, go one by one to where that costs least."""
    blocks = sizes.size
    while True:
        held = np.bincount(block, minlength=far.shape[0])
        over = held.copy()
        over[:blocks] -= sizes
        short = np.flatnonzero(over[:blocks] < 0)
        if not short.size:
            return block
        movable = np.flatnonzero(over[block] > 0)
        near = traffic[movable] @ far[block][:, :blocks] + outside[movable] @ far[blocks:, :blocks]
        home = traffic[movable] @ far[block] + outside[movable] @ far[blocks:]
        change = near[:, short] - home[np.arange(movable.size), block[movable]][:, None]
        core, to = np.unravel_index(int(change.argmin()), change.shape)
        block[movable[core]] = short[to]
