import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from shown import shown
from tern2lava.api import compile, report
from tern2lava.compiler.ir.graph import Arithmetic, Input
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import CapacityError, InputError, MissingPackageError, Tern2LavaError
from tern2lava.frontends.load import load
from tern2lava.report.training import render_training
from tern2lava.train import compiled as compiled_module
from tern2lava.train import experiment as module
from tern2lava.train.config import Experiment
from tern2lava.train.data import digits, limit
from tern2lava.train.encode import encode
from tern2lava.train.experiment import run_experiment
from tern2lava.train.experiment_file import read_experiment
from tern2lava.train.trainer import Trainer

pytest.importorskip("snntorch")

SMALL: dict[str, Any] = {
    "data": {"name": "digits", "train": 200, "test": 60},
    "network": {"layers": "4c3-p2-10", "beta": 0.875},
    "training": {"steps": 8, "epochs": 2, "learning_rate": 0.02, "batch": 10},
    "algorithm": "direct",
}


def experiment(**change: Any) -> Experiment:
    return Experiment.model_validate(SMALL | change)


def test_distillation_with_regulariser_ends_in_files_that_compile(tmp_path: Path) -> None:
    integers = {"target": "loihi2", "mapped": 20}
    settings = experiment(distillation={}, start="teacher", regularizer={}, integer=integers)
    told: list[tuple[str, int, int]] = []
    result = run_experiment(settings, tmp_path, progress=lambda *what: told.append(what))
    assert list(dict.fromkeys(line for line, _, _ in told)) == [
        f"{stage}, epoch {n} of 2" for stage in ("teacher", "teacher-1", "teacher-2", "student") for n in (1, 2)
    ]
    assert told[-1][1] == told[-1][2] == 40
    terms = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    lines = [(line["stage"], line["epoch"]) for line in terms]
    assert lines == [(stage, n) for stage in ("teacher", "teacher-1", "teacher-2", "student") for n in (1, 2)]
    assert {"task", "distil", "match", "uncertainty"} < set(terms[-1])
    assert json.loads((tmp_path / "metrics.json").read_text()) == result

    graph = load(tmp_path / "net.pt", tmp_path / "net.yaml")
    program = lower(graph, Arithmetic()).program
    assert program.steps == 8
    model, teacher, integer = result["model"], result["teacher"], result["integer"]
    assert model["synops_per_sample"] > 0
    assert teacher["synops_per_sample"] > 0
    assert integer["samples"] == 60
    assert integer["spikes_per_sample"] == pytest.approx(model["spikes_per_sample"], rel=0.02)
    assert integer["synops_per_sample"] == pytest.approx(model["synops_per_sample"], rel=0.02)
    assert abs(integer["accuracy"] - model["accuracy"]) <= 1 / 60 + 1e-9
    assert 0 <= integer["in_band"] < 0.05
    assert result["storage"]["fp32_bits"] == 16 * result["storage"]["ternary_bits"]
    headings = shown(render_training(result), 200).splitlines()[1]
    assert [heading.strip() for heading in headings.split("  ") if heading] == [
        "On the test samples", "full-precision teacher", "trained network", "its integers (60 samples)",
        "its core images (20 samples)",
    ]  # fmt: skip


def test_the_core_images_do_on_the_same_samples_what_the_integers_do(tmp_path: Path) -> None:
    result = run_experiment(experiment(integer={"target": "generic-ternary", "mapped": 60}), tmp_path)
    integer, compiled = result["integer"], result["compiled"]
    assert {key: compiled[key] for key in ("nll", "brier", "ece", "entropy", "spikes_per_sample", "samples")} == {
        key: integer[key] for key in ("nll", "brier", "ece", "entropy", "spikes_per_sample", "samples")
    }
    bundle = tmp_path / "bundle"
    compile(tmp_path / "net.pt", "generic-ternary", net=tmp_path / "net.yaml", out=bundle)
    total = report(bundle).memory.total
    found = [compiled[key] for key in ("stored_bits", "coded_bits", "image_bits")]
    assert found == [total.stored_bits, total.transport_bits, total.image_bits]
    assert "entropy-coded files" in shown(render_training(result), 200)


def test_a_target_that_refuses_the_network_leaves_its_integers_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise CapacityError("layer conv1", "synapse_bits", 9, 1, "none")

    monkeypatch.setattr(compiled_module, "build", full)
    result = run_experiment(experiment(integer={"target": "loihi1"}), tmp_path)
    assert "synapse_bits" in result["compiled"]["refused"]
    assert result["integer"]["samples"] == 60
    assert "not compiled" in shown(render_training(result), 200)


