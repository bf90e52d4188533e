"""The child's side of lava_child: takes jobs, answers each with one line, and ends with its parent."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import pickle
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from multiprocessing import shared_memory
from pathlib import Path

from tern2lava.errors import MissingPackageError
from tern2lava.sim.lava.shared_arrays import SharedArrays


class _Status:
    """The one line that answers a job, whichever of the child's threads has something to say first."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.sent = threading.Lock()

    def send(self, **reply: object) -> None:
        if self.sent.acquire(blocking=False):
            self.connection.sendall(json.dumps(reply).encode() + b"\n")


STATUS: _Status | None = None


def report_failure(text: str) -> None:
    """Tell the parent at once that the job failed (from another thread, as the main thread may hang)."""
    if STATUS is not None:
        STATUS.send(error=text[:500])


def main() -> None:
    """Run jobs until the parent closes its end of the socket.

    Arguments: search path, folder, segments, descriptor, functions to call first.
    """
    folder, segments, descriptor = sys.argv[2:5]
    connection = socket.socket(fileno=int(descriptor))
    # Lava's channels are SharedMemory; a prefix of the child's own tells them from everyone else's.
    vars(shared_memory)["_SHM_NAME_PREFIX"] = f"/{segments}"
    os.register_at_fork(after_in_child=_end_with_forker)
    threading.Thread(target=_end_with_parent, args=(folder, segments), daemon=True).start()
    # Without Lava the job that needs it says so.
    with contextlib.suppress(MissingPackageError):
        for name in sys.argv[5:]:
            _function(name)()
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, 3, 2)
        if not message:
            return
        if not _do_job(connection, *descriptors):
            return


def _do_job(connection: socket.socket, job_fd: int, shared_fd: int) -> bool:
    """Whether the job succeeded, its answer sent. After a failure Lava can hang: the child is of no more use."""
    global STATUS
    STATUS = _Status(connection)
    try:
        with os.fdopen(job_fd, "rb") as job:
            job.seek(0)
            entry, payload, layout = pickle.load(job)
        try:
            shared = SharedArrays(layout, shared_fd)
        finally:
            os.close(shared_fd)
        _function(entry)(payload, shared)
    except MissingPackageError as error:
        STATUS.send(missing=[error.package, error.how])
        return False
    except BaseException as error:
        text = " ".join(str(error).split())
        STATUS.send(error=f"{type(error).__name__}: {text[:500]}")
        raise
    STATUS.send(ok=True)
    return True


def _function(name: str) -> Callable[..., None]:
    """The function called "module:function"."""
    module, _, function = name.partition(":")
    found: Callable[..., None] = getattr(importlib.import_module(module), function)
    return found


def _end_with_forker() -> None:
    """Have the system end this process, one of Lava's, when the child that forked it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: linux/prctl.h


def _end_with_parent(folder: str, segments: str) -> None:
    """Never returns while the parent lives; ends the child's process group, and sweeps, when its pipe closes."""
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    for path in Path("/dev/shm").glob(f"{segments}*"):
        path.unlink(missing_ok=True)
    os.killpg(os.getpgrp(), signal.SIGTERM)
