"""Twelve networks compile on every target to what they compiled to before: images, program, certificate and report.

The fingerprints (helpers/fingerprints.py says what they hold) stand in fingerprints.json. Moving code moves none of
them. A commit that means to move one rewrites the file and says why in its message:

    TERN2LAVA_GOLDEN=write uv run pytest tests/test_fingerprints.py
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fingerprint_file import Parts, differences, plain, read_golden, recorded_with, versions, write_golden
from fingerprints import DEFAULT, REFUSED, fingerprint, of_program, of_sample, sample_graph
from sample_nets import SAMPLES
from tern2lava.compiler.build import Compiled, build
from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.graph import Population
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.hw_profiles import load_profile, profile_names


@pytest.mark.parametrize("target", profile_names())
@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_that_a_network_compiles_to_has_moved(name: str, target: str) -> None:
    found = of_sample(name, target)
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        write_golden(name, target, found)
    moved = differences(name, target, read_golden().get(name, {}).get(target, {}), found)
    assert not moved, "\n".join([*moved, f"recorded with {recorded_with()}, here {versions()}"])


def test_the_file_holds_these_networks_on_these_targets_each_encoding_of_which_some_of_them_use() -> None:
    golden = read_golden()
    assert {name: set(targets) for name, targets in golden.items()} == {name: set(profile_names()) for name in SAMPLES}
    for target in profile_names():
        mapped = [golden[name][target] for name in SAMPLES if REFUSED not in golden[name][target][DEFAULT]]
        assert len(mapped) >= 3
        names = load_profile(target).synapse.encodings.value
        for encoding in names if len(names) > 1 else ():
            own = [found[encoding] for found in mapped if REFUSED not in found[encoding]]
            assert any("images" in parts for parts in own), f"{encoding} alone changes no image on {target}"


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """The network "kinds" on six cores."""
    sample, profile = SAMPLES["kinds"], load_profile("generic-ternary")
    return build(sample_graph("kinds"), profile, sample.options, sample.mapping(profile))


@pytest.fixture(scope="module")
def recorded(compiled: Compiled) -> dict[str, Parts]:
    return plain({DEFAULT: fingerprint(compiled)})


def with_population(compiled: Compiled, name: str, **values: Any) -> Compiled:
    """`compiled` with other parameters of one population of its program."""
    program = compiled.lowered.program
    nodes = [
        replace(node, **values) if isinstance(node, Population) and node.name == name else node
        for node in program.nodes
    ]
    return replace(compiled, lowered=compiled.lowered.with_program(program.with_nodes(nodes)))


def with_images(compiled: Compiled, change: Callable[[list[bytes]], None]) -> Compiled:
    images = list(compiled.mapped.images)
    change(images)
    return replace(compiled, mapped=replace(compiled.mapped, images=tuple(images)))


def one_threshold_more(compiled: Compiled) -> Compiled:
    """One neuron's threshold is greater by its last bit."""
    first = compiled.lowered.program["first"]
    assert isinstance(first, Population)
    threshold = np.array(np.broadcast_to(first.threshold, first.shape))
    threshold[3] += 1
    return with_population(compiled, "first", threshold=frozen(threshold))


def another_decay(compiled: Compiled) -> Compiled:
    """A decay that was rounded the other way."""
    found = compiled.lowered.program["neuron2"]
    assert isinstance(found, Population)
    return with_population(compiled, "neuron2", decay_v=frozen(found.decay_v + 1))


def two_codes_swapped(compiled: Compiled) -> Compiled:
    """In the image of core 1 the first two codes that differ have changed places."""

    def change(images: list[bytes]) -> None:
        image = decode_core(images[1], "core 1")
        block = image.blocks[0]
        weight = np.array(block.local.weight)
        flat = weight.reshape(-1)
        other = int(np.flatnonzero(flat != flat[0])[0])
        flat[[0, other]] = flat[[other, 0]]
        local = replace(block.local, weight=frozen(weight))
        images[1] = encode_core(replace(image, blocks=(replace(block, local=local), *image.blocks[1:])))

    return with_images(compiled, change)


