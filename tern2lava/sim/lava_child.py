"""Runs a job that uses Lava in a fresh interpreter, in a process group of its own that can always be ended.

Why not in this process: an exception in a Lava process model can hang run() and stop() for ever, Lava keeps every
process it ever built, importing it fixes the start method of multiprocessing, and forking after torch has started
threads can deadlock. A fresh interpreter has none of these; it costs about a second (scipy's and Lava's import).

The child watches a pipe from its parent: when that closes, whatever the reason, it ends its whole group. Job and arrays
travel in shared files without names, and what multiprocessing puts into the folder of temporary files goes into one
of the run's own: nothing is left behind.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import mmap
import os
import pickle
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import shared_memory
from pathlib import Path
from typing import IO, Any

import numpy as np

from tern2lava.compiler.ir import Array
from tern2lava.errors import MissingPackageError, VerificationError

Progress = Callable[[int, int], None]
Layout = dict[str, tuple[tuple[int, ...], str]]
STEPS_DONE = "steps_done"
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from tern2lava.sim.lava_child import main; main()"
_SHARED_MEMORY = Path("/dev/shm")
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 3.0
_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class SharedArrays:
    """Zeroed arrays by name over one shared mapping of an unnamed file; `layout` is name -> (shape, dtype)."""

    def __init__(self, layout: Layout, fd: int | None = None) -> None:
        self.layout = {STEPS_DONE: ((1,), "int64"), **layout}
        sizes = {
            name: int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            for name, (shape, dtype) in self.layout.items()
        }
        ends = np.cumsum([-(-nbytes // 64) * 64 for nbytes in sizes.values()])
        self.fd = _unnamed_file() if fd is None else fd
        if fd is None:
            os.ftruncate(self.fd, int(ends[-1]))
        self.memory = mmap.mmap(self.fd, int(ends[-1]))
        view = memoryview(self.memory)
        self.arrays: dict[str, Array] = {}
        for (name, (shape, dtype)), offset in zip(self.layout.items(), (0, *ends.tolist()), strict=False):
            self.arrays[name] = np.frombuffer(view[offset : offset + sizes[name]], dtype).reshape(shape)

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]


def _unnamed_file() -> int:
    """Descriptor of a file that has no name: in memory where the system offers it, else a deleted temporary file."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("tern2lava")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def run_in_child(
    entry: str,
    payload: object,
    shared: SharedArrays,
    *,
    steps: int,
    timeout: float,
    progress: Progress | None = None,
) -> None:
    """Nothing; runs `entry` ("module:function") as function(payload, shared) in a child, results in `shared`.

    steps: Lava steps the job will make; progress(done, steps) is called as shared[STEPS_DONE] grows.
    Closes the descriptor of `shared` (its arrays stay). Raises MissingPackageError where the child finds no Lava,
    VerificationError (one line) where the job raises, a process of its group dies, or `timeout` seconds pass.
    Nothing of the child is left when this returns or raises: no process, file or shared memory.
    """
    status_read, status_write = os.pipe()
    job_fd = _unnamed_file()
    child: subprocess.Popen[bytes] | None = None
    reply: dict[str, Any] = {}
    segments = f"t{secrets.token_hex(3)}"
    with tempfile.TemporaryFile() as noise:
        folder = _short_folder()
        try:
            with os.fdopen(os.dup(job_fd), "wb") as job:
                pickle.dump((entry, payload, shared.layout), job)
            paths = json.dumps([path for path in sys.path if isinstance(path, str)])
            fds = [job_fd, shared.fd, status_write]
            child = subprocess.Popen(
                [sys.executable, "-c", _BOOT, paths, folder, segments, *map(str, fds)],
                stdin=subprocess.PIPE,
                stdout=noise,
                stderr=noise,
                pass_fds=fds,
                start_new_session=True,
                env=os.environ | dict.fromkeys(_THREAD_COUNTS, "1") | {"TMPDIR": folder},
            )
            reply = _await_reply(child, status_read, shared, steps, timeout, progress)
        finally:
            for fd in (job_fd, shared.fd, status_read, status_write):
                os.close(fd)
            if child is not None:
                _end_group(child, _GRACE_SECONDS if reply.get("ok") else 0.0)
            _sweep(folder, segments)
        if "missing" in reply:
            raise MissingPackageError(*reply["missing"])
        if "error" in reply:
            raise VerificationError(f"the run in Lava failed: {reply['error']}{_last_words(noise, reply)}")
    if progress is not None:
        progress(steps, steps)


