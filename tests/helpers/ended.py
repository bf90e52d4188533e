"""A child process that is killed, or stopped, just before its k-th file operation."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from tern2lava.writing import durable

# What Python tells audit hooks of operations on files; renameat2, called through ctypes, it does not tell.
OPERATIONS = {
    "open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.listdir", "os.scandir", "os.chmod",
    "fcntl.flock", "shutil.copyfile", "shutil.copymode",
}  # fmt: skip


def start(action: Callable[[], object], at: int, number: int) -> int:
    """The process number of a child that does `action` and gets the signal `number` before its operation `at`."""
    child = os.fork()
    if child:
        return child
    try:
        _count_operations(at, number)
        action()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _count_operations(at: int, number: int) -> None:
    done = 0

    def count(event: str, _: Any) -> None:
        nonlocal done
        if event in OPERATIONS:
            if done == at:
                done += 1
                os.kill(os.getpid(), number)
                return
            done += 1

    usual = durable.exchange

    def exchange(one: Any, other: Any) -> bool:
        count("os.rename", None)
        found = usual(one, other)
        count("os.rename", None)
        return found

    durable.exchange = exchange
    sys.addaudithook(count)


def is_killed(action: Callable[[], object], at: int) -> bool:
    """Whether a child that does `action` has an operation `at`, before which it was killed; else it succeeded."""
    _, status = os.waitpid(start(action, at, signal.SIGKILL), 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return False
