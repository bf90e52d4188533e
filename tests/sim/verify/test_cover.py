"""The cover stimulus alone shows what is wrong in core images, and says what ran and what it covered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from command_line import in_process
from driven_nets import neurons
from lossy import network as small
from lossy import samples
from nodes import there
from tern2lava.bundle import read_bundle
from tern2lava.compiler.image.core_image import CoreImage, decode_core, encode_core
from tern2lava.compiler.ir.graph import Arithmetic, Graph, Input, Level, Output, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.mapped import map_program
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.cores import reference as cores
from tern2lava.sim.executable import Executable
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare
from tern2lava.sim.verify.cover import cover, cover_executions, stimuli
from tern2lava.sim.verify.stimulus import frame_of, sources_of
from tern2lava.sim.verify.thresholds import SideWatch


def program() -> Graph:
    """x (6) -> h (5) -> y (4), y also from x a step later, and h from itself."""
    rng = np.random.default_rng(0)

    def wire(name: str, source: str, out: int, count: int, delay: int = 0) -> Projection:
        weight = frozen(rng.integers(-1, 2, (out, count)), np.int8)
        return Projection(name=name, inputs=(source,), weight=weight, gain=frozen(64), delay=delay)

    threshold = {"threshold": frozen(128)}
    return Graph(
        level=Level.INTEGER, arithmetic=Arithmetic(),
        nodes=(
            Input(name="x", shape=(6,)),
            wire("w", "x", 5, 6), wire("loop", "h", 5, 5),
            replace(neurons("h", "w", 1, shape=(5,), **threshold), inputs=("w", "loop")),
            wire("c", "h", 4, 5), wire("skip", "x", 4, 6, delay=1),
            replace(neurons("y", "c", 2, shape=(4,), **threshold), inputs=("c", "skip")),
            Output(name="out", inputs=("y",)),
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def small_executable() -> Executable:
    graph = program()
    mapped = map_program(graph, load_profile("generic-ternary"))
    return Executable(
        imported=graph, real=graph, program=graph, images=tuple(mapped.images), host_image=mapped.host_image
    )  # fmt: skip


def mutants(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Images with one code, delay or pair of axons made another, all that there are."""
    image = decode_core(data)

    def put(block: int, **values: Any) -> bytes:
        changed = replace(image.blocks[block], local=replace(image.blocks[block].local, **values))
        blocks = (*image.blocks[:block], changed, *image.blocks[block + 1 :])
        return encode_core(replace(image, blocks=blocks))

    for index, block in enumerate(image.blocks):
        weight = block.local.weight
        for at in np.ndindex(weight.shape):
            for code in {-1, 0, 1} - {int(weight[at])}:
                other = np.array(weight)
                other[at] = code
                yield f"block {index}: code {at} is {code}", put(index, weight=frozen(other, np.int8))
        for one, other_one in combinations(range(weight.shape[1]), 2):
            swapped = np.array(weight)
            swapped[:, [one, other_one]] = swapped[:, [other_one, one]]
            if (swapped != weight).any():
                yield f"block {index}: axons {one} and {other_one} swapped", put(index, weight=frozen(swapped, np.int8))
        if weight.any():
            for delay in {block.local.delay + 1, abs(block.local.delay - 1)}:
                yield f"block {index}: delay {delay}", put(index, delay=delay)


def test_every_other_code_delay_and_pair_of_axons_is_shown_by_execution_alone(small_executable: Executable) -> None:
    (data,) = small_executable.images
    watch, graph = SideWatch(small_executable.program), small_executable.program
    stimulus = next(stimuli(small_executable, watch, NORMAL))
    expected = integer.run(graph, stimulus.inputs, driven=stimulus.driven)

    def differs(image: bytes, driven: Any, inputs: Any, known: Any) -> bool:
        trace = cores.run([image], small_executable.host_image, inputs, driven=driven)
        return not compare({"I": known, "M": trace}, graph).equal

    assert not differs(data, stimulus.driven, stimulus.inputs, expected)
    made = list(mutants(data))
    assert len(made) > 200
    assert [what for what, image in made if not differs(image, stimulus.driven, stimulus.inputs, expected)] == []
    # All sources in every step show no swap, which is why such a stimulus does not count.
    ones = {each.name: np.ones((1, frame_of(graph).steps, each.neurons), np.uint8) for each in sources_of(graph)}
    x = {"x": ones.pop("x")}
    known = integer.run(graph, x, driven=ones)
    missed = [what for what, image in made if not differs(image, ones, x, known)]
    assert missed
    assert all("swapped" in what for what in missed)


