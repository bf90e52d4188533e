"""`doctor` says what is there, what is missing, what that is for and the line that adds it."""

from __future__ import annotations

import json
import sys

import pytest

from command_line import Run, in_process
from shown import check_shown
from tern2lava.api import doctor as module
from tern2lava.api.doctor import Checkup, Finding, doctor
from tern2lava.extras import ADDITIONS
from tern2lava.report.checkup import checkup_table


@pytest.fixture(scope="module")
def found() -> Checkup:
    return doctor()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, found: Checkup) -> None:
    """Lava as it was found, without importing it again."""
    lava = next(one for one in found.findings if one.name == "Lava")
    monkeypatch.setattr(module, "_lava", lambda: lava)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


def of(found: Checkup, name: str) -> Finding:
    return next(one for one in found.findings if one.name == name)


def test_here_everything_that_the_demo_needs_is_there_and_lava_was_imported(found: Checkup) -> None:
    assert found.ok
    assert of(found, "Lava").state == "ok"
    assert "imported" in of(found, "Lava").found
    assert of(found, "Python").found.startswith(".".join(map(str, sys.version_info[:3])))
    assert "numpy " in of(found, "Packages").found
    assert "/" in of(found, "numba's cache").found


def test_every_extra_has_a_line_and_says_what_it_is_for(found: Checkup) -> None:
    extras = {name for name in ADDITIONS if name not in ("lava", "hdf5")}
    assert {one.name for one in found.findings if one.name.startswith("Extra ")} == {f"Extra {n}" for n in extras}
    assert all(addition.purpose for addition in ADDITIONS.values())


def test_what_is_missing_has_the_line_that_adds_it(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    row = of(doctor(), "Extra pandas")
    assert (row.state, row.found) == ("missing", "without pandas")
    assert row.add == "uv sync --inexact --extra pandas (without uv: pip install '.[pandas]')"
    assert row.purpose == ADDITIONS["pandas"].purpose


def test_without_lava_the_demo_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "installed", lambda name: name != "lava.magma")
    found = doctor()
    assert not found.ok
    assert (of(found, "Lava").state, of(found, "Lava").needed) == ("missing", True)
    assert of(found, "Lava").add.startswith("uv sync --inexact --group lava")


def test_a_lava_that_does_not_import_is_broken_and_its_last_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IMPORT", "raise RuntimeError('no magma today')")
    row = of(doctor(), "Lava")
    assert row.state == "broken"
    assert row.found.endswith("its import fails: RuntimeError: no magma today")


@pytest.mark.usefixtures("quick")
def test_the_command_prints_a_table_or_json_and_ends_in_0(run: Run, found: Checkup) -> None:
    done = run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Everything that `tern2lava demo` needs is there" in done.stdout
    read = json.loads(run("doctor", "--json").stdout)
    assert read["ok"] is True
    assert [one["name"] for one in read["findings"]] == [one.name for one in found.findings]


def test_the_command_ends_in_2_where_the_demo_cannot_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "installed", lambda name: name != "lava.magma")
    done = run("doctor")
    assert (done.returncode, done.stderr) == (2, "")
    assert "`tern2lava demo` lacks what it needs" in done.stdout
    assert "uv sync --inexact --group lava" in done.stdout


def test_the_table_loses_no_word(found: Checkup) -> None:
    text = check_shown(checkup_table(found.findings, ok=found.ok))
    assert all(one.name in text for one in found.findings)
