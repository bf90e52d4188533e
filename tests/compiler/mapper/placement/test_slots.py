from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nets import variant
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.mapper.placement.algorithms import PLACEMENTS, SMALL
from tern2lava.compiler.mapper.placement.curves import hilbert_index
from tern2lava.compiler.mapper.placement.exact import prove
from tern2lava.compiler.mapper.placement.hypergraph import AT_ONCE
from tern2lava.compiler.mapper.placement.problem import Problem
from tern2lava.compiler.mapper.placement.slots import Location, location, place, problem, router_positions
from tern2lava.errors import CapacityError, InputError
from tern2lava.hw_profiles import Profile, load_profile

OPTIONAL = {"exact": "ortools", "mtkahypar": "mtkahypar"}


def task(cores: int, seed: int = 0, profile: Profile | None = None, **options: Any) -> Problem:
    """Random sparse traffic, layers of five cores that feed the next, the first fed by the host."""
    rng = np.random.default_rng(seed)
    source, target = np.nonzero(rng.random((cores, cores)) < 0.1)
    layers = [(a, b) for a in range(cores) for b in range(cores) if b // 5 == a // 5 + 1]
    source = np.concatenate([source, [a for a, _ in layers], np.full(min(5, cores), -1)]).astype(np.int64)
    target = np.concatenate([target, [b for _, b in layers], np.arange(min(5, cores))]).astype(np.int64)
    spikes = rng.integers(1, 100, source.size).astype(float)
    return problem(profile or load_profile("generic-ternary"), cores, source, target, spikes, **options)


def test_cores_are_numbered_chip_by_chip_and_row_by_row() -> None:
    loihi1 = load_profile("loihi1")
    assert location(loihi1, 0) == Location(0, 0, 0, 0)
    assert location(loihi1, 5) == Location(0, 0, 1, 1)
    assert location(loihi1, 4 * 8 + 3) == Location(0, 1, 0, 3)
    assert location(loihi1, 128 + 127) == Location(1, 3, 7, 3)


def test_router_positions_count_across_chips() -> None:
    loihi1 = load_profile("loihi1")
    cores = np.array([0, 127, 128, 128 * 32, 128 * 32 * 24 - 1])
    row, col, chip = router_positions(loihi1, cores)
    assert row.tolist() == [0, 3, 0, 4, 24 * 4 - 1]
    assert col.tolist() == [0, 7, 8, 0, 32 * 8 - 1]
    assert chip.tolist() == [0, 0, 1, 32, 767]


def test_linear_placement_takes_the_first_cores_in_order() -> None:
    assert place(task(5), "linear").core.tolist() == [0, 1, 2, 3, 4]


def test_an_unknown_algorithm_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="placement: requires the name of a placement; found 'best'"):
        place(task(1), "best")


def test_a_hilbert_curve_visits_every_cell_once_and_each_next_to_the_last() -> None:
    row, col = (a.reshape(-1) for a in np.mgrid[0:16, 0:16])
    order = np.argsort(hilbert_index(row, col))
    assert sorted(hilbert_index(row, col).tolist()) == list(range(256))
    steps = np.abs(np.diff(row[order])) + np.abs(np.diff(col[order]))
    assert (steps == 1).all()


def slow_cost(t: Problem, slot: Array) -> float:
    """The cost as its definition says, route by route."""
    at = t.coordinates
    total = 0.0

    def far(a: Array, b: Array) -> float:
        return float(abs(a[0] - b[0]) + abs(a[1] - b[1]) + t.chip_hops * (abs(a[2] - b[2]) + abs(a[3] - b[3])))

    for core in range(t.cores):
        total += float(t.host[core]) * far(at[slot[core]], t.host_at)
        for k in range(t.first[core], t.first[core + 1]):
            if t.neighbour[k] > core:
                total += float(t.weight[k]) * far(at[slot[core]], at[slot[t.neighbour[k]]])
    return total


@pytest.mark.parametrize("name", sorted(PLACEMENTS))
@pytest.mark.parametrize("cores", [1, 2, 3, 11])
def test_every_algorithm_gives_each_core_a_slot_of_its_own_and_the_same_again(name: str, cores: int) -> None:
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name], reason=f"{OPTIONAL[name]} is not installed")
    t = task(cores, profile=variant("tiny", system__mesh_rows=2, system__mesh_cols=3) if name == "exact" else None)
    if name == "exact" and cores > 3:
        pytest.skip("the proof has a test of its own")
    slot = PLACEMENTS[name](t, 3)
    assert t.legal(slot)
    np.testing.assert_array_equal(slot, PLACEMENTS[name](t, 3))
    assert t.cost(slot) == pytest.approx(slow_cost(t, slot))
    assert place(t, name, 3).cost == pytest.approx(slow_cost(t, slot))


