from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from tern2lava.compiler.ir.shapes import Array, Ints
from tern2lava.compiler.mapper.regroup import groups
from tern2lava.compiler.mapper.regroup.annealing import annealed, move, tables
from tern2lava.compiler.mapper.regroup.groups import order_of, regroup
from tern2lava.compiler.mapper.regroup.task import Capacity, Task, task_of
from tern2lava.errors import CapacityError, InputError


def axons(reads: Array, group: Ints) -> list[int]:
    """Sources that each group reads, counted with sets."""
    return [
        len({s for v in np.flatnonzero(group == g) for s in np.flatnonzero(reads[v])}) for g in range(group.max() + 1)
    ]


def grouped(reads: Array, capacity: Capacity, **options: Any) -> Ints:
    return regroup(csr_matrix(reads), capacity, spikes=np.ones(reads.shape[1]), **options)


def shuffled(reads: Array, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    result: Array = reads[rng.permutation(reads.shape[0])][:, rng.permutation(reads.shape[1])]
    return result


def clusters(count: int, size: int) -> Array:
    result: Array = np.kron(np.eye(count, dtype=np.int8), np.ones((size, size), np.int8))
    return result


def band(neurons: int, reach: int) -> Array:
    at = np.arange(neurons)
    result: Array = (abs(at[:, None] - at) <= reach).astype(np.int8)
    return result


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 9), size=st.integers(1, 8), spare=st.integers(0, 5), seed=st.integers(0, 99))
def test_planted_clusters_are_found_again_in_any_order(count: int, size: int, spare: int, seed: int) -> None:
    reads = shuffled(clusters(count, size), seed)
    group = grouped(reads, Capacity(neurons=size + spare))
    # Each cluster's sources have their axons once, and no group is larger than a core.
    assert sum(axons(reads, group)) == count * size
    assert np.bincount(group).max() <= size + spare


@pytest.mark.parametrize("seed", range(3))
def test_clusters_of_a_core_are_found_again_under_random_connections(seed: int) -> None:
    rng = np.random.default_rng(seed)
    where = rng.permutation(np.repeat(np.arange(6), 20))
    reads = (where[:, None] == where) | (rng.random((120, 120)) < 0.01)
    group = grouped(reads, Capacity(neurons=20))
    assert len({(a, b) for a, b in zip(where, group, strict=True)}) == 6


