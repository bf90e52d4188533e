"""`export --to lava`: what leaves the house runs in Lava without tern2lava and makes the same spikes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.mapped import map_program
from tern2lava.export.lava import export_lava
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.executable import Executable
from tern2lava.sim.reference import integer

# Runs run.py where nothing of tern2lava can be imported.
ALONE = """
import sys, runpy
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tern2lava":
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Nothing())
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("name", "layers"),
    [("every_kind", False), ("stock_convolution", False), ("recurrent", False), ("residual_with_delays", True)],
)
def test_the_exported_network_spikes_alike_without_tern2lava(
    name: str, layers: bool, integer_network: Any, tmp_path: Path
) -> None:
    network, inputs = integer_network(name, batch=2)
    network = replace(network, steps=9)
    program = map_program(network, load_profile("tiny"))
    executable = Executable(
        imported=network, real=network, program=network, images=program.images, host_image=program.host_image
    )
    export_lava(executable, tmp_path / "net", version="0", steps=9, layers=layers)
    np.savez(tmp_path / "in.npz", **{key: value.astype(np.int32) for key, value in inputs.items()})
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path / "net" / "run.py"), "in.npz", "-o", "out.npz", "--all"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Cannot import module" not in done.stderr, "Lava executes what lies beside a process"
    reference = integer.run(network, inputs)
    with np.load(tmp_path / "out.npz") as found:
        assert set(found.files) == set(reference.spikes)
        for population, spikes in reference.spikes.items():
            np.testing.assert_array_equal(found[population], spikes)
            assert f"{population}: {np.count_nonzero(spikes):,} spikes" in done.stdout
