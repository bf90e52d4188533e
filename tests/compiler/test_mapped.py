"""A network's core images: what changes them shows in their run, what does not fit is refused with its numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nets import convolution, full_codes, integer_graph, neurons, same, variant
from random_programs import wide_codes
from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.ir.slices import cut, mapped_shape
from tern2lava.compiler.mapped import map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError, InputError, UnsupportedError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.reference import integer


def mlp(rng: np.random.Generator, inputs: int = 40, hidden: int = 70, outputs: int = 10, bits: int = 2) -> Graph:
    plain = {"decay_v": frozen(100), "reset_amount": frozen(3)}
    return integer_graph(
        Input(name="in", shape=(inputs,)),
        Projection(name="w1", inputs=("in",), weight=wide_codes(rng, (hidden, inputs), bits), bits=bits),
        neurons("h", "w1", (hidden,), **plain),
        Projection(name="w2", inputs=("h",), weight=wide_codes(rng, (outputs, hidden), bits), bits=bits),
        neurons("o", "w2", (outputs,), threshold=frozen(3), start=1, **plain),
    )


def changed(graph: Graph, name: str, **values: Any) -> Graph:
    """The graph with some fields of one node replaced."""
    kept: list[Any] = [replace(n, **values) if n.name == name else n for n in graph.nodes]
    return replace(graph, nodes=tuple(kept))


def test_mapping_is_deterministic() -> None:
    first, second = (map_program(mlp(np.random.default_rng(1)), load_profile("tiny")) for _ in range(2))
    assert first.images == second.images
    assert first.host_image == second.host_image
    assert first.core_use() == second.core_use()


def test_a_changed_weight_with_a_valid_checksum_shows_in_the_run() -> None:
    rng = np.random.default_rng(2)
    graph = mlp(rng)
    program = map_program(graph, load_profile("tiny"))
    inputs = {"in": rng.integers(0, 2, (4, 30, 40))}
    reference = integer.run(graph, inputs)
    for core in range(len(program.images)):
        image = decode_core(program.images[core])
        block = image.blocks[0]
        weight = block.local.weight.copy()
        row, column = rng.integers(0, weight.shape[0]), rng.integers(0, weight.shape[1])
        weight[row, column] = -1 if weight[row, column] == 1 else 1
        wrong = replace(block, local=replace(block.local, weight=weight))
        changed = encode_core(replace(image, blocks=(wrong, *image.blocks[1:])))
        assert len(changed) >= len(program.images[core]) - 16
        images = (*program.images[:core], changed, *program.images[core + 1 :])
        trace = mapped.run(images, program.host_image, inputs)
        name = image.groups[block.group].name
        neuron = image.groups[block.group].box.flat()[row]
        assert (trace.u[name][:, :, neuron] != reference.u[name][:, :, neuron]).any()


def test_lost_and_doubled_routes_and_groups_are_noticed() -> None:
    rng = np.random.default_rng(3)
    graph = mlp(rng)
    program = map_program(graph, load_profile("tiny"), MapOptions(share_cores=False))
    assert program.partition.cores > 2
    inputs = {"in": rng.integers(0, 2, (2, 20, 40))}
    reference = integer.run(graph, inputs)
    host = decode_core(program.host_image)
    for routes in (host.routes[1:], (*host.routes, host.routes[0])):
        trace = mapped.run(program.images, encode_core(replace(host, routes=routes)), inputs)
        assert any((trace.v[name] != reference.v[name]).any() for name in trace.v)
    with pytest.raises(InputError, match=r"lies on 0 cores|no image has"):
        mapped.run(program.images[1:], program.host_image, inputs)
    with pytest.raises(InputError, match="lies on 2 cores"):
        mapped.run((*program.images, program.images[0]), program.host_image, inputs)
    moved = replace(host, routes=(replace(host.routes[0], axons=77), *host.routes[1:]))
    with pytest.raises(InputError, match="no image has"):
        mapped.run(program.images, encode_core(moved), inputs)


def test_inputs_of_the_wrong_size_are_refused() -> None:
    program = map_program(mlp(np.random.default_rng(3)), load_profile("tiny"))
    with pytest.raises(InputError, match=r"requires shape \(2, 5, 40\)"):
        mapped.run(program.images, program.host_image, {"in": np.zeros((2, 5, 39), np.uint8)})


def test_a_layer_with_too_many_inputs_names_layer_resource_and_limits() -> None:
    graph = mlp(np.random.default_rng(0), hidden=70)
    graph = changed(graph, "w2", weight=full_codes(np.random.default_rng(0), 10, 70))
    with pytest.raises(CapacityError) as caught:
        map_program(graph, variant("tiny", core__in_axons=64))
    assert (caught.value.node, caught.value.resource) == ("o", "in_axons")
    assert (caught.value.need, caught.value.have) == (70, 64)
    with pytest.raises(CapacityError) as caught:
        map_program(graph, variant("tiny", core__fan_in=39))
    assert (caught.value.node, caught.value.resource, caught.value.need) == ("o", "fan_in", 70)


def test_a_network_larger_than_the_target_is_refused_with_the_lower_bound() -> None:
    graph = mlp(np.random.default_rng(0), hidden=90)
    small = variant("tiny", system__mesh_rows=1, system__mesh_cols=1, core__neurons=5)
    with pytest.raises(CapacityError, match="no mapping needs fewer than 20 cores") as caught:
        map_program(graph, small)
    assert caught.value.resource == "cores"
    assert caught.value.have == 2


def test_a_delay_or_a_weight_beyond_the_target_is_refused() -> None:
    graph = mlp(np.random.default_rng(0), bits=8)
    with pytest.raises(UnsupportedError, match="w1: .*codes of 8 bits"):
        map_program(graph, variant("tiny", synapse__weight_bits=[2, 3, 4]))
    with pytest.raises(UnsupportedError, match="w2: .*up to 7 steps.*found a delay of 9 steps"):
        map_program(changed(graph, "w2", delay=9), load_profile("tiny"))


def test_features_that_the_target_lacks_are_refused() -> None:
    graph = mlp(np.random.default_rng(0))
    with pytest.raises(UnsupportedError, match="h: .*loihi1 allows: zero, none.*found reset subtract"):
        map_program(changed(graph, "h", reset=Reset.SUBTRACT), load_profile("loihi1"))
    with pytest.raises(UnsupportedError, match="in: .*1 bit.*found input values 0 to 15"):
        map_program(changed(graph, "in", levels=(0, 15)), load_profile("loihi1"))


def test_fewer_neurons_per_core_can_be_asked_for() -> None:
    graph = mlp(np.random.default_rng(0))
    program = map_program(graph, load_profile("generic-ternary"), MapOptions(max_neurons_per_core=20))
    assert program.partition.cores >= 4
    assert all(use.neurons[0] <= 20 and use.neurons[1] == 20 for use in program.core_use())
    assert program.cores_lower_bound == 4


def test_populations_share_a_core_only_when_allowed() -> None:
    graph = mlp(np.random.default_rng(0))
    profile = load_profile("generic-ternary")
    together = map_program(graph, profile).core_use()
    assert [use.populations for use in together] == [("h", "o")]
    apart = map_program(graph, profile, MapOptions(share_cores=False)).core_use()
    assert [use.populations for use in apart] == [("h",), ("o",)]


def test_images_hold_the_lists_in_no_other_encodings_than_those_allowed() -> None:
    graph, profile = mlp(np.random.default_rng(0)), load_profile("loihi1")
    any_way, sparse = (
        map_program(graph, profile, MapOptions(encodings=encodings)) for encodings in (None, ("sparse",))
    )
    assert len(any_way.images) == len(sparse.images) == 1
    more = sparse.partition.used["synapse_bits"].sum() - any_way.partition.used["synapse_bits"].sum()
    assert more > 0
    # Each stores the words that were counted for it.
    assert 8 * (len(sparse.images[0]) - len(any_way.images[0])) == pytest.approx(more, abs=0.1 * more)


def test_distinct_thresholds_are_limited_on_loihi1() -> None:
    graph = mlp(np.random.default_rng(0), hidden=64)
    graph = changed(graph, "h", threshold=frozen(np.arange(1, 65), np.int64))
    program = map_program(graph, load_profile("loihi1"))
    assert [p.box.volume for p in program.partition.parts if p.population == "h"] == [16, 16, 16, 16]


def padding_of(graph: Graph, box: Box) -> tuple[int, ...]:
    """Padding that is left to the block of the convolution `c` into a box."""
    wire = graph["c"]
    assert isinstance(wire, Projection)
    piece = cut(wire, box)
    assert piece is not None
    assert piece.local.geometry is not None
    return piece.local.geometry.padding


def test_memory_counts_a_shared_kernel_once_per_core() -> None:
    weight = frozen(np.random.default_rng(5).choice([-1, 1], (8, 4, 3, 3)), np.int8)
    wire = convolution("c", "in", (4, 20, 20), weight, padding=same(3, 3))
    graph = integer_graph(Input(name="in", shape=(4, 20, 20)), wire, neurons("p", "c", (8, 20, 20)))
    program = map_program(graph, load_profile("generic-ternary"), MapOptions(encodings=("dense",)))
    (layer,) = program.memory()
    assert (layer.weights, layer.fp32, layer.int8) == (288, 288 * 32, 288 * 8)
    assert layer.encodings == ("dense",)
    assert layer.synapses == 8 * 4 * (20 * 3 - 2) ** 2
    # Each copy: a head of 4 bytes and a number each for delay, shapes, kernel, stride, padding, dilation, groups and
    # codes, of which none is above 127 here, one byte of gain, and the part's kernel at 2 bits, in whole words.
    expected = 0
    for part in program.partition.parts:
        channels = part.box.extent[0]
        assert max(channels * 9, *part.blocks[0].source.extent) < 128
        numbers = 1 + 6 + (4 if len(set(padding_of(graph, part.box))) == 1 else 10) + 1 + 1
        expected += 64 * -(-(4 + numbers + 1 + channels * 9) // 8)
    assert layer.ternary == expected
    assert mapped_shape(graph, graph.of_kind(Population)[0]) == (8, 20, 20)
    assert all(isinstance(part.box, Box) for part in program.partition.parts)


def test_xy_hops_and_chip_borders_are_those_of_the_mesh() -> None:
    graph = mlp(np.random.default_rng(0), hidden=80)
    graph = changed(graph, "w2", weight=full_codes(np.random.default_rng(0), 10, 80))
    profile = variant("tiny", system__mesh_rows=2, system__mesh_cols=2, system__chip_cols=40, core__neurons=8)
    program = map_program(graph, profile, MapOptions(share_cores=False, placement="linear"))
    uses = program.core_use()
    assert len(uses) == 12
    assert [(u.chip, u.row, u.col) for u in uses[:5]] == [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0)]
    routing = program.routing

    def place(core: int) -> tuple[int, int, int]:
        return uses[core].row, uses[core].chip * 2 + uses[core].col, uses[core].chip

    inside = np.flatnonzero(routing.source >= 0)
    assert inside.size == 10 * 2
    for i in inside:
        (r0, c0, chip0), (r1, c1, chip1) = place(int(routing.source[i])), place(int(routing.target[i]))
        assert routing.hops[i] == abs(r0 - r1) + abs(c0 - c1)
        assert routing.crossings[i] == abs(chip0 - chip1)
        assert routing.neurons[i] == 8
    assert routing.multicast(0, 0) == (10, 11)
