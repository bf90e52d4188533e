"""LM: a Lava process for each core, with the images' routes as connections, equals the integers bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from nets import neurons, sparse_codes
from tern2lava.compiler.image.core_image import CoreImage, decode_core, encode_core
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Projection
from tern2lava.compiler.ir.shapes import Pooling, frozen
from tern2lava.compiler.mapped import map_program
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.mapped import run as run_module
from tern2lava.sim.lava.mapped.layers import layer_wiring
from tern2lava.sim.lava.mapped.plan import plan_mapped, readouts
from tern2lava.sim.lava.mapped.run import run_mapped
from tern2lava.sim.lava.mapped.wiring import Connection, Wiring, read_wiring
from tern2lava.sim.lava.process_choice import plan_stock
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare

Build = Callable[..., tuple[Graph, dict[str, Any]]]
NETWORKS = ("stock_convolution", "every_kind", "residual_with_delays", "recurrent", "graded", "wide_convolution")


@pytest.mark.parametrize("processes", [300, 12])
@pytest.mark.parametrize("name", NETWORKS)
def test_cores_as_lava_processes_equal_the_integer_reference(
    name: str, processes: int, integer_network: Build, lava_child: LavaChild
) -> None:
    network, inputs = integer_network(name, batch=2)
    program = map_program(network, load_profile("tiny"))
    result = run_mapped(
        program.images, program.host_image, inputs, processes=processes, timeout=120, child=lava_child
    )  # fmt: skip
    reference = integer.run(network, inputs)
    comparison = compare({"I": reference, "LM": result.trace}, network)
    assert comparison.equal, str(comparison)
    assert comparison.compared_values == 3 * sum(s.size for s in reference.spikes.values())


def drop(wiring: Wiring) -> Wiring:
    """One route is not connected."""
    return replace(wiring, connections=wiring.connections[1:])


def swap(wiring: Wiring) -> Wiring:
    """Two routes from different groups end in each other's ports."""

    def led(one: Connection, like: Connection) -> Connection:
        count = wiring.cores[like.target].axons[like.axons].count
        return replace(one, target=like.target, axons=like.axons, axon=one.axon % count)

    one, two = next(
        pair for pair in combinations(wiring.connections, 2)
        if (pair[0].source, pair[0].group) != (pair[1].source, pair[1].group)
    )  # fmt: skip
    swapped = {id(one): led(one, two), id(two): led(two, one)}
    return replace(wiring, connections=tuple(swapped.get(id(each), each) for each in wiring.connections))


def change_core(change: Callable[[CoreImage], CoreImage]) -> Callable[[Wiring], Wiring]:
    def changed(wiring: Wiring) -> Wiring:
        return replace(wiring, cores=(*wiring.cores[:-1], change(wiring.cores[-1])))

    return changed


def later_synapses(image: CoreImage) -> CoreImage:
    first = image.blocks[0]
    late = replace(first, local=replace(first.local, delay=first.local.delay + 1))
    return replace(image, blocks=(late, *image.blocks[1:]))


def another_weight(image: CoreImage) -> CoreImage:
    first = image.blocks[0]
    weight = np.array(first.local.weight)
    weight[weight != 0] *= -1
    return replace(image, blocks=(replace(first, local=replace(first.local, weight=weight)), *image.blocks[1:]))


def later_core(image: CoreImage) -> CoreImage:
    """It runs one timestep late."""
    groups = []
    for group in image.groups:
        assert group.local is not None
        groups.append(replace(group, local=replace(group.local, start=group.local.start + 1)))
    return replace(image, groups=tuple(groups))