@pytest.mark.parametrize("seed", range(3))
def test_a_band_in_any_order_takes_the_axons_of_runs_in_order(seed: int) -> None:
    in_order = sum(axons(band(120, 3), np.arange(120) // 20))
    assert in_order == 6 * 20 + 5 * 2 * 3
    reads = shuffled(band(120, 3), seed)
    assert sum(axons(reads, grouped(reads, Capacity(neurons=20)))) == in_order


def test_groups_of_a_band_are_numbered_along_it() -> None:
    rng = np.random.default_rng(3)
    where = rng.permutation(120)
    group = grouped(band(120, 3)[where][:, where], Capacity(neurons=20))
    middle = [where[group == number].mean() for number in range(6)]
    assert middle in (sorted(middle), sorted(middle, reverse=True))


@settings(max_examples=25, deadline=None)
@given(data=st.data(), neurons=st.integers(1, 24), sources=st.integers(0, 20), seed=st.integers(0, 99))
def test_every_neuron_has_one_group_that_a_core_holds(
    data: st.DataObject, neurons: int, sources: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    reads = (rng.random((neurons, sources)) < 0.3).astype(np.int8)
    bits = rng.integers(0, 9, neurons)
    fan_in = int(reads.sum(axis=1).max(initial=1))
    capacity = Capacity(
        neurons=data.draw(st.integers(1, neurons)), axons=data.draw(st.integers(fan_in, fan_in + 2)),
        bits=data.draw(st.integers(8, 60)),
    )  # fmt: skip
    own = rng.integers(-1, neurons, sources)
    group = grouped(reads, capacity, bits=bits, own=own, effort=10_000)
    assert group.shape == (neurons,)
    assert set(group.tolist()) == set(range(group.max() + 1))
    assert np.bincount(group).max() <= capacity.neurons
    assert max(axons(reads, group)) <= (capacity.axons or 0)
    assert np.bincount(group, weights=bits).max() <= (capacity.bits or 0)
    assert (grouped(reads, capacity, bits=bits, own=own, effort=10_000) == group).all()
    assert sorted(order_of(group).tolist()) == list(range(neurons))
    assert (np.diff(group[order_of(group)]) >= 0).all()


def counted(task: Task, spikes: Array, group: Ints) -> float:
    """The cost by sets: an axon for each (source, group), and its spikes where the source is no neuron of the group."""
    reads = task.reads.toarray()
    total = 0.0
    for source in range(reads.shape[1]):
        reached = {int(group[v]) for v in np.flatnonzero(reads[:, source])}
        home = int(group[task.own[source]]) if task.own[source] >= 0 else -1
        total += len(reached) + len(reached - {home}) * spikes[source] / spikes.mean()
    return total


@pytest.mark.parametrize("seed", range(4))
def test_the_cost_is_axons_and_the_spikes_that_reach_other_groups_and_annealing_lowers_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reads = csr_matrix((rng.random((30, 30)) < 0.2).astype(np.int8))
    spikes = rng.random(30) + 0.1
    task = task_of(reads, Capacity(neurons=8, axons=24), spikes, own=np.arange(30))
    start = np.arange(30) // 6
    found = annealed(task, start, seed, 1_000_000)
    assert task.cost(start) == pytest.approx(counted(task, spikes, start))
    assert task.cost(found) == pytest.approx(counted(task, spikes, found))
    assert task.cost(found) < 0.97 * task.cost(start)


def test_each_move_changes_the_cost_and_what_groups_hold_as_counted_anew() -> None:
    rng = np.random.default_rng(8)
    reads = csr_matrix((rng.random((20, 26)) < 0.2).astype(np.int8))
    task = task_of(reads, Capacity(neurons=20), rng.random(26), rng.integers(-1, 20, 26), rng.integers(0, 9, 20))
    group = np.arange(20) % 4
    held = tables(task, group)
    cost = task.cost(group)
    for _ in range(200):
        cost += move(int(rng.integers(20)), int(rng.integers(4)), *held)
        moved = held[7]
        assert cost == pytest.approx(task.cost(moved))
        anew = tables(task, moved)
        assert all((a[: b.size] == b).all() for a, b in zip(held[9:], anew[9:], strict=True))


def test_groups_too_many_to_be_held_at_once_are_annealed_in_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    reads = (rng.random((60, 40)) < 0.1).astype(np.int8)
    monkeypatch.setattr(groups, "HELD", 40 * 3)
    monkeypatch.setattr(groups, "_ANNEALED", 4)
    found = grouped(reads, Capacity(neurons=6))
    assert np.bincount(found).tolist() == [6] * 10
    assert sum(axons(reads, found)) < 0.9 * sum(axons(reads, np.arange(60) // 6))


def test_clusters_share_a_core_as_far_as_its_axons_go() -> None:
    # Five clusters of two neurons that read three sources each: neurons of all fit on one core, axons of two.
    reads = np.kron(np.eye(5, dtype=np.int8), np.ones((2, 3), np.int8))
    found = grouped(reads, Capacity(neurons=10, axons=7))
    assert sorted(axons(reads, found)) == [3, 6, 6]


def test_a_source_counts_by_its_spikes() -> None:
    # Neurons 0 and 1 share source 0, 1 and 2 source 1, 2 and 3 source 2; two groups of two cut one pair's source.
    reads = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])
    quiet = regroup(csr_matrix(reads), Capacity(neurons=2, groups=2), spikes=np.array([9.0, 1.0, 9.0]))
    assert quiet[0] == quiet[1] != quiet[2] == quiet[3]
    # A source between two pairs that spikes most is kept whole, whatever lies beside it.
    loud = regroup(csr_matrix(reads), Capacity(neurons=2, groups=2), spikes=np.array([1.0, 90.0, 1.0]))
    assert loud[1] == loud[2]


def test_what_no_core_holds_is_refused_by_name() -> None:
    with pytest.raises(CapacityError, match="neuron 1: needs 3 input axons, the target has 2"):
        grouped(np.array([[1, 0, 0], [1, 1, 1]]), Capacity(neurons=4, axons=2))
    with pytest.raises(CapacityError, match="the neurons: needs 3 groups, the target has 2"):
        grouped(np.eye(6, dtype=np.int8), Capacity(neurons=2, groups=2))
    with pytest.raises(InputError, match="spikes: requires 2 finite numbers of at least 0"):
        regroup(csr_matrix(np.eye(2)), Capacity(neurons=2), spikes=np.ones(3))
