"""The same network compiles to the same files, byte for byte: twice, in other folders, in other processes.

`verify` adds its result to report.json, with the seconds that each execution took; nothing else changes afterwards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tern2lava
from sample_nets import SAMPLES, drawn

PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_bundle_bytes import compile_all
compile_all(Path(sys.argv[2]))
"""


def compile_all(folder: Path) -> None:
    """Bundles in `folder`: a checkpoint and its net.yaml whose traffic is measured on data, several cores; and, where
    snnTorch is installed, a live module whose own run is kept."""
    folder.mkdir(parents=True)
    sample = SAMPLES["grouped"]
    sample.load(folder)
    data = (drawn("spikes", 5, 10, 4, 7, 9) < 0.4).astype(np.uint8)
    (folder / "deep").mkdir()
    tern2lava.compile(
        folder / "sample.npz", "tiny", net=folder / "sample.yaml", out=folder / "deep" / "file", data={"spikes": data}
    )
    try:
        import snntorch
    except ImportError:
        return
    import torch

    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3, padding=1), snntorch.Leaky(beta=0.5, init_hidden=True), torch.nn.Flatten(),
        torch.nn.Linear(48, 5), snntorch.Leaky(beta=0.9, init_hidden=True),
    )  # fmt: skip
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1 or name.endswith("bias"):
                codes = np.rint(2 * drawn(name, *parameter.shape) - 1)
                parameter.copy_(torch.from_numpy(0.5 * codes if parameter.dim() > 1 else codes / 8))
    tern2lava.compile(module, "generic-ternary", out=folder / "module", input_shape=(2, 4, 4), steps=8)


def files(folder: Path) -> dict[str, bytes]:
    """Every file of the bundles in `folder`, by its path."""
    bundles = [path.parent for path in folder.rglob("manifest.json")]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for bundle in bundles for path in sorted(bundle.rglob("*")) if path.is_file()
    }  # fmt: skip


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What compile_all writes here and in a process that orders its sets otherwise, in folders of other names."""
    here = Path(__file__).parent
    folders = [tmp_path_factory.mktemp("here") / "a", tmp_path_factory.mktemp("there") / "another"]
    compile_all(folders[0])
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    path = os.pathsep.join((str(here), os.environ.get("PYTHONPATH", "")))
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(here / "helpers"), str(folders[1])], check=True, timeout=600,
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path},
    )  # fmt: skip
    return folders


def moved(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """The files that are not the same in both."""
    return [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]


def test_two_processes_write_the_same_bytes(processes: list[Path]) -> None:
    one, other = map(files, processes)
    assert {"deep/file/manifest.json", "deep/file/graphs/program.npz", "deep/file/cores/host.img"} <= {*one}
    assert sum(name.startswith("deep/file/cores/core-") for name in one) > 1
    assert json.loads(one["deep/file/manifest.json"])["measured_rates"]
    assert moved(one, other) == []


def test_a_live_module_keeps_the_same_run(processes: list[Path]) -> None:
    pytest.importorskip("snntorch", reason="snnTorch is not installed")
    one, other = map(files, processes)
    assert "module/recorded.npz" in one
    assert one["module/recorded.npz"] == other["module/recorded.npz"]


def test_compiling_again_over_a_bundle_changes_no_byte_and_verifying_only_the_report(tmp_path: Path) -> None:
    sample = SAMPLES["ties"]
    sample.load(tmp_path)
    build = tmp_path / "build"

    def compile_once() -> dict[str, bytes]:
        tern2lava.compile(tmp_path / "sample.npz", "loihi2", net=tmp_path / "sample.yaml", out=build)
        return files(tmp_path)

    first = compile_once()
    data = (drawn("spikes", 3, 40, 20) < 0.3).astype(np.uint8)
    tern2lava.verify(build, {"spikes": data}, backend="reference")
    verified = files(tmp_path)
    assert moved(first, verified) == ["build/report.json"]
    seconds = [row["seconds"] for row in json.loads(verified["build/report.json"])["verification"]["executions"]]
    assert all(value > 0 for value in seconds)
    assert b'"seconds"' not in first["build/report.json"] + first["build/manifest.json"]
    assert compile_once() == first
