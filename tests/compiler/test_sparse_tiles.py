"""Sparse networks: a core has axons of the sources that reach it, and of no others."""

from __future__ import annotations

import zlib
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from nets import convolution, integer_graph, neurons, same, variant
from tern2lava.compiler.image.core_image import CoreImage, decode_core, encode_core
from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import Graph, Input, Projection
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.prove.program import program_of
from tern2lava.prove.run import prove_images
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.reference import integer
from walk import walk

TARGETS = ("tiny", "generic-ternary", "loihi2", "loihi1")


def sparse(rng: np.random.Generator, *shape: int, share: float = 0.15) -> Array:
    return frozen((rng.random(shape) < share) * rng.choice([-1, 1], shape), np.int8)


def reservoir(rng: np.random.Generator, count: int = 40, inputs: int = 12) -> Graph:
    """Recurrent neurons of which each hears few others, and a readout of some of them."""
    return integer_graph(
        Input(name="in", shape=(inputs,)),
        Projection(name="w", inputs=("in",), weight=sparse(rng, count, inputs, share=0.3), gain=frozen(64, np.int64)),
        Projection(name="r", inputs=("h",), weight=sparse(rng, count, count), gain=frozen(64, np.int64)),
        neurons("h", ("w", "r"), (count,), threshold=frozen(60, np.int64)),
        Projection(name="o", inputs=("h",), weight=sparse(rng, 5, count, share=0.3), gain=frozen(64, np.int64)),
        neurons("q", "o", (5,), start=1),
    )


def images(program: Mapped) -> list[CoreImage]:
    return [decode_core(data) for data in (program.host_image, *program.images)]


def axons_needed(graph: Graph, image: CoreImage) -> dict[tuple[str, str], list[int]]:
    """By group and source, the sources that have a synapse into the group's neurons, from the weights alone."""
    found = {}
    for group in image.groups:
        for name in graph.population(group.name).inputs:
            weight, source = graph.projection(name).weight, graph.projection(name).inputs[0]
            found[group.name, source] = np.flatnonzero(weight[group.box.flat()].any(axis=0)).tolist()
    return {key: sources for key, sources in found.items() if sources}


@pytest.mark.parametrize("target", TARGETS)
def test_axons_and_routes_are_those_of_the_synapses_that_are_not_zero(target: str) -> None:
    graph = reservoir(np.random.default_rng(1))
    profile = load_profile(target)
    program = map_program(graph, profile, MapOptions(max_neurons_per_core=7))
    number = {"in": 0, "h": 1, "q": 2}
    arriving: set[tuple[int, int, int, int]] = set()
    needed: set[tuple[int, int, int, int]] = set()
    decoded = images(program)
    for image in decoded[1:]:
        for (name, source), sources in axons_needed(graph, image).items():
            group = [g.name for g in image.groups].index(name)
            ranges = [a for a in image.axons if a.source == number[source] and image.blocks[a.block].group == group]
            assert [a.box.flat().tolist() for a in ranges] == [sources]
            needed |= {(number[source], neuron, image.core, group) for neuron in sources}
    for image in decoded:
        for route in image.routes:
            sender = image.groups[route.group]
            target_image = next(each for each in decoded[1:] if each.core == route.core)
            reached = target_image.blocks[target_image.axons[route.axons].block].group
            sent = set(sender.box.flat().tolist()) & set(route.box.flat().tolist())
            assert sent, "a route that no spike takes"
            arriving |= {(sender.number, neuron, route.core, reached) for neuron in sent}
    assert arriving == needed
    walk(decoded, profile)
    assert prove_images(program.images, program.host_image, program_of(*graph_document(graph))).proven
    inputs = {"in": np.random.default_rng(2).integers(0, 2, (3, 15, 12)).astype(np.uint8)}
    expected, found = integer.run(graph, inputs), mapped.run(program.images, program.host_image, inputs)
    for name in ("h", "q"):
        assert expected.spikes[name].any()
        np.testing.assert_array_equal(found.spikes[name], expected.spikes[name])


def test_channels_that_no_kernel_of_a_tile_reads_get_no_axons() -> None:
    rng = np.random.default_rng(3)
    kernels = rng.choice([-1, 1], (6, 8, 3, 3)) * (rng.random((6, 8)) < 0.3)[..., None, None]
    graph = integer_graph(
        Input(name="in", shape=(8, 6, 6)),
        convolution("c", "in", (8, 6, 6), frozen(kernels, np.int8), padding=same(3, 3), gain=64),
        neurons("p", "c", (6, 6, 6), threshold=frozen(100, np.int64)),
    )
    profile = variant("tiny", core__neurons=72)
    program = map_program(graph, profile, MapOptions())
    for image in images(program)[1:]:
        for axons in image.axons:
            group = image.groups[image.blocks[axons.block].group].box
            read = kernels[group.lo[0] : group.hi[0]].any(axis=(0, 2, 3))
            assert axons.box.first.tolist() == np.flatnonzero(read).tolist()
    assert prove_images(program.images, program.host_image, program_of(*graph_document(graph))).proven
    inputs = {"in": rng.integers(0, 2, (2, 6, 8, 6, 6)).astype(np.uint8)}
    expected = integer.run(graph, inputs).spikes["p"]
    np.testing.assert_array_equal(mapped.run(program.images, program.host_image, inputs).spikes["p"], expected)
    assert expected.any()