def two_cores_swapped(compiled: Compiled) -> Compiled:
    """Cores 2 and 3 have changed places."""

    def change(images: list[bytes]) -> None:
        images[2], images[3] = images[3], images[2]

    return with_images(compiled, change)


def one_eps_moved(compiled: Compiled) -> Compiled:
    """The bound of one neuron is larger by 1e-9 of it."""
    first, *others = compiled.lowered.certificates
    eps = np.array(first.eps).reshape(-1)
    eps[0] *= 1 + 1e-9
    certificates = (replace(first, eps=eps.reshape(first.eps.shape)), *others)
    return replace(compiled, lowered=replace(compiled.lowered, certificates=certificates))


def another_cost(compiled: Compiled) -> Compiled:
    """The hops of spikes are more by 1e-9 of it."""
    quality = compiled.mapped.quality
    changed = replace(quality, cost=quality.cost * (1 + 1e-9))
    return replace(compiled, mapped=replace(compiled.mapped, quality=changed))


MOVES: dict[str, tuple[Callable[[Compiled], Compiled], str]] = {
    "threshold": (one_threshold_more, "program moved: first was"),
    "decay": (another_decay, "program moved: neuron2 was"),
    "codes": (two_codes_swapped, "images moved: core image 1 was"),
    "cores": (two_cores_swapped, "images moved: core image 2 was"),
    "eps": (one_eps_moved, "certificate moved: first: eps,"),
    "traffic": (another_cost, "report.mapping moved: mapping.weighted_hops was"),
}


@pytest.mark.parametrize("move", MOVES)
def test_what_moves_is_named(compiled: Compiled, recorded: dict[str, Parts], move: str) -> None:
    change, words = MOVES[move]
    moved = differences("kinds", "generic-ternary", recorded, {DEFAULT: fingerprint(change(compiled))})
    assert any(line.startswith(f"kinds on generic-ternary, encodings default: {words}") for line in moved), moved


def test_rounding_of_floats_and_texts_move_nothing(compiled: Compiled, recorded: dict[str, Parts]) -> None:
    quality = compiled.mapped.quality
    nearly = replace(quality, cost=quality.cost * (1 + 1e-13))
    certificates = tuple(replace(c, reason="other words") for c in compiled.lowered.certificates)
    changed = replace(
        compiled, described="otherwise", mapped=replace(compiled.mapped, quality=nearly),
        lowered=replace(compiled.lowered, certificates=certificates),
    )  # fmt: skip
    assert differences("kinds", "generic-ternary", recorded, {DEFAULT: fingerprint(changed)}) == []
    program = compiled.lowered.program
    renamed = [
        replace(node, name=f"other {node.name}", inputs=tuple(f"other {name}" for name in node.inputs))
        for node in program.nodes
    ]
    values = [item.value for item in of_program(replace(program, nodes=tuple(renamed), notes=(), source="other"))]
    assert values == recorded[DEFAULT]["program"]


def test_an_encoding_or_a_refusal_that_comes_or_goes_is_named(compiled: Compiled, recorded: dict[str, Parts]) -> None:
    found = fingerprint(compiled)
    refused: dict[str, Parts] = {DEFAULT: {REFUSED: ["CapacityError", 4]}}
    assert differences("a", "b", recorded | {"rans": {}}, {DEFAULT: found}) == ["a on b, encodings rans: is gone"]
    assert differences("a", "b", recorded, {DEFAULT: found, "rans": found}) == ["a on b, encodings rans: is new"]
    moved = differences("a", "b", refused, {DEFAULT: found})
    assert moved[0] == "a on b, encodings default: refused moved: it is gone, was ['CapacityError', 4]"
    assert any(line.startswith("a on b, encodings default: images moved: it is new") for line in moved)
