"""README's tour, numbers and picture are what the commands print and what was measured."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest

import tern2lava
from command_line import in_process
from places import ROOT
from run_pages import Page

README = ROOT / "README.md"
TOUR = re.compile(r"^```console\n.*?^```\n", re.MULTILINE | re.DOTALL)


def test_the_tour_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tern2lava").symlink_to(Path(tern2lava.__file__).parent)
    text = README.read_text("utf-8")
    (tour,) = TOUR.findall(text)
    page = Page(tour, in_process(monkeypatch, capsys))
    if os.environ.get("TERN2LAVA_GOLDEN") == "write":
        README.write_text(text.replace(tour, page.text), "utf-8")
    else:
        assert tour == page.text
    assert Path("build.html").is_file()


def test_what_memory_is_said_to_be_saved_was_measured() -> None:
    text = " ".join(README.read_text("utf-8").split())
    said = re.search(
        r"take ([\d.]+) and ([\d.]+) times less .* `generic-ternary`.*? and ([\d.]+) and ([\d.]+) times", text
    )
    assert said is not None
    measured = (ROOT / "benchmarks" / "results" / "memory.md").read_text("utf-8")
    found = []
    for target in ("generic-ternary", "loihi1"):
        part = measured.partition(f"\n## {target}\n")[2].partition("\n## ")[0]
        for net in ("mlp", "conv"):
            row = re.search(r"fp32 is ([\d.]+) x what is stored", part.partition(f"\n### demo {net}:")[2])
            assert row is not None
            found.append(row[1])
    assert list(said.groups()) == found


def test_the_picture_shows_the_network_as_it_is_compiled() -> None:
    spec = importlib.util.spec_from_file_location("picture", ROOT / "docs" / "site" / "picture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, picture in module.pictures().items():
        assert (ROOT / "docs" / "images" / name).read_text("utf-8") == picture
        assert f"docs/images/{name}" in README.read_text("utf-8")
