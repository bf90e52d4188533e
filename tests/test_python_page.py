"""Every Python block of docs/python.md runs as it stands, and prints what the block behind it shows."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
NET = """\
input: {shape: [16]}
steps: 10
readout: spike_count
layers:
  - dense: {weight: first}
  - name: hidden
    neuron: {kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ">"}
  - dense: {weight: second}
  - name: out
    neuron: {kind: if, threshold: 1.0, reset: zero, reset_delay: false, fire: ">"}
"""


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, text) of every fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)


def test_the_blocks_run_one_after_the_other_and_print_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    np.savez("net.npz", first=rng.integers(-1, 2, (20, 16)) * 1.0, second=rng.integers(-1, 2, (4, 20)) * 1.0)
    Path("net.yaml").write_text(NET, "utf-8")
    found = blocks(PAGE.read_text("utf-8"))
    assert [language for language, _ in found].count("python") >= 6
    names: dict[str, Any] = {}
    printed = ""
    for language, text in found:
        if language == "python":
            assert printed == "", f"what a block prints is not shown: {printed}"
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(text, str(PAGE), "exec"), names)
            printed = out.getvalue()
        else:
            assert text == printed
            printed = ""
    assert printed == ""
