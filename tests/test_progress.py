"""What a compilation tells of its stages, and that it can be interrupted in each without leaving anything half-done."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from command_line import in_process
from tern2lava import api
from tern2lava.bundle import read_bundle
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.pipeline import PASSES

DEMO = Path(str(resources.files("tern2lava.demo")))
# On one core there is nothing to map otherwise.
OTHERS = "other mappings"
STAGES = ["network", "passes", "certificate", "partition", "placement", "routes", OTHERS, "core images", "bundle"]


def test_a_compilation_tells_its_stages_in_order_and_how_many_there_are_of_what_is_counted(tmp_path):
    told = []
    compiled = api.compile(
        DEMO / "mlp.pt", "tiny", net=DEMO / "mlp.yaml", out=tmp_path / "b", progress=lambda *what: told.append(what)
    )
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == STAGES
    assert [what for what in told if what[0] == "passes"] == [("passes", k, len(PASSES)) for k in range(len(PASSES))]
    cores = len(compiled.mapped.images)
    assert [what for what in told if what[0] == "core images"] == [("core images", k, cores) for k in range(cores)]


def test_what_if_names_the_target_of_each_stage():
    told = []
    api.what_if(
        DEMO / "mlp.pt", ["tiny", "loihi2"], net=DEMO / "mlp.yaml", progress=lambda stage, *_: told.append(stage)
    )
    inner = [stage for stage in STAGES if stage not in ("network", "bundle")]
    expected = [("tiny", stage) for stage in inner] + [("loihi2", stage) for stage in inner if stage != OTHERS]
    assert list(dict.fromkeys(told)) == ["network", *(f"{name}: {stage}" for name, stage in expected)]


@pytest.mark.parametrize("stage", STAGES)
def test_an_interruption_in_any_stage_leaves_nothing_and_a_bundle_that_was_there_whole(stage, tmp_path):
    def interrupt(now, done, total):
        if now == stage:
            raise KeyboardInterrupt

    api.compile(DEMO / "mlp.pt", "tiny", net=DEMO / "mlp.yaml", out=tmp_path / "old")
    before = read_bundle(tmp_path / "old").executable.images
    for name, net in (("old", "conv"), ("new", "mlp")):
        with pytest.raises(KeyboardInterrupt):
            api.compile(
                DEMO / f"{net}.pt", "tiny", net=DEMO / f"{net}.yaml", out=tmp_path / name, progress=interrupt,
                map_options=MapOptions(objective="traffic"),
            )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert read_bundle(tmp_path / "old").executable.images == before


@pytest.fixture
def run(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    return in_process(monkeypatch, capsys, terminal=True)


NET = (DEMO / "mlp.pt", "--net", DEMO / "mlp.yaml", "-t", "tiny")


def test_a_terminal_shows_the_stages_of_compile_on_stderr_alone(run, tmp_path):
    code, out, err = run("compile", *NET, "-o", tmp_path / "b")
    assert code == 0
    assert all(stage in err for stage in STAGES)
    assert not any(stage in out for stage in (OTHERS, "core images"))
    code, _, err = run("compile", *NET[:3], "--what-if", "tiny,loihi2")
    assert code == 0
    assert "loihi2: core images" in err


def test_json_is_silent_on_a_terminal_too(run, tmp_path):
    assert run("compile", *NET, "-o", tmp_path / "b", "--json")[::2] == (0, "")
    assert run("compile", *NET[:3], "--what-if", "tiny", "--json")[::2] == (0, "")


def test_an_interruption_at_a_terminal_is_one_last_line_and_code_130(run, tmp_path, monkeypatch):
    def interrupted(*_, progress, **__):
        progress("passes", 3, 9)
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "compile", interrupted)
    code, out, err = run("compile", *NET, "-o", tmp_path / "b")
    assert (code, out) == (130, "")
    assert err.splitlines()[-1].endswith("tern2lava: interrupted; nothing half-written was left behind")
    assert not list(tmp_path.iterdir())
