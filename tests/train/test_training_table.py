"""Tables and bars of benchmarks/training.py, from records made up."""

import importlib
from types import ModuleType
from typing import Any

import pytest

from places import ROOT


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("training_table")


def record(accuracy: float, nll: float, **more: Any) -> dict[str, Any]:
    scores = {"accuracy": accuracy, "nll": nll, "ece": 0.01, "nll_scaled": nll}
    shifted = {f"{kind} {n}": scores for kind in ("noise", "blur", "translation") for n in range(1, 6)}
    return {
        "held": scores, "test": scores, "shifted": shifted, "auroc": accuracy,
        "integer": {"accuracy": accuracy, "synops_per_sample": 1.0}, "zeros": 0.6, "seconds": 1.0, "settings": {},
        **more,
    }  # fmt: skip


def pairs(gain: float, less: float, seeds: int = 20) -> dict[str, dict[str, Any]]:
    """Records of both methods over seeds, whose differences vary a little about these."""
    found = {}
    for seed in range(seeds):
        noise = 0.0005 * (-1) ** seed
        found[f"fashion-29k-pair/direct/{seed}"] = record(0.90, 0.26)
        found[f"fashion-29k-pair/regularised/{seed}"] = record(0.90 + gain + noise, 0.26 - less + noise / 10)
    return found


def measured(table: ModuleType, records: dict[str, Any]) -> dict[str, Any]:
    return {bar.name: bar for bar in table.bars(records)}


def test_a_regulariser_that_gains_enough_on_all_seeds_meets_its_bars(table: ModuleType) -> None:
    bars = [bar for bar in measured(table, pairs(0.011, 0.006)).values() if bar.name.startswith("regulariser")]
    assert len(bars) == 8
    assert all(bar.met for bar in bars)
    shift = measured(table, pairs(0.011, 0.006))
    assert shift["AUROC of MNIST gained, points"].measured == pytest.approx(1.1)
    assert shift["corruptions of 15 with lower NLL"].measured == 15


@pytest.mark.parametrize(
    ("gain", "less", "missed"),
    [
        (0.001, 0.006, "points of accuracy gained"),
        (0.011, 0.004, "NLL gained"),
        (-0.011, 0.006, "test samples: points of accuracy gained"),
        (0.011, -0.006, "NLL after temperature scaling"),
    ],
)
def test_a_regulariser_that_gains_less_is_named(table: ModuleType, gain: float, less: float, missed: str) -> None:
    assert any(missed in line for line in table.check(pairs(gain, less)))


def test_fewer_seeds_than_twenty_count_as_not_measured(table: ModuleType) -> None:
    lines = table.check(pairs(0.011, 0.006, seeds=19))
    assert "regulariser, held-out samples: points of accuracy gained: not measured" in lines


def test_integers_that_differ_and_proofs_that_fail_are_named(table: ModuleType) -> None:
    apart = {"fashion-29k-pair/direct/0": record(0.9, 0.2, integer={"accuracy": 0.89}, lava={"equal": False})}
    lines = table.check(apart)
    assert (
        "fashion-29k-pair: points between float and integer accuracy, worst network: 1.0000, the bar is <= 0.2" in lines
    )
    assert "fashion-29k-pair/direct/0: Lava differs from the integer program" in lines


def test_the_page_has_a_row_for_each_method_and_each_bar(table: ModuleType) -> None:
    text = table.markdown(pairs(0.011, 0.006))
    assert "| direct, regularised | 20 |" in text
    assert "+1.10 (" in text
    assert text.count("**no**") == sum(not bar.met for bar in table.bars(pairs(0.011, 0.006)))
