"""Images that are not the program are refused by one line that names the place; those that are, are proven."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from command_line import in_process
from fingerprints import sample_graph
from reseal import reseal
from sample_nets import SAMPLES
from tern2lava.compiler.build import Compiled, build
from tern2lava.compiler.image.core_image import CoreImage, Group, decode_core, encode_core
from tern2lava.compiler.ir.files import graph_document, graph_files
from tern2lava.compiler.ir.graph import Decays, Population, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.prove.program import program_of, read_program
from tern2lava.prove.run import Translation, prove_images


@dataclass(frozen=True)
class Subject:
    """A compiled sample, and its images decoded, the host's last."""

    compiled: Compiled
    images: list[CoreImage]

    def proof(self, images: list[CoreImage]) -> Translation:
        data = [encode_core(image) for image in images]
        program = program_of(*graph_document(self.compiled.lowered.program))
        return prove_images(data[:-1], data[-1], program)


def subject(name: str, target: str) -> Subject:
    sample, profile = SAMPLES[name], load_profile(target)
    compiled = build(sample_graph(name), profile, sample.options, sample.mapping(profile))
    data = (*compiled.mapped.images, compiled.mapped.host_image)
    return Subject(compiled, [decode_core(each) for each in data])


def changed(images: list[CoreImage], place: int, **values: Any) -> list[CoreImage]:
    return [*images[:place], replace(images[place], **values), *images[place + 1 :]]


def with_group(images: list[CoreImage], place: int, index: int, **values: Any) -> list[CoreImage]:
    groups = list(images[place].groups)
    group: Group = groups[index]
    assert group.local is not None
    groups[index] = replace(group, local=replace(group.local, **values))
    return changed(images, place, groups=tuple(groups))


# Networks whose neurons have between them every parameter, mode and flag.
KINDS = [
    ("mlp", "tiny"), ("grouped", "tiny"), ("recurrent", "loihi1"), ("adaptive", "generic-ternary"),
    ("kinds", "generic-ternary"), ("relays", "tiny"), ("convolution", "truenorth"), ("quantum", "loihi2"),
    ("residual", "paicore2"), ("wide codes", "loihi1"),
]  # fmt: skip
LEFT_ALONE = {"name", "inputs", "shape", "lsb", "origin", "record_before_reset", "extra"}


def other_values(local: Population, rng: np.random.Generator) -> dict[str, Any]:
    """For each field that an image holds another value: of one neuron by one off, or another mode."""
    found: dict[str, Any] = {
        "start": local.start + 1, "reset": next(r for r in Reset if r is not local.reset),
        "refractory": local.refractory + 1, "rearm": not local.rearm,
        "decays": next(d for d in Decays if d is not local.decays),
        "threshold_low": frozen(-3, np.int64) if local.threshold_low is None else None,
        "gain_a": frozen(3, np.int64) if local.gain_a is None else None,
    }  # fmt: skip
    if local.levels is not None:
        # An image of relays says nothing else; a writer that wrote more is refused by every reader.
        return {"levels": (local.levels[0], local.levels[1] + 1), "start": local.start + 1}
    for name in {each.name for each in fields(local)} - LEFT_ALONE - {"levels", "start", "reset", "refractory"}:
        value = getattr(local, name)
        if isinstance(value, np.ndarray) and (name != "decay_a" or local.gain_a is not None):
            one = np.broadcast_to(value, local.shape).copy()
            one[int(rng.integers(one.size))] += 1
            found[f"{name} of one"] = frozen(one)
    return found


@pytest.mark.parametrize(("name", "target"), KINDS, ids=[f"{name}@{target}" for name, target in KINDS])
def test_every_parameter_of_every_group_is_held_against_the_program(name: str, target: str) -> None:
    net = subject(name, target)
    assert net.proof(net.images).proven
    rng = np.random.default_rng(3)
    count = 0
    for place, image in enumerate(net.images[:-1]):
        for index, group in enumerate(image.groups):
            assert group.local is not None
            for field, value in other_values(group.local, rng).items():
                found = net.proof(with_group(net.images, place, index, **{field.removesuffix(" of one"): value}))
                assert not found.proven, f"{field} of {group.name}"
                assert found.difference is not None
                assert f"core {image.core}, {group.name}" in found.difference
                count += 1
    assert count >= 2


