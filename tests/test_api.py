"""The five functions: compile, simulate, verify and report on a bundle, and a verification that bites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from network import network
from nodes import arrays_of, there
from reseal import reseal
from tern2lava import api
from tern2lava.bundle import read_bundle
from tern2lava.compiler.image.core_image import decode_core, encode_core
from tern2lava.compiler.ir.graph import Dense, Graph, Input, Level, Neuron, Output, Readout, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.errors import CapacityError, InputError
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.data.spike_file import make_spikes
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare


def two_layers(hidden: int = 20, **neuron: Any) -> Graph:
    rng = np.random.default_rng(1)
    weights = (rng.integers(-1, 2, (out, count)) for out, count in ((hidden, 16), (4, hidden)))
    return network(*weights, names=("h", "y"), output="out", steps=10, **{"threshold": frozen(1.0)} | neuron)


def samples(count: int = 4, steps: int = 10) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    return {"spikes": rng.integers(0, 2, (count, steps, 16)).astype(np.uint8), "labels": np.arange(count) % 4}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    api.compile(two_layers(), "tiny", out=tmp_path / "b")
    return tmp_path / "b"


def test_a_graph_is_compiled_simulated_verified_and_reported(bundle: Path) -> None:
    report = api.verify(bundle, samples(), backend="reference")
    assert report.verification is not None
    assert report.verification.equal
    assert report.verification.spike_exact
    assert {row.verdict for row in report.certificate} == {"EXACT"}
    assert [row.met for row in report.verification.verdicts] == [True, True, None, None, True]
    assert all(row.missing + row.extra == 0 for row in report.verification.arithmetic.populations)
    assert report.verification.accuracy_integer == report.verification.accuracy_float
    assert api.report(bundle) == report
    opened = read_bundle(bundle)
    wanted = integer.run(opened.executable.program, arrays_of(make_spikes(samples(), opened.executable.program).inputs))
    for engine in ("fast", "reference", "images"):
        found = api.simulate(opened, samples(), engine=engine, states=True)
        assert np.array_equal(found.trace.v["y"], wanted.v["y"])
        assert np.array_equal(found.scores, wanted.spikes["y"].sum(axis=1))
        assert found.accuracy == float((found.scores.argmax(axis=1) == samples()["labels"]).mean())


def test_a_membrane_readout_is_simulated_without_being_asked_for_states(tmp_path: Path) -> None:
    graph = two_layers()
    nodes = [replace(n, readout=Readout.MEMBRANE_SUM) if isinstance(n, Output) else n for n in graph.nodes]
    api.compile(graph.with_nodes(nodes), "tiny", out=tmp_path / "b")
    found = api.simulate(tmp_path / "b", samples())
    assert found.trace.v == {}
    assert np.array_equal(found.scores, api.simulate(tmp_path / "b", samples(), engine="images").scores)
    assert np.any(found.scores)


@pytest.mark.parametrize("count", [0, -3])
def test_verifying_no_samples_proves_nothing_and_is_refused(bundle: Path, count: int) -> None:
    with pytest.raises(InputError, match="verify at least one"):
        api.verify(bundle, samples(), backend="reference", samples=count)


def test_the_proof_is_not_claimed_for_more_steps_than_nothing_overflows(tmp_path: Path) -> None:
    # One synapse in every step and no reset: after 127 steps the 8-bit state of this target is full.
    profile = load_profile("tiny").model_dump(mode="json")
    profile["name"] = "narrow"
    for key, value in (("state_bits", 8), ("threshold_bits", 7), ("bias_bits", 8)):
        profile["arithmetic"][key]["value"] = value
    narrow = Profile.model_validate(profile)
    graph = Graph(
        level=Level.IMPORTED,
        steps=20,
        nodes=(
            Input(name="x", shape=(1,)),
            Dense(name="w", inputs=("x",), weight=frozen([[1.0]])),
            Neuron(name="n", inputs=("w",), shape=(1,), threshold=frozen(100.0), reset=Reset.NONE),
            Output(name="y", inputs=("n",)),
        ),
    )
    api.compile(graph, narrow, out=tmp_path / "b")
    row = api.report(tmp_path / "b").certificate[0]
    assert (row.verdict, row.no_overflow, row.safe_steps) == ("EXACT", True, 127)
    for steps, proven in ((20, True), (127, True), (128, False)):
        spikes = {"spikes": np.ones((1, steps, 1), np.uint8)}
        report = api.verify(tmp_path / "b", spikes, backend="reference", any_steps=True)
        assert there(report.verification).equal
        assert there(report.verification).spike_exact == proven


def test_a_network_too_large_for_the_target_leaves_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(CapacityError) as raised:
        api.compile(two_layers(hidden=5_000), "tiny", out=tmp_path / "b")
    assert raised.value.need > raised.value.have
    assert list(tmp_path.iterdir()) == []


def image_paths(bundle: Path) -> list[Path]:
    return sorted(Path(bundle, "cores").glob("core-*.img"))


@pytest.mark.parametrize("run", [partial(api.verify, backend="reference"), partial(api.simulate, engine="images")])
def test_a_flipped_bit_in_a_core_image_is_caught_by_its_checksum(bundle: Path, run: Callable[..., Any]) -> None:
    for path in image_paths(bundle):
        whole = path.read_bytes()
        for at in np.linspace(0, len(whole) - 1, 12).astype(int):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
            reseal(bundle)
            with pytest.raises(InputError, match="checksum does not match|do not start as a core image"):
                run(bundle, samples())
        path.write_bytes(whole)
    reseal(bundle)
    assert there(api.verify(bundle, samples(), backend="reference").verification).equal


def change_one_code(data: bytes) -> bytes:
    """The image with one weight code changed and a checksum that matches it."""
    image = decode_core(data)
    block = image.blocks[0]
    weight = np.array(block.local.weight)
    at = tuple(np.argwhere(weight != 0)[0])
    weight[at] = -weight[at]
    local = replace(block.local, weight=frozen(weight))
    return encode_core(replace(image, blocks=(replace(block, local=local), *image.blocks[1:])))


def test_a_changed_code_with_a_matching_checksum_is_caught_by_execution(bundle: Path) -> None:
    for path in image_paths(bundle):
        whole = path.read_bytes()
        path.write_bytes(change_one_code(whole))
        reseal(bundle)
        report = api.verify(bundle, samples(), backend="reference")
        found = there(report.verification)
        assert not found.equal
        assert "I differs from M: first difference in step" in there(found.first_difference)
        assert any(f"population {name}" in there(found.first_difference) for name in ("h", "y"))
        assert there(api.report(bundle).verification).equal is False
        path.write_bytes(whole)


def test_lava_executes_the_changed_code_too(bundle: Path) -> None:
    pytest.importorskip("lava.magma", reason="lava-nc is not installed")
    from tern2lava.sim.lava.cores import run_cores

    opened = read_bundle(bundle).executable
    inputs = arrays_of(make_spikes(samples(2), opened.program).inputs)
    reference = integer.run(opened.program, inputs)
    changed = (change_one_code(opened.images[0]), *opened.images[1:])
    lava = run_cores(changed, opened.host_image, inputs, timeout=120).trace
    assert not compare({"I": reference, "L2": lava}, opened.program).equal
    assert np.array_equal(lava.v["y"], mapped.run(changed, opened.host_image, inputs).v["y"])


def test_the_command_line_ends_in_one_after_a_difference(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from tern2lava.__main__ import main

    path = image_paths(bundle)[0]
    path.write_bytes(change_one_code(path.read_bytes()))
    reseal(bundle)
    np.savez(tmp_path / "data.npz", **samples())
    arguments = ["tern2lava", "verify", str(bundle), "--data", str(tmp_path / "data.npz"), "--backend", "reference"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 1
    captured = capsys.readouterr()
    assert "DIFFERS I differs from M: first difference in step" in captured.out
    path.write_bytes(path.read_bytes()[:-1])
    reseal(bundle)
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "checksum" in captured.err
