"""verify with the framework's own run: the verdict on reading, its exit code, and what a bundle keeps by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from command_line import Run, in_process
from nodes import part
from oracle_net import MISREADINGS, NAMES, NET, count_spikes, module, spikes, write
from reseal import reseal
from tern2lava import api
from tern2lava.bundle import read_bundle, recorded_run
from tern2lava.bundle.manifest import RECORDED
from tern2lava.compiler.ir.files import npz
from tern2lava.compiler.ir.graph import Compare, Neuron
from tern2lava.effort import NORMAL
from tern2lava.errors import InputError
from tern2lava.report.model import Verification

snn: Any = pytest.importorskip("snntorch", reason="snnTorch is not installed")
neuron: Any = pytest.importorskip("spikingjelly.activation_based.neuron", reason="SpikingJelly is not installed")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The npz of the network's own run."""
    path: Path = tmp_path_factory.mktemp("recorded") / "run.npz"
    api.record(module(), spikes(), names=NAMES, scores=count_spikes, out=path)
    return path


def compiled(folder: Path, text: str = NET) -> Path:
    checkpoint, net = write(folder, module(), text)
    api.compile(checkpoint, "generic-ternary", net=net, out=folder / "build")
    return folder / "build"


def verified(folder: Path, data: Any, **options: Any) -> Verification:
    found = api.verify(folder, data, backend="reference", **options).verification
    assert found is not None
    return found


def test_a_recorded_run_that_cannot_be_used_is_refused_before_anything_runs(
    tmp_path: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.verifying, "run_verify", lambda *_, **__: pytest.fail("the executions ran first"))
    with np.load(recorded) as arrays:
        given = dict(arrays) | {"scores": np.zeros((6, 2, 2))}
    with pytest.raises(InputError, match=r"scores: requires shape \(6, classes\)"):
        verified(compiled(tmp_path), given)


def test_a_network_read_as_it_is_agrees_with_its_framework(tmp_path: Path, recorded: Path) -> None:
    found = verified(compiled(tmp_path), recorded)
    verdict, block = found.verdict("reading"), found.reading
    assert block is not None
    assert (verdict.status, verdict.met, found.met) == ("equal", True, True)
    assert verdict.required == "no misreading of the framework's own run"
    with np.load(recorded) as arrays:
        count = int(arrays["spikes.hidden"].sum() + arrays["spikes.out"].sum())
    assert (block.spikes, block.equal_spikes, block.ties, block.misreadings) == (count, count, 0, 0)
    assert (block.samples, block.steps, block.dtype, block.kept, block.misread_scores) == (6, 16, "float32", False, 0)
    assert verdict.sentence == (
        f"EQUAL: {count:,} of {count:,} recorded spikes equal; 0 float32 ties, 0 misreadings; scores of 6 of 6 samples "
        "are the readout's"
    )


@pytest.mark.parametrize("misread", MISREADINGS)
def test_each_of_twelve_misreadings_of_a_net_yaml_turns_the_verdict_red(
    tmp_path: Path, recorded: Path, misread: str
) -> None:
    folder = compiled(tmp_path, NET.replace(*MISREADINGS[misread]))
    if misread == "steps":
        with pytest.raises(
            InputError,
            match=r"run\.npz: requires samples of 12 steps, which the network is.*; found 6 samples of 16 steps",
        ):
            verified(folder, recorded)
    found = verified(folder, recorded, any_steps=misread == "steps")
    assert found.verdict("execution").status == "equal"
    assert (found.verdict("reading").status, found.verdict("reading").met, found.met) == ("differs", False, False)
    assert found.verdict("reading").sentence.startswith("MISREAD: ")
    assert found.reading is not None
    assert (found.reading.misreadings > 0) == (misread != "steps")


def test_a_misreading_ends_with_exit_code_1_unless_reading_is_not_required(
    tmp_path: Path, recorded: Path, run: Run
) -> None:
    right, wrong = compiled(tmp_path), tmp_path / "wrong"
    wrong.mkdir()
    wrong = compiled(wrong, NET.replace(*MISREADINGS["fire"]))
    options = ("--data", str(recorded), "--backend", "reference")
    code, out, _ = run("verify", str(right), *options)
    assert (code, "Reading     EQUAL" in out) == (0, True)
    code, out, _ = run("verify", str(wrong), *options)
    assert code == 1
    assert "MISREAD" in out
    assert "first misreading in step 1 of sample 0, population hidden" in " ".join(out.split())
    _, full, _ = run("verify", str(wrong), *options, "--full")
    assert "Float model against the framework's own run in float32" in full
    assert run("verify", str(wrong), *options, "--require", "execution,arithmetic")[0] == 0
    assert run("verify", str(wrong), *options, "--require", "reading")[0] == 1


