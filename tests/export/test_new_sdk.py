"""docs/new-sdk.md's worked example: its two files are installed, export a network and run it with the same spikes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from by_path import module_at
from command_line import Run, in_process
from export_nets import NETS
from places import ROOT
from tern2lava import api
from tern2lava.compiler.ir.graph import Population
from tern2lava.sim.reference import integer


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's files as a distribution in a folder that Python looks in."""
    text = (ROOT / "docs" / "new-sdk.md").read_text("utf-8")
    blocks = dict(re.findall(r'```python title="(\w+\.py)"\n(.*?)```', text, re.DOTALL))
    assert len([line for line in blocks["tern2lava_brook.py"].splitlines() if line]) < 80
    site = tmp_path / "site"
    (site / "brook-1.0.dist-info").mkdir(parents=True)
    for name, source in blocks.items():
        (site / name).write_text(source, encoding="utf-8")
    (entry,) = re.findall(r'```toml\n\[project.entry-points."(.*?)"\]\n(.*?)```', text, re.DOTALL)
    (site / "brook-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: brook\nVersion: 1.0\n")
    names = f"[{entry[0]}]\n" + entry[1].replace('"', "")
    (site / "brook-1.0.dist-info" / "entry_points.txt").write_text(names)
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "tern2lava_brook", raising=False)
    return site


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


@pytest.mark.parametrize("feature", ["convolution", "recurrence", "skip", "bias"])
def test_a_network_that_the_sdk_runs_spikes_alike(feature: str, installed: Path, run: Run, tmp_path: Path) -> None:
    net = NETS[feature]()
    compiled: Any = api.compile(net.graph, net.target, out=tmp_path / "build")
    done = run("export", tmp_path / "build", "--to", "brook", "-o", tmp_path / "net.json")
    assert done.returncode == 0, done.stderr
    inputs, program = net.inputs(), compiled.lowered.program
    expected, steps = integer.run(program, inputs).spikes, program.steps
    last = steps + max(population.start for population in program.of_kind(Population))
    brook = module_at(installed / "brook.py")
    for sample in range(len(next(iter(inputs.values())))):
        flat = {name: values[sample].reshape(steps, -1).astype(int) for name, values in inputs.items()}
        found = brook.run(tmp_path / "net.json", flat, last)
        for population in program.of_kind(Population):
            window = found[population.name][population.start : population.start + steps]
            np.testing.assert_array_equal(window, expected[population.name][sample].reshape(steps, -1))


@pytest.mark.parametrize(
    ("feature", "found"),
    [("soft reset", "reset subtract"), ("signed", "kind signed"), ("synaptic current", "a synaptic current")],
)
def test_what_it_does_not_run_is_refused_in_one_line_and_nothing_is_written(
    feature: str, found: str, installed: Path, run: Run, tmp_path: Path
) -> None:
    api.compile(NETS[feature]().graph, out=tmp_path / "build")
    done = run("export", tmp_path / "build", "--to", "brook", "-o", tmp_path / "net.json")
    line = f"tern2lava: n: requires neurons that Brook runs; found {found}; keep to a bundle, which says all\n"
    assert (done.returncode, done.stderr) == (3, line)
    assert not (tmp_path / "net.json").exists()
