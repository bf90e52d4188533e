"""Whatever needs a package beside those of every installation says the one line that adds it, before it does anything;
and each of these lines can be given."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tern2lava
from tern2lava import api
from tern2lava.compiler.options import MapOptions
from tern2lava.errors import MissingPackageError
from tern2lava.extras import ADDITIONS, Addition, installed, require
from tern2lava.report.frames import frame
from tern2lava.train.data import load_dataset

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="Python 3.10 reads no TOML itself")

PACKAGE = Path(tern2lava.__file__).parent
ROOT = PACKAGE.parent
# What is imported of a package that has another name.
MODULES = {"lava-nc": "lava.magma", "pillow": "PIL"}
NO_NETWORK = re.compile(r"dns error|client error \(Connect\)|network|timed out|offline", re.IGNORECASE)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    file = ROOT / "pyproject.toml"
    if not file.is_file():
        pytest.skip("pyproject.toml is in the checkout and the sdist only")
    found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    return found


def packages(requirements: list[str]) -> set[str]:
    """The names that requirements begin with."""
    return {re.split(r"[<>=;~! ]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize("name", ADDITIONS)
def test_a_line_adds_what_pyproject_declares_and_that_has_the_packages(name: str, project: dict[str, Any]) -> None:
    addition = ADDITIONS[name]
    uv, pip = shlex.split(addition.uv), shlex.split(addition.pip)
    assert uv[:3] == ["uv", "sync", "--inexact"]
    assert pip[:2] == ["pip", "install"]
    if uv[3:4] == ["--group"]:
        declared = project["dependency-groups"][uv[4]]
        assert pip[-1] in declared
    elif uv[3:4] == ["--extra"]:
        declared = project["project"]["optional-dependencies"][uv[4]]
        assert pip[2:] == [f".[{uv[4]}]"]
    else:
        assert uv[3:] == []
        assert pip[2:] == ["."]
        declared = project["project"]["dependencies"]
    assert len(uv) <= 5
    assert set(addition.modules) <= {MODULES.get(package, package) for package in packages(declared)}


def test_only_lava_is_in_the_group_of_the_main_command(project: dict[str, Any]) -> None:
    assert project["tool"]["uv"]["default-groups"] == ["lava"]
    assert project["dependency-groups"]["lava"] == ["lava-nc==0.10.0"]
    heavy = {"torch", "snntorch", "spikingjelly", "norse", "nir", "ray", "tensorboard", "mtkahypar", "ortools"}
    assert not heavy & packages(project["project"]["dependencies"])


def test_every_extra_and_group_that_a_text_names_is_declared(project: dict[str, Any]) -> None:
    extras = set(project["project"]["optional-dependencies"])
    groups = set(project["dependency-groups"])
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.yaml")]
    texts += [ROOT / ".ci" / name for name in ("run", "matrix") if (ROOT / ".ci" / name).is_file()]
    named = {"extra": set[str](), "group": set[str](), "pip": set[str]()}
    for path in texts:
        text = path.read_text(encoding="utf-8")
        named["extra"] |= set(re.findall(r"--extra (\w+)", text))
        named["group"] |= set(re.findall(r"--group (\w+)", text))
        named["pip"] |= set(re.findall(r"pip install '\.\[(\w+)\]'", text))
    assert {"train", "torch", "ray", "mapping", "tensorboard", "pandas"} <= named["extra"] <= extras
    assert {"dev"} <= named["group"] <= groups
    assert {"train", "torch", "ray", "mapping", "tensorboard", "pandas"} <= named["pip"] <= extras


@pytest.mark.parametrize("name", ADDITIONS)
def test_uv_can_execute_the_line(name: str, project: dict[str, Any]) -> None:
    if shutil.which("uv") is None:
        pytest.skip("uv is not here")
    command = [*shlex.split(ADDITIONS[name].uv), "--dry-run", "--python", sys.executable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode and NO_NETWORK.search(done.stderr):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr


def test_the_page_on_installation_names_every_extra() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    for name in set(ADDITIONS) - {"lava", "hdf5"}:  # in every environment that is put together as the page says
        assert f"--extra {name} " in page or f"--extra {name}`" in page


def test_no_other_place_says_how_to_install_anything() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        called = {
            node.func.id if isinstance(node.func, ast.Name) else ""
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call)
        }
        # The child's error is made again from what the child said.
        if path.relative_to(PACKAGE).as_posix() not in ("extras.py", "sim/lava/child.py"):
            assert not re.search(r"pip install|uv sync|uv add", text), path
            assert "MissingPackageError" not in called, path


def test_no_text_names_the_package_as_if_an_index_had_it() -> None:
    texts = [*PACKAGE.rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    assert len(texts) > 100
    for path in texts:
        found = re.search(r"(pip install|uv add|--with)\s+['\"]?tern2lava\b", path.read_text(encoding="utf-8"))
        assert found is None, f"{path}: {found and found[0]}"


def test_what_is_there_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ADDITIONS, "some", Addition(modules={"json": "JSON", "os.path": "OS"}, uv="u", pip="p"))
    require("some")
    monkeypatch.setitem(ADDITIONS, "none", Addition(modules={"json": "JSON", "no_such": "Nix"}, uv="u", pip="p"))
    require("none", "json")
    with pytest.raises(
        MissingPackageError, match=r"^Nix is not installed; it counts; add it with: u \(without uv: p\)"
    ):
        require("none", why="it counts")
    assert not installed("no_such.part")
    assert "no_such" not in sys.modules


class LiveModule:
    """A module as torch's own class is told: by its name."""