def test_a_proof_finds_an_axon_that_is_missing_and_one_too_many() -> None:
    graph = reservoir(np.random.default_rng(1))
    program = map_program(graph, load_profile("tiny"), MapOptions(max_neurons_per_core=7))
    decoded = images(program)
    document = program_of(*graph_document(graph))
    place, at = next(
        (place, at)
        for place, image in enumerate(decoded)
        for at, axons in enumerate(image.axons)
        if axons.box.kept and axons.box.extent[0] > 3
    )
    image, axons = decoded[place], decoded[place].axons[at]
    block = image.blocks[axons.block]
    listed = axons.box.first
    wider = np.setdiff1d(np.arange(axons.box.shape[0]), listed)[:1]
    lost = (np.delete(listed, 1), np.delete(block.local.weight, 1, axis=1))
    doubled = np.insert(block.local.weight, np.searchsorted(listed, wider[0]), 1, axis=1)
    for first, weight in (lost, (np.union1d(listed, wider), doubled)):
        box = axons.box.listed(first)
        local = replace(block.local, weight=frozen(weight, np.int8))
        blocks = [replace(each, local=local) if each is block else each for each in image.blocks]
        ranges = [replace(each, box=box) if each is axons else each for each in image.axons]
        changed = [*decoded]
        changed[place] = replace(image, blocks=tuple(blocks), axons=tuple(ranges))
        changed = [
            replace(each, routes=tuple(
                replace(r, box=box) if (r.core, r.axons) == (image.core, at) else r for r in each.routes
            )) for each in changed
        ]  # fmt: skip
        found = prove_images([encode_core(each) for each in changed[1:]], encode_core(changed[0]), document)
        assert not found.proven
    assert prove_images(program.images, program.host_image, document).proven


def test_a_box_that_lists_indices_is_that_set_of_neurons() -> None:
    rng = np.random.default_rng(0)
    for shape in ((30,), (6, 4, 5)):
        for _ in range(20):
            lo = tuple(int(rng.integers(0, n)) for n in shape)
            hi = tuple(int(rng.integers(low + 1, n + 1)) for low, n in zip(lo, shape, strict=True))
            whole = Box(shape, lo, hi)
            index = np.sort(rng.choice(whole.first, int(rng.integers(1, whole.extent[0] + 1)), replace=False))
            box, other = whole.listed(index), Box(shape, (0,) * len(shape), tuple(n // 2 + 1 for n in shape))
            ranges = [index.tolist(), *(range(a, b) for a, b in zip(lo[1:], hi[1:], strict=True))]
            cells = [int(np.ravel_multi_index(cell, shape)) for cell in product(*ranges)]
            assert box.flat().tolist() == sorted(cells)
            assert box.volume == len(cells)
            values = np.arange(int(np.prod(shape)))
            assert box.rows(values).tolist() == sorted(cells)
            assert box.select(values.reshape(shape)).reshape(-1).tolist() == sorted(cells)
            common = len(set(cells) & set(other.flat().tolist()))
            assert box.common(other) == other.common(box) == common
            flat = Box((int(np.prod(shape)),), (3,), (20,))
            assert box.common(flat) == flat.common(box) == len(set(cells) & set(range(3, 20)))


def test_lists_of_indices_that_are_damaged_are_refused() -> None:
    program = map_program(reservoir(np.random.default_rng(1)), load_profile("tiny"), MapOptions(max_neurons_per_core=7))
    image = next(each for each in images(program)[1:] if any(a.box.kept for a in each.axons))
    data = encode_core(image)
    assert data[4] == 5
    box = next(a.box for a in image.axons if a.box.kept)
    among = np.zeros(box.hi[0] - box.lo[0], bool)
    among[box.first - box.lo[0]] = True
    bits = np.packbits(among, bitorder="little").tobytes()
    at = data.index(bits, 32)
    for first in (bits[0] & 254, bits[0] | 255 if len(bits) == 1 else bits[0] & 254):
        broken = data[:at] + bytes([first]) + data[at + 1 : -4]
        broken += zlib.crc32(broken).to_bytes(4, "little")
        with pytest.raises(InputError, match=r"list of indices|axons of a block"):
            decode_core(broken)
