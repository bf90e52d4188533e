"""Rows on the integers that were chosen: units, moves and counts, against the programs themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from calibrated_nets import NETS, spikes_of
from nodes import there
from shown import shown
from tern2lava.compiler.ir.graph import Decays, Population
from tern2lava.compiler.options import Options
from tern2lava.report.integers import integers_text
from tern2lava.report.model import Report


def compiled(name: str, folder: Path, target: str = "loihi2", **more: Any) -> Any:
    return tern2lava.compile(NETS[name].load(folder), target, **more)


@pytest.mark.parametrize("name", NETS)
def test_a_row_says_what_the_program_holds(name: str, tmp_path: Path) -> None:
    found = compiled(
        name, tmp_path, calibrate=spikes_of(16, 5), options=Options(ranges="calibrated", allow_rounding=0.5)
    )
    (row,), (choice,) = found.report.integers, found.lowered.choices
    (population,) = found.lowered.program.of_kind(Population)
    (neuron,) = [node for node in found.lowered.real.nodes if node.name == population.name]
    np.testing.assert_allclose(neuron.unit / population.lsb, row.unit)
    assert row.unit_exponent is None or row.unit == 2.0**row.unit_exponent
    assert (row.unit_exponent is None) == (bin(int(row.unit)).count("1") != 1)
    assert row.decays == ("nearest" if population.decays is Decays.NEAREST else "truncate")
    assert row.saved == there(row.changed_without) - there(row.changed)
    assert row.furthest * there(float(np.max(neuron.threshold))) == pytest.approx(choice.furthest)
    assert (row.moved > 0) == (row.furthest > 0)


def test_what_samples_bought_is_the_difference_of_two_counts(tmp_path: Path) -> None:
    options = Options(ranges="calibrated", allow_rounding=0.5)
    (row,) = compiled("adaptive", tmp_path, calibrate=spikes_of(200, 5), options=options).report.integers
    assert there(row.saved) == there(row.changed_without) - there(row.changed) > 0


def test_ranges_follow_the_certificate(tmp_path: Path) -> None:
    asked = {
        "proven": ("proven", {}),
        "steps": ("steps", {}),
        "calibrated": ("observed", {"calibrate": spikes_of(8, 5)}),
    }
    for ranges, (said, more) in asked.items():
        report = compiled("soft", tmp_path, options=Options(ranges=ranges), **more).report  # type: ignore[arg-type]
        (row,), (certificate,) = report.integers, report.certificate
        assert report.ranges == ranges
        assert row.ranges in (said, "proven")
        assert (row.ranges == "observed") == certificate.observed
        assert (row.ranges == "proven") == (certificate.safe_steps is None)
    assert row.ranges == "observed"


def test_without_samples_it_takes_two_lines(tmp_path: Path) -> None:
    report: Report = compiled("soft", tmp_path).report
    text = "".join(shown(part, 80) for part in integers_text(report) if part != "")
    assert len(text.strip().splitlines()) <= 2
    assert "chosen without calibration samples" in " ".join(text.split())
