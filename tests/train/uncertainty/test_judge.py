"""What `judge` writes into a metrics.json is what its parts give for the network that the folder holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shown import shown
from tern2lava.errors import InputError
from tern2lava.report.training import render_training
from tern2lava.train import checkpoint
from tern2lava.train.config import Experiment
from tern2lava.train.data import Dataset, digits, hold_out, limit
from tern2lava.train.data.corrupt import corrupted
from tern2lava.train.evaluate import evaluate
from tern2lava.train.experiment import run_experiment
from tern2lava.train.metrics import accuracy, brier, nll, softmax
from tern2lava.train.network import network
from tern2lava.train.uncertainty.calibration import fit_temperature
from tern2lava.train.uncertainty.detection import auroc
from tern2lava.train.uncertainty.judge import prepared
from tern2lava.train.uncertainty.plots import plot
from tern2lava.train.uncertainty.speakers import leave_one_speaker_out

pytest.importorskip("snntorch")

SMALL: dict[str, Any] = {
    "data": {"name": "digits", "train": 200, "test": 60},
    "network": {"layers": "4c3s2-d0.2-10", "readout": "membrane_sum"},
    "training": {"steps": 4, "epochs": 4, "batch": 20, "learning_rate": 0.02},
    "algorithm": "direct",
}
JUDGE = {"temperature": True, "ood": "other.npz", "corruptions": True, "passes": 3, "held_out": 40}


def experiment(**change: Any) -> Experiment:
    return Experiment.model_validate(SMALL | change)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training with everything judged, and the other data set."""
    path = tmp_path_factory.mktemp("judged")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 17, (80, 8, 8)).astype(np.uint8), rng.integers(0, 3, 80)
    np.savez(path / "other.npz", train_x=x, train_y=y, test_x=x, test_y=y, top=16)
    run_experiment(experiment(judge=JUDGE), path / "run", data_dir=path)
    return path


