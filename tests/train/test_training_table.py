import importlib.util
import re
from types import ModuleType
from typing import Any

import pytest

from places import ROOT

PATH = ROOT / "benchmarks" / "training_table.py"


@pytest.fixture(scope="module")
def table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("training_table", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(accuracy: float, nll: float = 0.3, ece: float = 0.02, **more: Any) -> dict[str, Any]:
    values = {
        "settings": {
            "layers": "8-10", "dataset": "digits", "train": None, "held_out": False, "readout": "membrane_sum",
            "options": {"steps": 4, "encoding": "rate", "epochs": 2, "batch": 8},
        },
        "accuracy": accuracy, "nll": nll, "brier": 0.2, "ece": ece, "entropy": 0.2, "disagreement_over_time": 0.1,
        "spikes_per_sample": 5.0, "synops_per_sample": 10.0, "energy": 1e-9, "zeros": 0.6, "stored_bytes": 120,
        "coded_bytes": 95, "scale_bytes": 5, "fp32_bytes": 2000, "integer": {"accuracy": accuracy}, "in_band": 0.0,
        "near_threshold": 0.01,
    }  # fmt: skip
    return values | more


def records(ours: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for case in ("digits-mlp", "digits-conv", "fashion-mlp", "fashion-conv"):
        for seed in range(3):
            found[f"{case}/full/{seed}"] = record(0.90, nll=0.35)
            found[f"{case}/distil/{seed}"] = record(0.89, nll=0.32)
            found[f"{case}/distil+reg/{seed}"] = ours
    return found


def test_a_network_that_holds_every_bar_passes(table: ModuleType) -> None:
    assert table.check(records(record(0.895))) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"accuracy": 0.88}, "behind the teacher"),
        ({"nll": 0.33}, "NLL above that of \\(b\\)"),
        ({"ece": 0.021}, "ECE above that of the teacher"),
        ({"stored_bytes": 121}, "bytes in the core images"),
        ({"coded_bytes": 96}, "bytes entropy-coded"),
        ({"scale_bytes": 6}, "bytes entropy-coded"),
        ({"integer": {"accuracy": 0.892}}, "integer accuracy, worst seed"),
        ({"in_band": 0.1}, "in the certificate's band"),
        ({"near_threshold": 0.02}, "near the threshold"),
        ({"lava": {"samples": 2, "equal": False}}, "Lava differs"),
    ],
)
def test_each_bar_that_is_missed_is_named(table: ModuleType, change: dict[str, Any], words: str) -> None:
    short = table.check(records(record(0.895) | change))
    assert any(re.search(words, line) for line in short)


def test_what_was_not_measured_on_three_seeds_does_not_pass(table: ModuleType) -> None:
    found = records(record(0.895))
    del found["fashion-conv/distil/2"]
    short = table.check(found)
    assert short
    assert all("fashion-conv" in line and "not measured" in line for line in short)


def test_the_page_gives_mean_and_spread_over_seeds(table: ModuleType) -> None:
    found = {f"digits-mlp/full/{seed}": record(value) for seed, value in enumerate((0.90, 0.92, 0.94))}
    together = {"digits-mlp/full": {"disagreement_over_seeds": 0.0123, "accuracy_together": 0.95}}
    page = table.markdown(found, together, methods={"full": "teacher"}, ablation={})
    assert "| teacher | 0, 1, 2 | 92.00 ± 2.00 |" in page
    assert "| 0.0123 | 95.00 |" in page


def test_one_seed_that_parts_from_its_integers_is_not_averaged_away(table: ModuleType) -> None:
    found = records(record(0.895))
    found["digits-conv/distil+reg/1"] = record(0.895, integer={"accuracy": 0.8974})
    assert [line.split(":")[0] for line in table.check(found)] == ["digits-conv"]
