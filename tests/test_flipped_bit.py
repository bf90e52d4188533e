"""A core image that lies is caught: by its checksum, or, where that was made good again, by execution."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from tern2lava import api
from tern2lava.__main__ import main
from tern2lava.bundle import read_bundle
from tern2lava.compiler.image import decode_core, encode_core
from tern2lava.demo.run import test_spikes as spikes_of
from tern2lava.sim import integer
from tern2lava.sim.compare import compare
from tern2lava.sim.lava_cores import run_cores
from tern2lava.sim.spikes import load_spikes

DEMO = Path(str(resources.files("tern2lava.demo")))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle and ten test samples."""
    folder = tmp_path_factory.mktemp("original")
    api.compile(DEMO / "mlp.pt", "loihi2", net=DEMO / "mlp.yaml", out=folder / "build")
    arrays = spikes_of(json.loads((DEMO / "metrics.json").read_text("utf-8"))["mlp"])
    np.savez(folder / "data.npz", spikes=arrays["spikes"][:10], labels=arrays["labels"][:10])
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "copy")
    return tmp_path / "copy"


Verify = Callable[[Path, str], tuple[int, str, str]]


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Runs `tern2lava verify` and gives its exit code, stdout and stderr."""

    def call(folder: Path, backend: str) -> tuple[int, str, str]:
        arguments = ["verify", str(folder / "build"), "--data", str(folder / "data.npz"), "--backend", backend]
        monkeypatch.setattr(sys, "argv", ["tern2lava", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as done:
            code = int(done.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def image_of(folder: Path) -> Path:
    return folder / "build" / "cores" / "core-00000.img"


def flip_a_weight(path: Path) -> None:
    """Turn one code of the image's last block into another, checksum and all else as the encoder makes them."""
    image = decode_core(path.read_bytes())
    *others, last = image.blocks
    weight = np.array(last.local.weight)
    # The output neuron that fires most: a connection to it is not idle.
    row = weight[weight.shape[0] // 2]
    at = int(np.flatnonzero(row == 0)[0])
    row[at] = 1
    local = replace(last.local, weight=weight)
    path.write_bytes(encode_core(replace(image, blocks=(*others, replace(last, local=local)))))


def test_the_unchanged_bundle_verifies(folder: Path, verify: Verify) -> None:
    code, said, _ = verify(folder, "reference")
    assert code == 0
    assert "VERIFIED" in said


@pytest.mark.parametrize("at", [40, 700, -3])
def test_a_flipped_bit_is_caught_by_the_checksum(folder: Path, verify: Verify, at: int) -> None:
    data = bytearray(image_of(folder).read_bytes())
    data[at] ^= 1
    image_of(folder).write_bytes(bytes(data))
    code, _, complaint = verify(folder, "reference")
    assert code == 2
    assert len(complaint.strip().splitlines()) == 1
    assert "checksum" in complaint


@pytest.mark.parametrize("backend", ["reference", "lava"])
def test_a_changed_weight_with_a_good_checksum_is_caught_by_execution(
    folder: Path, verify: Verify, backend: str
) -> None:
    flip_a_weight(image_of(folder))
    code, said, _ = verify(folder, backend)
    assert code == 1
    assert "I differs from M: first difference in step" in said.replace("\n", " ")
    assert "population lif2" in said


def test_lava_catches_a_changed_weight_by_itself(folder: Path) -> None:
    flip_a_weight(image_of(folder))
    run = read_bundle(folder / "build").executable
    inputs = load_spikes(folder / "data.npz", run.program).first(4).inputs
    lava = run_cores(run.images, run.host_image, inputs).trace
    found = compare({"I": integer.run(run.program, inputs), "L2": lava}, run.program)
    assert not found.equal
    assert found.difference is not None
    assert found.difference.population == "lif2"
