"""Runs jobs that use Lava in a fresh interpreter, in a process group of its own that can always be ended.

Why not in this process: an exception in a Lava process model can hang run() and stop() for ever, Lava keeps every
process it ever built, importing it fixes the start method of multiprocessing, and forking after torch has started
threads can deadlock. A fresh interpreter has none of these; its start (the imports of scipy and Lava) costs a second or
two, so one child does all jobs of a verification, and starts while its parent still computes what it will be held to.

The child watches a pipe from its parent: when that closes, whatever the reason, it ends its whole group, and each
process of its own ends with it. Jobs and arrays travel in shared files without names, and what multiprocessing puts
into the folder of temporary files goes into one of the child's own: nothing is left behind. Where both are killed at
once, the next child that starts removes what they left, which nobody claims any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import platform
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tern2lava.counts import count
from tern2lava.errors import BackendError, MissingPackageError, UnsupportedError
from tern2lava.sim.lava.shared_arrays import STEPS_DONE, SharedArrays, unnamed_file
from tern2lava.writing.leftovers import Claim

Progress = Callable[[int, int], None]
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from tern2lava.sim.lava.child_main import main; main()"
)
_SHARED_MEMORY = Path("/dev/shm")
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 3.0
_FOLDER = re.compile(r"t2l-(t[0-9a-f]{6})-\w+")
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class LavaChild:
    """A child that runs one job after the other. It starts at once; a job that fails ends it, and the next job starts
    another. Leaving the context leaves nothing of it.

    preload: functions ("module:function", without arguments) that it calls while the first job is awaited.
    """

    def __init__(self, preload: tuple[str, ...] = ()) -> None:
        self._preload = preload
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self.start()

    def __enter__(self) -> LavaChild:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(_GRACE_SECONDS if error is None else 0.0)

    @property
    def number(self) -> int | None:
        """The child's process number; None while none runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the child's interpreter unless it runs. Raises UnsupportedError on a system (Windows) whose
        processes cannot pass open files to each other."""
        if self._process is not None:
            return
        if not hasattr(socket, "send_fds"):
            raise UnsupportedError(
                "Lava",
                "a system whose processes can pass open files to each other",
                platform.system(),
                "run it on Linux, or verify with --backend reference, which needs no Lava",
            )
        try:
            self._start()
        except OSError as error:
            why = error.strerror or error
            raise BackendError(
                f"Lava's process could not be started: {why}; see to it, or verify with --backend reference, which "
                "needs none"
            ) from None

    def _start(self) -> None:
        self._noise: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._segments = f"t{secrets.token_hex(3)}"
        self._folder, self._claim = _short_folder(self._segments)
        theirs: socket.socket | None = None
        try:
            self._socket, theirs = socket.socketpair()
            paths = json.dumps([path for path in sys.path if isinstance(path, str)])
            arguments = [paths, self._folder, self._segments, str(theirs.fileno()), *self._preload]
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, *arguments],
                stdin=subprocess.PIPE,
                stdout=self._noise,
                stderr=self._noise,
                # The folder is claimed for as long as the child or one of its own lives.
                pass_fds=[theirs.fileno(), self._claim.descriptor],
                start_new_session=True,
                env=os.environ | dict.fromkeys(_THREAD_COUNTS, "1") | {"TMPDIR": self._folder},
            )
        finally:
            if theirs is not None:
                theirs.close()
            if self._process is None:
                self.close(0.0)

    def run(
        self, entry: str, payload: object, shared: SharedArrays, *, steps: int, timeout: float,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        """Run `entry` ("module:function") as function(payload, shared) in the child; its results are in `shared`.

        steps: Lava steps the job will make; progress(done, steps) is called as shared[STEPS_DONE] grows.
        Closes the descriptor of `shared` (its arrays stay). Raises MissingPackageError where the child finds no Lava,
        BackendError (one line) where the job raises, a process of its group dies, or `timeout` seconds pass; then
        nothing of the child is left: no process, file or shared memory.
        """
        reply: dict[str, Any] = {}
        job_fd = unnamed_file()
        try:
            self.start()
            with os.fdopen(os.dup(job_fd), "wb") as job:
                pickle.dump((entry, payload, shared.layout), job)
            # A child that is dead already cannot take it; the reply says why.
            assert self._socket is not None
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                socket.send_fds(self._socket, [b"job"], [job_fd, shared.fd])
            reply = self._await_reply(shared, steps, timeout, progress)
        finally:
            os.close(job_fd)
            os.close(shared.fd)
            words = self._last_words() if "noise" in reply else ""
            if not reply.get("ok"):
                self.close(0.0)
        if "missing" in reply:
            raise MissingPackageError(*reply["missing"])
        if "error" in reply:
            raise BackendError(f"the run in Lava failed: {reply['error']}{words}")
        if progress is not None:
            progress(steps, steps)

    def close(self, grace: float = _GRACE_SECONDS) -> None:
        """End the child after at most `grace` seconds and remove its processes, files and shared memory."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            process, self._process = self._process, None
            _end_group(process, grace)
        self._noise.close()
        self._claim.release()
        _sweep(self._folder, self._segments)

    def _await_reply(
        self, shared: SharedArrays, steps: int, timeout: float, progress: Progress | None
    ) -> dict[str, Any]:
        """What the child says at its end, or an `error` of our own where it dies or takes too long."""
        assert self._process is not None
        assert self._socket is not None
        deadline = time.monotonic() + timeout
        text = b""
        told = -1
        open_end = True
        while True:
            if open_end and select.select([self._socket], [], [], _POLL_SECONDS)[0]:
                more = b""
                with contextlib.suppress(ConnectionResetError):
                    more = self._socket.recv(1 << 16)
                open_end = bool(more)
                text += more
                if text.endswith(b"\n"):
                    reply: dict[str, Any] = json.loads(text)
                    return reply
                continue
            done = int(shared[STEPS_DONE][0])
            if progress is not None and done != told:
                progress(done, steps)
                told = done
            code = self._process.poll()
            if code is not None:
                how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                return {"error": f"its main process {how} after {done} of {count(steps, 'step')}", "noise": True}
            if time.monotonic() > deadline:
                return {
                    "error": f"it did not finish within {timeout:g} seconds ({done} of {count(steps, 'step')} done)"
                }
            if not open_end:
                time.sleep(_POLL_SECONDS)

    def _last_words(self) -> str:
        """The last line the child printed, for an end that it could not explain itself."""
        self._noise.seek(0)
        lines = [line.strip() for line in self._noise.read().decode(errors="replace").splitlines() if line.strip()]
        return f" ({lines[-1][:200]})" if lines else ""


