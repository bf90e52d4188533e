"""What a compilation tells of its stages, and that it can be interrupted in each without leaving anything half-done."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import Run, in_process
from tern2lava import api
from tern2lava.bundle import read_bundle
from tern2lava.cli.app import console
from tern2lava.compiler.ir.graph import Input, Population
from tern2lava.compiler.ir.shapes import size
from tern2lava.compiler.options import MapOptions
from tern2lava.compiler.passes.pipeline import PASSES
from tern2lava.compiler.progress import COUNTED, bare
from tern2lava.effort import NORMAL

DEMO = Path(str(resources.files("tern2lava.demo")))
_PLAIN = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
# On one core there is nothing to map otherwise.
OTHERS, BEST = "other mappings", "placement of the best"
STAGES = ["network", "passes", "certificate", "partition", "placement", "routes", OTHERS, BEST, "core images", "bundle"]


def test_a_compilation_tells_its_stages_in_order_and_how_many_there_are_of_what_is_counted(tmp_path: Path) -> None:
    told = []
    compiled = api.compile(
        DEMO / "mlp.pt", "tiny", net=DEMO / "mlp.yaml", out=tmp_path / "b", progress=lambda *what: told.append(what)
    )
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == STAGES
    assert [what for what in told if what[0] == "passes"] == [("passes", k, len(PASSES)) for k in range(len(PASSES))]
    cores = len(compiled.mapped.images)
    assert [what for what in told if what[0] == "core images"] == [("core images", k, cores) for k in range(cores)]


def test_what_if_names_the_target_of_each_stage() -> None:
    told = []
    api.what_if(
        DEMO / "mlp.pt", ["tiny", "loihi2"], net=DEMO / "mlp.yaml", progress=lambda stage, *_: told.append(stage)
    )
    inner = [stage for stage in STAGES if stage not in ("network", "bundle")]
    expected = [("tiny", stage) for stage in inner] + [
        ("loihi2", stage) for stage in inner if stage not in (OTHERS, BEST)
    ]
    assert list(dict.fromkeys(told)) == ["network", *(f"{name}: {stage}" for name, stage in expected)]


@pytest.mark.parametrize("stage", STAGES)
def test_an_interruption_in_any_stage_leaves_nothing_and_a_bundle_that_was_there_whole(
    stage: str, tmp_path: Path
) -> None:
    def interrupt(now: str, done: int, total: int) -> None:
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
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("TERM", "xterm")
    return in_process(monkeypatch, capsys, terminal=True)


NET = (DEMO / "mlp.pt", "--net", DEMO / "mlp.yaml", "-t", "tiny")


def test_a_terminal_shows_the_stages_of_compile_on_stderr_alone(run: Run, tmp_path: Path) -> None:
    code, out, err = run("compile", *NET, "-o", tmp_path / "b")
    assert code == 0
    assert all(stage in err for stage in STAGES)
    assert not any(stage in out for stage in (OTHERS, "core images"))
    code, _, err = run("compile", *NET[:3], "--what-if", "tiny,loihi2")
    assert code == 0
    assert "loihi2: core images" in err


def test_json_is_silent_on_a_terminal_too(run: Run, tmp_path: Path) -> None:
    assert run("compile", *NET, "-o", tmp_path / "b", "--json")[::2] == (0, "")
    assert run("compile", *NET[:3], "--what-if", "tiny", "--json")[::2] == (0, "")


def test_an_interruption_at_a_terminal_is_one_last_line_and_code_130(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, progress: Callable[..., Any], **__: Any) -> None:
        progress("passes", 3, 9)
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "compile", interrupted)
    code, out, err = run("compile", *NET, "-o", tmp_path / "b")
    assert (code, out) == (130, "")
    assert err.splitlines()[-1].endswith("tern2lava: interrupted; nothing was written")
    assert not list(tmp_path.iterdir())


def test_every_stage_with_a_total_counts_something_that_has_a_name_and_never_runs_over_it(
    tmp_path: Path,
) -> None:
    told = []
    where = tmp_path / "b"
    api.compile(
        DEMO / "mlp.pt", "tiny", net=DEMO / "mlp.yaml", out=where, progress=lambda *what: told.append(what),
        map_options=MapOptions(objective="traffic"),
    )  # fmt: skip
    shape = read_bundle(where).executable.program.of_kind(Input)[0].shape
    data = {"spikes": np.zeros((7, 16, *shape), np.int8)}
    api.simulate(where, data, progress=lambda *what: told.append(what))
    api.verify(where, data, backend="reference", samples=3, progress=lambda *what: told.append(what))
    for stage, done, total in told:
        assert not total or bare(stage) in COUNTED, stage
        assert 0 <= done <= total or not total, (stage, done, total)
    ends = {stage: (done, total) for stage, done, total in told}
    assert ends["engine fast"] == (7, 7)
    assert ends["integer reference"] == ends["images core by core"] == (3, 3)
    assert ends["fast engine on the rest"] == (7, 7)


def test_samples_of_later_shards_are_counted_of_all(tmp_path: Path) -> None:
    told = []
    api.compile(DEMO / "mlp.pt", "tiny", net=DEMO / "mlp.yaml", out=tmp_path / "b")
    program = read_bundle(tmp_path / "b").executable.program
    shape = program.of_kind(Input)[0].shape
    nodes: tuple[Input | Population, ...] = (*program.of_kind(Input), *program.of_kind(Population))
    neurons = sum(size(node.shape) for node in nodes)
    two = replace(NORMAL, shard_values=2 * 16 * neurons)
    data = {"spikes": np.zeros((5, 16, *shape), np.int8)}
    api.verify(tmp_path / "b", data, backend="reference", effort=two, progress=lambda *what: told.append(what))
    assert [what[1:] for what in told if what[0] == "integer reference"] == [
        (0, 5), (2, 5), (2, 5), (4, 5), (4, 5), (5, 5),
    ]  # fmt: skip


def test_a_real_terminal_of_80_columns_sees_one_line_that_fits(tmp_path: Path) -> None:
    """The command in a pseudo-terminal of its own; the line that comes and goes and all that stays keep within it."""
    pty, termios, fcntl = (pytest.importorskip(name) for name in ("pty", "termios", "fcntl"))
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    command = [sys.executable, "-m", "tern2lava", "compile", *map(str, NET), "-o", "b"]
    done = subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, cwd=tmp_path, env=environment | {"TERM": "xterm"}
    )
    os.close(side)
    seen = b""
    # The other side is closed by the process that ends: an error on Linux, the end of a file elsewhere.
    with suppress(OSError):
        while part := os.read(main, 1 << 16):
            seen += part
    os.close(main)
    assert done.wait() == 0
    lines = [_PLAIN.sub("", line).rstrip() for line in re.split(r"[\r\n]|\x1b\[2K|\x1b\[1A", seen.decode())]
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("passes") and " of 9 passes  0:0" in line and "elapsed" in line for line in lines)
    assert [line for line in lines if line][-1].startswith("Bundle written to b;")
    assert not [line for line in lines if "left" in line and not re.search(r"about \d+:\d\d left$", line)]


@pytest.mark.parametrize(("asked", "width"), [("100", 100), ("7", 20), ("", 80), ("wide", 80), ("0", 80), (None, 80)])
def test_what_is_piped_is_as_wide_as_columns_says_or_80(
    monkeypatch: pytest.MonkeyPatch, asked: str | None, width: int
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if asked is not None:
        monkeypatch.setenv("COLUMNS", asked)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert console().width == width
