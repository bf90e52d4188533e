"""Hostile files end in one clear line and the documented exit code, whichever command they are given to."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import Run, in_process
from hostile_inputs import HOSTILE, reseal
from hostile_making import DEMO, Hostile
from tern2lava import api


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "mlp"
    api.compile(DEMO / "mlp.pt", "loihi2", net=DEMO / "mlp.yaml", out=folder)
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    return in_process(monkeypatch, capsys)


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """A command that waits for a file is ended, and fails its test."""

    def late(*_: object) -> None:
        raise TimeoutError("the command waits or works without an end")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


QUICK = [hostile for hostile in HOSTILE if not hostile.slow]


def test_there_are_a_hundred_of_them_and_each_has_a_name_of_its_own() -> None:
    assert len(QUICK) >= 100
    assert len({hostile.name for hostile in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize("hostile", QUICK, ids=lambda hostile: hostile.name)
def test_a_hostile_file_is_refused_in_one_line(hostile: Hostile, run: Run, tmp_path: Path, bundle: Path) -> None:
    words = hostile.make(tmp_path, bundle)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    done = run(*words)
    assert done.returncode == 2, (done.returncode, done.stdout[-500:], done.stderr[-500:])
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr[-1000:]
    assert lines[0].startswith("tern2lava: ")
    assert len(lines[0]) < 600
    assert "Traceback" not in lines[0]
    assert time.process_time() - begin < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 << 10
    assert not (tmp_path / "build").exists()
    assert not list(tmp_path.glob(".build*"))


SEEN = [hostile for hostile in QUICK if hostile.name.startswith(("a net.yaml", "a checkpoint", "a profile"))][::5]


@pytest.mark.parametrize("hostile", SEEN, ids=lambda hostile: hostile.name)
def test_check_and_the_writing_of_a_net_yaml_end_as_compile_and_inspect_do(
    hostile: Hostile, run: Run, tmp_path: Path, bundle: Path
) -> None:
    words = list(hostile.make(tmp_path, bundle))
    if words[0] == "compile":
        at = words.index("-o")
        words = ["check", *words[1:at], *words[at + 2 :]]
    elif words[0] == "inspect":
        words += ["--write-net", tmp_path / "made.yaml"]
    done = run(*words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) <= 1
    assert "tern2lava: " in done.stderr or "refusal" in done.stdout
    assert not (tmp_path / "made.yaml").exists()


def test_the_bundle_of_these_tests_is_sound_and_stays_so_when_it_is_sealed_again(
    run: Run, tmp_path: Path, bundle: Path
) -> None:
    import shutil

    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    reseal(copy, "graphs/program.npz")
    assert run("report", copy).returncode == 0
