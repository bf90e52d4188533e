"""Routes, link loads and traffic, against an independent walk of the tables in the images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nets import codes, convolution, integer_graph, neurons, variant
from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.graph import Graph, Input, Node, Projection
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.mapper.routing.link_loads import DIRECTIONS, link_loads
from tern2lava.compiler.options import ASSUMED_RATE, MapOptions
from tern2lava.errors import InputError
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.sim.reference import integer
from walk import Walk, walk


def network() -> Graph:
    """Dense layers 40, 60 and 30, the last of which also feeds itself."""
    rng = np.random.default_rng(0)
    return integer_graph(
        Input(name="in", shape=(40,)),
        Projection(name="a", inputs=("in",), weight=codes(rng, 60, 40)),
        neurons("h", "a", (60,)),
        Projection(name="b", inputs=("h",), weight=codes(rng, 30, 60)),
        Projection(name="c", inputs=("o",), weight=codes(rng, 30, 30)),
        neurons("o", ("b", "c"), (30,)),
    )


def mapped(order: str = "xy", **options: Any) -> tuple[Mapped, Profile]:
    profile = variant(
        "tiny", core__neurons=7, system__mesh_rows=2, system__mesh_cols=3, system__chip_rows=2, system__chip_cols=3,
        routing__order=order,
    )  # fmt: skip
    return map_program(network(), profile, MapOptions(share_cores=False, **options)), profile


def check_walk(program: Mapped, profile: Profile) -> Walk:
    """The walk of the tables in the images; what routing says of hops, borders and loads is what it saw."""
    images = [decode_core(data) for data in (program.host_image, *program.images)]
    seen = walk(images, profile)
    routing = program.routing
    assert list(seen.hops) == routing.hops.tolist()
    assert list(seen.neurons) == routing.neurons.tolist()
    assert list(seen.crossings) == routing.crossings.tolist()
    assert routing.spike_hops == pytest.approx(ASSUMED_RATE * np.dot(seen.hops, seen.neurons))
    off_chip = sum(n for n, c in zip(seen.neurons, seen.crossings, strict=True) if c)
    assert routing.spikes_off_chip == pytest.approx(ASSUMED_RATE * off_chip)
    loads = routing.loads
    found = {}
    step = {"east": (0, 1), "west": (0, -1), "south": (1, 0), "north": (-1, 0)}
    for d, row, col in zip(*np.nonzero(np.round(loads.links, 9)), strict=True):
        at = (row + loads.origin[0], col + loads.origin[1])
        move = step[DIRECTIONS[d]]
        found[at, (at[0] + move[0], at[1] + move[1])] = loads.links[d, row, col] / ASSUMED_RATE
    assert found == pytest.approx({link: float(n) for link, n in seen.links.items()})
    most, at, direction = loads.most_loaded_link
    assert most == pytest.approx(ASSUMED_RATE * max(seen.links.values()))
    beyond = (at[0] + step[direction][0], at[1] + step[direction][1])
    assert seen.links[at, beyond] * ASSUMED_RATE == pytest.approx(most)
    return seen


@pytest.mark.parametrize("order", ["xy", "yx"])
@pytest.mark.parametrize("placement", ["random", "auto"])
def test_routes_and_loads_are_those_of_a_walk_through_the_tables(order: str, placement: str) -> None:
    program, profile = mapped(order, placement=placement)
    seen = check_walk(program, profile)
    assert max(seen.hops) >= 3
    assert max(seen.crossings) >= 1


def images_network() -> Graph:
    """Two convolutions on images of 4 x 24 x 24."""
    rng = np.random.default_rng(1)
    shape = (4, 24, 24)
    nodes: list[Node] = [Input(name="n0", shape=shape)]
    for index in (1, 2):
        weight = codes(rng, 4, 4, 3, 3)
        nodes += [
            convolution(f"w{index}", f"n{index - 1}", shape, weight, padding=(1, 1, 1, 1)),
            neurons(f"n{index}", f"w{index}", shape),
        ]
    return integer_graph(*nodes)


@pytest.mark.parametrize("order", ["xy", "yx"])
def test_routes_over_many_chips_are_those_of_a_walk_through_the_tables(order: str) -> None:
    profile = variant("hala-point", core__neurons=8, routing__order=order)
    program = map_program(images_network(), profile, MapOptions(placement="random", seed=3))
    chips = np.unique(program.placement.core // profile.system.cores_per_chip)
    assert program.partition.cores >= 576
    assert chips.size >= 5
    seen = check_walk(program, profile)
    assert max(seen.crossings) >= 2
    assert len(seen.hops) > 2500


def test_every_spike_enters_a_router_once_for_each_link_and_once_where_it_begins() -> None:
    program, _ = mapped()
    loads, carried = program.routing.loads, program.routing.traffic.spikes
    assert loads.routers.sum() == pytest.approx(loads.links.sum() + carried.sum())
    assert loads.links.sum() == pytest.approx(program.routing.spike_hops)


def test_loads_of_two_routes_by_hand() -> None:
    profile = load_profile("tiny")
    # Core 0 is at (0, 0), core 10 at (2, 2): two links east, two south; back along the other sides.
    loads = link_loads(profile, np.array([0, 10]), np.array([10, 0]), np.array([3.0, 5.0]))
    east, west, south, north = loads.links
    assert east.tolist() == [[3, 3, 0], [0, 0, 0], [0, 0, 0]]
    assert south.tolist() == [[0, 0, 3], [0, 0, 3], [0, 0, 0]]
    assert west.tolist() == [[0, 0, 0], [0, 0, 0], [0, 5, 5]]
    assert north.tolist() == [[0, 0, 0], [5, 0, 0], [5, 0, 0]]
    assert loads.routers.tolist() == [[8, 3, 3], [5, 0, 3], [5, 5, 8]]
    assert loads.most_loaded_router[0] == 8


def test_a_route_that_is_lost_or_doubled_is_found() -> None:
    program, profile = mapped()
    host, *cores = [decode_core(data) for data in (program.host_image, *program.images)]
    source = next(k for k, core in enumerate(cores) if core.routes)
    lost = [*cores]
    lost[source] = replace(cores[source], routes=cores[source].routes[1:])
    with pytest.raises(InputError, match="reached 0 times"):
        walk([host, *lost], profile)
    doubled = [*cores]
    doubled[source] = replace(cores[source], routes=(*cores[source].routes, cores[source].routes[0]))
    with pytest.raises(InputError, match="reached 2 times"):
        walk([host, *doubled], profile)


def test_measured_activity_gives_the_traffic_of_the_run() -> None:
    graph = network()
    inputs = {"in": np.random.default_rng(1).integers(0, 2, (3, 20, 40))}
    trace = integer.run(graph, inputs)
    rates = {name: (spikes != 0).mean(axis=(0, 1)) for name, spikes in (inputs | trace.spikes).items()}
    assert 0.05 < rates["h"].mean() < 0.95
    profile = variant("tiny", core__neurons=7)
    program = map_program(graph, profile, MapOptions(share_cores=False), rates)
    assert program.routing.traffic.measured
    total = 0.0
    for route, spikes in enumerate(program.routing.traffic.spikes):
        source, group = program.routing.source[route], program.routing.group[route]
        read = set(program.routing.boxes[route].flat().tolist())
        if source < 0:
            expected = rates["in"][sorted(read)].sum()
        else:
            part = program.partition.of_core(source)[group]
            expected = sum(rates[part.population][n] for n in part.box.flat().tolist() if n in read)
        assert spikes == pytest.approx(expected)
        total += expected
    assert total > 0
    assert program.routing.traffic.spikes.sum() == pytest.approx(total)


def test_pins_and_spare_cores_show_in_the_mapping() -> None:
    profile = load_profile("tiny")
    options = MapOptions(share_cores=False, max_neurons_per_core=6, pins=(("o", 1),), spare_cores=3)
    uses = map_program(network(), profile, options).core_use()
    assert {use.chip for use in uses if use.populations == ("o",)} == {1}
    assert all(use.id % 16 < 13 for use in uses)
    with pytest.raises(InputError, match="found 'x' to chip 1; choose from h, o"):
        map_program(network(), profile, MapOptions(pins=(("x", 1),)))
