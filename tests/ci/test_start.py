"""The check of README's first lines finds what it looks for: the lines, sizes, packages that do not belong there."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from places import ROOT


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("start_check", ROOT / ".ci" / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(ROOT / ".ci"))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / ".ci"))
    return module


def test_readme_has_the_first_lines_and_a_size_within_the_limit(check: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert check.first_lines(text) == ["pip install uv", "uv run tern2lava demo"]
    assert check.said_size(text) <= check.LIMIT == 500
    with pytest.raises(check.CheckError, match="no block that begins with `pip install uv`"):
        check.first_lines("```\nuv run tern2lava demo\n```\n")
    with pytest.raises(check.CheckError, match="does not say the size"):
        check.said_size("an environment of some MB")


def test_sizes_are_those_of_du(check: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(3 << 20))
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to("a")
    assert 3 <= check.size(tmp_path) <= 4
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "e").write_bytes(os.urandom(2 << 20))
    assert 5 <= check.size(tmp_path) <= 6


def test_what_is_too_large_or_does_not_belong_there_is_named(check: ModuleType) -> None:
    assert check.size_faults(480, 480, ["numpy", "scipy", "lava_nc"]) == []
    assert check.size_faults(481, 480, []) == ["the environment takes 481 MB, README says 480"]
    assert check.size_faults(501, 501, []) == ["the environment takes 501 MB, more than 500"]
    for name in ("torch", "nvidia_cublas_cu12", "snntorch", "nir"):
        assert check.size_faults(1, 1, [name]) == [f"the environment holds {name}"]
