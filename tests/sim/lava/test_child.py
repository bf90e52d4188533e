"""The child that runs Lava: whatever happens in it ends in one line, in time, with nothing left behind."""

from __future__ import annotations

import os
import platform
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nodes import there
from places import HELPERS
from tern2lava.errors import BackendError, MissingPackageError, UnsupportedError
from tern2lava.sim.lava.child import LavaChild, run_in_child
from tern2lava.sim.lava.shared_arrays import SharedArrays
from tern2lava.writing.leftovers import Claim

SHARED_MEMORY = Path("/dev/shm")
# Where Linux shows shared memory; elsewhere there is nothing to look at.
has_shared_memory_folder = pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="no /dev/shm on this system")


def process_lives(number: int) -> bool:
    """Whether the process runs (one that only waits to be reaped does not)."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No shared memory and no temporary file survives a run, good or bad."""
    monkeypatch.syspath_prepend(str(HELPERS))
    folder = Path(tempfile.mkdtemp(prefix="test-"))  # tmp_path (made before) is too long for sockets
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(secrets, "token_hex", lambda _: f"{os.getpid():06x}")
    yield
    assert not list(SHARED_MEMORY.glob(f"t{os.getpid():06x}*"))
    folder.rmdir()


@has_shared_memory_folder
def test_shared_memory_of_a_run_carries_its_name_and_is_swept() -> None:
    shared = SharedArrays({"values": ((3,), "int64")})
    with pytest.raises(BackendError, match="was killed by SIGKILL"):
        run_in_child("lava_faults:leave_shared_memory", None, shared, steps=1, timeout=60)
    assert int(shared["values"][0]) == 1, "the segment was not named as the sweep expects"


def run(function: str, payload: object, timeout: float = 60, shared: SharedArrays | None = None) -> SharedArrays:
    shared = shared or SharedArrays({"values": ((3,), "int64")})
    run_in_child(f"lava_faults:{function}", payload, shared, steps=1, timeout=timeout)
    return shared


def test_shared_arrays_do_not_overlap_and_keep_their_types() -> None:
    shared = SharedArrays({"a": ((3, 5), "uint8"), "b": ((2,), "int64"), "c": ((7,), "int16")})
    for number, name in enumerate("abc"):
        shared[name][:] = number + 1
    assert [(shared[n].dtype.str[1:], shared[n].shape, set(shared[n].flat)) for n in "abc"] == [
        ("u1", (3, 5), {1}),
        ("i8", (2,), {2}),
        ("i2", (7,), {3}),
    ]
    os.close(shared.fd)


def test_results_come_back_and_progress_ends_at_the_total() -> None:
    calls: list[tuple[int, int]] = []
    shared = SharedArrays({"values": ((3,), "int64")})
    run_in_child(
        "lava_faults:count", 41, shared, steps=7, timeout=60, progress=lambda done, total: calls.append((done, total))
    )
    assert np.array_equal(shared["values"], [41, 41, 41])
    assert calls[-1] == (7, 7)


def test_an_exception_becomes_one_line() -> None:
    with pytest.raises(BackendError) as caught:
        run("raise_at_once", "two\nlines of text")
    assert str(caught.value) == "the run in Lava failed: ValueError: two lines of text"


def test_a_child_that_is_killed_is_named_with_its_last_words() -> None:
    with pytest.raises(BackendError, match=r"was killed by SIGKILL .*out of memory, said the child"):
        run("die", int(signal.SIGKILL))


def test_a_job_that_hangs_ends_at_the_timeout_and_leaves_no_process() -> None:
    shared = SharedArrays({"values": ((3,), "int64")})
    with LavaChild() as child:
        child.run("lava_faults:count", 1, SharedArrays({"values": ((3,), "int64")}), steps=1, timeout=60)
        began = time.monotonic()
        with pytest.raises(BackendError, match="did not finish within 2 seconds"):
            child.run("lava_faults:report_process", None, shared, steps=1, timeout=2)
        assert time.monotonic() - began < 8
    assert int(shared["values"][0]) > 0
    assert not process_lives(int(shared["values"][0]))


def test_processes_that_a_good_job_left_behind_are_ended() -> None:
    assert not process_lives(int(run("leave_children", None)["values"][0]))


@pytest.mark.parametrize(
    ("how", "message", "timeout"),
    [
        ("raise", "ZeroDivisionError: neuron 7 divided by its own shadow", 30),
        ("kill", "one of its processes was killed", 30),
        ("hang", "did not finish within 5 seconds", 5),
    ],
)
def test_a_lava_process_that_misbehaves_is_reported(how: str, message: str, timeout: float) -> None:
    began = time.monotonic()
    with pytest.raises(BackendError, match=message):
        run("run_network", how, timeout=timeout)
    assert time.monotonic() - began < max(15, timeout)


@pytest.mark.parametrize(
    ("how", "message", "timeout"),
    [
        ("raise", "ZeroDivisionError: neuron 7 divided by its own shadow", 30),
        ("kill", "its main process was killed by SIGKILL", 30),
        ("hang", "did not finish within 5 seconds", 5),
    ],
)
def test_a_model_that_misbehaves_in_sequence_is_reported(how: str, message: str, timeout: float) -> None:
    shared = SharedArrays({"values": ((3,), "int64")})
    with pytest.raises(BackendError, match=message):
        run_in_child("lava_faults:run_in_sequence", how, shared, steps=9, timeout=timeout)