def shifted(images: list[CoreImage]) -> list[CoreImage]:
    weight = np.roll(images[0].blocks[0].local.weight, 1, axis=-1)
    block = images[0].blocks[0]
    changed_block = replace(block, local=replace(block.local, weight=frozen(weight)))
    return changed(images, 0, blocks=(changed_block, *images[0].blocks[1:]))


def late(images: list[CoreImage]) -> list[CoreImage]:
    block = images[0].blocks[0]
    blocks = (replace(block, local=replace(block.local, delay=7)), *images[0].blocks[1:])
    return changed(images, 0, blocks=blocks)


def without_synapses(images: list[CoreImage]) -> list[CoreImage]:
    """A core without its last axon range and block, and no route to it."""
    found = changed(images, 0, axons=images[0].axons[:-1], blocks=images[0].blocks[:-1])
    last, core = len(images[0].axons) - 1, images[0].core
    return [
        replace(image, routes=tuple(r for r in image.routes if (r.core, r.axons) != (core, last))) for image in found
    ]


def twice(images: list[CoreImage]) -> list[CoreImage]:
    """A core with its last axon range, block and routes once more: every such spike counts twice."""
    first = images[0]
    copy = replace(first.axons[-1], block=len(first.blocks))
    found = changed(images, 0, axons=(*first.axons, copy), blocks=(*first.blocks, first.blocks[copy.block - 1]))
    last = len(first.axons) - 1
    return [
        replace(
            image,
            routes=(*image.routes, *(
                replace(r, axons=last + 1) for r in image.routes if (r.core, r.axons) == (first.core, last)
            )),
        )
        for image in found
    ]  # fmt: skip


def no_host_routes(images: list[CoreImage]) -> list[CoreImage]:
    return changed(images, len(images) - 1, routes=images[-1].routes[1:])


def one_neuron_twice(images: list[CoreImage]) -> list[CoreImage]:
    return changed(images, 0, groups=(*images[0].groups, images[0].groups[0]))


def other_arithmetic(images: list[CoreImage]) -> list[CoreImage]:
    return changed(images, 0, arithmetic=replace(images[0].arithmetic, state_bits=20))


SAID: list[tuple[Callable[[list[CoreImage]], list[CoreImage]], str]] = [
    (shifted, "synapse from "), (late, "a delay of 7; the program requires 0"), (without_synapses, "no synapses from "),
    (twice, "synapses from "), (no_host_routes, "routes from 0 neurons of "), (one_neuron_twice, " again; "),
    (other_arithmetic, ": the images hold state_bits 20; the program requires "),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), SAID, ids=[change.__name__ for change, _ in SAID])
@pytest.mark.parametrize("target", ["generic-ternary", "loihi2", "tiny"])
def test_a_mistake_is_told_in_one_line_with_its_place(
    change: Callable[[list[CoreImage]], list[CoreImage]], said: str, target: str
) -> None:
    net = subject("convolution", target)
    found = net.proof(change(net.images))
    assert found.difference is not None
    assert said in found.difference
    assert "\n" not in found.difference
    assert (found.cores, found.neurons, found.blocks, found.routes) == (0, 0, 0, 0)


def test_a_core_that_is_missing_or_there_twice_is_found() -> None:
    net = subject("convolution", "tiny")
    assert not net.proof(net.images[1:]).proven
    assert not net.proof([net.images[0], *net.images]).proven


def test_the_program_is_read_from_a_bundles_files_as_from_memory() -> None:
    compiled = subject("kinds", "generic-ternary").compiled
    program = read_program(*graph_files(compiled.lowered.program), "program.json")
    found = prove_images(compiled.mapped.images, compiled.mapped.host_image, program)
    assert found.proven
    assert found.neurons == sum(population.size for population in program.populations)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "level": "INTEGER", "nodes": [{}]}'])
