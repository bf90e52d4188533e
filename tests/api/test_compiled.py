"""What compile() returns goes into every other function, written or not, and stays the network that was compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from lossy import network, samples
from tern2lava.bundle import read_bundle
from tern2lava.errors import InputError


def without_seconds_and_bundle(report: Any) -> dict[str, Any]:
    found = report.model_dump()
    for row in found["verification"]["executions"]:
        row["seconds"] = 0.0
    return {key: value for key, value in found.items() if key != "bundle"}


def test_the_network_in_memory_is_verified_and_simulated_as_its_bundle(tmp_path: Path) -> None:
    held = tern2lava.compile(network(), "tiny")
    tern2lava.compile(network(), "tiny", out=tmp_path / "b")
    assert held.folder is None
    found = tern2lava.verify(held, samples(), backend="reference")
    assert without_seconds_and_bundle(found) == without_seconds_and_bundle(
        tern2lava.verify(tmp_path / "b", samples(), backend="reference")
    )
    for engine in ("fast", "reference", "images"):
        run = tern2lava.simulate(held, samples(), engine=engine, states=True)
        read = tern2lava.simulate(tmp_path / "b", samples(), engine=engine, states=True)
        assert np.array_equal(run.scores, read.scores)
        assert all(np.array_equal(run.trace.v[name], read.trace.v[name]) for name in ("h", "y"))


def test_a_network_remembers_its_verification_with_and_without_a_folder(tmp_path: Path) -> None:
    for out in (None, tmp_path / "b"):
        held = tern2lava.compile(network(), "tiny", out=out)
        assert tern2lava.report(held).verification is None
        found = tern2lava.verify(held, samples(), backend="reference")
        assert tern2lava.report(held) == held.report == found
        twins = tern2lava.report(held, compare_bits=8)
        assert len(twins.twins) == 3
        assert held.report == twins
    assert tern2lava.report(tmp_path / "b") == twins


def test_a_folder_that_became_another_network_keeps_its_own_report(tmp_path: Path) -> None:
    held = tern2lava.compile(network(), "tiny", out=tmp_path / "b")
    other = tern2lava.compile(network(), "generic-ternary", out=tmp_path / "b")
    tern2lava.verify(held, samples(), backend="reference")
    assert tern2lava.report(tmp_path / "b").verification is None
    tern2lava.verify(other, samples(), backend="reference")
    assert tern2lava.report(tmp_path / "b").verification is not None


def test_a_folder_that_is_gone_does_not_keep_the_network_from_being_verified(tmp_path: Path) -> None:
    held = tern2lava.compile(network(), "tiny", out=tmp_path / "b")
    (tmp_path / "b").rename(tmp_path / "moved")
    found = tern2lava.verify(held, samples(), backend="reference")
    assert found.verification is not None
    assert found.verification.equal
    assert not (tmp_path / "b").exists()


def test_a_changed_image_in_the_folder_is_not_taken_for_the_network(tmp_path: Path) -> None:
    held = tern2lava.compile(network(), "tiny", out=tmp_path / "b")
    image = next((tmp_path / "b" / "cores").glob("core-*.img"))
    data = bytearray(image.read_bytes())
    data[-1] ^= 4
    image.write_bytes(data)
    before = (tmp_path / "b" / "report.json").read_bytes()
    tern2lava.verify(held, samples(), backend="reference")
    assert (tmp_path / "b" / "report.json").read_bytes() == before


def test_save_writes_the_same_bundle_with_what_was_verified_so_far(tmp_path: Path) -> None:
    held = tern2lava.compile(network(), "tiny")
    found = tern2lava.verify(held, samples(), backend="reference")
    assert held.save(tmp_path / "later") is held
    tern2lava.compile(network(), "tiny", out=tmp_path / "at once")
    assert held.report == found.model_copy(update={"bundle": read_bundle(tmp_path / "later").digest})
    assert read_bundle(tmp_path / "later").report == held.report
    for path in (tmp_path / "at once").rglob("*"):
        if path.is_file() and path.name != "report.json":
            assert path.read_bytes() == (tmp_path / "later" / path.relative_to(tmp_path / "at once")).read_bytes()
    again = tern2lava.verify(held, samples(3), backend="reference")
    assert tern2lava.report(tmp_path / "later") == again


def test_a_live_module_brings_its_own_run_without_a_folder() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")
    layer = torch.nn.Linear(16, 4, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.randint(-1, 2, (4, 16), generator=torch.Generator().manual_seed(3)) * 0.5)
    module = torch.nn.Sequential(layer, snn.Leaky(beta=0.5, init_hidden=True))
    held = tern2lava.compile(module, "generic-ternary", input_shape=(16,), steps=10)
    assert held.libraries == ("torch", "snntorch")
    versions = held.bundle.manifest["versions"]
    assert versions["snntorch"] == snn.__version__
    # The distribution's, without what its build adds behind a plus.
    assert torch.__version__.split("+")[0] == versions["torch"].split("+")[0]
    report = tern2lava.verify(held, samples(), backend="reference")
    assert report.verification is not None
    assert report.verification.verdict("reading").status == "equal"
    recorded = tern2lava.record(module, (torch.tensor(samples()["spikes"]), samples()["labels"]))
    assert np.array_equal(recorded["labels"], samples()["labels"])
    graph = tern2lava.load(module, input_shape=(16,), steps=10)
    for given in (recorded, {name: torch.tensor(v) if v.dtype.kind == "i" else v for name, v in recorded.items()}):
        other = tern2lava.compile(graph, "generic-ternary", recorded=given)
        found = tern2lava.verify(other, samples(), backend="reference").verification
        assert found is not None
        assert found.reading is not None
        assert (found.reading.kept, found.reading.misreadings) == (True, 0)
        assert found.reading.spikes > 0


def test_export_writes_what_the_folder_would_give(tmp_path: Path) -> None:
    held = tern2lava.compile(network(), "tiny", out=tmp_path / "b")
    for to in ("image", "weights"):
        found = tern2lava.export(held, tmp_path / f"{to} held", to=to)
        tern2lava.export(tmp_path / "b", tmp_path / f"{to} read", to=to)
        assert found.size == sum((found.out / name).stat().st_size for name in found.files)
        for name in found.files:
            assert (found.out / name).read_bytes() == (tmp_path / f"{to} read" / name).read_bytes()
    for stage in ("imported", "real"):
        written = tern2lava.export(held, tmp_path / f"{stage}.nir", stage=stage, lossy=True)
        again = tern2lava.compile(tern2lava.load(written.out), "tiny")
        assert np.array_equal(tern2lava.simulate(again, samples()).scores, tern2lava.simulate(held, samples()).scores)
    with pytest.raises(InputError, match="stage: requires a compiled network for 'real'; found one that is not"):
        tern2lava.export(network(), tmp_path / "n.nir", stage="real")