def test_a_loop_without_delay_is_named_instead_of_hanging() -> None:
    with pytest.raises(BackendError, match="LIF left, LIF right: requires a connection with a delay"):
        run("run_a_loop_without_delay", None)


def test_a_child_does_many_jobs_and_another_starts_after_a_failure() -> None:
    with LavaChild() as child:
        numbers = []
        for payload in range(3):
            shared = SharedArrays({"values": ((3,), "int64")})
            child.run("lava_faults:count", payload, shared, steps=1, timeout=60)
            assert np.array_equal(shared["values"], [payload] * 3)
            numbers.append(there(child.number))
        assert len(set(numbers)) == 1
        with pytest.raises(BackendError, match="ValueError: no more"):
            child.run("lava_faults:raise_at_once", "no more", SharedArrays({}), steps=1, timeout=60)
        ended = child.number
        assert ended is None
        assert not process_lives(numbers[0])
        shared = SharedArrays({"values": ((3,), "int64")})
        child.run("lava_faults:count", 5, shared, steps=1, timeout=60)
        assert np.array_equal(shared["values"], [5] * 3)
        last = there(child.number)
        assert last not in numbers
    assert not process_lives(last)


def test_an_interrupt_ends_the_whole_group() -> None:
    shared = SharedArrays({"values": ((3,), "int64")})

    def interrupt() -> None:
        while shared["values"][0] == 0:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    # A job in the background of a shell inherits an ignored SIGINT, and then Python raises nothing for it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            run("report_process", None, shared=shared)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not process_lives(int(shared["values"][0]))


def test_a_long_folder_for_temporary_files_is_not_used_for_sockets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with pytest.raises(BackendError, match="divided by its own shadow"):
        run("run_network", "raise")
    assert not list(long.iterdir())


def test_the_child_ends_when_its_parent_is_killed() -> None:
    script = (
        "import sys, threading, time\n"
        "from tern2lava.sim.lava.child import run_in_child\n"
        "from tern2lava.sim.lava.shared_arrays import SharedArrays\n"
        "shared = SharedArrays({'values': ((3,), 'int64')})\n"
        "job = lambda: run_in_child('lava_faults:report_process', None, shared, steps=1, timeout=99)\n"
        "threading.Thread(target=job, daemon=True).start()\n"
        "while shared['values'][0] == 0: time.sleep(0.05)\n"
        "print(int(shared['values'][0]), flush=True)\n"
        "time.sleep(99)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        number = int(parent.stdout.readline())
        assert process_lives(number)
        parent.kill()
    deadline = time.monotonic() + 5
    while process_lives(number) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not process_lives(number)


def test_a_child_without_lava_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    packages = tmp_path_factory.mktemp("packages")
    paths = []
    for path in sys.path:
        if (Path(path) / "lava").is_dir():
            for entry in Path(path).iterdir():
                if entry.name != "lava" and not (packages / entry.name).exists():
                    (packages / entry.name).symlink_to(entry)
            path = str(packages)
        paths.append(path)
    assert str(packages) in paths
    monkeypatch.setattr(sys, "path", paths)
    with pytest.raises(MissingPackageError, match="pip install") as caught:
        run("run_network", "raise")
    assert "\n" not in str(caught.value)


def test_a_system_that_cannot_pass_open_files_is_named_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "send_fds")
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    with pytest.raises(UnsupportedError, match=r"requires .* open files .*; found Windows; .* --backend reference"):
        LavaChild()


@has_shared_memory_folder
def test_what_a_run_left_that_was_killed_with_its_child_is_removed_by_the_next_and_a_live_one_keeps_its_own() -> None:
    folder = Path(tempfile.gettempdir())
    dead, alive = folder / "t2l-tabcdef-dead", folder / "t2l-tfedcba-alive"
    dead.mkdir()
    alive.mkdir()
    (dead / "file").write_text("left")
    segments = [SHARED_MEMORY / f"{name}_{os.getpid()}" for name in ("tabcdef", "tfedcba")]
    for path in segments:
        path.write_bytes(b"left")
    claim = Claim(alive)
    try:
        run("count", 3)
        assert [path.name for path in folder.iterdir()] == ["t2l-tfedcba-alive"]
        assert [path.exists() for path in segments] == [False, True]
    finally:
        claim.release()
        segments[1].unlink()
    run("count", 3)
    assert not list(folder.iterdir())


def test_a_process_that_lava_forked_ends_with_the_child() -> None:
    shared = SharedArrays({"values": ((3,), "int64")})
    with LavaChild() as child:
        child.run("lava_faults:leave_children", None, shared, steps=1, timeout=60)
        number = int(shared["values"][0])
        assert process_lives(number)
        os.kill(there(child.number), signal.SIGKILL)
        deadline = time.monotonic() + 5
        while process_lives(number) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not process_lives(number)


def test_a_child_that_cannot_be_started_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(BackendError, match="could not be started: Resource temporarily unavailable; .*reference"):
        LavaChild()
