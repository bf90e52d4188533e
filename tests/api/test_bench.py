"""tern2lava.bench and the command `bench`: NeuroBench's keys, and what it cannot see beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from command_line import in_process
from lossy import network, samples
from tern2lava.api import Bench, CompiledNetwork

FULL = ("--full",)
KEYS = ["Footprint", "ConnectionSparsity", "ActivationSparsity", "SynapticOperations", "ClassificationAccuracy"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "build"


@pytest.fixture(scope="module")
def held(folder: Path) -> CompiledNetwork:
    return tern2lava.compile(network(), "tiny", out=folder)


@pytest.fixture(scope="module")
def found(held: CompiledNetwork) -> Bench:
    return tern2lava.bench(held, samples())


def test_the_result_has_neurobenchs_keys_and_ours_beside_them(found: Bench) -> None:
    assert list(found.result) == [*KEYS, "tern2lava"]
    assert list(found.result["SynapticOperations"]) == ["Effective_MACs", "Effective_ACs", "Dense"]


def test_every_number_is_that_of_the_run(found: Bench, held: CompiledNetwork) -> None:
    run = tern2lava.simulate(held, samples())
    places = sum(values.size for values in run.trace.spikes.values())
    assert found.result["ActivationSparsity"] == (places - sum(run.spikes.values())) / places
    assert found.result["ClassificationAccuracy"] == run.accuracy
    weights = np.concatenate([node.weight.reshape(-1) for node in network().nodes if hasattr(node, "weight")])
    assert found.result["ConnectionSparsity"] == round(float((weights == 0).mean()), 4)


def test_the_encoded_weights_are_those_of_the_report_in_bytes(found: Bench, held: CompiledNetwork) -> None:
    own, total = found.result["tern2lava"], held.report.memory.total
    assert own["footprint_fp32_bytes"] == 4 * total.weights == 4 * 400
    assert own["footprint_ternary_bytes"] == 100
    assert own["footprint_encoded_bytes"] == -(-total.transport_bits // 8)
    assert own["footprint_stored_bytes"] == -(-total.stored_bits // 8)
    assert own["footprint_images_bytes"] == -(-total.image_bits // 8)
    assert [row["layer"] for row in own["layers"]] == [node.name for node in network().nodes if hasattr(node, "weight")]
    assert sum(row["Effective_ACs"] for row in own["layers"]) == pytest.approx(
        found.result["SynapticOperations"]["Effective_ACs"]
    )


def test_a_footprint_is_a_modules_and_a_bundle_without_one_says_so(found: Bench, held: CompiledNetwork) -> None:
    assert found.result["Footprint"] is None
    assert found.result["tern2lava"]["not_counted"][0].startswith("Footprint: NeuroBench adds up the parameters")

    class Tensor:
        def __init__(self, elements: int, each: int) -> None:
            self.numel, self.element_size = lambda: elements, lambda: each

    class Module:
        def parameters(self) -> list[Tensor]:
            return [Tensor(400, 4), Tensor(24, 2)]

        def buffers(self) -> list[Tensor]:
            return [Tensor(1, 8)]

    with_module = tern2lava.bench(held, samples(), module=Module()).result
    assert with_module["Footprint"] == 1600 + 48 + 8
    assert with_module["tern2lava"]["not_counted"] == []


def test_data_without_labels_have_no_accuracy(held: CompiledNetwork) -> None:
    assert "ClassificationAccuracy" not in tern2lava.bench(held, samples()["spikes"]).result


def test_the_command_prints_the_json_and_a_table_before_it(
    folder: Path, found: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data: dict[str, Any] = dict(samples())
    np.savez(tmp_path / "test.npz", **data)
    run = in_process(monkeypatch, capsys)
    alone = run("bench", str(folder), "--data", str(tmp_path / "test.npz"), "--json")
    assert (alone.returncode, alone.stderr) == (0, "")
    assert json.loads(alone.stdout) == json.loads(json.dumps(found.result))
    both = run("bench", str(folder), "--data", str(tmp_path / "test.npz"))
    assert both.returncode == 0
    assert both.stdout.endswith(alone.stdout)
    assert "SynapticOperations Effective_ACs" in both.stdout
    assert "entropy-coded file" in both.stdout


def test_energy_is_estimated_from_the_run_and_kept_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held = tern2lava.compile(network(), "loihi1", out=tmp_path / "b")
    before = held.report.energy
    assert before is not None
    assert (before.measured, before.samples, len(before.estimates)) == (False, 0, 2)
    run = in_process(monkeypatch, capsys)
    data: dict[str, Any] = dict(samples())
    np.savez(tmp_path / "test.npz", **data)
    words = ("bench", str(tmp_path / "b"), "--data", str(tmp_path / "test.npz"))
    done = run(*words, "--energy", "sanafe_nahuku")
    assert done.returncode == 0
    assert "Layers, by sanafe_nahuku, a sample" in done.stdout
    assert "davies" not in done.stdout
    after = tern2lava.report(tmp_path / "b").energy
    assert after is not None
    assert (after.measured, after.samples) == (True, 6)
    assert [estimate.table for estimate in after.estimates] == ["davies2018_table2", "sanafe_nahuku"]
    spikes = tern2lava.simulate(held, samples()).spikes
    assert {row.name: 6 * row.spikes for row in after.events if row.name != "x"} == pytest.approx(spikes)
    shown = run("report", str(tmp_path / "b"), *FULL)
    assert "Energy and time of a sample of 10 steps, estimated; events counted on 6 samples" in shown.stdout
    wrong = run(*words, "--energy", "davies")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith(
        "tern2lava: energy: requires one of the known words; found 'davies'; choose davies2018_table2, sanafe_nahuku"
    )
