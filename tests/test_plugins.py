"""Entries of registries that other distributions bring: found by their entry points and loaded when they are asked for;
one that does not work is told in one line and disturbs nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lossy
from command_line import Run, in_process
from tern2lava import api
from tern2lava.errors import InputError, PluginError, PluginWarning
from tern2lava.export.exporters import EXPORTERS
from tern2lava.frontends.sources import SOURCES
from tern2lava.hw_profiles import known_profiles, load_profile, profile_names
from tern2lava.registry import Registry, one_of

MODULE = """
from pathlib import Path
from tern2lava.export.exporters import Exporter, Written
from tern2lava.frontends.sources import Source

def write(order):
    order.write_file(lambda path: path.write_text(order.graph.source))
    return Written()


def read(offer, options):
    from tern2lava.compiler.ir.graph import Graph, Input, Level, Output, Neuron, Dense
    from tern2lava.compiler.ir.shapes import frozen
    return Graph(level=Level.IMPORTED, steps=4, nodes=(
        Input(name="x", shape=(2,)), Dense(name="w", inputs=("x",), weight=frozen([[1.0, 1.0]])),
        Neuron(name="n", inputs=("w",), shape=(1,), threshold=frozen(1.0)), Output(name="o", inputs=("n",)),
    ))


EXPORTER = Exporter(name="names", what="its name", run=write)
SOURCE = Source(name="plain", what="a plain file", many="plain files", read=read,
                recognises=lambda offer: offer.path is not None and offer.path.suffix == ".plain")
TARGET = Path(__file__).parent / "desk.yaml"
OTHER = 7


def target():
    return str(TARGET)
"""
PROFILE = """
name: desk
summary: Two chips on a desk.
extends: tiny
system:
  chip_cols: {value: 2, unit: chips, kind: assumed, source: "my desk"}
"""
GOOD = {
    "tern2lava.exporters": {"names": "desk_plugin:EXPORTER"},
    "tern2lava.sources": {"plain": "desk_plugin:SOURCE"},
    "tern2lava.targets": {"desk": "desk_plugin:target"},
}
BROKEN = {
    "tern2lava.exporters": {"lost": "nowhere_to_be_found:EXPORTER"},
    "tern2lava.sources": {"lost": "nowhere_to_be_found:SOURCE"},
    "tern2lava.targets": {"lost": "nowhere_to_be_found:TARGET"},
}
WHY = "cannot be loaded (ModuleNotFoundError: No module named 'nowhere_to_be_found'); mend or uninstall it"


def install(site: Path, name: str, groups: dict[str, dict[str, str]]) -> None:
    """A distribution in the folder `site`, as an installer leaves it there."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on sys.path, with the module that the distribution desk's entry points name."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "desk_plugin.py").write_text(MODULE)
    (folder / "desk.yaml").write_text(PROFILE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "desk_plugin", raising=False)
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_process(monkeypatch, capsys)


def is_imported() -> bool:
    return "desk_plugin" in sys.modules


def test_what_a_distribution_brings_is_exported_loaded_and_compiled_for(site: Path, tmp_path: Path, run: Run) -> None:
    install(site, "desk", GOOD)
    plain = tmp_path / "a.plain"
    plain.write_text("plain")
    compiled = api.compile(plain, "desk", out=tmp_path / "build")
    assert compiled.profile.system.chips == 2
    assert compiled.profile.name == "desk"
    done = run("export", tmp_path / "build", "--to", "names", "-o", tmp_path / "out.txt")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.txt").exists()
    assert profile_names()[-1] == "desk"
    assert known_profiles()[-1].name == "desk"


def test_nothing_of_a_plugin_is_imported_before_it_is_asked_for(site: Path, tmp_path: Path, run: Run) -> None:
    install(site, "desk", GOOD)
    api.compile(lossy.network(), "tiny", out=tmp_path / "build")
    for words in (
        ("report", tmp_path / "build"), ("profiles", "loihi2"), ("compile", "--help"),
        ("export", tmp_path / "build", "--to", "weights", "-o", tmp_path / "w"),
    ):  # fmt: skip
        assert run(*words).returncode == 0
        assert not is_imported(), words
    run("export", tmp_path / "build", "--to", "names", "-o", tmp_path / "out.txt")
    assert is_imported()