def run_in_child(
    entry: str, payload: object, shared: SharedArrays, *, steps: int, timeout: float, progress: Progress | None = None,
    child: LavaChild | None = None,
) -> None:  # fmt: skip
    """Call LavaChild.run of `child`, or of a new child that is ended afterwards."""
    if child is not None:
        child.run(entry, payload, shared, steps=steps, timeout=timeout, progress=progress)
        return
    with LavaChild() as own:
        own.run(entry, payload, shared, steps=steps, timeout=timeout, progress=progress)


def _short_folder(segments: str) -> tuple[str, Claim]:
    """A new folder for temporary files, claimed, whose path leaves room for a socket's (107 bytes; multiprocessing adds
    32). What runs left that were killed together with their child is removed."""
    usual = tempfile.gettempdir()
    place = "/tmp" if len(usual) > 50 and os.access("/tmp", os.W_OK) else usual
    for name in os.listdir(place):
        found = _FOLDER.fullmatch(name)
        if found is not None:
            with contextlib.suppress(OSError):
                _sweep_if_dead(f"{place}/{name}", found[1])
    while True:
        folder = tempfile.mkdtemp(prefix=f"t2l-{segments}-", dir=place)
        # Before it is claimed, another run may take it for dead and remove it.
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            return folder, Claim(Path(folder))


def _sweep_if_dead(folder: str, segments: str) -> None:
    claim = Claim(Path(folder))
    try:
        if claim.sure:
            _sweep(folder, segments)
    finally:
        claim.release()


def _end_group(child: subprocess.Popen[bytes], grace: float) -> None:
    """End every process of the child's group; the child has `grace` seconds to end by itself.

    SIGTERM comes first: Python's resource tracker ignores it, outlives the others and unlinks their shared memory.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _GRACE_SECONDS
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, sign)
        while _group_lives(child) and time.monotonic() < deadline:
            time.sleep(0.01)
    if child.stdin is not None:
        child.stdin.close()
    child.wait()


def _group_lives(child: subprocess.Popen[bytes]) -> bool:
    """Whether a process of the child's group still runs. Orphans that only wait to be reaped by init do not count."""
    child.poll()
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    if not os.path.isdir("/proc/self"):
        return True
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{entry.name}/stat") as file:
                # After the name in parentheses: state, parent, process group (man 5 proc).
                state, _, group = file.read().rpartition(")")[2].split()[:3]
                if int(group) == child.pid and state not in "ZX":
                    return True
    return False


def _sweep(folder: str, segments: str) -> None:
    """Remove the child's temporary folder and its remaining shared memory, named `segments`*."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in _SHARED_MEMORY.glob(f"{segments}*"):
        path.unlink(missing_ok=True)
