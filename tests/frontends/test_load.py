"""The one door: each kind of source goes to its reader, every other is refused with what is accepted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import snntorch as snn
import torch
from torch import nn

from nodes import node
from tern2lava.compiler.ir.graph import Dense
from tern2lava.errors import InputError
from tern2lava.frontends.load import load

NET = """\
input: {shape: [4]}
steps: 3
readout: spike_count
layers:
  - dense: {tensors: "0"}
  - neuron: {kind: leaky, tensors: "1", reset_delay: true, fire: ">"}
"""


@pytest.fixture
def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 2), snn.Leaky(beta=0.9, init_hidden=True))


def test_a_module_a_file_and_a_graph_are_loaded(model: nn.Sequential, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "a.pt")
    (tmp_path / "net.yaml").write_text(NET)
    live = load(model, input_shape=(4,), steps=3)
    stored = load(str(tmp_path / "a.pt"), tmp_path / "net.yaml")
    assert load(stored) is stored
    assert (node(live, "0", Dense).weight == node(stored, "0", Dense).weight).all()


def test_what_is_missing_or_too_much_is_said(model: nn.Sequential, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "a.pt")
    (tmp_path / "net.yaml").write_text(NET)
    (tmp_path / "b.net").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    with pytest.raises(InputError, match="Sequential: requires input_shape and steps for a live module; found none"):
        load(model)
    with pytest.raises(InputError, match="leave net out"):
        load(model, tmp_path / "net.yaml", input_shape=(4,), steps=3)
    with pytest.raises(InputError, match=r"add --net NET.yaml"):
        load(tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"a\.pt: requires NIR files, lava-dl files and live modules for option steps"):
        load(tmp_path / "a.pt", tmp_path / "net.yaml", steps=3)
    with pytest.raises(InputError, match="requires a checkpoint; found its description"):
        load(tmp_path / "net.yaml")
    with pytest.raises(
        InputError, match=r"b.net: requires an HDF5 file that can be read; found damaged or truncated HDF5"
    ):
        load(tmp_path / "b.net")
    with pytest.raises(InputError, match=r"source: requires a network; found a dict; give a NIR file \(.nir\)"):
        load({})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"none\.pt: requires the path of a checkpoint; found no file there"):
        load(tmp_path / "none.pt", tmp_path / "net.yaml")


def test_loading_a_file_imports_no_torch(model: nn.Sequential, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "a.pt")
    (tmp_path / "net.yaml").write_text(NET)
    code = (
        "import sys; from tern2lava.frontends.load import load\n"
        "from tern2lava.frontends.inspect.read import inspect_file\n"
        f"load({str(tmp_path / 'a.pt')!r}, {str(tmp_path / 'net.yaml')!r}); inspect_file({str(tmp_path / 'a.pt')!r})\n"
        "print({'torch', 'snntorch', 'lava', 'h5py'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "set()"