def test_help_names_plugins_and_imports_neither_them_nor_anything_heavy(site: Path) -> None:
    install(site, "desk", GOOD)
    program = (
        "import sys\nfrom tern2lava.cli import app\n"
        "try:\n    app(['export', '--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print([name for name in ('numpy', 'scipy', 'torch', 'h5py', 'desk_plugin') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert "exporter names  of the distribution desk" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_broken_plugin_is_one_line_that_names_its_distribution_and_disturbs_nothing_else(
    site: Path, tmp_path: Path, run: Run
) -> None:
    install(site, "wreck", BROKEN)
    install(site, "desk", GOOD)
    api.compile(lossy.network(), "tiny", out=tmp_path / "build")
    for words, kind in (
        (("export", tmp_path / "build", "--to", "lost", "-o", tmp_path / "out"), "exporter"),
        (("compile", tmp_path / "net.pt", "-t", "lost", "-o", tmp_path / "other"), "target"),
    ):
        done = run(*words)
        assert done.returncode == 2
        assert done.stderr == f"tern2lava: {kind} lost of the distribution wreck: {WHY}\n"
    whole = run("profiles", "--json")
    assert whole.returncode == 0
    assert whole.stderr == f"tern2lava: target lost of the distribution wreck: {WHY}\n"
    names = [profile["name"] for profile in json.loads(whole.stdout)]
    assert "desk" in names
    assert "loihi2" in names
    assert run("report", tmp_path / "build").stderr == ""
    plain = tmp_path / "a.plain"
    plain.write_text("plain")
    done = run("compile", plain, "-t", "tiny", "-o", tmp_path / "plain")
    assert done.returncode == 0
    assert done.stderr == f"tern2lava: source lost of the distribution wreck: {WHY}\n"
    none = run("compile", tmp_path / "none.pt", "--net", tmp_path / "net.yaml", "-o", tmp_path / "build")
    assert none.returncode == 2
    assert none.stderr.count("\n") == 1
    assert "wreck" not in none.stderr


@pytest.mark.parametrize(
    ("points", "why"),
    [
        ({"odd": "desk_plugin:OTHER"}, r"TypeError: is a int, not a tern2lava Exporter\); mend"),
        ({"odd": "desk_plugin:MISSING"}, r"AttributeError: module 'desk_plugin' has no attribute 'MISSING'\); mend"),
        ({"odd": "desk_plugin:EXPORTER"}, "calls itself names; give both the same name"),
        ({"odd": "desk_plugin:target"}, r"TypeError: is a str, not a tern2lava Exporter\); mend"),
    ],
)
def test_an_entry_point_that_is_no_entry_is_refused(site: Path, points: dict[str, str], why: str) -> None:
    install(site, "desk", {"tern2lava.exporters": points})
    with pytest.raises(PluginError, match=f"exporter odd of the distribution desk: .*{why}"):
        EXPORTERS.get("odd")
    with pytest.warns(PluginWarning, match=why):
        assert tuple(EXPORTERS) == EXPORTERS.registered()


def test_a_plugin_takes_no_name_that_is_there(site: Path) -> None:
    install(site, "desk", {"tern2lava.exporters": {"nir": "desk_plugin:EXPORTER", "names": "desk_plugin:EXPORTER"}})
    install(site, "desk_two", {"tern2lava.exporters": {"names": "desk_plugin:EXPORTER"}})
    assert EXPORTERS.get("nir") is EXPORTERS.registered()[0]
    with pytest.raises(PluginError, match="names of the distribution desk: is in desk and desk_two; uninstall all but"):
        EXPORTERS.get("names")
    with pytest.warns(PluginWarning, match="nir of the distribution desk: has the name of an entry that is there"):
        assert tuple(EXPORTERS) == EXPORTERS.registered()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: desk\n", r"desk.yaml \(of the distribution desk\): "),
        ("name: [\n", r"desk.yaml \(of the distribution desk\): line 2"),
        (None, r"target desk of the distribution desk: cannot be loaded \(FileNotFoundError: no file .*desk.yaml"),
    ],
)
def test_a_targets_file_that_is_no_profile_is_told_with_its_distribution(
    site: Path, text: str | None, why: str
) -> None:
    install(site, "desk", {"tern2lava.targets": {"desk": "desk_plugin:TARGET"}})
    (site / "desk.yaml").unlink()
    if text is not None:
        (site / "desk.yaml").write_text(text)
    with pytest.raises(Exception, match=why) as raised:
        load_profile("desk")
    assert "\n" not in str(raised.value)
    with pytest.warns(PluginWarning, match=why):
        assert len(known_profiles()) == len(profile_names()) - 1


def test_a_source_that_fails_to_tell_what_it_reads_is_left_out(site: Path, tmp_path: Path) -> None:
    install(site, "desk", GOOD)
    module = (site / "desk_plugin.py").read_text()
    (site / "desk_plugin.py").write_text(module.replace('offer.path.suffix == ".plain"', "offer.nothing"))
    (tmp_path / "a.plain").write_text("plain")
    with (
        pytest.warns(PluginWarning, match=r"source plain cannot tell whether it reads .*a.plain \(AttributeError"),
        pytest.raises(InputError, match=r"a\.plain: requires a description of how its layers are wired; found none"),
    ):
        api.load(tmp_path / "a.plain")


def test_names_are_registered_once_and_an_unknown_one_is_told_those_that_are_there() -> None:
    with pytest.raises(
        InputError, match="exporter nir: requires a name of its own for each exporter; found two called nir"
    ):
        EXPORTERS.add(EXPORTERS.get("nir"))
    with pytest.raises(InputError, match="source: requires a known source; found 'x'"):
        SOURCES.get("x")
    empty: Registry[object] = Registry("thing")  # type: ignore[type-var]
    with pytest.raises(InputError, match="thing: requires a known thing; found 'x'; there is none"):
        empty.get("x")
    assert [one_of(tuple("abc"[:n])) for n in (1, 2, 3)] == ["a", "a or b", "a, b or c"]