@pytest.fixture(scope="module")
def judged(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run" / "metrics.json").read_text())
    return found


@pytest.fixture(scope="module")
def data() -> Dataset:
    return limit(digits(), 200, 60)


def probabilities(folder: Path, dataset: Dataset, temperature: float = 1.0) -> np.ndarray:
    """Of the network in the folder, evaluated as ever."""
    settings = experiment()
    model = network("4c3s2-d0.2-10", (1, 8, 8), readout="membrane_sum")
    model.load_state_dict(checkpoint.load(folder / "run" / "net.pt"))
    found = evaluate(model, dataset, settings.options(), folded=True)
    return softmax(10 * found.scores[:, -1] / 4 / temperature)


def test_the_temperature_is_fitted_on_samples_that_are_neither_trained_on_nor_tested(
    folder: Path, judged: dict[str, Any], data: Dataset
) -> None:
    held = hold_out(data, 40, 1)
    assert judged["data"]["train"] == len(held.train_y) == 160
    assert judged["judge"]["scaled"]["held_out"] == len(held.test_y) == 40
    temperature = fit_temperature(np.log(probabilities(folder, held)), held.test_y)
    assert judged["judge"]["scaled"]["temperature"] == pytest.approx(temperature, rel=1e-3)
    scaled = probabilities(folder, data, temperature)
    assert judged["judge"]["scaled"]["nll"] == pytest.approx(nll(scaled, data.test_y), rel=1e-3)


def test_plain_scores_are_those_of_the_model(folder: Path, judged: dict[str, Any], data: Dataset) -> None:
    p, plain = probabilities(folder, data), judged["judge"]["plain"]
    assert plain["nll"] == pytest.approx(nll(p, data.test_y))
    assert plain["brier"] == pytest.approx(brier(p, data.test_y))
    assert {key: plain[key] for key in ("accuracy", "nll", "brier", "ece")} == {
        key: judged["model"][key] for key in ("accuracy", "nll", "brier", "ece")
    }
    assert sum(bar["samples"] for bar in judged["judge"]["reliability"]) == 60
    assert judged["judge"]["risk_coverage"][-1] == pytest.approx([1.0, 1 - plain["accuracy"]])


def test_every_corruption_is_judged_at_every_strength(folder: Path, judged: dict[str, Any], data: Dataset) -> None:
    cells = judged["judge"]["corruptions"]
    assert {kind: len(rows) for kind, rows in cells.items()} == {"noise": 5, "blur": 5, "translation": 5}
    shifted = corrupted(data, "translation", 3, seed=3)
    p = probabilities(folder, shifted)
    assert cells["translation"][2]["nll"] == pytest.approx(nll(p, data.test_y))
    assert cells["translation"][2]["accuracy"] == accuracy(p, data.test_y)
    temperature = judged["judge"]["scaled"]["temperature"]
    scaled = probabilities(folder, shifted, temperature)
    assert cells["translation"][2]["nll_scaled"] == pytest.approx(nll(scaled, data.test_y))


def test_the_other_data_set_is_told_apart_by_the_largest_probability(
    folder: Path, judged: dict[str, Any], data: Dataset
) -> None:
    found = judged["judge"]["out_of_distribution"]
    with np.load(folder / "other.npz") as other:
        outside = replace(data, test_x=other["test_x"][:60, None], test_y=other["test_y"][:60])
    assert (found["name"], found["samples"]) == ("other", 60)
    expected = auroc(probabilities(folder, data).max(1), probabilities(folder, outside).max(1))
    assert found["max_probability"]["auroc"] == pytest.approx(expected)


def test_passes_with_dropout_disagree_and_the_network_itself_draws_no_mask(judged: dict[str, Any]) -> None:
    dropout = judged["judge"]["dropout"]
    assert dropout["passes"] == 3
    assert dropout["disagreement"] > 0
    assert dropout["mean"]["nll"] != judged["judge"]["plain"]["nll"]
    assert dropout["over_steps"]["nll"] != judged["judge"]["over_steps"]["nll"]


def test_the_table_says_what_was_judged_in_a_line_each(judged: dict[str, Any]) -> None:
    text = " ".join(shown(render_training(judged), 200).split())
    scaled = judged["judge"]["scaled"]
    assert f"at the temperature {scaled['temperature']:.2f} of 40 held-out samples: NLL {scaled['nll']:.4f}" in text
    assert "60 samples of other told from its own: AUROC 0." in text
    assert "blur of strengths 1 to 5, accuracy/NLL: " in text
    assert "mean of 3 passes with dropout: accuracy 0." in text


def test_pictures_show_what_was_measured_and_are_the_same_bytes_again(folder: Path, judged: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    written = plot(folder / "run")
    names = ("losses", "reliability", "risk-coverage", "corruptions")
    assert {path.name for path in written} == {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    before = {path: path.read_bytes() for path in written}
    assert all(before[path].startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml") for path in written)
    plot(folder / "run")
    assert {path: path.read_bytes() for path in written} == before
    # Of a training that was not judged there are the losses alone.
    del judged["judge"]
    (folder / "bare").mkdir()
    (folder / "bare" / "metrics.json").write_text(json.dumps(judged))
    (folder / "bare" / "log.jsonl").write_bytes((folder / "run" / "log.jsonl").read_bytes())
    assert [path.name for path in plot(folder / "bare")] == ["losses.png", "losses.svg"]


def test_what_cannot_be_judged_is_told_before_training(folder: Path, data: Dataset, tmp_path: Path) -> None:
    def begun(*_: object) -> None:
        raise AssertionError("training began")

    for change, message in (
        ({"judge": {"passes": 2}, "network": {"layers": "10"}}, "judge.passes: requires a network with dropout"),
        ({"judge": {"ood": "none.npz"}}, "none.npz"),
        ({"judge": {"temperature": True, "held_out": 200}}, r"judge\.held_out: requires a fraction below 1"),
    ):
        with pytest.raises(InputError, match=message):
            run_experiment(experiment(**change), tmp_path, data_dir=folder, progress=begun)
    model = network("4c3s2-10", (1, 8, 8))
    keys = experiment(judge={"ood": "other.npz", "corruptions": True}).judge
    assert keys is not None
    with pytest.raises(InputError, match=r"judge.ood: requires samples like those of digits, \(1, 8, 8\) of 0 to 9"):
        prepared(keys.model_copy(update={"corruptions": False}), replace(data, top=9), model, folder)
    with pytest.raises(InputError, match="images: requires uint8"):
        prepared(keys, replace(data, test_x=data.test_x[:, 0]), model, folder)


def test_each_speaker_is_left_out_in_turn(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(settings: Experiment, out: Path, **_: Any) -> dict[str, Any]:
        asked.append((settings.data.speaker, out.name))
        return {"model": {key: 0.5 + 0.1 * len(asked) for key in ("accuracy", "nll", "brier", "ece")}}

    monkeypatch.setattr("tern2lava.train.uncertainty.speakers.run_experiment", run)
    found = leave_one_speaker_out(experiment(), tmp_path, [0, 3])
    assert asked == [(0, "speaker-0"), (3, "speaker-3")]
    assert found["speakers"]["3"]["accuracy"] == pytest.approx(0.7)
    assert found["mean"]["accuracy"] == pytest.approx(0.65)
    assert found["deviation"]["nll"] == pytest.approx(0.1 / np.sqrt(2))
    with pytest.raises(InputError, match=r"speakers: requires two at least; found \[1, 1\]"):
        leave_one_speaker_out(experiment(), tmp_path, [1, 1])


def test_judging_changes_no_weight(folder: Path, tmp_path: Path) -> None:
    settings = experiment(data=SMALL["data"] | {"train": 40}, training=SMALL["training"] | {"epochs": 1})
    run_experiment(settings, tmp_path / "a")
    with_it = settings.model_copy(update={"judge": experiment(judge={"passes": 2, "corruptions": True}).judge})
    run_experiment(with_it, tmp_path / "b")
    a, b = (checkpoint.load(tmp_path / name / "net.pt") for name in "ab")
    assert all(torch.equal(a[key], b[key]) for key in a)
