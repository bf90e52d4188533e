"""Core images as engine programs: equal to the reference whatever the routes, and nothing but the images is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.image.core_image import CoreImage, decode_core, encode_core
from tern2lava.compiler.ir.graph import Graph, Input, Projection
from tern2lava.compiler.ir.shapes import Pooling, frozen
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.cores.loop import Loop
from tern2lava.sim.cores.program import CoreProgram, prepare_cores
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare

Build = Callable[..., tuple[Graph, dict[str, Any]]]
Inputs = dict[str, Any]


def prepared(images: list[CoreImage], host: CoreImage, inputs: Inputs) -> CoreProgram:
    levels = [(min(0, int(inputs[g.name].min())), max(1, int(inputs[g.name].max()))) for g in host.groups]
    return prepare_cores(images, host, levels)


def execute(images: list[CoreImage], host: CoreImage, inputs: Inputs, like: Trace) -> Trace:
    """The trace of the images; what no group writes keeps a value that no trace holds."""
    program = prepared(images, host, inputs)
    batch, steps = next(iter(inputs.values())).shape[:2]
    rows = {g: inputs[group.name].reshape(batch, steps, -1) for g, group in enumerate(host.groups)}
    kinds = {kind: {n: np.full_like(x, 77) for n, x in getattr(like, kind).items()} for kind in ("spikes", "u", "v")}
    for result in program.run(rows, states=True):
        group = images[result.place[0]].groups[result.place[1]]
        for kind in kinds:
            kinds[kind][group.name][:, :, group.box.flat()] = getattr(result, kind)
    return Trace(**kinds)


def decoded(program: Mapped) -> tuple[list[CoreImage], CoreImage]:
    return [decode_core(data) for data in program.images], decode_core(program.host_image)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("own_neurons", None), ("own_convolution", None), ("recurrent", None), ("saturating", None), ("narrow", None),
        ("stock_convolution", 60), ("residual_with_delays", 9), ("recurrent", 5), ("graded", 5), ("every_kind", 5),
        ("wide_convolution", None), ("nearest", None), ("nearest", 5), ("wide", None),
    ],
)  # fmt: skip
def test_core_programs_equal_the_integer_reference(name: str, most: int | None, integer_network: Build) -> None:
    network, inputs = integer_network(name)
    options = MapOptions(max_neurons_per_core=most)
    target = "generic-ternary" if name == "nearest" else "loihi2" if most else "tiny"
    images, host = decoded(map_program(network, load_profile(target), options))
    assert len(images) > 2 or not most
    reference = integer.run(network, inputs)
    found = compare({"I": reference, "C": execute(images, host, inputs, reference)}, network)
    assert found.equal, str(found)
    loops = [stage for stage in prepared(images, host, inputs).stages if isinstance(stage.program, Loop)]
    assert bool(loops) == (name == "recurrent")


def test_pooled_axons_add_up_the_spikes_of_their_window(integer_network: Build) -> None:
    network, inputs = integer_network("stock_convolution")
    first = network["c1"]
    assert isinstance(first, Projection)
    assert first.geometry is not None
    bigger = (2, 14, 18)
    nodes = [
        replace(node, shape=bigger) if isinstance(node, Input)
        else replace(node, pooling=Pooling(in_shape=bigger, window=(2, 2)))
        if isinstance(node, Projection) and node.name == "c1" else node
        for node in network.nodes
    ]  # fmt: skip
    pooled = network.with_nodes(nodes)
    inputs = {"x": np.random.default_rng(3).integers(0, 2, (3, 9, *bigger))}
    images, host = decoded(map_program(pooled, load_profile("tiny")))
    assert any(axons.window == (2, 2) for image in images for axons in image.axons)
    reference = integer.run(pooled, inputs)
    found = compare({"I": reference, "C": execute(images, host, inputs, reference)}, pooled)
    assert found.equal, str(found)


def with_routes(image: CoreImage, *routes: Any) -> CoreImage:
    return decode_core(encode_core(replace(image, routes=routes)))


def test_a_route_that_stands_twice_counts_twice_and_one_that_is_missing_brings_nothing(integer_network: Build) -> None:
    network, inputs = integer_network("stock_chain")
    program = map_program(network, load_profile("tiny"))
    images, host = decoded(program)
    for routes in ((*host.routes, host.routes[0]), host.routes[1:]):
        changed = with_routes(host, *routes)
        expected = mapped.run(program.images, encode_core(changed), inputs)
        found = compare({"M": expected, "C": execute(images, changed, inputs, expected)}, network)
        assert found.equal, str(found)
        assert not np.array_equal(expected.spikes["h1"], integer.run(network, inputs).spikes["h1"])


def test_weights_come_from_the_images(integer_network: Build) -> None:
    network, inputs = integer_network("recurrent")
    program = map_program(network, load_profile("tiny"))
    images, host = decoded(program)
    block = images[0].blocks[0]
    flipped = replace(block, local=replace(block.local, weight=frozen(-block.local.weight)))
    images[0] = replace(images[0], blocks=(flipped, *images[0].blocks[1:]))
    expected = mapped.run([encode_core(image) for image in images], program.host_image, inputs)
    found = compare({"M": expected, "C": execute(images, host, inputs, expected)}, network)
    assert found.equal, str(found)
    assert not compare({"I": integer.run(network, inputs), "C": expected}, network).equal


def test_a_route_to_nowhere_is_refused(integer_network: Build) -> None:
    network, inputs = integer_network("stock_chain")
    images, host = decoded(map_program(network, load_profile("tiny")))
    for change, why in ({"core": 1234}, "core or axon range that no image has"), ({"axons": 1}, "another population"):
        with pytest.raises(InputError, match=why):
            prepared(images, with_routes(host, replace(host.routes[0], **change)), inputs)  # type: ignore[arg-type]
