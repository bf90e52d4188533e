"""Every tutorial runs from its first block to its last, and prints what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import in_process
from places import ROOT
from run_pages import check_page, matches

TUTORIALS = ROOT / "docs" / "tutorials"
NEEDS = {"snntorch": ("snntorch",), "spikingjelly": ("spikingjelly",), "training": ("torch", "snntorch")}


@pytest.mark.parametrize("name", sorted(path.stem for path in TUTORIALS.glob("*.md")))
def test_a_tutorial_prints_what_it_shows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package, reason=f"{package} is not installed")
    monkeypatch.chdir(tmp_path)
    check_page(TUTORIALS / f"{name}.md", in_process(monkeypatch, capsys))


def test_dots_stand_for_any_text_of_a_line_or_any_lines_and_nothing_else_does() -> None:
    assert matches("a\n...\nd\n", "a\nb\nc\nd\n")
    assert matches("a\n...\n", "a\n")
    assert matches("a ... c\n", "a b c\n")
    assert not matches("a ... c\n", "a b\nc\n")
    assert not matches("a\n...\nd\n", "a\nb\nc\n")
    assert not matches("a\n", "b\n")
    assert not matches("", "a\n")
    assert not matches("a.c\n", "abc\n")
