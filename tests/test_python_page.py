"""Every Python block of docs/python.md runs as it stands, and prints what the block behind it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import in_process
from places import ROOT
from run_pages import blocks, check_page

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


def test_the_blocks_run_one_after_the_other_and_print_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    np.savez("net.npz", first=rng.integers(-1, 2, (20, 16)) * 1.0, second=rng.integers(-1, 2, (4, 20)) * 1.0)
    Path("net.yaml").write_text(NET, "utf-8")
    page = ROOT / "docs" / "python.md"
    assert [language for language, _ in blocks(page.read_text("utf-8"))].count("python") >= 6
    check_page(page, in_process(monkeypatch, capsys))


def test_the_python_block_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")
    monkeypatch.chdir(tmp_path)
    layer = torch.nn.Linear(784, 4, bias=False)
    codes = np.random.default_rng(0).integers(-1, 2, (4, 784)) * 0.25
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(codes))
    rng = np.random.default_rng(1)
    names: dict[str, Any] = {
        "module": torch.nn.Sequential(torch.nn.Flatten(), layer, snn.Leaky(beta=0.5, init_hidden=True)),
        "spikes": rng.random((6, 16, 1, 28, 28)) < 0.2, "labels": rng.integers(0, 4, 6),
    }  # fmt: skip
    (text,) = (text for language, text in blocks((ROOT / "README.md").read_text("utf-8")) if language == "python")
    call = "verify(network, recorded)"
    assert call in text
    # Without Lava, which tests/sim runs: what is tested here is that the lines fit together.
    exec(compile(text.replace(call, f'{call[:-1]}, backend="reference")'), "README.md", "exec"), names)
    assert names["report"].verification.verdict("reading").status == "equal"
    assert names["result"].predictions.shape == (6,)
