"""Neurons moved between placed cores: fewer hops, as counted again from scratch."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from nets import integer_graph, neurons, sparse_codes, variant
from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import Graph, Input, Projection
from tern2lava.compiler.ir.shapes import Ints, Reals, frozen
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.mapper.placement.slots import router_positions
from tern2lava.compiler.mapper.regroup.placed import Placed, moved
from tern2lava.compiler.options import MapOptions
from tern2lava.effort import EFFORTS
from tern2lava.hw_profiles import Profile
from tern2lava.prove.program import program_of
from tern2lava.prove.run import prove_images

Place = tuple[int, int]


def path(begin: Place, end: Place) -> set[tuple[Place, Place]]:
    """Links of a way along x and then along y, router by router; places are (row, column)."""
    (row, column), (to_row, to_column) = begin, end
    step = 1 if to_column > column else -1
    routers = [(row, x) for x in range(column, to_column + step, step)] if column != to_column else [begin]
    step = 1 if to_row > row else -1
    routers += [(y, to_column) for y in range(row + step, to_row + step, step)] if row != to_row else []
    return set(pairwise(routers))


def links(begin: Place, ends: Iterable[Place], joined: bool) -> int:
    """Links that a spike passes to reach all its ends."""
    ways = [path(begin, end) for end in ends]
    return len(set().union(*ways)) if joined else sum(map(len, ways))


def scene(rng: np.random.Generator, side: int, count: int, joined: bool) -> tuple[Placed, Ints]:
    weight = csr_matrix(rng.random((count, count + 3)) < 0.2)
    line = np.abs(np.arange(side)[:, None] - np.arange(side)).astype(float)
    at = np.array([(x, y) for y in range(side) for x in range(side)])
    held = (rng.random((count + 3, side * side)) < 0.05).astype(np.int32)
    task = Placed(
        first=weight.indptr.astype(np.int64), source=weight.indices.astype(np.int64),
        itself=np.concatenate([np.arange(count), [-1, -1, -1]]), home=rng.integers(0, side, (count + 3, 2)),
        spikes=rng.random(count + 3), held=held, kind=np.repeat([0, 1], [count // 2, count - count // 2]), at=at,
        room=np.full(side * side, 3), trunk=line, branch=line, joined=joined,
    )  # fmt: skip
    return task, rng.permutation(np.repeat(np.arange(side * side), 3))[:count]


def hops(task: Placed, core: Ints) -> float:
    """Hops of all sources, counted path by path."""
    total = 0.0
    for source, spikes in enumerate(task.spikes.tolist()):
        own = int(task.itself[source])
        x, y = task.at[core[own]].tolist() if own >= 0 else task.home[source].tolist()
        reached = set(np.flatnonzero(task.held[source]).tolist())
        for neuron in range(core.size):
            if source in task.source[task.first[neuron] : task.first[neuron + 1]]:
                reached.add(int(core[neuron]))
        places = {(int(task.at[c][1]), int(task.at[c][0])) for c in reached}
        total += spikes * links((y, x), places, task.joined)
    return total


@pytest.mark.parametrize("joined", [False, True], ids=["copies", "multicast"])
def test_moves_lower_the_hops_that_a_count_from_scratch_finds(joined: bool) -> None:
    for seed in range(4):
        task, start = scene(np.random.default_rng(seed), 3, 14, joined)
        found, cost = moved(task, start.copy(), seed, 600)
        assert cost == pytest.approx(hops(task, found))
        assert cost < hops(task, start)
        assert np.bincount(found, minlength=9).max() <= 3
        again, _ = moved(task, start.copy(), seed, 600)
        assert again.tolist() == found.tolist()


def network(count: int = 24) -> Graph:
    rng = np.random.default_rng(5)
    return integer_graph(
        Input(name="in", shape=(4,)),
        Projection(name="w", inputs=("in",), weight=sparse_codes(rng, count, 4, zeros=0.7), gain=frozen(64, np.int64)),
        Projection(
            name="r", inputs=("h",), weight=sparse_codes(rng, count, count, zeros=0.85), gain=frozen(64, np.int64)
        ),
        neurons("h", ("w", "r"), (count,), threshold=frozen(60, np.int64)),
        Projection(name="o", inputs=("h",), weight=sparse_codes(rng, 4, count, zeros=0.6), gain=frozen(64, np.int64)),
        neurons("q", "o", (4,), start=1),
    )


def mesh(multicast: bool) -> Profile:
    return variant(
        "tiny", core__neurons=4, system__mesh_rows=3, system__mesh_cols=3, system__chip_rows=1, system__chip_cols=1,
        system__cores_per_router=1, routing__multicast=multicast,
    )  # fmt: skip


def counted(program: Mapped, rates: dict[str, Reals], multicast: bool) -> float:
    """Hops of a mapping, neuron by neuron, from its images."""
    images = [decode_core(data) for data in (program.host_image, *program.images)]
    number = np.array([image.core for image in images])
    row, column, _ = router_positions(program.profile, number)
    reached: dict[tuple[str, int], list[Place]] = {}
    begin: dict[tuple[str, int], Place] = {}
    for index, image in enumerate(images):
        at = (int(row[index]), int(column[index])) if index else (0, 0)
        for route in image.routes:
            group = image.groups[route.group]
            target = int(np.flatnonzero(number[1:] == route.core)[0]) + 1
            for neuron in set(group.box.flat().tolist()) & set(route.box.flat().tolist()):
                begin[group.name, neuron] = at
                reached.setdefault((group.name, neuron), []).append((int(row[target]), int(column[target])))
    return sum(float(rates[k[0]][k[1]]) * links(begin[k], ends, multicast) for k, ends in reached.items())


@pytest.mark.parametrize("multicast", [False, True], ids=["copies", "multicast"])
def test_the_objective_counts_the_links_that_spikes_pass_on_the_target(multicast: bool) -> None:
    graph = network()
    rng = np.random.default_rng(0)
    rates = {"in": rng.random(4), "h": rng.random(24), "q": rng.random(4)}
    if not multicast:
        # Of copies, a part's neurons are counted by their mean.
        rates = {name: np.full(each.size, each.mean()) for name, each in rates.items()}
    costs = []
    for effort in ("quick", "normal"):
        program = map_program(graph, mesh(multicast), MapOptions(objective="traffic"), rates, effort=EFFORTS[effort])
        assert program.quality.cost == pytest.approx(counted(program, rates, multicast))
        assert prove_images(program.images, program.host_image, program_of(*graph_document(graph))).proven
        costs.append(program.quality.cost)
    fewest = map_program(graph, mesh(multicast), MapOptions(), rates)
    assert fewest.quality.cost == pytest.approx(counted(fewest, rates, multicast))
    assert costs[1] < fewest.quality.cost
