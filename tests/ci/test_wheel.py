"""The check of what users receive finds what it looks for: files, links, README's lines, verdicts."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from places import ROOT
from tern2lava.extras import ADDITIONS

INFO = "tern2lava-1.dist-info/METADATA"
PAGE = "Name: tern2lava\n\n# tern2lava\n"


@pytest.fixture(scope="module")
def check() -> Any:
    spec = importlib.util.spec_from_file_location("wheel_check", ROOT / ".ci" / "wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel(path: Path, *names: str, page: str = PAGE) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
        archive.writestr(INFO, page)
    return path


def sdist(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in ("PKG-INFO", *names):
            entry = tarfile.TarInfo(f"tern2lava-1/{name}")
            archive.addfile(entry, io.BytesIO())
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A module, its data and a document tracked by git, beside a link to a folder of the package."""
    root = tmp_path / "repository"
    for name in ("tern2lava/sim/a.py", "tern2lava/sim/a.yaml", "docs/a.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "sim").symlink_to("tern2lava/sim")
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def test_full_archives_have_no_fault(check: ModuleType, repository: Path, tmp_path: Path) -> None:
    source = sdist(tmp_path / "s.tar.gz", "tern2lava/sim/a.py", "tern2lava/sim/a.yaml", "docs/a.md")
    built = wheel(tmp_path / "w.whl", "tern2lava/sim/a.py", "tern2lava/sim/a.yaml")
    assert check.content_faults(source, built, repository) == []
    assert check.link_faults(built) == []


def test_files_that_are_missing_or_too_much_are_named(check: ModuleType, repository: Path, tmp_path: Path) -> None:
    source = sdist(tmp_path / "s.tar.gz", "sim/a.py", "sim/a.yaml", "tern2lava/sim/a.py", "tern2lava/sim/a.yaml")
    built = wheel(tmp_path / "w.whl", "tern2lava/sim/a.py", "tern2lava/notes.txt")
    assert check.content_faults(source, built, repository) == [
        "the sdist lacks docs/a.md",
        "the sdist holds sim/a.py, which git does not track there",
        "the sdist holds sim/a.yaml, which git does not track there",
        "the wheel lacks tern2lava/sim/a.yaml",
        "the wheel holds tern2lava/notes.txt, which git does not track there",
    ]


def test_a_relative_link_on_the_index_page_is_named(check: ModuleType, tmp_path: Path) -> None:
    page = PAGE + "[a](docs/a.md), [b](https://example.org/b), [c](#docs)"
    assert check.link_faults(wheel(tmp_path / "w.whl", page=page)) == ["the index's page links to docs/a.md"]
    assert check.link_faults(wheel(tmp_path / "e.whl", page="Name: tern2lava\n")) == ["the index's page has no text"]


def test_the_copy_without_links_holds_their_targets_as_text(check: ModuleType, tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: the list of its files is unknown")
    copy = check.without_links(tmp_path)
    for name in ("compiler", "hw_profiles", "sim"):
        assert not (copy / name).is_symlink()
        assert (copy / name).read_text() == os.path.join("tern2lava", name)
    assert (copy / "tern2lava" / "demo" / "mlp.pt").read_bytes() == (ROOT / "tern2lava/demo/mlp.pt").read_bytes()


def test_every_file_and_folder_at_the_root_is_named_for_the_sdist(check: ModuleType) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: the list of its files is unknown")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.search(r"\[tool\.hatch\.build\.targets\.sdist\]\nonly-include = \[(.*?)\]", text, re.DOTALL)
    assert named is not None
    left_out = {".gitignore", "compiler", "hw_profiles", "sim"}  # hatchling adds .gitignore; the others are links
    there = {path.split("/")[0] for path in check.tracked()} - left_out
    assert set(re.findall(r'"([^"]+)"', named[1])) == there


def test_readme_has_the_lines_that_are_tried(check: ModuleType) -> None:
    lines = check.readme_lines((ROOT / "README.md").read_text(encoding="utf-8"))
    assert lines == ["pip install .", ADDITIONS["lava"].pip, "tern2lava demo"]
    with pytest.raises(check.CheckError, match=r"no block with the lines `pip install \.`"):
        check.readme_lines("```\npip install uv\n```\n")


def test_a_line_for_pip_takes_the_wheel_for_the_checkout(check: ModuleType) -> None:
    wheel = Path("/dist/t.whl")
    assert check.with_wheel("pip install .", wheel) == ["pip", "install", "/dist/t.whl"]
    assert check.with_wheel("pip install '.[ray]'", wheel) == ["pip", "install", "/dist/t.whl[ray]"]
    lava = "pip install --no-deps lava-nc==0.10.0"
    assert check.with_wheel(lava, wheel) == lava.split()


def test_only_a_demo_that_lava_verifies_for_both_networks_passes(check: ModuleType) -> None:
    good = "Execution   VERIFIED I == E == M == L2 == L3 == L1: 5 spikes and states equal\n"
    other = ("Execution   VERIFIED I == E == M: 5 spikes equal\n", "Execution   DIFFERENT I != L1: 5\n", "")

    def demo(mlp: str, conv: str) -> str:
        return f"{good}\nVerdicts\n━━━\nmlp: accuracy 1\n{mlp}conv: accuracy 1\n{conv}"

    assert check.verdict_faults(demo(good, good)) == []
    for bad in other:
        for nets, printed in (("conv", demo(good, bad)), ("mlp", demo(bad, good))):
            (fault,) = check.verdict_faults(printed)
            assert fault.startswith(f"the demo does not end with {nets} VERIFIED in Lava")
    assert len(check.verdict_faults("lava-nc (Intel's Lava) is not installed\n")) == 2