def test_auto_is_never_worse_than_any_other_and_search_better_than_its_start() -> None:
    for cores in (20, 60):
        t = task(cores, seed=cores)
        costs = {name: place(t, name).cost for name in sorted(PLACEMENTS) if name not in OPTIONAL}
        assert costs["auto"] == min(costs.values())
        assert costs["search"] < costs["hilbert"]
        assert costs["auto"] < 0.7 * costs["random"]


def test_auto_is_not_worse_than_mtkahypar() -> None:
    pytest.importorskip("mtkahypar", reason="mtkahypar is not installed")
    t = task(40, seed=1)
    assert place(t, "auto").cost <= place(t, "mtkahypar").cost


def test_a_proof_agrees_with_trying_every_placement() -> None:
    pytest.importorskip("ortools", reason="ortools is not installed")
    from itertools import permutations

    t = task(5, seed=4, profile=variant("tiny", system__mesh_rows=2, system__mesh_cols=3, system__chip_cols=1))
    assert t.slots == 6
    best = min(t.cost(np.array(p)) for p in permutations(range(6), 5))
    proof = prove(t)
    assert proof.optimal
    assert t.cost(proof.slot) == pytest.approx(best, rel=1e-3)
    assert 0.98 * best <= proof.bound <= best
    assert place(t, "auto").cost == pytest.approx(best)


def test_pinned_cores_lie_on_their_chip_and_spare_cores_stay_free() -> None:
    profile = load_profile("tiny")
    chips = [-1] * 20
    chips[3] = chips[4] = 1
    t = task(20, profile=profile, chips=chips, spare=2)
    for name in sorted(set(PLACEMENTS) - set(OPTIONAL)):
        core = place(t, name).core
        assert (core[3:5] // 16 == 1).all()
        assert (core % 16 < 14).all()
    free = task(20, profile=profile, spare=2)
    assert place(free, "linear").core.tolist() == [*range(14), *range(16, 22)]


def test_too_many_cores_or_pins_are_refused_with_the_numbers() -> None:
    profile = load_profile("tiny")
    with pytest.raises(CapacityError, match="needs 33 cores, the target has 32"):
        task(33, profile=profile)
    with pytest.raises(CapacityError, match="needs 17 cores pinned to it, the target has 16"):
        task(17, profile=profile, chips=[1] * 17)
    with pytest.raises(CapacityError, match="pin to chip 9"):
        task(2, profile=profile, chips=[9, -1])


def test_a_chip_border_is_dearer_than_a_hop() -> None:
    profile = load_profile("tiny")
    source, target = np.arange(16), np.arange(16) + 16
    t = problem(profile, 32, source, target, np.ones(16))
    slot = place(t, "auto").core
    # 16 pairs on 32 slots: every pair fits on one chip.
    assert (slot[source] // 16 == slot[target] // 16).all()


def test_mt_kahypar_maps_any_number_of_cores_and_better_than_it_finds_them() -> None:
    pytest.importorskip("mtkahypar", reason="mtkahypar is not installed")
    for cores in (AT_ONCE + 1, 230):
        # Neighbours on a line of cores, in an order that says nothing of it.
        line = np.random.default_rng(cores).permutation(cores)
        t = problem(load_profile("hala-point"), cores, line[:-1], line[1:], np.ones(cores - 1))
        slot = PLACEMENTS["mtkahypar"](t, 0)
        assert t.legal(slot)
        np.testing.assert_array_equal(slot, PLACEMENTS["mtkahypar"](t, 0))
        assert t.cost(slot) < 0.4 * place(t, "hilbert").cost
        assert place(t, "auto").cost <= t.cost(slot)


def test_distances_are_those_between_the_slots_asked_for() -> None:
    t = task(20, profile=load_profile("tiny"))
    slots = np.array([3, 17, 30])
    at = t.coordinates[slots]
    apart = np.abs(at[:, None] - at[None, :])
    want = apart[:, :, 0] + apart[:, :, 1] + t.chip_hops * (apart[:, :, 2] + apart[:, :, 3])
    np.testing.assert_array_equal(t.distances(slots), want)


def test_auto_is_not_worse_than_annealing_where_cores_are_many() -> None:
    t = task(SMALL + 40, seed=2)
    assert place(t, "auto").cost <= min(place(t, name).cost for name in ("search", "spectral", "linear"))
