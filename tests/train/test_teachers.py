from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tern2lava.errors import InputError
from tern2lava.train import regularizer
from tern2lava.train.config import Experiment
from tern2lava.train.experiment import run_experiment
from tern2lava.train.run import Run
from tern2lava.train.teacher_outputs import ask_once
from tern2lava.train.trainer import Trainer

pytest.importorskip("snntorch")
SMALL: dict[str, Any] = {
    "data": {"name": "digits", "train": 60, "test": 20},
    "network": {"layers": "8-10", "threshold": 0.2},
    "training": {"steps": 2, "epochs": 2, "learning_rate": 0.02, "batch": 20},
    "algorithm": "direct",
    "distillation": {},
}


def experiment(**change: Any) -> Experiment:
    return Experiment.model_validate(SMALL | change)


def test_each_fold_is_labelled_by_a_teacher_that_was_not_trained_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: dict[str, np.ndarray[Any, Any]] = {}
    train, on = Run.train, regularizer.logits_on
    labelled: list[np.ndarray[Any, Any]] = []

    def watched(self: Run, stage: str, *rest: Any) -> None:
        trained[stage] = self.dataset.train_x
        train(self, stage, *rest)

    def seen(model: Any, dataset: Any, members: Any, options: Any) -> Any:
        labelled.append(members)
        return on(model, dataset, members, options)

    monkeypatch.setattr(Run, "train", watched)
    monkeypatch.setattr(regularizer, "logits_on", seen)
    result = run_experiment(experiment(distillation=None, regularizer={"folds": 3}), tmp_path)
    assert list(trained) == ["teacher-1", "teacher-2", "teacher-3", "student"]
    every = trained["student"]
    assert sorted(np.concatenate(labelled).tolist()) == list(range(60))
    for index, members in enumerate(labelled):
        rest = np.delete(every, members, axis=0)
        np.testing.assert_array_equal(trained[f"teacher-{index + 1}"], rest)
    judged = result["out_of_fold"]
    assert (judged["folds"], judged["samples"]) == (3, 60)
    assert judged["nll_scaled"] < judged["nll"]
    again = experiment(distillation=None, regularizer={"labels": str(tmp_path / "soft-labels.npz")})
    read = run_experiment(again, tmp_path / "again")["out_of_fold"]
    assert read == {key: value for key, value in judged.items() if key != "folds"}
    assert list(trained) == ["teacher-1", "teacher-2", "teacher-3", "student"]
    first, second = (torch.load(path / "net.pt", weights_only=True) for path in (tmp_path, tmp_path / "again"))
    assert all(torch.equal(first[key], second[key]) for key in first)
    fewer = experiment(data=SMALL["data"] | {"train": 50}, regularizer=again.regularizer)
    with pytest.raises(InputError, match=r"soft-labels\.npz: requires float32 logits of \(50, 10\); found "):
        run_experiment(fewer, tmp_path / "few")
    assert result["teacher"] is None
    log = (tmp_path / "log.jsonl").read_text()
    assert '"distil"' not in log
    assert not (tmp_path / "teacher.pt").exists()


def test_an_interrupted_experiment_with_folds_ends_as_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = experiment(distillation=None, regularizer={})
    run_experiment(settings, tmp_path / "whole")
    run_epoch, left = Trainer.run_epoch, [3]

    def killed(self: Trainer, *rest: Any) -> dict[str, float]:
        left[0] -= 1
        if left[0] < 0:
            left[0] = 2
            raise KeyboardInterrupt
        return run_epoch(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", killed)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                run_experiment(settings, tmp_path / "cut")
    run_experiment(settings, tmp_path / "cut")
    whole, cut = (torch.load(tmp_path / name / "net.pt", weights_only=True) for name in ("whole", "cut"))
    assert all(torch.equal(whole[key], cut[key]) for key in whole)


def test_a_teacher_may_have_other_layers(tmp_path: Path) -> None:
    result = run_experiment(experiment(teacher={"layers": "4c3-p2-12-10"}), tmp_path)
    assert "conv1.weight" in torch.load(tmp_path / "teacher.pt", weights_only=True)
    assert "conv1.weight" not in torch.load(tmp_path / "net.pt", weights_only=True)
    assert result["teacher"]["synops_per_sample"] > 0
    log = (tmp_path / "log.jsonl").read_text().splitlines()[-1]
    assert '"distil"' in log
    assert '"match"' not in log


def test_training_does_not_run_a_teacher_whose_answers_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def watched(*arguments: Any) -> Any:
        asked.append((found := ask_once(*arguments)) is not None)
        return found

    monkeypatch.setattr("tern2lava.train.student.ask_once", watched)
    run_experiment(experiment(), tmp_path / "rate")
    run_experiment(experiment(training=SMALL["training"] | {"encoding": "bernoulli"}), tmp_path / "bernoulli")
    assert asked == [True, False]
    kept = torch.load(tmp_path / "rate" / "net.pt", weights_only=True)
    monkeypatch.setattr("tern2lava.train.student.ask_once", lambda *_: None)
    run_experiment(experiment(), tmp_path / "anew")
    anew = torch.load(tmp_path / "anew" / "net.pt", weights_only=True)
    for key, value in kept.items():
        torch.testing.assert_close(value, anew[key], rtol=1e-3, atol=1e-4, msg=key)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"regularizer": {"labels": "a.npz", "folds": 2}}, r"regularizer\.folds: requires teachers to train"),
        ({"regularizer": {}, "training": {"mixup": 0.2}}, r"training\.mixup: requires no regularizer"),
        ({"regularizer": {"neuron": "iaf"}}, r"regularizer\.neuron: requires a known neuron; found 'iaf'"),
        ({"regularizer": {"neuron": "relu"}}, r"regularizer\.neuron: requires network\.readout membrane_sum"),
        ({"teacher": {"layers": "10"}, "start": "teacher"}, r"teacher\.layers: requires the layers of the network, "),
        (
            {"teacher": {"layers": "10"}, "distillation": {"match": "rate"}},
            r"distillation\.match: requires none, since",
        ),
    ],
)
def test_keys_of_teachers_that_do_not_go_together_are_refused(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        run_experiment(experiment(**change), tmp_path)
