"""L2: the runner of core images in Lava executes the bytes of core images bit for bit as the integer reference does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapped import map_program
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.cores import run_cores
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare

Build = Callable[..., tuple[Graph, dict[str, Any]]]


@pytest.mark.parametrize(
    "name", ["stock_convolution", "every_kind", "residual_with_delays", "recurrent", "graded", "wide_convolution"]
)
def test_core_images_in_lava_equal_both_references(name: str, integer_network: Build, lava_child: LavaChild) -> None:
    # Chunks of one or two samples: some begin where states of others were, and the last round has none for a worker.
    few = replace(NORMAL, lava_bytes=1 << 13)
    network, inputs = integer_network(name, batch=5)
    program = map_program(network, load_profile("tiny"))
    result = run_cores(program.images, program.host_image, inputs, timeout=60, child=lava_child, effort=few)
    reference = integer.run(network, inputs)
    cores = mapped.run(program.images, program.host_image, inputs)
    comparison = compare({"I": reference, "M": cores, "L2": result.trace}, network)
    assert comparison.equal, str(comparison)
    assert comparison.compared_values == 2 * 3 * sum(s.size for s in reference.spikes.values())


def test_every_core_is_executed_and_spikes_alone_are_recorded_where_asked(
    integer_network: Build, lava_child: LavaChild
) -> None:
    network, inputs = integer_network("wide_convolution", batch=2, steps=5)
    program = map_program(network, load_profile("tiny"))
    assert len(program.images) > 8
    result = run_cores(program.images, program.host_image, inputs, states=False, timeout=60, child=lava_child)
    reference = integer.run(network, inputs)
    comparison = compare({"I": reference, "L2": result.trace}, network)
    assert comparison.equal, str(comparison)
    assert comparison.compared_values == sum(s.size for s in reference.spikes.values())
    (use,) = result.processes_used
    numbers = use.name.removeprefix("cores ").split(", ")
    assert sorted(map(int, numbers)) == sorted(decode_core(image).core for image in program.images)


def test_one_flipped_weight_in_an_image_is_found(integer_network: Build, lava_child: LavaChild) -> None:
    network, inputs = integer_network("stock_chain", batch=2, steps=6)
    program = map_program(network, load_profile("tiny"))
    image = decode_core(program.images[0])
    block = image.blocks[0]
    codes = block.local.weight.copy()
    fires = int(np.argmax(inputs["x"][:, 0].sum(axis=0)))
    codes[3, fires] = -1 if codes[3, fires] else 1
    wrong = replace(block, local=replace(block.local, weight=frozen(codes)))
    images = (encode_core(replace(image, blocks=(wrong, *image.blocks[1:]))), *program.images[1:])
    result = run_cores(images, program.host_image, inputs, timeout=60, child=lava_child)
    comparison = compare({"I": integer.run(network, inputs), "L2": result.trace}, network)
    assert comparison.difference is not None
    assert (comparison.difference.population, comparison.difference.neuron) == ("h1", 3)
    assert comparison.difference.step == 1


def test_a_damaged_image_and_a_wrong_input_are_refused_before_lava_starts(integer_network: Build) -> None:
    network, inputs = integer_network("stock_chain", batch=1, steps=2)
    program = map_program(network, load_profile("tiny"))
    damaged = bytearray(program.images[0])
    damaged[len(damaged) // 2] ^= 4
    with pytest.raises(InputError, match="image of core 0: the checksum does not match"):
        run_cores((bytes(damaged), *program.images[1:]), program.host_image, inputs)
    with pytest.raises(InputError, match="input x: requires shape .*; found an array of shape"):
        run_cores(program.images, program.host_image, {"x": inputs["x"][:, :, :-1]})
    with pytest.raises(InputError, match="requires one sample and one step at least; found 0 samples"):
        run_cores(program.images, program.host_image, {"x": inputs["x"][:0]})
