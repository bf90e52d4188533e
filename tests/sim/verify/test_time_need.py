"""A verification that will take long says so before it begins: how long, in what, and what makes it less."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from command_line import in_process
from tern2lava.effort import NORMAL
from tern2lava.errors import LongRunWarning
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.executable import Executable
from tern2lava.sim.verify import time_need
from tern2lava.sim.verify.executions import Setup
from tern2lava.sim.verify.shard import amounts
from tern2lava.sim.verify.time_need import expected, foretell, in_minutes


def data_of(executable: Executable, samples: int, steps: int) -> SpikeData:
    shape = executable.program.nodes[0].shape  # type: ignore[union-attr]
    return SpikeData(inputs={"x": np.zeros((samples, steps, *shape), np.uint8)})


def setup_of(executable: Executable) -> Setup:
    from tern2lava.sim.engine.program import prepare

    engine = prepare(executable.program, effort=NORMAL)
    return Setup(executable=executable, engine=engine, threads=1, child=None, timeout=600.0)


@pytest.fixture
def half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is run to tell the time of the rest takes half a second."""

    def seconds(run: object) -> float:
        assert callable(run)
        run()
        return 0.5

    monkeypatch.setattr(time_need, "_seconds", seconds)


@pytest.mark.usefixtures("half_a_second")
def test_the_first_steps_tell_the_time_of_all_samples_and_steps(executable: Executable) -> None:
    chosen = amounts("lava", "mixed", 3, NORMAL, 4)
    found = expected(setup_of(executable), data_of(executable, 3, 3200), chosen, replace(NORMAL, shard_values=1))
    # 32 of 3,200 steps of one of three samples take half a second; L1 runs three samples, LM one, at 1.5 ms a step.
    assert found == {"I": 150, "E": 150, "M": 150, "LM": 4.8, "L1": 14.4, "the float model": 150}


@pytest.mark.usefixtures("half_a_second")
def test_samples_that_run_together_are_probed_together(executable: Executable) -> None:
    chosen = amounts("reference", "mixed", 4, NORMAL)
    found = expected(setup_of(executable), data_of(executable, 4, 1600), chosen, NORMAL)
    assert found == {"I": 25, "E": 25, "M": 25, "the float model": 25}


def test_nothing_is_run_to_tell_the_time_of_a_short_run(
    executable: Executable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_need, "_seconds", lambda run: pytest.fail("it was run"))
    assert expected(setup_of(executable), data_of(executable, 20, 12), amounts("reference", "mixed", 20), NORMAL) == {}


def test_a_first_run_that_loads_what_the_next_ones_find_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 0.75, 10.0, 10.25, 20.0, 25.0])
    monkeypatch.setattr("tern2lava.sim.verify.time_need.time.perf_counter", lambda: next(ticks))
    ran: list[int] = []
    assert time_need._seconds(lambda: ran.append(1)) == 0.25
    assert time_need._seconds(lambda: ran.append(1)) == 5.0
    assert len(ran) == 3


@pytest.mark.parametrize(
    ("found", "samples", "words"),
    [
        ({"I": 30.0, "M": 0.4, "the float model": 42.0}, 1, [
            "verify: about 72 s expected for 1 sample of 12 steps: I 30 s, the float model 42 s; samples of fewer",
        ]),
        ({"I": 300.0, "L1": 660.0}, 7, [
            "about 16 min expected for 7 samples of 12 steps: I 5 min, L1 11 min; more than the 600 s of --timeout for "
            "L1; --samples compares fewer; --lava-mode fused leaves L1, L3 and LM out",
        ]),
        ({"I": 59.9}, 7, []),
    ],
)  # fmt: skip
def test_what_is_said_names_what_takes_long_and_what_makes_it_less(
    executable: Executable, monkeypatch: pytest.MonkeyPatch, found: dict[str, float], samples: int, words: list[str]
) -> None:
    monkeypatch.setattr(time_need, "expected", lambda *_: found)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        foretell(setup_of(executable), data_of(executable, samples, 12), amounts("reference", "mixed", samples), NORMAL)
    assert [one.category for one in caught] == [LongRunWarning] * len(words)
    for one, said in zip(caught, words, strict=True):
        assert said in str(one.message)


def test_verify_says_it_on_the_command_line_in_one_line_and_runs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hostile_making import DEMO
    from tern2lava import api

    api.compile(DEMO / "mlp.pt", "tiny", net=DEMO / "mlp.yaml", out=tmp_path / "b")
    np.savez(tmp_path / "x.npz", spikes=np.zeros((1, 16, 64), np.uint8))
    monkeypatch.setattr(time_need, "expected", lambda *_: {"I": 7200.0})
    done = in_process(monkeypatch, capsys)(
        "verify", tmp_path / "b", "--data", tmp_path / "x.npz", "--backend", "reference"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "tern2lava: verify: about 2.0 h expected for 1 sample of 16 steps: I 2.0 h; samples of fewer steps take less"
    ]


@pytest.mark.parametrize(("seconds", "text"), [(61.4, "61 s"), (100, "2 min"), (5999, "100 min"), (9000, "2.5 h")])
def test_times_in_words(seconds: float, text: str) -> None:
    assert in_minutes(seconds) == text
