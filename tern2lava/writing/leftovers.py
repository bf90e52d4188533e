"""What is written lies beside its place until it is whole; what killed runs left there, and what becomes of it.

    .NAME.TOKEN.tern2lava-new    a folder that is not whole yet, or the former one that is being removed; or one with a
                                 file in it that is not whole yet
    .NAME.TOKEN.tern2lava-old    the former folder, whole, while the new one takes its place (only on file systems that
                                 cannot exchange two names)

The run that made either holds a lock on it (flock), which the system takes away with the run's end, however it ends.
What nobody holds is therefore dead: the next run that writes into the same folder removes it, or, where a folder is
missing whose former content lies beside it, puts that back. On file systems without locks nothing is removed.
"""

from __future__ import annotations

import errno
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tern2lava.interruption import held

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NEW, OLD = "new", "old"
WAIT_SECONDS = 30.0
"""How long a run waits for another that is replacing the same folder, which takes that a fraction of a second."""
_POLL_SECONDS = 0.02
_NAME = re.compile(r"\.(?P<name>.+)\.(?P<token>[0-9a-f]{8})\.tern2lava-(?P<state>new|old)", re.DOTALL)
# Bytes of a file's name that its name beside it repeats, so that this is never too long.
_REPEATED = 120


def fresh_token() -> str:
    """A new name for what lies beside its place."""
    return secrets.token_hex(4)


def beside(path: Path, state: str, token: str) -> Path:
    """Where `path` lies until it is whole (NEW), or while it is replaced (OLD)."""
    # Of the former folder the name must be known again.
    name = path.name if state == OLD else os.fsencode(path.name)[:_REPEATED].decode(errors="ignore")
    return path.with_name(f".{name}.{token}.tern2lava-{state}")


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is one of those that lie beside their place."""
    return _NAME.fullmatch(name) is not None


class Claim:
    """The lock on a file or folder, until `release` and the end of all processes that `descriptor` was handed to. sure:
    the file system has locks, so that no other run has it."""

    def __init__(self, path: Path) -> None:
        """Take it. Raises BlockingIOError where another run has it, FileNotFoundError where another is at `path` since,
        other OSErrors where it cannot be opened."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        self.descriptor = os.open(path, flags)
        self.sure = False
        try:
            self.sure = _lock(self.descriptor)
            if not os.path.samestat(os.fstat(self.descriptor), os.lstat(path)):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        except BaseException:
            os.close(self.descriptor)
            raise

    def release(self) -> None:
        """Give it back; again does nothing."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether the lock was taken; False where the file system has none. Raises BlockingIOError where another has it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _polls() -> Iterator[bool]:
    """A pause before each, as many as WAIT_SECONDS hold. They are counted, not timed: a run that was stopped meanwhile,
    or a machine that slept, has not waited."""
    for _ in range(math.ceil(WAIT_SECONDS / _POLL_SECONDS)):
        time.sleep(_POLL_SECONDS)
        yield True


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Within it no other run replaces what is at `path`. Raises TimeoutError where one has it for WAIT_SECONDS,
    FileNotFoundError where nothing is there."""
    polls = _polls()
    while True:
        try:
            claim = Claim(path)
            break
        except BlockingIOError:
            pass
        except FileNotFoundError:
            if os.path.lexists(path):
                # Another run put its own there since this one was opened.
                continue
            # Between two renames of another run it is not there.
            if not _has_former(path):
                raise
        if not next(polls, False):
            raise TimeoutError(errno.ETIMEDOUT, "another run that is writing there", str(path))
    try:
        yield
    finally:
        claim.release()


@contextmanager
def claimed_folder(path: Path, token: str) -> Iterator[Path]:
    """A new folder beside `path` that is this run's own; at the end it is removed, if it is still there."""
    aside = beside(path, NEW, token)
    claim: Claim | None = None
    try:
        while claim is None:
            os.mkdir(aside)
            # Before it is claimed, a run that settles may take it for dead and remove it.
            with suppress(FileNotFoundError, BlockingIOError):
                claim = Claim(aside)
        yield aside
    finally:
        # An interruption that comes meanwhile would leave it there.
        with held():
            if claim is not None:
                claim.release()
            remove(aside)


@contextmanager
def claimed_file(path: Path, token: str) -> Iterator[Path]:
    """Where to write a file that is this run's own: of the same name, in a claimed folder beside `path`, so that a
    library that locks what it writes (HDF5) can. At the end all of it is removed."""
    with claimed_folder(path, token) as aside:
        yield aside / path.name


def settle(folder: Path) -> None:
    """Remove from `folder` what killed runs left in it, and put back what they were replacing. Raises nothing."""
    with suppress(OSError):
        for name in sorted(os.listdir(folder)):
            found = _NAME.fullmatch(name)
            if found is not None:
                # Another run may settle it too, and who may not remove it leaves it.
                with suppress(OSError):
                    _settle(folder / name, folder / found["name"], found["token"], found["state"])


def _settle(left: Path, place: Path, token: str, state: str) -> None:
    claim = Claim(left)
    try:
        if not claim.sure:
            return
        if state == OLD:
            if not os.path.lexists(place):
                os.rename(left, place)
                return
            # Half removed, it must not be put back.
            trash = beside(place, NEW, token)
            os.rename(left, trash)
            left = trash
        remove(left)
    finally:
        claim.release()


def recover(folder: Path) -> None:
    """Put back the folder whose replacement was cut off between two renames; wait for one that is going on."""
    polls = _polls()
    while not os.path.lexists(folder) and _has_former(folder):
        settle(folder.parent)
        if not os.path.lexists(folder) and not next(polls, False):
            return


def _has_former(folder: Path) -> bool:
    with suppress(OSError):
        found = map(_NAME.fullmatch, os.listdir(folder.parent))
        return any(each is not None and (each["name"], each["state"]) == (folder.name, OLD) for each in found)
    return False


def remove(path: Path) -> None:
    """Remove a file or folder that may be gone already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
