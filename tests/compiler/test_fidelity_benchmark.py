"""The second table of benchmarks/fidelity.py: its float64 runs, its two ways of counting, and its bars."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from places import ROOT
from tern2lava.api import compile as compile_network
from tern2lava.frontends.load import load
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

FOLDER = ROOT / "benchmarks"
FEW = 3


@pytest.fixture(scope="module")
def table() -> SimpleNamespace:
    sys.path.insert(0, str(FOLDER))
    try:
        names = ("measure", "nets", "own", "spikes")
        return SimpleNamespace(**{name: importlib.import_module(f"fidelity_{name}") for name in names})
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module", params=["rlif-soft", "signed", "refractory", "plif", "if", "alif-float"])
def case(request: pytest.FixtureRequest, table: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(a network of the table, the folder with its files, a few of its samples)."""
    made = table.nets.CASES[request.param]()
    folder = tmp_path_factory.mktemp("net")
    table.own.write(made.network, folder)
    return made.network, folder, made.data("calibrate")[0][:FEW]


def test_the_benchmarks_own_runs_and_the_float_model_spike_alike(table: SimpleNamespace, case: Any) -> None:
    network, folder, x = case
    own = table.own.run(network, x)
    trace = run_float(load(folder / "net.npz", folder / "net.yaml"), {"input": x}, states=False)
    assert list(own) == list(trace.spikes)
    for name, spikes in own.items():
        assert 0.05 < np.abs(spikes).mean() < 0.2
        np.testing.assert_array_equal(spikes, trace.spikes[name].reshape(spikes.shape))


def test_populations_fed_their_programs_own_spikes_give_them_back(table: SimpleNamespace, case: Any) -> None:
    _, folder, x = case
    program = compile_network(folder / "net.npz", "generic-ternary", net=folder / "net.yaml").program
    spikes = integer.run(program, {"input": x}, states=False).spikes
    flat = {name: value.reshape(FEW, x.shape[1], -1) for name, value in spikes.items()}
    assert table.measure.differ(flat, table.measure.free(program, {"input": x})) == 0
    fed = table.measure.fed(program, flat | {"input": x.reshape(FEW, x.shape[1], -1)})
    assert table.measure.differ(flat, fed) == 0
    first = next(iter(flat))
    flipped = flat | {first: 1 - np.abs(flat[first]), "input": x.reshape(FEW, x.shape[1], -1)}
    assert table.measure.differ(flat, table.measure.fed(program, flipped)) > 0


def test_every_bar_names_the_row_that_misses_it(table: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table.spikes, "seconds_to_start", lambda: 0.5)
    good = {"free": 10, "fed": 5, "changed": 0, "seconds": 1.0, "same": True}

    def missed(target: str = "generic-ternary", stock_loop: bool = False, old: Any = good, **changes: Any) -> list[str]:
        counts = {"plain": good, "calibrated": good} | changes
        row = table.spikes.Row("net", target, 10_000, (0.1, 0.1), 1_000, stock_loop, old, **counts)
        twin = table.spikes.Row("net", "generic-ternary", 10_000, (0.1, 0.1), 1_000, False, good, good, good)
        rows = [row] if target == "generic-ternary" else [twin, row]
        lines: list[str] = table.spikes.missed_bars(rows, True)
        return [line.split(":")[0] for line in lines]

    assert missed() == missed("loihi2") == missed("loihi1") == []
    assert missed(calibrated=good | {"free": 20}) == []
    assert missed(calibrated=good | {"free": 21}) == ["calibrated"]
    assert missed("loihi2", calibrated=good | {"fed": 101}) == ["calibrated"]
    assert missed("loihi1", stock_loop=True) == ["calibrated", "calibrated"]
    assert missed("loihi1", stock_loop=True, calibrated=good | {"free": 1, "fed": 0}) == []
    assert missed(plain=good | {"fed": 6}) == ["plain"]
    assert missed("loihi2", plain=good | {"free": 9}) == ["generic-ternary"]
    assert missed(calibrated=good | {"changed": 1}) == []
    assert missed(calibrated=good | {"changed": 2}) == ["decisions"]
    assert missed(calibrated=good | {"same": False}) == ["same"]
    # The command starts Python too.
    assert missed(calibrated=good | {"seconds": 2.4}) == []
    assert missed(calibrated=good | {"seconds": 2.6}) == ["time"]
    assert missed(plain=good | {"seconds": 2.1}) == ["time"]
    assert missed(old=None) == ["before"]
    assert missed(plain={"refused": "why"}) == ["plain"]
    assert missed(old={"refused": "why"}, plain={"refused": "why"}, calibrated={"refused": "why"}) == []


def test_what_the_commit_before_gave_is_there_for_every_network_and_target(table: SimpleNamespace) -> None:
    stored = json.loads(Path(FOLDER / "results" / "fidelity_before.json").read_text(encoding="utf-8"))
    assert set(stored) == {f"{name} on {target}" for name in table.spikes.ALL for target in table.spikes.TARGETS}