@pytest.mark.parametrize(
    "mistake", [drop, swap, change_core(later_synapses), change_core(another_weight), change_core(later_core)]
)
@pytest.mark.parametrize("processes", [300, 8])
def test_one_mistake_in_the_network_of_cores_is_seen_in_one_sample(
    mistake: Callable[[Wiring], Wiring], processes: int, integer_network: Build, lava_child: LavaChild,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    network, inputs = integer_network("residual_with_delays", batch=1)
    program = map_program(network, load_profile("tiny"))
    monkeypatch.setattr(run_module, "read_wiring", lambda *given: mistake(read_wiring(*given)))
    result = run_mapped(program.images, program.host_image, inputs, processes=processes, child=lava_child)
    comparison = compare({"I": integer.run(network, inputs), "LM": result.trace}, network)
    assert not comparison.equal


def test_routes_that_lead_nowhere_elsewhere_or_twice_are_refused(integer_network: Build) -> None:
    network, _ = integer_network("residual_with_delays")
    program = map_program(network, load_profile("tiny"))
    host = decode_core(program.host_image)
    (first, *rest) = host.routes
    for routes, found in (
        ((replace(first, core=999), *rest), "requires a core and axons that are there"),
        ((replace(first, axons=99), *rest), "requires a core and axons that are there"),
        ((first, first, *rest), "requires one route from a group to an axon range; found two"),
    ):
        with pytest.raises(InputError, match=found):
            read_wiring(program.images, encode_core(replace(host, routes=tuple(routes))), [(0, 1)])
    with pytest.raises(InputError, match="requires each neuron on one core; found neuron 0 on 2"):
        read_wiring([*program.images, program.images[0]], program.host_image, [(0, 1)])


def test_cores_share_processes_in_their_order_as_many_as_are_allowed(integer_network: Build) -> None:
    network, _ = integer_network("wide_convolution")
    program = map_program(network, load_profile("tiny"))
    wiring = read_wiring(program.images, program.host_image, [(0, 1)])
    everything = plan_mapped(wiring, 1, 9, 10_000)
    numbers = [image.core for image in wiring.cores]
    assert everything.shared == ()
    for most in (3, 5, 12):
        plan = plan_mapped(wiring, 1, 9, most)
        assert [numbers[core] for cores in plan.shared for core in cores] == sorted(numbers)
        assert plan.use.processes <= max(most, 1 + len(wiring.host.groups) + len(readouts(wiring)))
        assert plan.use.parts == everything.use.parts
    for each in (4, 8):
        plan = plan_mapped(wiring, 1, 9, 8, each)
        assert any(len(cores) > 1 for cores in plan.shared)
        assert [numbers[core] for cores in plan.shared for core in cores] == sorted(numbers)
        assert all(len({numbers[core] // each for core in cores}) == 1 for cores in plan.shared)
    # More chips than processes: cores share them all the same.
    assert len(plan_mapped(wiring, 1, 9, 3, 1).shared) <= 3


def test_neurons_that_stock_lava_has_run_on_its_own_models_on_every_core(integer_network: Build) -> None:
    network, _ = integer_network("stock_convolution")
    program = map_program(network, load_profile("tiny"))
    plan = plan_mapped(read_wiring(program.images, program.host_image, [(0, 1)]), 1, 9, 4)
    alone = plan_stock(network, 1, 9)
    for name, chosen in alone.neurons.items():
        used = {part.process for part in plan.use.parts if part.part == name}
        assert used == {chosen.use.process}, name
    assert {chosen.use.process for chosen in alone.neurons.values()} == {"stock LIFReset"}


def test_networks_that_no_route_connects_run_together(lava_child: LavaChild) -> None:
    rng = np.random.default_rng(3)
    nodes: list[Any] = []
    for name in ("a", "b"):
        wires = Projection(
            name=f"w_{name}", inputs=(f"in_{name}",), weight=sparse_codes(rng, 5, 6), gain=frozen(1, np.int64)
        )
        nodes += [
            Input(name=f"in_{name}", shape=(6,)),
            wires,
            neurons(name, (f"w_{name}",), (5,), threshold=frozen(0, np.int64)),
        ]
    nodes.append(Output(name="out", inputs=("a",)))
    network = Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=tuple(nodes))
    inputs = {f"in_{name}": rng.integers(0, 2, (2, 7, 6)) for name in ("a", "b")}
    program = map_program(network, load_profile("loihi2"))
    assert len(read_wiring(program.images, program.host_image, [(0, 1)] * 2).apart()) == 2
    for processes in (300, 1):
        result = run_mapped(program.images, program.host_image, inputs, processes=processes, child=lava_child)
        comparison = compare({"I": integer.run(network, inputs), "LM": result.trace}, network)
        assert comparison.equal, str(comparison)
        assert all(spikes.any() for spikes in result.trace.spikes.values())


def pooled(rng: np.random.Generator) -> Graph:
    """A layer that reads sums over windows of 2 x 2, of which the last row fills none."""
    pooling = Pooling(in_shape=(2, 7, 6), window=(2, 2))
    wires = Projection(
        name="w", inputs=("in",), weight=sparse_codes(rng, 5, 18), gain=frozen(1, np.int64), pooling=pooling
    )
    population = neurons("p", ("w",), (5,), threshold=frozen(2, np.int64))
    nodes = (Input(name="in", shape=(2, 7, 6)), wires, population, Output(name="out", inputs=("p",)))
    return Graph(level=Level.INTEGER, arithmetic=Arithmetic(), nodes=nodes)


def test_layers_as_lava_processes_sum_the_windows_that_are_full(
    lava_child: LavaChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    network = pooled(rng)
    inputs = {"in": rng.integers(0, 2, (2, 6, 2, 7, 6))}
    program = map_program(network, load_profile("loihi2"))
    monkeypatch.setattr(run_module, "read_wiring", lambda *_: layer_wiring(network))
    result = run_mapped(program.images, program.host_image, inputs, child=lava_child)
    reference = integer.run(network, inputs)
    comparison = compare({"I": reference, "LM": result.trace}, network)
    assert comparison.equal, str(comparison)
    assert reference.spikes["p"].any()
