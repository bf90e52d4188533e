from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from places import ROOT
from tern2lava.hw_profiles import load_profile

FOLDER = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("benchmark_of_memory", FOLDER / "memory.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


def test_layers_of_ten_thousand_weights_meet_the_bar_and_one_that_does_not_is_named(benchmark: ModuleType) -> None:
    _, _, rows = benchmark.measure(benchmark.NETS["mlp"](), load_profile("generic-ternary"))
    missed: list[str] = []
    forced: list[str] = []
    benchmark.check("mlp", "generic-ternary", rows, missed, forced)
    assert (missed, forced) == ([], [])
    first = rows[0]
    assert (first.weights, first.copies, first.nxtf) == (784 * 512, 1.0, None)
    assert first.entropy < first.file < first.stored
    worse = replace(first, stored=2 * first.weights + 1)
    wider = replace(first, nxtf=first.stored - 1)
    large = replace(first, file=int(1.02 * first.entropy))
    for row, word in ((worse, "ternary core"), (wider, "loihi 1"), (large, "file")):
        missed.clear()
        benchmark.check("mlp", "generic-ternary", [row], missed, forced)
        assert len(missed) == 1
        assert missed[0].startswith(f"{word}: mlp on generic-ternary, w_n1 of 401,408 weights")
    missed.clear()
    benchmark.check("mlp", "generic-ternary", [replace(worse, least=4)], missed, forced)
    assert missed == []
    assert "a channel's neurons take 4 cores" in forced[0]


def test_the_committed_results_meet_every_bar() -> None:
    text = (FOLDER / "results" / "memory.md").read_text(encoding="utf-8")
    assert "All bars are met." in text
    assert "Made by `uv run python benchmarks/memory.py` on" in text
