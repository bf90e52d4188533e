"""benchmarks/training.py itself, on networks of no use."""

import argparse
import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from places import ROOT

pytest.importorskip("snntorch")

FOLDER = ROOT / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    module = importlib.import_module("training")
    case = module.CASES["digits"]
    small = replace(
        case, layers="8-10", start=1, epochs=1, seeds={"else": 1},
        data={"name": "digits", "train": 200, "hold_out": 100}, training=case.training | {"steps": 3},
        regularizer={"epochs": 1, "weight": 1.0},
    )  # fmt: skip
    monkeypatch.setitem(module.CASES, "digits", small)
    return module


def arguments(**change: Any) -> argparse.Namespace:
    values: dict[str, Any] = {
        "only": ["digits"], "methods": ["direct", "regularised"], "seeds": None, "quick": False, "data_dir": None,
        "lava": 0,
    }  # fmt: skip
    return argparse.Namespace(**values | change)


def test_a_run_that_was_stopped_goes_on_and_trains_nothing_twice(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, keep = tmp_path / "training.json", tmp_path / "kept"
    first = bench.run(arguments(), bench.Store(path), keep)
    assert next(first).startswith("digits/direct/0: ")
    first.close()
    rest = list(bench.run(arguments(), bench.Store(path), keep))
    assert [line.split(":")[0] for line in rest] == ["digits/regularised/0"]
    assert (keep / "digits" / "regularised-0" / "soft-labels.npz").exists()
    monkeypatch.setattr(bench, "run_experiment", lambda *_, **__: pytest.fail("trained again"))
    assert list(bench.run(arguments(), bench.Store(path), keep)) == []
    record = bench.Store(path).records["digits/regularised/0"]
    assert record["integer"]["accuracy"] == pytest.approx(record["test"]["accuracy"], abs=0.01)
    assert record["test"]["nll_scaled"] <= record["test"]["nll"] + 0.2
    assert record["seconds"] > 0
    changed = replace(bench.CASES["digits"], sparsity=0.3)
    monkeypatch.setitem(bench.CASES, "digits", changed)
    assert bench.current(arguments(), bench.Store(path)) == {}


def test_every_method_is_an_experiment_that_can_be_run(bench: ModuleType) -> None:
    from tern2lava.train.conflicts import conflict

    for case in bench.CASES.values():
        for method in bench.METHODS:
            experiment = bench.experiment_of(case, method, 1, "start.pt", "labels.npz")
            assert conflict(experiment) is None, method
            full = experiment.algorithm == "full"
            assert full or experiment.teacher.checkpoint == "start.pt"
    case = bench.CASES["fashion-29k"]
    epochs = {m: bench.experiment_of(case, m, 0).training.epochs for m in bench.METHODS}
    assert epochs["direct"] == epochs["tet"] == epochs["regularised"] + case.more
    assert epochs["full"] == epochs["start"] + epochs["regularised"]


def test_the_committed_page_is_that_of_the_records_of_todays_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    module = importlib.import_module("training")
    records = module.current(arguments(), module.Store(module.RESULTS))
    assert records
    assert module.RESULTS.with_suffix(".md").read_text(encoding="utf-8") == module.markdown(records)