def test_the_first_difference_is_named_with_its_execution(small_executable: Executable) -> None:
    _, image = next(mutants(small_executable.images[0]))
    found = cover(replace(small_executable, images=(image,)), backend="reference")
    assert not found.comparison.equal
    assert (found.comparison.link, found.comparison.chain) == ("M", ("I", "E", "M"))
    assert str(found.comparison).startswith("I differs from M: first difference in step ")


def test_a_difference_is_in_the_sample_that_it_is_in_and_ends_the_run(
    small_executable: Executable, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def run(*rest: Any, **more: Any) -> Any:
        trace = right(*rest, **more)
        made.append(len(next(iter(trace.u.values()))))
        if len(made) == 3:
            trace.u["y"][0, 4, 2] += 1
        return trace

    right = cores.run
    monkeypatch.setattr("tern2lava.sim.cores.reference.run", run)
    found = cover(small_executable, backend="reference", effort=replace(NORMAL, shard_values=1))
    assert made == [1, 1, 1]
    assert found.samples == 3
    difference = there(found.comparison.difference)
    assert (difference.sample, difference.step, difference.population, difference.neuron) == (2, 5, "y", 2)


def test_what_is_covered_is_counted(small_executable: Executable) -> None:
    found = cover(small_executable, backend="reference")
    assert found.comparison.equal
    weights = sum(int(np.count_nonzero(each.weight)) for each in small_executable.program.of_kind(Projection))
    assert found.coverage.synapses == found.coverage.carried == weights
    assert found.uncovered == ()
    assert all(side.both + side.helpless == side.thresholds for side in found.sides)
    assert {run.name: run.samples for run in found.executions} == dict.fromkeys(("I", "E", "M"), found.samples)


@pytest.mark.parametrize(
    ("backend", "mode", "runs", "left_out"),
    [
        ("reference", "mixed", "I E M", ""), ("lava", "mixed", "I E M L2", "LM L3 L1"),
        ("lava", "fused", "I E M L2", ""), ("lava", "stock", "I E M L1", ""), ("lava", "inprocess", "I E M L3", ""),
        ("lava", "all", "I E M L2 L3 L1", "LM"),
    ],
)  # fmt: skip
def test_what_runs_it_is_what_executes_images_and_what_is_asked_for(
    backend: Any, mode: Any, runs: str, left_out: str
) -> None:
    ran, not_run = cover_executions(backend, mode)
    assert " ".join(entry.name for entry in ran) == runs
    assert " ".join(entry.name for entry in not_run) == left_out


def test_every_execution_in_lava_does_the_same(
    small_executable: Executable, lava_child: LavaChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lent:
        def __init__(self, preload: tuple[str, ...] = ()) -> None:
            self.run = lava_child.run

        def __enter__(self) -> Lent:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("tern2lava.sim.verify.cover.LavaChild", Lent)
    found = cover(small_executable, mode="all", effort=replace(NORMAL, cover_ramps=1), timeout=60)
    assert found.comparison.equal, str(found.comparison)
    assert found.comparison.chain == ("I", "E", "M", "L2", "L3", "L1")
    _, image = next(mutants(small_executable.images[0]))
    wrong = replace(small_executable, images=(image,))

    def run_right(images: Any, *rest: Any, **more: Any) -> Any:
        return right(small_executable.images, *rest, **more)

    right = cores.run
    monkeypatch.setattr("tern2lava.sim.cores.reference.run", run_right)
    assert cover(wrong, mode="fused", effort=replace(NORMAL, cover_ramps=1), timeout=60).comparison.link == "L2"


@pytest.fixture(scope="module")
def compiled() -> Any:
    return tern2lava.compile(small(), "tiny")


def broken(network: Any) -> Any:
    """The bundle with one weight of its images made another, its proof out of the way."""
    bundle = network.bundle
    image: CoreImage = decode_core(bundle.executable.images[0])
    block = next(k for k, each in enumerate(image.blocks) if each.local.weight.any())
    weight = np.array(image.blocks[block].local.weight)
    weight.reshape(-1)[np.flatnonzero(weight)[0]] *= -1
    local = replace(image.blocks[block].local, weight=frozen(weight, np.int8))
    changed = replace(image.blocks[block], local=local)
    blocks = (*image.blocks[:block], changed, *image.blocks[block + 1 :])
    images = (encode_core(replace(image, blocks=blocks)), *bundle.executable.images[1:])
    return replace(bundle, executable=replace(bundle.executable, images=images))


def test_without_data_it_is_all_that_execution_rests_on(compiled: Any) -> None:
    found = there(tern2lava.verify(compiled, stimulus="cover", backend="reference").verification)
    assert found.met
    block = there(found.cover)
    assert [row.status for row in found.verdicts] == ["equal", "not compared", "not compared", "not compared", "equal"]
    assert found.verdict("execution").sentence == (
        f"VERIFIED on the cover stimulus I == E == M: {block.compared_values:,} spikes and states equal, "
        f"{block.samples} samples x 16 steps; no data were given"
    )
    assert (found.samples, found.coverage) == (0, None)
    assert block.coverage.carried == block.coverage.synapses > 0
    assert sum(row.both for row in block.thresholds) == 24


def test_a_changed_weight_that_silent_data_do_not_show_makes_execution_red(compiled: Any) -> None:
    silent = np.zeros_like(samples()["spikes"])
    wrong = broken(compiled)
    required: Any = {"backend": "reference", "require": "execution"}
    assert there(tern2lava.verify(wrong, silent, **required).verification).met
    for data in (silent, None):
        found = there(tern2lava.verify(wrong, data, stimulus="cover", **required).verification)
        assert not found.met
        assert not found.equal
        assert found.verdict("execution").sentence.startswith("DIFFERS on the cover stimulus: I differs from M: first ")
        assert there(there(found.cover).first_difference).startswith("I differs from M")


def test_on_top_of_data_both_are_said_with_what_they_covered(compiled: Any) -> None:
    found = there(tern2lava.verify(compiled, samples(), stimulus="cover", backend="reference").verification)
    assert found.met
    assert "VERIFIED I == E == M: " in found.verdict("execution").sentence
    assert "; VERIFIED on the cover stimulus I == E == M: " in found.verdict("execution").sentence
    data, generated = there(found.coverage), there(found.cover).coverage
    assert (data.samples, data.steps) == (6, 10)
    assert data.synapses == generated.synapses
    assert sum(row.carried for row in data.populations) == data.carried
    assert sum(row.synapses for row in data.cores) == data.synapses


def test_where_the_data_show_a_difference_already_the_stimulus_does_not_run(compiled: Any) -> None:
    found = there(tern2lava.verify(broken(compiled), samples(), stimulus="cover", backend="reference").verification)
    assert (found.met, found.equal, found.cover) == (False, False, None)
    assert found.verdict("execution").sentence.startswith("DIFFERS I differs from M")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {},
            "data: spikes: requires an array, list or tensor; found None; give some, or stimulus='cover' for generated "
            "ones",
        ),
        ({"stimulus": "all"}, "stimulus: requires cover; found 'all'"),
        ({"stimulus": 1}, "stimulus: requires cover; found 1"),
        (
            {"stimulus": "cover", "require": "execution,arithmetic"},
            "require: requires data for arithmetic; found none; give some, or leave the word out",
        ),
        ({"stimulus": "cover", "require": "ranges"}, "require: requires data for ranges; found none"),
    ],
)
def test_what_cannot_be_is_one_line(compiled: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        tern2lava.verify(compiled, backend="reference", **options)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_on_the_command_line_it_needs_no_data_and_bad_words_are_one_line(
    compiled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_process(monkeypatch, capsys)
    compiled.save(tmp_path / "b")
    done = run("verify", tmp_path / "b", "--stimulus", "cover", "--backend", "reference")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "Execution VERIFIED on the cover stimulus I == E == M" in text
    assert "synapses (100 %) carried a spike" in text
    assert "thresholds (100 %) met from both sides" in text
    as_json = run("verify", tmp_path / "b", "--stimulus", "cover", "--backend", "reference", "--json")
    assert json.loads(as_json.stdout)["cover"]["equal"] is True
    assert there(read_bundle(tmp_path / "b").report.verification).cover is not None
    for words in (("--stimulus", "ones"), ("--stimulus", ""), ()):
        done = run("verify", tmp_path / "b", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert "requires" in done.stderr