LiveModule.__module__, LiveModule.__name__ = "torch.nn.modules.module", "Module"

Action = Callable[[Path], object]
SPIKES = {"spikes": np.zeros((1, 2, 3), np.uint8)}
RUN = ("no-bundle", "--data", "no.npz")
EXACT = MapOptions(placement="exact")


def refuse(stage: str, done: int, total: int) -> None:
    raise AssertionError(f"{stage} was begun")


def experiment(folder: Path) -> object:
    from tern2lava.train.experiment_file import read_experiment

    text = "{data: {name: digits}, network: {layers: '10'}, algorithm: full, tensorboard: true}"
    (folder / "e.yaml").write_text(text)
    pytest.importorskip("snntorch", reason="snnTorch is not installed")
    from tern2lava.train.experiment import run_experiment

    return run_experiment(read_experiment(folder / "e.yaml"), folder / "out", progress=refuse)


def command(*arguments: str) -> Action:
    from tern2lava.cli import app

    def run(folder: Path) -> object:
        return app([part.replace("OUT", str(folder / "out")) for part in arguments], standalone_mode=False)

    return run


def place(algorithm: str) -> Action:
    return lambda folder: api.compile(
        folder / "net.npz", out=folder / "out", map_options=MapOptions(placement=algorithm), progress=refuse
    )


# What is done without which module, and the addition that it names. None of the files and bundles is there: whatever
# looked for one first would say so instead.
ACTIONS: dict[str, tuple[str, str, Action]] = {
    "train": ("torch", "train", command("train", "--config", "no.yaml", "-o", "OUT")),
    "train without its framework": ("snntorch", "train", command("train", "--config", "no.yaml", "-o", "OUT")),
    "train with events": ("tensorboard", "tensorboard", experiment),
    "train with pictures": ("matplotlib", "plots", command("train", "--config", "no.yaml", "-o", "OUT", "--plots")),
    "a live module": ("torch", "torch", lambda _: api.load(LiveModule(), input_shape=(3,), steps=2)),  # type: ignore[arg-type]
    "compile a live module": (
        "torch", "torch", lambda folder: api.compile(LiveModule(), out=folder / "out", input_shape=(3,), steps=2)  # type: ignore[arg-type]
    ),
    "images of JPEG files": ("PIL", "images", lambda folder: load_dataset("cifar10-jpeg75", folder)),
    "a table as a frame": ("pandas", "pandas", lambda _: frame([])),
    "record": ("torch", "torch", lambda folder: api.record(LiveModule(), "no.npz", out=folder / "out")),  # type: ignore[arg-type]
    "simulate on Ray": ("ray", "ray", command("simulate", *RUN, "--engine", "ray", "-o", "OUT")),
    "verify on Ray": ("ray", "ray", command("verify", *RUN, "--engine", "ray")),
    "verify in Lava": ("lava.magma", "lava", lambda _: api.verify("no-bundle", SPIKES)),
    "the demonstration": ("lava.magma", "lava", command("demo", "-o", "OUT")),
    "exact placement": ("ortools", "mapping", place("exact")),
    "Mt-KaHyPar's placement": ("mtkahypar", "mapping", place("mtkahypar")),
    "exact placement on several targets": (
        "ortools", "mapping", lambda folder: api.what_if(folder / "net.npz", ["loihi2"], map_options=EXACT)
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ACTIONS)
def test_what_lacks_a_package_says_the_line_before_it_begins(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, act = ACTIONS[what]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError) as caught:
        act(tmp_path)
    text = str(caught.value)
    assert f"{ADDITIONS[name].modules[module]} is not installed; " in text
    assert f"add it with: {ADDITIONS[name].uv} (without uv: {ADDITIONS[name].pip})" in text
    assert "\n" not in text
    assert not (tmp_path / "out").exists()


def test_a_network_in_hdf5_names_what_reads_and_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tern2lava.export.nir import write_nir
    from tern2lava.frontends.files.hdf5 import SIGNATURE

    (tmp_path / "h5py.py").write_text("raise ImportError('blocked')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "net.nir").write_bytes(SIGNATURE)
    with pytest.raises(
        MissingPackageError, match="h5py is not installed; NIR and lava-dl files need it; add it with: uv"
    ):
        api.load(tmp_path / "net.nir")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingPackageError, match="h5py is not installed"):
        write_nir(None, tmp_path / "out.nir")  # type: ignore[arg-type]
