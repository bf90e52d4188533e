"""The demonstration on networks of the zoo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from nodes import there
from tern2lava import api
from tern2lava.bundle import read_bundle
from tern2lava.demo.run import DemoResult, run_demo
from tern2lava.effort import EFFORTS
from tern2lava.errors import InputError
from tern2lava.sim.verify.shard import amounts

NETS = ("mlp", "conv")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoResult]:
    """The demonstration without Lava, which has its own tests and takes most of the time."""
    patch = pytest.MonkeyPatch()
    patch.setattr(api, "verify", partial(api.verify, backend="reference"))
    try:
        yield run_demo(tmp_path_factory.mktemp("demo") / "out", "loihi2", 4)
    finally:
        patch.undo()


def test_both_networks_verify_and_keep_the_accuracy_they_were_trained_to(result: DemoResult) -> None:
    assert result.met
    assert [net.name for net in result.nets] == list(NETS)
    for net in result.nets:
        assert net.compiled_accuracy == pytest.approx(net.trained_accuracy, abs=0.01)
        assert net.compiled_accuracy > 0.95
        assert net.test_samples >= 100


def test_everything_it_made_lies_in_its_folder(result: DemoResult) -> None:
    names = {entry.name for entry in result.folder.iterdir()}
    assert names == {"report.json", *NETS, *(f"{name}-test.npz" for name in NETS), *(f"{name}.html" for name in NETS)}
    written = json.loads((result.folder / "report.json").read_text())
    assert written == json.loads(json.dumps(result.to_dict()))
    for name in NETS:
        assert there(read_bundle(result.folder / name).report.verification).equal
        with np.load(result.folder / f"{name}-test.npz") as file:
            assert {"spikes", "labels"} <= set(file.files)
        # What is left can be used by the commands.
        again = api.simulate(result.folder / name, result.folder / f"{name}-test.npz")
        assert again.accuracy == next(net.compiled_accuracy for net in result.nets if net.name == name)


def test_the_verdict_names_both_networks_and_their_accuracies(result: DemoResult, tmp_path: Path) -> None:
    with (tmp_path / "out.txt").open("w") as stream:
        console = Console(file=stream, width=200)
        console.print(result.render())
    text = (tmp_path / "out.txt").read_text()
    end = " ".join(text.partition("\nVerdicts\n")[2].split())
    for net in result.nets:
        assert f"{net.name}: accuracy on all {net.test_samples} test samples" in end
        for row in there(net.report.verification).verdicts:
            assert f"{row.name.capitalize()} {row.sentence}" in end
        assert f"{100 * net.compiled_accuracy:.2f} %" in text
    assert "This was the quick proof" in end
    assert {there(net.report.verification).effort for net in result.nets} == {"quick"}
    assert {name: dict(amounts("lava", "mixed", 100, EFFORTS["quick"]))[name] for name in ("L1", "L3")} == {
        "L1": 1, "L3": 4
    }  # fmt: skip


def test_a_folder_that_is_taken_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can be written"):
        run_demo(tmp_path / "file", "loihi2", 1)
