"""The command line in forks of one process that has everything imported: as from a shell, but for the start.

A fork is a process of its own, in a session of its own, with its own folder, output, environment and limits; it runs
`tern2lava.__main__.main` on its arguments and ends with its exit code, or by a signal.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tern2lava.writing import durable

# File operations of which Python tells audit hooks; renameat2, called through ctypes, it does not tell.
OPERATIONS = {
    "open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.listdir", "os.scandir", "fcntl.flock",
    "os.truncate", "os.chmod", "shutil.copyfile",
}  # fmt: skip

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def import_all() -> None:
    """Import what any command needs, so that forks need not."""
    for name in (
        "encodings.cp437", "encodings.utf_8_sig",
        "scipy.sparse", "sklearn.datasets", "snntorch", "torch._dynamo", "torch.optim", "tern2lava.api",
        "tern2lava.cli", "tern2lava.compiler.advice", "tern2lava.demo.run", "tern2lava.report.terminal",
        "tern2lava.report.verdict_tables", "tern2lava.report.training", "tern2lava.sim.cores.reference",
        "tern2lava.sim.engine.run", "tern2lava.sim.lava.child", "tern2lava.sim.verify.arithmetic",
        "tern2lava.__main__", "tern2lava.frontends.modules.read", "tern2lava.train.experiment",
    ):  # fmt: skip
        importlib.import_module(name)
    import numba
    import torch

    torch.set_num_threads(1)
    # The first function that numba compiles, and the first optimiser of torch, have these import what they know.
    numba.njit(_same)(1)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])


def _same(value: int) -> int:
    return value


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended: its exit code, or minus the signal's number; what it printed; seconds; operations on files
    below the folder that it was told to watch."""

    code: int
    out: str
    err: str
    seconds: float
    operations: int = 0


@dataclass(frozen=True, kw_only=True)
class Blow:
    """A signal at a number of seconds after the start, or before the k-th operation on files in `folder`."""

    number: int
    after: float | None = None
    operation: int | None = None
    folder: Path | None = None


def run(
    words: list[str], folder: Path, *, blow: Blow | None = None, environment: Mapping[str, str | None] | None = None,
    prepare: Callable[[], object] | None = None, seconds: float = 300.0,
) -> Ended:  # fmt: skip
    """Run `tern2lava` with these words in `folder`. environment: variables that are set, or (None) taken away. prepare:
    called in the fork before the command; what it redirects is not read. Ends it with SIGKILL after `seconds`."""
    out, err, told = (folder.parent / f".{os.getpid()}.{name}" for name in ("out", "err", "operations"))
    began = time.perf_counter()
    # Until the fork answers signals as a command does, one would end it as this process, which clears its folders.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    child = os.fork()
    if child == 0:
        _command(words, folder, out, err, told, blow, environment or {}, prepare)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    status = _wait(child, began, blow if blow is not None and blow.after is not None else None, seconds)
    took = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    texts = [path.read_text(errors="replace") if path.exists() else "" for path in (out, err, told)]
    for path in (out, err, told):
        path.unlink(missing_ok=True)
    return Ended(code=code, out=texts[0], err=texts[1], seconds=took, operations=int(texts[2] or 0))


def _wait(child: int, began: float, blow: Blow | None, seconds: float) -> int:
    struck = False
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        now = time.perf_counter() - began
        if blow is not None and blow.after is not None and not struck and now >= blow.after:
            os.kill(child, blow.number)
            struck = True
        if now > seconds:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)


def _command(
    words: list[str], folder: Path, out: Path, err: Path, told: Path, blow: Blow | None,
    environment: Mapping[str, str | None], prepare: Callable[[], object] | None,
) -> None:  # fmt: skip
    code = 99
    try:
        os.setsid()
        # What this process would clear at its end, its folder for one, is not the command's to clear.
        weakref.finalize._registry.clear()  # type: ignore[attr-defined]
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.chdir(folder)
        for number, path in ((1, out), (2, err)):
            descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        sys.argv = ["tern2lava", *words]
        if prepare is not None:
            prepare()
        done = _watch(blow or Blow(number=0, folder=folder))
        from tern2lava.__main__ import main

        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        if blow is None:
            told.write_text(str(done[0]))
        sys.stderr.flush()
    finally:
        os._exit(code)


def _watch(blow: Blow) -> list[int]:
    """The number of operations so far; the process gets the signal of `blow` before one of them."""
    done = [0]
    place = str(blow.folder)

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in OPERATIONS or (
            event != "fcntl.flock" and not os.path.abspath(os.fsdecode(_text(arguments[0]))).startswith(place)
        ):
            return
        done[0] += 1
        if done[0] - 1 == blow.operation:
            os.kill(os.getpid(), blow.number)

    usual = durable.exchange

    def exchange(one: Path, other: Path) -> bool:
        count("os.rename", (one,))
        found = usual(one, other)
        count("os.rename", (one,))
        return found

    durable.exchange = exchange
    sys.addaudithook(count)
    return done


def _text(value: Any) -> Any:
    return value if isinstance(value, (str, bytes, os.PathLike)) else ""