def test_named_arrays_carry_the_run_as_a_file_does(tmp_path: Path, recorded: Path) -> None:
    folder = compiled(tmp_path)
    with np.load(recorded) as stored:
        arrays = dict(stored)
    assert verified(folder, arrays, samples=2).reading == verified(folder, recorded, samples=2).reading
    with pytest.raises(InputError, match="data: spikes.lif9: requires names of populations.*they are hidden, out"):
        verified(folder, {**arrays, "spikes.lif9": arrays["spikes.out"]})
    only = {name: value for name, value in arrays.items() if name in ("spikes", "scores", "dtype")}
    verdict = verified(folder, only).verdict("reading")
    assert verdict.sentence.startswith("SCORES EQUAL: scores of ")
    assert "no spikes recorded of hidden, out: not compared" in verdict.sentence


def test_some_samples_at_a_time_give_the_same(tmp_path: Path, recorded: Path) -> None:
    folder = compiled(tmp_path, NET.replace(*MISREADINGS["beta"]))
    whole = verified(folder, recorded).reading
    told: list[tuple[str, int, int]] = []
    few = replace(NORMAL, reading_values=5000)
    parts = verified(folder, recorded, effort=few, progress=lambda *stage: told.append(stage)).reading
    assert parts == whole
    assert [stage for stage in told if stage[0] == "framework's own run"] == [
        ("framework's own run", done, 6) for done in (0, 2, 4, 6)
    ]


def live(threshold: float = 1.0) -> nn.Module:
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        nn.Linear(12, 30), snn.Leaky(beta=0.5, init_hidden=True), nn.Linear(30, 5), neuron.IFNode(v_threshold=threshold)
    )
    with torch.no_grad():
        for layer in (part(net, "0", nn.Linear), part(net, "2", nn.Linear)):
            layer.weight.copy_(torch.from_numpy(rng.choice([-1, 0, 1, 1], tuple(layer.weight.shape)) * 0.5))
            layer.bias.zero_()
    return net


def inputs(steps: int = 10) -> NDArray[Any]:
    return (np.random.default_rng(1).random((3, steps, 12)) < 0.3).astype(np.uint8)


def test_a_bundle_of_a_live_module_keeps_its_own_run(tmp_path: Path) -> None:
    net = live()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    folder = tmp_path / "build"
    done = api.compile(net, "generic-ternary", input_shape=(12,), steps=10, out=folder)
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())
    kept = recorded_run(read_bundle(folder))
    assert kept is not None
    data, oracle = kept
    assert (data.samples, data.steps, oracle.kept, oracle.dtype) == (4, 10, True, "float32")
    assert set(oracle.spikes) == {"1", "3"}
    assert all(np.asarray(values[:]).any() for values in oracle.spikes.values())
    np.testing.assert_array_equal(oracle.spikes["1"][:], api.record(net, data.values()["input"])["spikes.1"])
    assert (folder / RECORDED).stat().st_size < 5000
    assert not [note for note in done.lowered.imported.notes if "recorded" in note]
    verdict = verified(folder, {"spikes": inputs()}).verdict("reading")
    assert (verdict.status, verdict.met) == ("equal", True)
    assert "on the 4 recorded samples that the bundle keeps" in verdict.sentence
    given = verified(folder, api.record(net, inputs()))
    assert given.reading is not None
    assert (given.reading.kept, given.reading.samples) == (False, 3)