def test_an_interrupted_experiment_goes_on_and_ends_as_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = {"layers": "2c3-p2-d0.2-dc0.2-8r-10", "beta": 0.875}  # what is random is drawn again as it was
    settings = experiment(network=network, training=SMALL["training"] | {"epochs": 3})
    run_experiment(settings, tmp_path / "whole")
    run_epoch = Trainer.run_epoch

    def killed(self: Trainer, *rest: Any) -> dict[str, float]:
        if self.epoch == 2:
            raise KeyboardInterrupt
        return run_epoch(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", killed)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(settings, tmp_path / "cut")
    assert not (tmp_path / "cut" / "metrics.json").exists()
    run_experiment(settings, tmp_path / "cut")
    whole, cut = (torch.load(tmp_path / name / "net.pt", weights_only=True) for name in ("whole", "cut"))
    assert all(torch.equal(whole[key], cut[key]) for key in whole)
    assert len((tmp_path / "cut" / "log.jsonl").read_text().splitlines()) == 3


def test_a_finished_experiment_is_read_and_another_one_is_refused_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_experiment(experiment(), tmp_path)
    monkeypatch.setattr(module, "trained_student", lambda *_: pytest.fail("trained again"))
    assert run_experiment(experiment(), tmp_path) == first
    with pytest.raises(InputError, match=r"metrics\.json: requires a folder of this experiment; found one of another"):
        run_experiment(experiment(seed=1), tmp_path)


def test_a_finished_experiment_is_not_read_for_other_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_experiment(experiment(), tmp_path)
    monkeypatch.setattr(module, "chosen", lambda *_: limit(digits(), 200, 59))
    with pytest.raises(
        InputError, match=r"metrics\.json: requires the samples that this folder's network was trained on"
    ):
        run_experiment(experiment(), tmp_path)


def test_a_finished_experiment_is_measured_again_where_its_integers_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_experiment(experiment(), tmp_path)
    monkeypatch.setattr(Trainer, "run_epoch", lambda *_: pytest.fail("trained again"))
    second = run_experiment(experiment(integer={"target": "generic-ternary", "mapped": 20}), tmp_path)
    assert (second["integer"]["target"], second["compiled"]["samples"]) == ("generic-ternary", 20)
    assert second["model"] == first["model"]
    assert json.loads((tmp_path / "metrics.json").read_text()) == second


def test_a_training_does_not_go_on_with_other_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_epoch = Trainer.run_epoch

    def killed(self: Trainer, *rest: Any) -> dict[str, float]:
        if self.epoch == 1:
            raise KeyboardInterrupt
        return run_epoch(self, *rest)

    monkeypatch.setattr(Trainer, "run_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment(), tmp_path)
    monkeypatch.setattr(module, "chosen", lambda *_: limit(digits(), 199, 60))
    with pytest.raises(InputError, match=r"student-state\.pt: requires the samples that this training began on; "):
        run_experiment(experiment(), tmp_path)


def test_post_training_ternarisation_keeps_the_teachers_signs(tmp_path: Path) -> None:
    result = run_experiment(experiment(algorithm="post"), tmp_path)
    net, teacher = (torch.load(tmp_path / name, weights_only=True) for name in ("net.pt", "teacher.pt"))
    kept = net["conv1.weight"] != 0
    assert torch.equal(torch.sign(net["conv1.weight"])[kept], torch.sign(teacher["conv1.weight"])[kept])
    assert torch.equal(net["bn1.weight"], teacher["bn1.weight"])
    assert result["teacher"]["accuracy"] > 0.3


def test_a_teacher_may_come_from_a_checkpoint(tmp_path: Path) -> None:
    run_experiment(experiment(algorithm="full"), tmp_path / "full")
    keys = {"checkpoint": str(tmp_path / "full" / "net.pt")}
    result = run_experiment(experiment(distillation={}, teacher=keys), tmp_path / "ternary")
    assert not (tmp_path / "ternary" / "teacher-state.pt").exists()
    full = json.loads((tmp_path / "full" / "metrics.json").read_text())
    assert result["teacher"]["nll"] == full["model"]["nll"]
    other = experiment(distillation={}, teacher=keys, network={"layers": "6c3-p2-10"})
    with pytest.raises(
        InputError,
        match=r"net\.pt: requires a checkpoint that fits the network; found ",
    ):
        run_experiment(other, tmp_path / "other")


def test_direct_coding_is_folded_into_ternary_first_weights(tmp_path: Path) -> None:
    settings = experiment(training=SMALL["training"] | {"encoding": "direct"}, integer={})
    result = run_experiment(settings, tmp_path)
    graph = load(tmp_path / "net.pt", tmp_path / "net.yaml")
    assert graph.of_kind(Input)[0].levels == (0, 16)
    program = lower(graph, Arithmetic()).program
    assert program.of_kind(Input)[0].levels == (0, 16)
    for row in torch.load(tmp_path / "net.pt", weights_only=True)["conv1.weight"].flatten(1):
        assert row[row != 0].abs().unique().numel() <= 1
    assert abs(result["integer"]["accuracy"] - result["model"]["accuracy"]) <= 1 / 60 + 1e-9
    x = encode(limit(digits(), 1, 1).test_x, 8, method="direct", top=16)
    assert x.max() > 1


def test_a_teacher_of_direct_coding_is_the_network_its_checkpoint_was(tmp_path: Path) -> None:
    change: dict[str, Any] = {"training": SMALL["training"] | {"encoding": "direct"}}
    full = run_experiment(experiment(algorithm="full", **change), tmp_path / "full")
    teacher = {"checkpoint": str(tmp_path / "full" / "net.pt")}
    result = run_experiment(experiment(algorithm="post", teacher=teacher, **change), tmp_path / "post")
    assert result["teacher"]["nll"] == pytest.approx(full["model"]["nll"], rel=1e-3)
    assert full["model"]["nll"] < 2.0


HEAD = "data: {name: digits}\nnetwork: {layers: '10'}\nalgorithm: direct\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data: {name: digits}\nalgorithm: direct\n", "network"),
        ("data: {name: digits}\nnetwork: {layers: '10'}\nalgorithm: magic\n", "e.yaml:3: algorithm"),
        ("data: {name: digits}\nnetwork: {layers: '10'}\nalgorithm: full\nepochs: 3\n", "e.yaml:4: epochs"),
        (
            "data: {name: digits}\nnetwork: {layers: '10', beta: yes}\nalgorithm: full\n",
            "network.beta: requires a number; found True",
        ),
        ("data: {name: digits}\nnetwork: {layers: '10'}\nalgorithm: full\ntraining: {epochs: 0}\n", "training.epochs"),
        (HEAD + "regularizer:\n", "e.yaml:4: regularizer: requires keys and values; found none; write {} for defaults"),
        (HEAD + "judge: true\n", "e.yaml:4: judge: requires keys and values; found True"),
        (HEAD + "judge: {held_out: 0.2}\n", "e.yaml:4: judge.held_out: requires temperature: true"),
        (HEAD + "teacher: {epochs: 3}\n", "e.yaml:4: teacher: requires start: teacher, distillation"),
        (
            HEAD + "start: teacher\nteacher: {epochs: 3, checkpoint: net.pt}\n",
            "e.yaml:5: teacher.epochs: requires a teacher to train",
        ),
        (
            HEAD.replace("direct", "indirect") + "indirect: {projection: plain, rho: 0.1}\n",
            "e.yaml:4: indirect.rho: requires projection: admm",
        ),
        ("- 1\n", r"e\.yaml: requires keys and values \(data, network, algorithm,.*; found others"),
    ],
)
def test_a_wrong_experiment_file_names_line_and_key(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "e.yaml").write_text(text)
    with pytest.raises(InputError, match=says):
        read_experiment(tmp_path / "e.yaml")


