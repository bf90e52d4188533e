from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from command_line import Run, in_process
from ray_jobs import dies_on_one, refuse
from tern2lava.errors import BackendError, InputError
from tern2lava.train import seeds as module
from tern2lava.train.config import Experiment
from tern2lava.train.experiment import run_experiment
from tern2lava.train.processes import map_on_processes
from tern2lava.train.seeds import Seeded, read_seeds, run_seeds, summarise, train_seed

pytest.importorskip("snntorch")
SMALL: dict[str, Any] = {
    "data": {"name": "digits", "train": 40, "test": 20},
    "network": {"layers": "10"},
    "training": {"steps": 2, "epochs": 1, "batch": 20},
    "algorithm": "full",
}


def test_seeds_are_read_as_lists_and_ranges() -> None:
    assert read_seeds("0,1,2") == read_seeds("0-2") == read_seeds("0 1-2") == (0, 1, 2)
    for text in ("", "a", "1,1", "3-1", "0-5000", "1000001", "-1"):
        with pytest.raises(InputError, match="--seeds: requires "):
            read_seeds(text)


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    return Seeded(experiment=Experiment.model_validate(SMALL), out=tmp_path_factory.mktemp("seeds"))


@pytest.fixture(scope="module")
def summary(common: Seeded) -> dict[str, Any]:
    return run_seeds(common, (0, 3, 5))


def test_each_seed_leaves_what_its_own_run_leaves(common: Seeded, summary: dict[str, Any], tmp_path: Path) -> None:
    alone = common.experiment.model_copy(update={"seed": 3})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run_experiment(alone, tmp_path)
    torch.set_num_threads(threads)
    ours, theirs = (torch.load(path / "net.pt", weights_only=True) for path in (common.folder(3), tmp_path))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    other = torch.load(common.folder(0) / "net.pt", weights_only=True)
    assert not torch.equal(ours["fc1.weight"], other["fc1.weight"])


def test_the_summary_has_the_mean_and_students_interval_of_each_metric(common: Seeded, summary: dict[str, Any]) -> None:
    assert json.loads((common.out / "seeds.json").read_text()) == summary
    found = summary["model"]["nll"]
    values = [json.loads((common.folder(s) / "metrics.json").read_text())["model"]["nll"] for s in (0, 3, 5)]
    assert found["values"] == values
    half = 4.302652729911275 * np.std(values, ddof=1) / 3**0.5  # t of 97.5 %, two degrees of freedom
    assert found["mean"] == pytest.approx(np.mean(values))
    assert [found["low"], found["high"]] == pytest.approx([np.mean(values) - half, np.mean(values) + half])


def test_one_seed_has_no_interval_and_equal_values_one_of_no_width() -> None:
    result = {"config": {"seed": 0}, "seconds": 1.0, "model": {"nll": 2.0}}
    assert summarise({0: result})["model"]["nll"] == {"values": [2.0], "mean": 2.0, "low": None, "high": None}
    assert summarise({0: result, 1: result})["model"]["nll"]["low"] == 2.0


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


def command(common: Seeded, *options: str) -> list[str]:
    config = common.out / "e.yaml"
    config.write_text(json.dumps(SMALL))
    return ["train", "--config", str(config), "-o", str(common.out), *options]


def test_trained_seeds_are_read_and_not_trained_again(
    common: Seeded, summary: dict[str, Any], monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr("tern2lava.train.experiment.trained_student", lambda *_: pytest.fail("trained again"))
    done = run(*command(common, "--seeds", "0,3,5", "--json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == summary["model"]
    table = run(*command(common, "--seeds", "0,3,5")).stdout
    assert "3 seeds" in table
    accuracy = summary["model"]["accuracy"]
    assert f"{accuracy['mean']:.4f} ± {accuracy['high'] - accuracy['mean']:.4f}" in table
    assert f"{accuracy['mean']:.4f} ± {accuracy['mean'] - accuracy['low']:.4f}" in table


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--workers", "2"), "requires several seeds"),
        (("--seeds", "0,1", "--engine", "threads"), "--engine: requires one of processes, ray; found threads"),
        (("--device", "tpu"), "device: requires one of auto, cpu, cuda; found tpu"),
    ],
)
def test_options_that_do_not_fit_are_refused(common: Seeded, run: Run, options: tuple[str, ...], says: str) -> None:
    done = run(*command(common, *options))
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())


def test_ray_trains_each_seed_in_a_task(
    monkeypatch: pytest.MonkeyPatch, common: Seeded, summary: dict[str, Any]
) -> None:
    asked = []

    def run_here(function: Any, shared: Seeded, parts: Any) -> Any:
        for part in parts:
            asked.append((function, shared.out.is_absolute(), part))
            yield function(shared, part)

    monkeypatch.setattr(module, "map_on_ray", run_here)
    assert run_seeds(common, (0, 3, 5), engine="ray") == summary
    assert asked == [(train_seed, True, seed) for seed in (0, 3, 5)]


def test_processes_answer_for_all_parts_and_an_interruption_ends_them() -> None:
    assert dict(map_on_processes(pow, 2, [3, 4, 5], 2)) == {3: 8, 4: 16, 5: 32}
    running = map_on_processes(max, os.getpid(), [1, 2], 1)
    next(running)
    running.close()


def test_a_refusal_comes_back_as_it_was_raised_and_a_death_is_one_line() -> None:
    with pytest.raises(InputError, match="part 2: is refused"):
        list(map_on_processes(refuse, None, [1, 2], 1))
    with pytest.raises(BackendError, match="the process for 1 died with exit code 9"):
        list(map_on_processes(dies_on_one, None, [1], 1))