def test_the_run_that_a_bundle_keeps_finds_a_misreading(tmp_path: Path) -> None:
    from tern2lava.frontends.modules import read as reader

    folder, right = tmp_path / "build", reader.read_module

    def misread(*arguments: Any, **options: Any) -> Any:
        from dataclasses import replace

        loaded = right(*arguments, **options)
        nodes = [replace(node, compare=Compare.GT) if isinstance(node, Neuron) else node for node in loaded.graph.nodes]
        return replace(loaded, graph=loaded.graph.with_nodes(nodes))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "read_module", misread)
        api.compile(live(), "generic-ternary", input_shape=(12,), steps=10, out=folder)
    found = verified(folder, {"spikes": inputs()})
    assert (found.verdict("reading").status, found.met) == ("differs", False)


def test_populations_that_stay_silent_are_named(tmp_path: Path) -> None:
    done = api.compile(live(1000.0), "generic-ternary", input_shape=(12,), steps=10, out=tmp_path / "build")
    assert "3: no spike in the 4 recorded samples that the bundle keeps" in done.lowered.imported.notes


def test_a_network_from_a_file_keeps_the_run_that_it_is_given(tmp_path: Path, recorded: Path, run: Run) -> None:
    for misread in ("nothing", "fire", "readout"):
        folder = tmp_path / misread
        folder.mkdir()
        checkpoint, net = write(folder, module(), NET.replace(*MISREADINGS.get(misread, ("", ""))))
        code, _, stderr = run(
            "compile", str(checkpoint), "--net", str(net), "-t", "generic-ternary", "-o", str(folder / "build"),
            "--recorded", str(recorded),
        )  # fmt: skip
        assert (code, stderr) == (0, "")
        found = verified(folder / "build", {"spikes": spikes()})
        assert found.met == (misread == "nothing")
        assert found.verdict("reading").status == ("equal" if misread == "nothing" else "differs")
        assert "on the 6 recorded samples that the bundle keeps" in found.verdict("reading").sentence
    kept = recorded_run(read_bundle(folder / "build"))
    assert kept is not None
    assert not kept[1].v


def test_a_run_to_keep_must_be_one_of_the_network(tmp_path: Path, recorded: Path) -> None:
    checkpoint, net = write(tmp_path, module())
    with np.load(recorded) as stored:
        arrays = dict(stored)

    def kept(given: Any) -> None:
        api.compile(checkpoint, "generic-ternary", net=net, out=tmp_path / "build", recorded=given)

    with pytest.raises(
        InputError, match=r"recorded: requires a framework's run \(spikes\.NAME or scores\); found none"
    ):
        kept({"spikes": arrays["spikes"]})
    with pytest.raises(InputError, match="recorded: requires 16 steps a sample, those of the network; found 8"):
        kept({name: value[:, :8] if value.ndim > 2 else value for name, value in arrays.items()})
    with pytest.raises(InputError, match="nowhere.npz: requires a recorded run; found none there"):
        kept(tmp_path / "nowhere.npz")
    with pytest.raises(InputError, match="net.yaml: requires a recorded run; found text that begins"):
        kept(net)
    assert not (tmp_path / "build").exists()


def test_a_network_from_a_file_keeps_no_run_and_says_so(tmp_path: Path) -> None:
    folder = compiled(tmp_path)
    assert recorded_run(read_bundle(folder)) is None
    verdict = verified(folder, {"spikes": spikes()}).verdict("reading")
    assert (verdict.status, verdict.required, verdict.met) == ("not compared", None, None)
    assert verified(folder, {"spikes": spikes()}, require="execution,reading").met is False


def test_a_damaged_recording_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    api.compile(live(), "generic-ternary", input_shape=(12,), steps=10, out=folder)
    for data, found in ((b"PK no archive", r"a whole zip file; found damage"), (npz({"x": spikes()}), "a whole file")):
        (folder / RECORDED).write_bytes(data)
        reseal(folder)
        with pytest.raises(InputError, match=rf"^[^:]*recorded.npz: requires {found}.*; compile again$"):
            verified(folder, {"spikes": inputs()})


def test_a_module_whose_run_fails_compiles_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise InputError("net", "its forward fails")

    monkeypatch.setattr("tern2lava.frontends.record.record.record_module", fail)
    done = api.compile(live(), "generic-ternary", input_shape=(12,), steps=10, out=tmp_path / "build")
    assert any("its recording failed: net: its forward fails" in note for note in done.lowered.imported.notes)
    assert not (tmp_path / "build" / RECORDED).exists()
    assert verified(tmp_path / "build", {"spikes": inputs()}).verdict("reading").status == "not compared"
