"""Bad input ends in one clear line and the documented exit code, and leaves no bundle behind."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml

from archive import save_npz
from command_line import Done, Run, in_process
from tern2lava.compiler.ir.shapes import Array
from tern2lava.frontends.files.checkpoint import read_checkpoint

DEMO = Path(str(resources.files("tern2lava.demo")))
Arrays = dict[str, Array]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return in_process(monkeypatch, capsys)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tern2lava import api

    folder = tmp_path_factory.mktemp("bundles") / "mlp"
    api.compile(DEMO / "mlp.pt", "loihi2", net=DEMO / "mlp.yaml", out=folder)
    return folder


def refuses(done: Done, code: int, *said: str) -> None:
    """The run ended with `code` and one line on stderr that holds every text of `said`."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for text in said:
        assert text in lines[0]


def tensors() -> Arrays:
    return dict(read_checkpoint(DEMO / "mlp.pt").tensors)


def compile_changed(run: Run, tmp_path: Path, change: Callable[[Arrays], object]) -> Done:
    """Compile the demonstration's MLP from an npz whose tensors were changed, and see that no bundle is left."""
    arrays = {name: np.array(value) for name, value in tensors().items()}
    change(arrays)
    save_npz(tmp_path / "net.npz", **arrays)
    done = run("compile", "net.npz", "--net", DEMO / "mlp.yaml", "-o", "build")
    assert {entry.name for entry in tmp_path.iterdir()} <= {"net.npz"}
    return done


def test_an_unchanged_npz_compiles(run: Run, tmp_path: Path) -> None:
    save_npz(tmp_path / "net.npz", **tensors())
    done = run("compile", "net.npz", "--net", DEMO / "mlp.yaml", "-o", "build")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "build" / "manifest.json").is_file()


