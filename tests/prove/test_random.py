"""Random networks on random small targets: whatever the compiler makes of them is proven, in every codec."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from random_crossbars import Sketch, small_crossbar
from random_programs import Builder, numbers, random_profile
from tern2lava.compiler.image.core_image import decode_core
from tern2lava.compiler.ir.files import graph_document
from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.mapped import Mapped, map_program
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import CapacityError
from tern2lava.prove.program import program_of
from tern2lava.prove.run import Translation, prove_images


def proof(graph: Graph, program: Mapped) -> Translation:
    return prove_images(program.images, program.host_image, program_of(*graph_document(graph)))


@pytest.mark.parametrize("model", ["codec-kernel", "codec-none", "nxtf-lists", "nxtf-none"])
def test_random_networks_on_random_targets_are_proven(model: str) -> None:
    codecs: Counter[str] = Counter()
    mapped = 0
    for number in numbers(20):
        rng = np.random.default_rng([12, number, len(model)])
        profile = random_profile(rng, model)
        graph = Builder(rng, profile.synapse.channel_gain.value).graph()
        names = profile.synapse.encodings.value
        options = MapOptions(
            placement="linear", max_neurons_per_core=int(rng.integers(2, 12)) if number % 3 == 0 else None,
            encodings=(names[number // 2 % len(names)],) if number % 2 else None,
        )  # fmt: skip
        try:
            program = map_program(graph, profile, options)
        except CapacityError:
            continue
        found = proof(graph, program)
        assert found.proven, f"network {number} on {model}: {found}"
        assert found.cores == len(program.images)
        mapped += 1
        codecs.update(block.codec for data in program.images for block in decode_core(data).blocks)
    assert mapped >= 10
    if model.startswith("codec"):
        assert {"packed2", "base3", "bitmap", "rice"} <= set(codecs)
    else:
        assert codecs["loihi"] >= 10


@pytest.mark.parametrize("name", ["paicore2", "truenorth"])
def test_random_networks_on_random_crossbars_are_proven(name: str) -> None:
    mapped = 0
    for number in numbers(14):
        rng = np.random.default_rng([13, number])
        profile = small_crossbar(rng, name)
        graph = Sketch(rng, profile).graph()
        try:
            program = map_program(graph, profile, MapOptions(placement="linear", share_cores=number % 2 == 0))
        except CapacityError:
            continue
        found = proof(graph, program)
        assert found.proven, f"network {number} on {name}: {found}"
        mapped += 1
    assert mapped >= 7
