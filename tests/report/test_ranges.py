"""The verdict on ranges: what accumulators did is said where it matters, and required where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import in_process
from network import network
from tern2lava import api
from tern2lava.compiler.ir.graph import Readout, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.options import Options
from tern2lava.errors import InputError
from tern2lava.report.model import RangeRow
from tern2lava.report.ranges import departure, ranges_verdict
from tern2lava.report.requirements import parse_requirements

STEPS = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two neurons that add up their inputs and never lose any: as large as the steps make them."""
    never: dict[str, Any] = {"reset": Reset.NONE, "threshold": frozen(1e3)}
    graph = network(np.eye(2), steps=STEPS, readout=Readout.MEMBRANE_LAST, **never)
    out = tmp_path_factory.mktemp("ranges") / "b"
    api.compile(graph, "tiny", out=out)
    return out


def spikes(samples: int, steps: int) -> Any:
    """Samples of ones for the first neuron, and for the second in half of the steps."""
    x = np.ones((samples, steps, 2), np.uint8)
    x[:, ::2, 1] = 0
    return x


def test_data_within_the_range_keep_it(folder: Path) -> None:
    report = api.verify(folder, spikes(3, STEPS), backend="reference", samples=2, require="ranges")
    found = report.verification
    assert found is not None
    row = found.verdict("ranges")
    assert (row.status, row.met, found.met) == ("equal", True, True)
    assert row.sentence == (
        "KEPT: every accumulator stayed within its range, 2 samples x 10 steps; watched on 2 of 3 samples"
    )
    (watched,) = found.ranges
    (certificate,) = report.certificate
    # As many steps of as much input as there can be: the certificate's worst case, met and not left.
    assert watched.v_largest == certificate.v_limit == watched.v_limit
    assert watched.u_largest == certificate.u_limit == watched.u_limit
    assert (watched.neuron_steps, watched.left, watched.stayed) == (2 * STEPS * 2, 0, True)


def test_data_that_leave_the_range_are_said_and_break_no_other_verdict(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_process(monkeypatch, capsys)
    long = spikes(2, 4 * STEPS)
    np.savez(tmp_path / "x.npz", spikes=long)
    plain = ("verify", folder, "--data", tmp_path / "x.npz", "--backend", "reference", "--any-steps")
    code, out, _ = run(*plain)
    assert code == 0
    text = " ".join(out.split())
    code, printed, _ = run(*plain, "--require", "execution,ranges", "--json")
    assert code == 1
    assert "VERIFIED I == E == M" in text
    assert "LEFT in 1 of 1 population: certificates are conditional on ranges that these data leave" in text
    # Nothing overflowed, which is known of these data without a certificate.
    assert "Proven on this data" in text
    found = json.loads(printed)
    by_name = {row["name"]: row for row in found["verdicts"]}
    assert (by_name["execution"]["met"], by_name["ranges"]["met"]) == (True, False)
    (row,) = found["ranges"]
    # One neuron adds up 40 inputs, of which 10 are in range, the other 20.
    unit = row["u_limit"]
    assert (row["u_largest"], row["v_largest"], row["v_limit"]) == (unit, 40 * unit, 10 * unit)
    assert row["left"] == 2 * (30 + 19)
    assert f"n: beyond its certificate in 98 of 160 neuron-timesteps; current up to {unit:,.0f}" in text
    assert f"potential up to {40 * unit:,.0f} (certificate {10 * unit:,.0f})" in text


def test_samples_louder_than_those_of_the_calibration_leave_ranges_that_were_observed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight = rng.integers(-1, 2, (8, 40)) * 0.37
    leaky: dict[str, Any] = {"reset": Reset.SUBTRACT, "threshold": frozen(1.0), "alpha_v": frozen(0.9)}
    graph = network(weight, np.eye(8)[:3] * 0.9, steps=20, alpha_u=frozen(0.5), **leaky)
    quiet = (rng.random((200, 20, 40)) < 0.05).astype(np.uint8)
    report = api.compile(
        graph, "loihi2", calibrate=quiet, options=Options(ranges="calibrated"), out=tmp_path / "b"
    ).report
    assert {row.population for row in report.certificate if row.observed} >= {"n1"}
    kept = api.verify(tmp_path / "b", quiet, backend="reference").verification
    left = api.verify(tmp_path / "b", np.ones_like(quiet), backend="reference").verification
    assert kept is not None
    assert left is not None
    assert (kept.verdict("ranges").status, left.verdict("ranges").status) == ("equal", "differs")
    (away,) = [row for row in left.ranges if row.population == "n1"]
    # All of the inputs are more than any of the samples had; executions overflow alike.
    assert away.left > 0
    assert away.u_wrapped + away.v_clipped > 0
    assert left.equal
    assert not left.spike_exact


def row(**changed: Any) -> RangeRow:
    values: dict[str, Any] = {
        "population": "h", "neuron_steps": 4_800, "u_largest": 9_000_000, "u_limit": 8_000_000.0, "v_largest": 7_000,
        "v_limit": 8_000.0, "state_max": 8_388_607, "u_wrapped": 0, "v_clipped": 0, "adaptation_clipped": 0, "left": 0,
        "stayed": False,
    }  # fmt: skip
    return RangeRow(**(values | changed))


def test_a_line_says_what_happened_how_often_and_by_how_much() -> None:
    assert departure(row(u_wrapped=12, v_clipped=3, adaptation_clipped=1, left=20)) == (
        "h: current wrapped in 12, potential clipped in 3, adaptation clipped in 1, beyond its certificate in 20 of "
        "4,800 neuron-timesteps; current up to 9,000,000 (certificate 8,000,000), potential up to 7,000 (certificate "
        "8,000); states hold 8,388,607"
    )
    assert departure(row(u_wrapped=1, u_limit=None, v_limit=None)) == (
        "h: current wrapped in 1 of 4,800 neuron-timesteps; current up to 9,000,000, potential up to 7,000; states "
        "hold 8,388,607"
    )


def test_what_is_required_decides() -> None:
    rows = [row(u_wrapped=1), row(stayed=True)]
    for text, met in ((None, None), ("execution", None), ("ranges", False)):
        found = ranges_verdict(rows, 6, 6, 10, parse_requirements(text))
        assert (found.status, found.met) == ("differs", met)
        assert found.sentence.startswith("LEFT in 1 of 2 populations: ")
    assert ranges_verdict(rows[1:], 6, 6, 10, parse_requirements("ranges")).met is True
    with pytest.raises(InputError, match="requires no number for ranges"):
        parse_requirements("ranges=1%")
