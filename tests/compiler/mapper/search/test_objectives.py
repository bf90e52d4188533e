"""Objectives: each is won by its own mapping, under all limits, and every mapping computes the same."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from nets import codes, convolution, full_codes, integer_graph, neurons, variant
from tern2lava.compiler.ir.graph import Graph, Input, Node, Projection
from tern2lava.compiler.ir.shapes import Reals, frozen
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.mapper.partition import partition
from tern2lava.compiler.mapper.quality import Quality, event_times, part_work, quality
from tern2lava.compiler.mapper.routing.connections import connections
from tern2lava.compiler.mapper.routing.traffic import traffic
from tern2lava.compiler.mapper.search.by_traffic_and_load import evenly, part_traffic, repacked, together
from tern2lava.compiler.mapper.search.by_work_limit import fits, mixed
from tern2lava.compiler.mapper.search.objectives import make_plan
from tern2lava.compiler.options import OBJECTIVES, MapOptions, Objective
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.reference import integer

TARGET = variant(
    "tiny", core__neurons=64, core__in_axons=4096, core__out_axons=4096, core__synapse_memory=1 << 15,
    system__chip_rows=1, system__chip_cols=2, system__mesh_rows=4, system__mesh_cols=4,
)  # fmt: skip


def network() -> Graph:
    """Two convolutions, the second with much work and few neurons, and a dense layer."""
    rng = np.random.default_rng(0)
    a, b = (codes(rng, out, channels, 3, 3) for out, channels in ((4, 2), (2, 4)))
    return integer_graph(
        Input(name="in", shape=(2, 8, 8)),
        convolution("wa", "in", (2, 8, 8), a, padding=(1, 1, 1, 1), gain=64),
        neurons("a", "wa", (4, 8, 8)),
        convolution("wb", "a", (4, 8, 8), b, padding=(1, 1, 1, 1), gain=64),
        neurons("b", "wb", (2, 8, 8)),
        Projection(name="wc", inputs=("b",), weight=full_codes(rng, 10, 128), gain=frozen(64, np.int64)),
        neurons("c", "wc", (10,)),
    )


@cache
def found(objective: Objective, **options: Any) -> Mapped:
    return map_program(network(), TARGET, MapOptions(objective=objective, **options))


def test_each_objective_finds_the_best_of_all_in_what_it_minimises() -> None:
    all_found = {name: found(name).quality for name in OBJECTIVES}
    assert all_found["cores"].cores == min(q.cores for q in all_found.values())
    assert all_found["traffic"].cost == min(q.cost for q in all_found.values())
    assert all_found["latency"].step == min(q.step for q in all_found.values())
    assert all_found["balance"].cores == all_found["cores"].cores
    assert all_found["balance"].peak < all_found["cores"].peak
    assert all_found["latency"].step < 0.6 * all_found["cores"].step
    assert all_found["latency"].cores > all_found["cores"].cores


def test_traffic_puts_populations_that_talk_on_one_core() -> None:
    """Two chains side by side: in the order of the network, each core would hold a layer of both."""
    rng = np.random.default_rng(0)
    nodes: list[Node] = [Input(name="in", shape=(16,))]
    for name, source, inputs in (("a", "in", 16), ("b", "in", 16), ("c", "a", 32), ("d", "b", 32)):
        weight = codes(rng, 32, inputs)
        nodes += [
            Projection(name=f"w{name}", inputs=(source,), weight=weight, gain=frozen(64, np.int64)),
            neurons(name, f"w{name}", (32,)),
        ]
    graph = integer_graph(*nodes)
    in_order = partition(graph, TARGET, MapOptions())
    assert [tuple(p.population for p in parts) for parts in in_order.by_core] == [("a", "b"), ("c", "d")]
    # So few parts are filled in other ways for `cores`, too: as few cores, less traffic.
    for objective in OBJECTIVES[:2]:
        result = map_program(graph, TARGET, MapOptions(objective=objective))
        assert sorted(core.populations for core in result.core_use()) == [("a", "c"), ("b", "d")]


DECIDES: list[tuple[Objective, tuple[str, ...]]] = [
    ("cores", ("cores", "cost")),
    ("traffic", ("cost", "cores")),
    ("latency", ("step", "cost")),
    ("balance", ("cores", "peak", "cost")),
]


@pytest.mark.parametrize(("objective", "order"), DECIDES)
def test_what_an_objective_minimises_first_decides(objective: Objective, order: tuple[str, ...]) -> None:
    one = Quality(cores=1, cost=1.0, peak=1.0, mean=1.0, route=1.0, link=1.0, step=1.0)
    for at, name in enumerate(order):
        better = replace(one, **{f.name: 9 for f in fields(Quality) if f.name not in order[: at + 1]})
        assert better.rank(objective) < replace(one, **{name: 2}).rank(objective), name


def test_traffic_cuts_populations_finer_where_halves_that_talk_fit_on_one_core() -> None:
    """Each pixel of `a` feeds its own of `b`: a core for each layer sends every spike, one for each half none."""
    one = frozen(np.ones((1, 1, 1, 1)), np.int8)
    graph = integer_graph(
        Input(name="in", shape=(1, 8, 8)),
        convolution("wa", "in", (1, 8, 8), one, gain=64), neurons("a", "wa", (1, 8, 8)),
        convolution("wb", "a", (1, 8, 8), one, gain=64), neurons("b", "wb", (1, 8, 8)),
    )  # fmt: skip
    whole, halves = (map_program(graph, TARGET, MapOptions(objective=o)) for o in OBJECTIVES[:2])
    assert [core.populations for core in whole.core_use()] == [("a",), ("b",)]
    assert [core.populations for core in halves.core_use()] == [("a", "b")] * 2
    assert (whole.quality.route, halves.quality.route) == (1, 0)


@pytest.mark.parametrize("loud", ["a", "b"])
def test_measured_rates_say_which_populations_share_a_core(loud: str) -> None:
    """`c` reads `a` and `b` and has room beside one of them."""
    rng = np.random.default_rng(0)
    nodes: list[Node] = [Input(name="in", shape=(16,))]
    for name, sources in (("a", ("in",)), ("b", ("in",)), ("c", ("a", "b"))):
        wires = [
            Projection(
                name=f"{name}.{source}", inputs=(source,), weight=codes(rng, 32, 16 if source == "in" else 32),
                gain=frozen(64, np.int64),
            )
            for source in sources
        ]  # fmt: skip
        nodes += [*wires, neurons(name, tuple(wire.name for wire in wires), (32,))]
    rates = {name: np.array(0.9 if name == loud else 0.01) for name in ("in", "a", "b", "c")}
    result = map_program(integer_graph(*nodes), TARGET, MapOptions(objective="traffic"), rates)
    assert (loud, "c") in [core.populations for core in result.core_use()]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_computes_the_same_spikes_within_every_limit(objective: Objective) -> None:
    result = found(objective)
    spikes = {"in": np.random.default_rng(1).integers(0, 2, (2, 6, 2, 8, 8))}
    expected, got = integer.run(network(), spikes), mapped.run(result.images, result.host_image, spikes)
    for name, values in expected.spikes.items():
        assert values.any()
        np.testing.assert_array_equal(got.spikes[name], values)
    cores = result.partition
    covered = dict.fromkeys("abc", 0)
    for part in cores.parts:
        covered[part.population] += part.box.volume
    assert covered == {"a": 256, "b": 128, "c": 10}
    for name, used in cores.used.items():
        assert (used <= cores.limit[name]).all(), name
    assert (result.routing.out_axons <= cores.limit["out_axons"]).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_same_seed_gives_the_same_mapping(objective: Objective) -> None:
    again = map_program(network(), TARGET, MapOptions(objective=objective))
    assert again.images == found(objective).images


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_pins_hold_under_every_objective(objective: Objective) -> None:
    result = found(objective, pins=(("b", 1), ("c", 0)))
    chips: dict[str, set[int]] = {part.population: set() for part in result.partition.parts}
    for part in result.partition.parts:
        chips[part.population].add(int(result.placement.core[part.core]) // 16)
    assert chips["b"] == {1}
    assert chips["c"] == {0}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_objective_lets_parts_share_a_core_where_they_must_not(objective: Objective) -> None:
    assert all(len(parts) == 1 for parts in found(objective, share_cores=False).partition.by_core)


def test_latency_stays_on_the_chips_that_are_needed_anyway() -> None:
    result = found("latency")
    assert len({core.chip for core in result.core_use()}) == 1
    assert result.partition.cores <= 16
    spared = found("latency", spare_cores=6)
    assert spared.partition.cores <= 10


def test_measured_rates_move_the_balance() -> None:
    silent = {"in": np.array(0.9), "a": np.array(0.0), "b": np.array(0.0), "c": np.array(0.0)}
    loud = {"in": np.array(0.0), "a": np.array(0.9), "b": np.array(0.0), "c": np.array(0.0)}
    options = MapOptions(objective="latency")
    one, other = (make_plan(network(), TARGET, options, rates) for rates in (silent, loud))
    sizes = [{p.population: p.box.volume for p in plan.partition.parts} for plan in (one, other)]
    assert sizes[0]["a"] < sizes[0]["b"]
    assert sizes[1]["b"] < sizes[1]["a"]


def test_the_rate_that_is_assumed_moves_the_balance() -> None:
    """Of seldom spikes only neurons make work, of many only synapses do, and `b` has twice those of `a` a neuron."""
    for rate, ratio in ((0.001, 1), (1.0, 2)):
        parts = make_plan(network(), TARGET, MapOptions(objective="balance", rate=rate)).partition.parts
        largest = {name: max(part.box.volume for part in parts if part.population == name) for name in "ab"}
        assert largest["a"] == ratio * largest["b"]


def test_the_seed_decides_where_random_placement_puts_cores() -> None:
    places = [found("cores", placement="random", seed=seed).placement.core.tolist() for seed in (0, 1, 2)]
    assert len({tuple(place) for place in places}) == 3


def test_the_work_of_a_part_is_its_neurons_and_the_synapses_that_spikes_reach() -> None:
    graph = network()
    cores = partition(graph, TARGET, MapOptions())
    wired = connections(graph, cores)
    carried = traffic(graph, cores, wired, assumed=0.5)
    work = part_work(graph, cores, wired, carried, event_times(TARGET))
    dense = [index for index, part in enumerate(cores.parts) if part.population == "c"]
    assert sum(work[dense]) == pytest.approx(10 + 0.5 * 128 * 10)
    conv = [index for index, part in enumerate(cores.parts) if part.population == "b"]
    # 22 of 24 taps of a padded line of 8 lie inside: that many synapses a channel pair.
    assert sum(work[conv]) == pytest.approx(128 + 0.5 * 22 * 22 * 8, rel=0.15)


def test_every_neuron_of_a_pooling_window_makes_the_work_of_its_axon() -> None:
    rng = np.random.default_rng(0)
    graph = integer_graph(
        Input(name="in", shape=(2, 8, 8)),
        convolution("w", "in", (2, 8, 8), codes(rng, 3, 2, 4, 4), window=(2, 2), gain=64),
        neurons("a", "w", (3, 1, 1)),
    )
    cores = partition(graph, TARGET, MapOptions())
    wired = connections(graph, cores)
    work = part_work(graph, cores, wired, traffic(graph, cores, wired, assumed=0.5), event_times(TARGET))
    # Three neurons, each reached by all 128 inputs behind 32 axons.
    assert sum(work) == pytest.approx(3 + 0.5 * 128 * 3)


@pytest.mark.parametrize("hop", [1.0, 1000.0])
def test_a_step_lasts_as_long_as_the_busiest_core_or_link_and_then_the_longest_route(
    hop: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = found("cores", pins=(("a", 1), ("b", 1), ("c", 0)), placement="random", seed=3)
    graph, cores, routing = network(), result.partition, result.routing
    times = replace(event_times(TARGET), hop=hop)
    monkeypatch.setattr("tern2lava.compiler.mapper.quality.event_times", lambda profile: times)
    wired = connections(graph, cores)
    seen = quality(graph, TARGET, cores, wired, result.placement, routing)
    lengths = routing.hops + TARGET.routing.chip_hops.value * routing.crossings
    longest = {inside: max(lengths[(routing.source >= 0) == inside]) for inside in (True, False)}
    # The host's spikes are there when a step begins, however far they came.
    assert max(routing.hops[routing.source >= 0]) < longest[True] < longest[False]
    each = part_work(graph, cores, wired, traffic(graph, cores, wired), times)
    work = np.bincount([part.core for part in cores.parts], each)
    assert seen.cores == cores.cores
    assert [seen.route, seen.link] == [float(longest[True]), float(max(routing.loads.links.flat))]
    assert [seen.peak, seen.mean] == pytest.approx([max(work), np.mean(work)])
    assert seen.mean < seen.peak
    assert seen.step == pytest.approx(max(seen.peak, hop * seen.link) + hop * seen.route)
    assert (seen.peak < hop * seen.link) == (hop > 1)


def test_loihi_weighs_events_by_published_times_others_count_them() -> None:
    loihi1 = event_times(load_profile("loihi1"))
    assert (loihi1.synapse, loihi1.neuron, loihi1.hop) == pytest.approx((3.5, 8.4, 6.5))
    assert loihi1.unit == "ns"
    assert "davies2018" in loihi1.source
    assert event_times(load_profile("loihi2")).unit == "events"


def test_parts_that_talk_come_together_while_there_is_room() -> None:
    cores = partition(network(), TARGET, MapOptions(share_cores=False, max_neurons_per_core=16))
    pins = np.full(len(cores.parts), -1)
    between = {(0, 1): 5.0, (1, 2): 4.0, (2, 3): 3.0, (3, 4): 2.0}
    wide = repacked(network(), cores, together(cores, between, pins, False))
    assert wide.used["neurons"].max() <= 16
    roomy = cores.limit | {"neurons": 32}
    joined = together(type(cores)(cores.parts, cores.cores, cores.used, roomy, cores.total), between, pins, False)
    assert joined[0] == joined[1] != joined[2] == joined[3] != joined[4]
    pins[:2] = 0, 1
    apart = together(type(cores)(cores.parts, cores.cores, cores.used, roomy, cores.total), between, pins, False)
    assert apart[0] != apart[1] == apart[2]


def test_traffic_between_parts_adds_up_to_that_of_all_connections() -> None:
    graph = network()
    cores = partition(graph, TARGET, MapOptions())
    wired = connections(graph, cores)
    carried = traffic(graph, cores, wired)
    between = part_traffic(cores, wired, carried.spikes)
    assert sum(between.values()) == pytest.approx(carried.spikes[wired.source >= 0].sum())


def test_spreading_evenly_is_within_a_third_of_the_mean_or_the_largest_part_and_refuses_what_has_no_room() -> None:
    cores = partition(network(), TARGET, MapOptions(share_cores=False, max_neurons_per_core=16))
    limit = cores.limit | {"neurons": 64}
    cores = type(cores)(cores.parts, cores.cores, cores.used, limit, cores.total)
    work = np.random.default_rng(0).integers(1, 50, len(cores.parts)).astype(float)
    pins = np.full(len(cores.parts), -1)
    core = evenly(cores, work, pins, 10)
    assert core is not None
    load = np.bincount(core, work)
    # Graham's bound for the longest first: 4/3 of the optimum, which is no less than the mean and the largest part.
    assert load.max() <= 4 / 3 * max(work.max(), work.sum() / 10)
    assert evenly(cores, work, pins, 5) is None


def test_mixed_cuts_take_each_population_as_coarse_as_the_bound_allows_and_count_output_axons_anew() -> None:
    graph = network()
    cuts = [partition(graph, TARGET, MapOptions(share_cores=False, max_neurons_per_core=n)) for n in (64, 16)]
    work: list[Reals] = []
    for c in cuts:
        each = [10.0 if p.population == "a" else 1.0 for p in c.parts]
        work.append(np.multiply(each, c.used["neurons"], dtype=np.float64))
    result = mixed(graph, TARGET, cuts, work, 200.0)
    largest = {p.population: max(q.box.volume for q in result.parts if q.population == p.population) for p in
               result.parts}  # fmt: skip
    assert largest == {"a": 16, "b": 64, "c": 10}
    assert fits(result)
    alone = map_program(graph, TARGET, MapOptions(share_cores=False, max_neurons_per_core=16))
    assert result.used["out_axons"].sum() != alone.partition.used["out_axons"].sum()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"objective": "speed"},
            "found 'speed'; choose cores, traffic, latency, balance",
        ),
        ({"rate": 0.0}, "rate: requires .* above 0; found 0.0"),
        ({"rate": float("nan")}, "rate: requires .* above 0; found nan"),
        ({"seed": -1}, "seed: requires .* found -1"),
        ({"seed": 1 << 40}, "seed: requires .* found 1099511627776"),
        ({"spare_cores": -1}, "spare_cores: requires .* found -1"),
        ({"max_neurons_per_core": 0}, "max_neurons_per_core: requires .* found 0"),
        ({"pins": (("d", 0),)}, "pin: requires a population of this network and a chip.*; found 'd' to chip 0"),
        ({"pins": (("a", 0), ("a", 1))}, "pinned to chip 0 and to chip 1"),
    ],
)
def test_options_that_no_mapping_can_follow_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        map_program(network(), TARGET, MapOptions(**options))
