"""`demo --list` shows every network of the zoo."""

from __future__ import annotations

import json

import pytest

from command_line import Run, in_process
from shown import shown
from tern2lava.zoo import ZOO
from tern2lava.zoo.listing import listing


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


def test_every_network_is_listed_with_accuracy_weights_zeros_and_cores() -> None:
    text = shown(listing(), 120)
    for net in ZOO.registered():
        metrics = net.metrics()
        (line,) = [line for line in text.splitlines() if line.startswith(f"{net.name} ")]
        assert f"{100 * metrics['model']['accuracy']:.2f} %" in line
        assert f"{metrics['storage']['weights']:,}" in line
        assert f"{100 * metrics['storage']['zeros']:.1f} %" in line
        assert line.split()[-3:] == [str(row.get("cores", "-")) for row in net.compiled()]


def test_the_command_lists_as_json_what_the_metrics_say_and_runs_nothing(run: Run) -> None:
    code, out, err = run("demo", "--list", "--json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert [row["name"] for row in rows] == list(ZOO.names())
    assert rows[0]["accuracy"] == ZOO.get("mlp").metrics()["model"]["accuracy"]
    assert rows[0]["cores"]["loihi2"] == 1


def test_a_network_that_there_is_not_is_one_line(run: Run) -> None:
    code, _, err = run("demo", "--net", "cifar")
    assert code == 2
    assert err.startswith("tern2lava: net: requires one of digits, ")
