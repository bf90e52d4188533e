"""Reading, compiling, proving, simulating, reporting and exporting a checkpoint need no torch and no framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from places import ROOT

# An import of one of these raises ModuleNotFoundError, as where it is not installed.
BLOCKED = (
    "torch",
    "snntorch",
    "spikingjelly",
    "norse",
    "nir",
    "nirtorch",
    "ray",
    "tensorboard",
    "ortools",
    "mtkahypar",
)
BLOCK = f"import sys; sys.modules.update(dict.fromkeys({BLOCKED!r}))\n"


def run_python(code: str, folder: Path) -> str:
    """What a fresh interpreter without BLOCKED prints in `folder`."""
    paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", BLOCK + code], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_torch_checkpoint_goes_from_the_file_to_its_verdicts(tmp_path: Path) -> None:
    code = """
import contextlib, io, json
from importlib import resources
import numpy as np
from tern2lava.cli import app

def run(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        app([str(argument) for argument in arguments], standalone_mode=False)
    return printed.getvalue()

files = resources.files("tern2lava.demo")
spikes = np.random.default_rng(0).integers(0, 2, (3, 16, 1, 8, 8)).astype(np.uint8)
np.savez("test.npz", spikes=spikes)
run("inspect", files / "mlp.pt")
run("compile", files / "mlp.pt", "--net", files / "mlp.yaml", "--recorded", files / "mlp-run.npz", "-o", "build")
proof = json.loads(run("verify", "build", "--data", "test.npz", "--backend", "reference", "--json"))
run("simulate", "build", "--data", "test.npz", "-o", "out.npz")
run("report", "build", "--json")
run("export", "build", "--to", "nir", "--lossy", "-o", "net.nir")
run("export", "build", "--to", "image", "-o", "images")
print(json.dumps([proof["met"], [v["name"] for v in proof["verdicts"]]]))
"""
    met, verdicts = json.loads(run_python(code, tmp_path).splitlines()[-1])
    assert met is True
    assert set(verdicts) == {"execution", "arithmetic", "reading", "ranges", "images"}
    assert (tmp_path / "net.nir").stat().st_size > 0
    assert any((tmp_path / "images").iterdir())


def test_the_fingerprints_hold(tmp_path: Path) -> None:
    code = f"""
import pytest
tests = {str(ROOT / "tests" / "test_fingerprints.py")!r}
chosen = "nothing_that and generic-ternary and (kinds or quantum)"
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", tests, "-k", chosen]))
"""
    run_python(code, tmp_path)
