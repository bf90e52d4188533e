"""Parts on chips first, then on cores: output axons that leave a chip cost more, and are counted before cores are
filled."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix

from nets import convolutions, variant
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.mapper.cost.core_cost import CostModel
from tern2lava.compiler.mapper.partition import Partition, cut_finer, partition
from tern2lava.compiler.mapper.placement.slots import location
from tern2lava.compiler.mapper.search.chip_annealing import Sharing, exchange, halve
from tern2lava.compiler.mapper.search.chip_first import by_chip
from tern2lava.compiler.options import MapOptions
from tern2lava.hw_profiles import Profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare


def target(**changed: Any) -> Profile:
    """Loihi's rules of output axons (2 entries, 3 to another chip) on chips of 12 small cores."""
    small = {
        "core__neurons": 64, "core__out_axons": 200, "core__in_axons": 512, "core__synapse_memory": 1 << 16,
        "system__mesh_rows": 3, "system__mesh_cols": 1, "system__cores_per_router": 4, "system__chip_rows": 4,
        "system__chip_cols": 4, "routing__out_axon_model": "edges", "routing__shared_cost": 2,
        "routing__offchip_cost": 1,
    }  # fmt: skip
    return variant("tiny", **(small | changed))


def network(layers: int = 3, channels: int = 4) -> Graph:
    return convolutions(layers, channels, 12)


@cache
def found(**options: Any) -> Mapped:
    return map_program(network(), target(), MapOptions(**options))


def chips_of(mapping: Mapped) -> list[int]:
    return [location(target(), int(core)).chip for core in mapping.placement.core]


def test_fewer_cores_are_taken_than_where_every_axon_is_counted_as_leaving() -> None:
    every = partition(network(), target(), MapOptions(), all_edges_leave_chip=True)
    assert found().partition.cores < every.cores
    assert len(set(chips_of(found()))) > 1


def test_no_core_has_more_output_axons_than_it_holds_and_no_chip_more_cores() -> None:
    mapping = found()
    assert mapping.routing.out_axons.max() <= 200
    # What the partition counted is what the routes take: chips were not changed afterwards.
    assert np.array_equal(mapping.routing.out_axons, mapping.partition.used["out_axons"])
    assert max(np.bincount(chips_of(mapping))) <= 12
    # Without counting, some core would have had too many.
    loose = map_program(network(), target(routing__offchip_cost=0), MapOptions())
    assert loose.partition.cores < mapping.partition.cores


def test_every_neuron_lies_on_one_core() -> None:
    count = {p.name: np.zeros(p.shape, int) for p in network().of_kind(Population)}
    for part in found().partition.parts:
        part.box.select(count[part.population])[...] += 1
    assert all((times == 1).all() for times in count.values())


def test_what_is_mapped_spikes_as_the_network() -> None:
    graph, mapping = network(), found()
    rng = np.random.default_rng(1)
    inputs = {"in": rng.integers(0, 2, (2, 8, 1, 12, 12))}
    whole = integer.run(graph, inputs)
    assert 0 < whole.spikes["n2"].mean() < 1
    assert compare({"I": whole, "images": mapped.run(mapping.images, mapping.host_image, inputs)}, graph).equal


def test_spare_cores_and_pins_are_kept() -> None:
    spared = found(spare_cores=1)
    assert max(np.bincount(chips_of(spared))) <= 11
    pinned = map_program(network(5, 2), target(), MapOptions(pins=(("n3", 9),)))
    chips = chips_of(pinned)
    assert {chips[part.core] for part in pinned.partition.parts if part.population == "n3"} == {9}
    assert pinned.routing.out_axons.max() <= 200


def test_where_too_few_chips_are_left_the_network_is_refused_or_cut_otherwise() -> None:
    graph, profile, options = network(), target(system__chip_rows=1, system__chip_cols=1), MapOptions()
    model = CostModel(graph, target(), options.encodings)
    cut = partition(graph, target(), options)
    assert by_chip(graph, profile, options, model, [cut]) is None


