"""Every table of every documented feature, in its default form: on the command line, at 80 columns, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from archive import save_npz
from command_line import Run, in_process
from feature_nets import FEATURES, Feature
from shown import check_shown, check_text
from tern2lava import api
from tern2lava.bundle import read_bundle
from tern2lava.report.model import Report
from tern2lava.report.rounding import SHOWN, other_notes
from tern2lava.report.terminal import render

CONSOLE = 80


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


def words(run: Run, *arguments: object, code: int = 0) -> str:
    """What a command prints; it must end in `code`, keep within the console and print no number without meaning."""
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (code, ""), done
    if "--json" not in arguments:
        check_text(done.stdout, CONSOLE)
    return done.stdout


def same(text: str, report: Report) -> None:
    """Fail unless JSON and model are alike after a round trip, NaN and infinities being no JSON."""
    read = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert Report.model_validate(read) == report
    assert report.model_dump(mode="json") == read


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_rendered_compiled_and_verified(run: Run, tmp_path: Path, name: str) -> None:
    feature = FEATURES[name]
    checkpoint, net = feature.write(tmp_path)
    bundle, data = tmp_path / "build", tmp_path / "test.npz"
    save_npz(data, spikes=feature.spikes(), **({} if len(name) % 2 else {"labels": np.array([0, 1, 2])}))
    compiled = words(run, "compile", checkpoint, "--net", net, "-t", feature.target, "-o", bundle, *feature.options)
    report = read_bundle(bundle).report
    whole = check_shown(render(report))
    check_contents(whole, report, feature)
    assert "".join(whole.split()).replace("─", "") in "".join((whole + compiled).split()).replace("─", "")
    spikes = api.simulate(bundle, data).spikes
    assert (list(spikes.values())[-1] == 0) == feature.silent
    # What rounding and ternarising cost these nets is not the matter here.
    proof = words(run, "verify", bundle, "--data", data, "--backend", "reference", "--require", "execution")
    report = read_bundle(bundle).report
    assert report.verification is not None
    assert report.verification.equal
    assert f"{report.verification.compared_values:,}" in proof
    check_shown(render(report))
    same(words(run, "report", bundle, "--json"), report)
    assert words(run, "report", bundle)
    assert words(run, "report", bundle, "--full")


def check_contents(text: str, report: Report, feature: Feature) -> None:
    """Fail unless the tables hold the report's own numbers."""
    for row in report.populations:
        assert row.name in text
    for layer in report.memory.layers:
        line = [line for line in text.splitlines() if line.startswith(f" {layer.projection} ") or
                line.startswith(f"{layer.projection} ")]  # fmt: skip
        assert len(line) >= 3, layer.projection
        weights, ratio = (layer.weights, layer.ratio_fp32)
        assert any(f"{weights:,}" in each for each in line)
        assert any((f"{ratio:,.1f}x" if ratio is not None else " - ") in each for each in line)
        assert (ratio is None) == (0 in (weights, layer.stored_bits))
    for item in report.certificate:
        assert item.verdict in text
        assert item.reason in text
    for note in other_notes(report):
        assert f"- {note}" in text
    for rounding in report.roundings[:SHOWN]:
        assert rounding.quantity in text
    assert len(other_notes(report)) + len(report.roundings) == len(report.notes)
    for said in feature.says:
        assert said in text
