"""-v says on stderr what each stage did and how long it took; standard output stays as it is."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from command_line import Run, in_process
from feature_nets import FEATURES
from tern2lava.cli.verbose import LOG

LINE = re.compile(r"tern2lava: +\d+\.\d\d s  .+")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


def test_each_stage_is_a_line_with_its_seconds_and_json_stays_json(run: Run, tmp_path: Path) -> None:
    checkpoint, net = FEATURES["kernels"].write(tmp_path)
    words = ("compile", checkpoint, "--net", net, "-t", "tiny", "-o", tmp_path / "b", "--json")
    done = run(*words, "-v")
    assert done.returncode == 0
    assert json.loads(done.stdout)["target"] == "tiny"
    lines = done.stderr.splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    stages = [line.partition(" s  ")[2] for line in lines]
    assert stages[0].startswith("tern2lava ")
    for stage in ("passes", "partition", "placement", "core images"):
        assert any(re.fullmatch(rf"{stage}\b.*, \d+\.\d\d s", line) for line in stages), stage
    assert re.fullmatch(r"the command took \d+\.\d\d s", stages[-1])
    assert run(*words).stderr == ""


def test_it_may_stand_before_the_command_and_ends_with_it(run: Run) -> None:
    before = run("-v", "profiles", "tiny")
    assert before.returncode == 0
    assert len(before.stderr.splitlines()) == 2
    assert run("profiles", "tiny") == (0, before.stdout, "")
    assert LOG.handlers == []
    assert not LOG.isEnabledFor(logging.INFO)


def test_an_error_stays_the_last_line(run: Run) -> None:
    done = run("report", "nowhere", "--verbose")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere: requires the folder of a bundle" in done.stderr.splitlines()[-1]