def test_of_the_first_two_cuts_that_chips_can_share_out_the_one_of_fewer_cores_is_taken() -> None:
    graph, profile, options = network(), target(), MapOptions()
    model = CostModel(graph, profile, options.encodings)
    cuts = list(cut_finer(graph, options, model, partition(graph, profile, options), (0.75, 0.3)))
    alone = [by_chip(graph, profile, options, model, [cut]) for cut in cuts]
    cores = [each.partition.cores for each in alone if each is not None]
    assert len(set(cores)) == 2
    for order in (cuts, cuts[::-1]):
        together = by_chip(graph, profile, options, model, order)
        assert together is not None
        assert together.partition.cores == min(cores)


def test_sharing_parts_out_among_chips_is_a_stage_of_its_own() -> None:
    told: list[str] = []
    map_program(network(), target(), progress=lambda stage, *_: told.append(stage))
    assert list(dict.fromkeys(told)) == ["partition", "placement", "routes", "partition by chips", "core images"]


def test_finer_cuts_leave_output_axons_free() -> None:
    graph, profile, options = network(), target(), MapOptions(share_cores=False)
    model = CostModel(graph, profile, options.encodings)
    cut: Partition = partition(graph, profile, options)
    for share, finer in zip((0.75, 0.5), cut_finer(graph, options, model, cut, (0.75, 0.5)), strict=True):
        assert max(part.used["out_axons"] for part in finer.parts) <= share * 200
        assert finer.limit == cut.limit


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), chips=st.integers(1, 5), parts=st.integers(1, 40))
def test_exchanged_parts_cost_no_more_and_pinned_ones_stay(seed: int, chips: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, parts, (4 * parts, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    edges = coo_matrix((rng.integers(1, 50, len(pairs)), pairs.T), shape=(parts, parts)).tocsr()
    edges.sum_duplicates()
    pins = np.where(rng.random(parts) < 0.2, rng.integers(0, chips, parts), -1)
    task = Sharing(edges, rng.integers(-20, 200, parts), rng.random((parts, 4)), pins)
    begin = halve(task, chips, 0)
    assert ((begin >= 0) & (begin < chips)).all()
    room = np.full(chips, float(parts))
    after = exchange(task, begin, room, 4096, seed=0)
    assert (after[pins >= 0] == pins[pins >= 0]).all()
    assert np.array_equal(after, exchange(task, begin, room, 4096, seed=0))

    def cost(chip: np.ndarray[Any, Any]) -> float:
        leaving = task.leaving(chip)
        across = chip[edges.nonzero()[0]] != chip[edges.nonzero()[1]]
        assert leaving.sum() == edges.data[across].sum()
        return float(leaving.sum() + 16 * np.maximum(leaving - task.room, 0).sum())

    assert cost(after) <= cost(begin) + 16 * np.maximum(-task.room, 0).sum()


def test_parts_that_talk_are_put_on_one_chip() -> None:
    # Four cliques of six parts, and one edge from each to the next.
    parts = np.arange(24)
    pairs = [(a, b) for a in parts for b in parts if a != b and a // 6 == b // 6] + [(5, 6), (11, 12), (17, 18)]
    edges = coo_matrix((np.full(len(pairs), 10), np.array(pairs).T), shape=(24, 24)).tocsr()
    shuffled = np.random.default_rng(0).permutation(24)
    task = Sharing(edges[shuffled][:, shuffled], np.full(24, 1000), np.ones((24, 1)), np.full(24, -1))
    chip = exchange(task, halve(task, 4, 0), np.full(4, 6.0), 100, seed=0)
    assert task.leaving(chip).sum() == 30
    assert np.bincount(chip).tolist() == [6, 6, 6, 6]


def test_other_objectives_keep_the_limit_too() -> None:
    assert found(objective="traffic").routing.out_axons.max() <= 200