def test_numbers_with_exponents_are_read_as_numbers(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(
        "data: {name: digits}\nnetwork: {layers: '10'}\nalgorithm: full\ntraining: {learning_rate: 1e-3}\n"
    )
    assert read_experiment(tmp_path / "e.yaml").training.learning_rate == 1e-3


def test_a_folder_that_cannot_be_made_and_a_broken_state_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: requires a folder that can be made; found File exists"):
        run_experiment(experiment(), tmp_path / "file")
    (tmp_path / "student-state.pt").write_bytes(b"half")
    with pytest.raises(InputError, match="requires a readable checkpoint"):
        run_experiment(experiment(), tmp_path)


def test_tensorboard_events_are_written_or_the_package_is_named(tmp_path: Path) -> None:
    try:
        importlib.import_module("tensorboard")
    except ImportError:
        with pytest.raises(MissingPackageError, match="tensorboard"):
            run_experiment(experiment(tensorboard=True), tmp_path)
        return
    run_experiment(experiment(tensorboard=True), tmp_path)
    assert list((tmp_path / "tensorboard" / "student").iterdir())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"network": {"layers": "8-5"}},
            "network.layers: requires 10 neurons in the last layer, one for each class of",
        ),
        ({"start": "scratch", "distillation": {}, "teacher": {"layers": "12"}}, "teacher.layers: requires 10 neurons"),
        ({"regularizer": {"layers": "8-12"}}, "regularizer.layers: requires 10 neurons in the last layer, .* found 12"),
        (
            {"regularizer": {"folds": 21}, "data": {"name": "digits", "train": 20}},
            "regularizer.folds: requires a sample",
        ),
        ({"regularizer": {"labels": "none.npz"}, "start": "teacher"}, "none.npz: requires an npz file of soft labels"),
        ({"integer": {"target": "none"}}, "none: name: found no such profile"),
    ],
)
def test_what_cannot_be_trained_to_its_end_is_refused_before_anything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr(Trainer, "run_epoch", lambda *_: pytest.fail("training began"))
    with pytest.raises(Tern2LavaError, match=says):
        run_experiment(experiment(**change), tmp_path)


def test_what_is_not_finite_ends_a_training_and_its_epoch_is_not_kept(tmp_path: Path) -> None:
    wild = experiment(training=SMALL["training"] | {"learning_rate": 1e30})
    with pytest.raises(
        InputError, match=r"training\.learning_rate: requires one at which loss and weights stay finite"
    ):
        run_experiment(wild, tmp_path)
    assert not list(tmp_path.iterdir())
