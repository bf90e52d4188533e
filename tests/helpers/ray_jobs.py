"""Tasks for Ray's workers, which import this module from the folder that the tests put on their path."""

from __future__ import annotations

import os
import signal
import tempfile

from tern2lava.errors import InputError


def square_or_die(common: tuple[str, int], part: int) -> int:
    """part ** 2; leaves a file for every run of a part. The worker of part `common[1]` is killed in its first run."""
    folder, victim = common
    handle, _ = tempfile.mkstemp(prefix=f"{part}.", dir=folder)
    os.close(handle)
    if part == victim and sum(name.startswith(f"{part}.") for name in os.listdir(folder)) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return part**2


def refuse(common: None, part: int) -> int:
    if part == 2:
        raise InputError("part 2", "is refused")
    return part


def divide(common: int, part: int) -> float:
    return part / common


def dies_on_one(common: object, part: int) -> int:
    """The part; the process dies of 1."""
    if part == 1:
        os._exit(9)
    return part
