"""benchmarks/training.py itself, on a network of no use."""

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
METHODS = ["full", "distil+reg"]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    module = importlib.import_module("training")
    case = module.CASES["digits-mlp"]
    small = replace(case, layers="8-10", train=200, seeds=(0, 1), options=replace(case.options, steps=4, epochs=1))
    monkeypatch.setitem(module.CASES, "digits-mlp", small)
    return module


def arguments(folder: Path, **change: Any) -> argparse.Namespace:
    values: dict[str, Any] = {
        "only": ["digits-mlp"], "methods": METHODS, "seeds": None, "keep": folder / "kept", "quick": False,
        "hold_out": False, "data_dir": None, "lava": 0, "regularizer": None,
    }  # fmt: skip
    return argparse.Namespace(**values | change)


def test_a_run_that_was_stopped_goes_on_and_trains_nothing_twice(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "training.json"
    first = bench.run(arguments(tmp_path), bench.Store(path))
    assert [next(first).split(":")[0] for _ in range(2)] == ["digits-mlp/full/0", "digits-mlp/distil+reg/0"]
    first.close()
    rest = list(bench.run(arguments(tmp_path), bench.Store(path)))
    assert [line.split(":")[0] for line in rest] == [
        "digits-mlp/full/1", "digits-mlp/distil+reg/1", "digits-mlp/full, 2 seeds", "digits-mlp/distil+reg, 2 seeds"
    ]  # fmt: skip
    monkeypatch.setattr(bench, "train", lambda *_: pytest.fail("trained again"))
    assert list(bench.run(arguments(tmp_path), bench.Store(path))) == []
    store = bench.Store(path)
    record = store.records["digits-mlp/distil+reg/1"]
    assert record["integer"]["accuracy"] == pytest.approx(record["accuracy"], abs=0.01)
    assert record["stored_bytes"] > record["coded_bytes"] > record["entropy_bytes"]
    assert record["scale_bytes"] == 4 * 18
    assert 0 < store.over_seeds["digits-mlp/full"]["disagreement_over_seeds"] < 0.7


def test_what_was_measured_with_other_settings_counts_as_not_measured(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = bench.settings_of(bench.CASES["digits-mlp"], "distil+reg", False)
    records = {"digits-mlp/distil+reg/0": {"settings": settings}, "digits-mlp/full/0": {"settings": {"layers": "9"}}}
    assert list(bench.current(arguments(tmp_path), records)) == ["digits-mlp/distil+reg/0"]
    other = replace(bench.CASES["digits-mlp"], sparsity=0.7)
    monkeypatch.setitem(bench.CASES, "digits-mlp", other)
    assert bench.current(arguments(tmp_path), records) == {}


def test_the_committed_page_is_made_of_the_committed_records_and_these_are_of_todays_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    module = importlib.import_module("training")
    store = module.Store(module.RESULTS)
    chosen = arguments(FOLDER)
    records, together = (module.current(chosen, found) for found in (store.records, store.over_seeds))
    wanted = {
        f"{name}/{method}/{seed}"
        for name, case in module.CASES.items()
        for method in (*module.METHODS, *(module.ABLATION if name in module.ABLATED else ()))
        for seed in case.seeds
    }
    assert set(records) == wanted
    assert set(together) == {key.rpartition("/")[0] for key in wanted}
    page = module.markdown(records, together, methods=module.METHODS, ablation=module.ABLATION)
    assert module.RESULTS.with_suffix(".md").read_text() == page