def test_a_truncated_checkpoint(run: Run, tmp_path: Path) -> None:
    data = (DEMO / "mlp.pt").read_bytes()
    (tmp_path / "half.pt").write_bytes(data[: len(data) // 2])
    refuses(run("compile", "half.pt", "--net", DEMO / "mlp.yaml", "-o", "build"), 2, "half.pt")
    refuses(run("inspect", "half.pt"), 2, "half.pt")
    assert not (tmp_path / "build").exists()


def test_a_missing_checkpoint(run: Run) -> None:
    refuses(run("compile", "none.pt", "--net", DEMO / "mlp.yaml", "-o", "build"), 2, "none.pt")


def test_a_nan_weight(run: Run, tmp_path: Path) -> None:
    def change(arrays: Arrays) -> None:
        arrays["fc1.weight"][3, 7] = np.nan

    refuses(compile_changed(run, tmp_path, change), 2, "fc1", "NaN", "[3, 7]")


def test_a_tensor_that_is_not_ternary(run: Run, tmp_path: Path) -> None:
    def change(arrays: Arrays) -> None:
        arrays["fc1.weight"] = np.random.default_rng(0).normal(size=arrays["fc1.weight"].shape).astype(np.float32)

    refuses(compile_changed(run, tmp_path, change), 3, "fc1", "--ternarize twn")


def test_a_scale_that_is_lost_in_one_weight(run: Run, tmp_path: Path) -> None:
    def change(arrays: Arrays) -> None:
        weight = arrays["fc1.weight"]
        weight[tuple(np.argwhere(weight != 0)[0])] *= 1.37

    refuses(compile_changed(run, tmp_path, change), 3, "fc1")


def test_a_shape_that_does_not_chain(run: Run, tmp_path: Path) -> None:
    def change(arrays: Arrays) -> None:
        arrays["fc2.weight"] = arrays["fc2.weight"][:, :-5]

    refuses(compile_changed(run, tmp_path, change), 2, "layers[3].dense", "123", "128")


def test_an_unknown_layer(run: Run, tmp_path: Path) -> None:
    net = yaml.safe_load((DEMO / "mlp.yaml").read_text("utf-8"))
    net["layers"].insert(1, {"transformer": {"heads": 8}})
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(net), "utf-8")
    done = run("compile", DEMO / "mlp.pt", "--net", "net.yaml", "-o", "build")
    refuses(done, done.returncode, "net.yaml", "transformer")
    assert done.returncode in (2, 3)
    assert not (tmp_path / "build").exists()


def test_a_checkpoint_without_its_description(run: Run) -> None:
    refuses(run("compile", DEMO / "mlp.pt", "-o", "build"), 2, "--net")


def test_an_unknown_target(run: Run) -> None:
    done = run("compile", DEMO / "mlp.pt", "--net", DEMO / "mlp.yaml", "--target", "loihi9", "-o", "build")
    refuses(done, 2, "loihi9", "loihi2")


def test_a_network_that_does_not_fit(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {name: np.array(value) for name, value in tensors().items()}
    wide = 1 << 14
    arrays["fc1.weight"] = rng.choice(np.array([-0.1, 0, 0.1], np.float32), size=(wide, 64))
    arrays["fc2.weight"] = rng.choice(np.array([-0.1, 0, 0.1], np.float32), size=(10, wide))
    save_npz(tmp_path / "wide.npz", **arrays)
    done = run("compile", "wide.npz", "--net", DEMO / "mlp.yaml", "--target", "tiny", "-o", "build")
    refuses(done, 4, "needs", "the target has")
    assert not (tmp_path / "build").exists()


def test_a_folder_that_is_no_bundle_is_not_replaced(run: Run, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "precious.txt").write_text("mine", "utf-8")
    refuses(
        run("compile", DEMO / "mlp.pt", "--net", DEMO / "mlp.yaml", "-o", "build"),
        2,
        "requires a new or empty folder, or a bundle",
    )
    assert [entry.name for entry in (tmp_path / "build").iterdir()] == ["precious.txt"]


def test_a_bundle_where_a_file_stands(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    refuses(run("compile", DEMO / "mlp.pt", "--net", DEMO / "mlp.yaml", "-o", "file/build"), 2, "file/build")


@pytest.mark.parametrize("command", ["simulate", "verify"])
def test_a_spike_file_of_the_wrong_width(run: Run, tmp_path: Path, bundle: Path, command: str) -> None:
    np.savez(tmp_path / "wide.npz", spikes=np.zeros((2, 16, 1, 9, 9), np.uint8))
    refuses(run(command, bundle, "--data", "wide.npz"), 2, "wide.npz", "(1, 9, 9)", "(1, 8, 8)")


@pytest.mark.parametrize("command", ["simulate", "verify"])
def test_values_that_are_no_spikes(run: Run, tmp_path: Path, bundle: Path, command: str) -> None:
    np.savez(tmp_path / "graded.npz", spikes=np.full((2, 16, 1, 8, 8), 0.5))
    refuses(run(command, bundle, "--data", "graded.npz"), 2, "graded.npz", "whole numbers from 0 to 1")


def test_a_spike_file_that_is_none(run: Run, tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive", "utf-8")
    refuses(run("simulate", bundle, "--data", "text.npz"), 2, "text.npz")
    refuses(run("simulate", bundle, "--data", "absent.npz"), 2, "absent.npz", "requires an npz file; found none")


def test_a_folder_that_is_no_bundle(run: Run, tmp_path: Path) -> None:
    refuses(run("report", tmp_path), 2, "requires the folder of a bundle")


def test_a_damaged_bundle(run: Run, tmp_path: Path) -> None:
    from tern2lava import api

    api.compile(DEMO / "mlp.pt", "loihi2", net=DEMO / "mlp.yaml", out=tmp_path / "build")
    (tmp_path / "build" / "graphs" / "program.npz").write_bytes(b"PK\x03\x04 nothing")
    refuses(run("report", "build"), 2, "program", "compile again")


def test_wrong_usage_ends_in_two(run: Run) -> None:
    assert run("compile").returncode == 2
    assert run("fly").returncode == 2
    done = run("compile", DEMO / "mlp.pt", "--net", DEMO / "mlp.yaml", "--print-ir", "nowhere")
    refuses(done, 2, "nowhere", "to_integer")