def _short_folder() -> str:
    """A new folder for temporary files whose path leaves room for a socket's (107 bytes; multiprocessing adds 32)."""
    usual = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="t2l-", dir="/tmp" if len(usual) > 60 and os.access("/tmp", os.W_OK) else usual)


def _await_reply(
    child: subprocess.Popen[bytes],
    status_fd: int,
    shared: SharedArrays,
    steps: int,
    timeout: float,
    progress: Progress | None,
) -> dict[str, Any]:
    """What the child says at its end, or an `error` of our own where it dies or takes too long."""
    deadline = time.monotonic() + timeout
    text = b""
    while True:
        ready, _, _ = select.select([status_fd], [], [], _POLL_SECONDS)
        if ready:
            text += os.read(status_fd, 1 << 16)
            if text.endswith(b"\n"):
                reply: dict[str, Any] = json.loads(text)
                return reply
            continue
        done = int(shared[STEPS_DONE][0])
        if progress is not None:
            progress(done, steps)
        code = child.poll()
        if code is not None:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            return {"error": f"its main process {how} after {done} of {steps} steps", "noise": True}
        if time.monotonic() > deadline:
            return {"error": f"it did not finish within {timeout:g} seconds ({done} of {steps} steps done)"}


def _end_group(child: subprocess.Popen[bytes], grace: float) -> None:
    """Nothing; no process of the child's group is left. `grace`: seconds it has to end by itself.

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


def _last_words(noise: IO[bytes], reply: dict[str, Any]) -> str:
    """The last line the child printed, for an end that it could not explain itself."""
    if "noise" not in reply:
        return ""
    noise.seek(0)
    lines = [line.strip() for line in noise.read().decode(errors="replace").splitlines() if line.strip()]
    return f" ({lines[-1][:200]})" if lines else ""


class _Status:
    """The one line the child sends back, whichever of its threads has something to say first."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.sent = threading.Lock()

    def send(self, **reply: object) -> None:
        if self.sent.acquire(blocking=False):
            os.write(self.fd, json.dumps(reply).encode() + b"\n")


STATUS: _Status | None = None


def report_failure(text: str) -> None:
    """Nothing; tells the parent at once that the job failed (for a thread of the child whose main thread hangs)."""
    if STATUS is not None:
        STATUS.send(error=text[:500])


def _sweep(folder: str, segments: str) -> None:
    """Nothing; removes the run's temporary folder and what is left of its shared memory, named `segments`*."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in _SHARED_MEMORY.glob(f"{segments}*"):
        path.unlink(missing_ok=True)


def _end_with_parent(folder: str, segments: str) -> None:
    """Never returns while the parent lives; ends the child's process group, and sweeps, when its pipe closes."""
    while os.read(0, 1):
        pass
    _sweep(folder, segments)
    os.killpg(os.getpgrp(), signal.SIGTERM)


def main() -> None:
    """Nothing; the child's side of `run_in_child` (arguments: search path, folder, segments, three descriptors)."""
    global STATUS
    folder, segments = sys.argv[2:4]
    job_fd, shared_fd, status_fd = map(int, sys.argv[4:7])
    STATUS = _Status(status_fd)
    # Lava's channels are SharedMemory; a prefix of the run's own tells them from everyone else's.
    vars(shared_memory)["_SHM_NAME_PREFIX"] = f"/{segments}"
    threading.Thread(target=_end_with_parent, args=(folder, segments), daemon=True).start()
    try:
        with os.fdopen(job_fd, "rb") as job:
            job.seek(0)
            entry, payload, layout = pickle.load(job)
        shared = SharedArrays(layout, shared_fd)
        module, _, function = entry.partition(":")
        getattr(importlib.import_module(module), function)(payload, shared)
    except MissingPackageError as error:
        STATUS.send(missing=[error.package, error.how])
    except BaseException as error:
        text = " ".join(str(error).split())
        STATUS.send(error=f"{type(error).__name__}: {text[:500]}")
        raise
    else:
        STATUS.send(ok=True)
