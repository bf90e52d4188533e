"""The page and the checks of benchmarks/pareto.py, from points made up."""

import importlib
from types import ModuleType
from typing import Any

import pytest

from places import ROOT

pytest.importorskip("snntorch")


@pytest.fixture
def pareto(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("pareto")


def test_what_another_share_of_zeros_beats_is_not_marked(pareto: ModuleType) -> None:
    def point(zeros: float, accuracy: float, cores: int, size: int) -> Any:
        return pareto.Point(
            target="loihi2", asked=zeros, zeros=zeros, floating=accuracy, accuracy=accuracy, cores=cores, bytes=size,
            synops=1000 * (1 - zeros),
        )  # fmt: skip

    text = pareto.markdown([point(0.3, 0.98, 2, 900), point(0.6, 0.98, 2, 700), point(0.9, 0.95, 2, 800)], "digits")
    rows = [line.split("|")[5:8] for line in text.splitlines() if line.startswith("| loihi2")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["**2**", "900", "700"], ["**2**", "**700**", "**400**"], ["2", "800", "**100**"]
    ]  # fmt: skip


def test_what_falls_short_is_named(pareto: ModuleType) -> None:
    good = [pareto.Point(target=target, asked=0.6, zeros=0.6, floating=0.9, accuracy=0.9) for target in pareto.TARGETS]
    assert pareto.check(good) == []
    bad = pareto.Point(target="loihi2", asked=0.6, zeros=0.5, floating=0.9, accuracy=0.89)
    assert pareto.check([bad, *good[1:]]) == [
        "loihi2, 60% zeros: 50.0% are zero", "loihi2, 60% zeros: integers 1.00 points from the float model",
    ]  # fmt: skip
    refused = pareto.Point(target="loihi1", asked=0.6, zeros=0.6, floating=0.9, refused="lif1: no")
    assert pareto.check([*good[:2], refused]) == ["loihi1: takes none of the networks"]