def test_a_program_that_is_damaged_is_one_line(text: str) -> None:
    _, arrays = graph_files(subject("mlp", "tiny").compiled.lowered.program)
    with pytest.raises(InputError, match="program.json: requires an integer program; found damage"):
        read_program(text.encode(), arrays, "program.json")


def test_a_field_of_the_program_that_the_checker_does_not_know_is_refused() -> None:
    document, arrays = graph_document(subject("mlp", "tiny").compiled.lowered.program)
    node = next(item for item in document["nodes"] if item["node"] == "Population")
    node["noise"] = 3
    with pytest.raises(ValueError, match="holds noise"):
        program_of(document, arrays)


def test_the_front_door_proves_a_network_in_memory_and_in_a_folder_and_says_what_differs(tmp_path: Path) -> None:
    graph = sample_graph("convolution")
    network = tern2lava.compile(graph, "tiny", out=tmp_path / "b")
    for bundle in (network, tmp_path / "b"):
        found = tern2lava.prove(bundle)
        assert found.proven
        assert str(found).startswith("PROVEN to be the program for every input: ")
        assert found.cores == len(network.mapped.images)
    image = tmp_path / "b" / "cores" / "core-00000.img"
    core = decode_core(image.read_bytes())
    image.write_bytes(encode_core(late([core])[0]))
    reseal(tmp_path / "b")
    assert str(tern2lava.prove(tmp_path / "b")).startswith("DIFFER from the program: core ")
    image.write_bytes(image.read_bytes()[:-1])
    reseal(tmp_path / "b")
    with pytest.raises(InputError, match="core image 0: requires an image as docs/image-format.md says; found "):
        tern2lava.prove(tmp_path / "b")


def spikes() -> Any:
    return np.random.default_rng(5).integers(0, 2, (4, 8, 2, 6, 6))


def test_verify_has_the_proof_as_a_verdict_that_data_cannot_show(tmp_path: Path) -> None:
    """A threshold that no potential of these data comes near is another: every execution agrees, images do not."""
    tern2lava.compile(sample_graph("convolution"), "tiny", out=tmp_path / "b")
    silent = np.zeros_like(spikes())
    image = tmp_path / "b" / "cores" / "core-00000.img"
    core = decode_core(image.read_bytes())
    local = core.groups[0].local
    assert local is not None
    image.write_bytes(encode_core(with_group([core], 0, 0, threshold=frozen(local.threshold + 64))[0]))
    reseal(tmp_path / "b")
    proof = tern2lava.verify(tmp_path / "b", silent, backend="reference", require="execution").verification
    assert proof is not None
    verdict = proof.verdict("images")
    assert proof.equal
    assert proof.met
    assert (verdict.status, verdict.required, verdict.met) == ("differs", None, None)
    for required in ("images", None):
        proof = tern2lava.verify(tmp_path / "b", silent, backend="reference", require=required).verification
        assert proof is not None
        assert proof.verdict("execution").met is not False
        assert proof.verdict("images").met is False
        assert not proof.met


def test_the_command_ends_with_code_1_where_images_are_not_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tern2lava.compile(sample_graph("convolution"), "tiny", out=tmp_path / "b")
    run = in_process(monkeypatch, capsys)
    done = run("prove", tmp_path / "b")
    assert done.returncode == 0
    assert " ".join(done.stdout.split()).startswith("Images PROVEN to be the program for every input: 2 cores, ")
    image = tmp_path / "b" / "cores" / "core-00000.img"
    image.write_bytes(encode_core(late([decode_core(image.read_bytes())])[0]))
    reseal(tmp_path / "b")
    done = run("prove", tmp_path / "b")
    assert done.returncode == 1
    assert "DIFFER from the program: core " in " ".join(done.stdout.split())
    found = json.loads(run("prove", tmp_path / "b", "--json").stdout)
    assert found["proven"] is False
    assert "a delay of 7; the program requires 0" in found["difference"]
    image.write_bytes(b"nothing")
    assert run("prove", tmp_path / "b").returncode == 2
