"""Files and folders written whole or not at all: beside their place first, then by one rename."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tern2lava.errors import InputError
from tern2lava.interruption import held, wrote
from tern2lava.writing import durable
from tern2lava.writing.durable import flush, flush_all, flush_tree
from tern2lava.writing.leftovers import (
    NEW,
    OLD,
    WAIT_SECONDS,
    beside,
    claimed,
    claimed_file,
    claimed_folder,
    fresh_token,
    recover,
    remove,
    settle,
)


class ReadOnlyError(InputError):
    """A folder that may be read and not be written."""


class OvertakenError(OSError):
    """Another run put its folder where this one was about to put its own."""


_TRIES = 100
_NO_LINK = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_ROOM_BESIDE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV}


def write_file(path: Path, fill: Callable[[Path], object], *, note: bool = True) -> None:
    """Let `fill` write a file beside `path`, then rename it there: afterwards the new file is at `path`, or what was
    there before, whole, even where the run is killed or the power fails. Folders on the way are made. A file that is
    replaced keeps its mode.

    note: whether it counts among what the command has written. Raises InputError where it cannot be written (a full
    disk, no right to) or anything but a file is at `path`.
    """
    path = Path(path)
    if not path.name:
        raise InputError(path, "requires a file; found a folder; name a file in it")
    # Through a link the file that it leads to is replaced, not the link.
    place = Path(os.path.realpath(path))
    try:
        if place.exists() and not place.is_file():
            raise InputError(path, "requires a file; found something else there; choose another name")
        with _new_parents(place):
            settle(place.parent)
            with claimed_file(place, fresh_token()) as aside:
                fill(aside)
                flush(aside)
                _keep_mode(place, aside)
                with held():
                    os.replace(aside, place)
                    if note:
                        wrote(path)
                flush(place.parent)
    except OSError as error:
        raise InputError(
            path, f"requires a file that can be written; found {error.strerror or error}; choose another"
        ) from None


def write_folder(folder: Path, fill: Callable[[Path], object], check: Callable[[Path], None]) -> None:
    """Let `fill` write a folder beside `folder`, then put it there in one step: afterwards the new folder is there, or
    what was there before, whole. Folders on the way are made.

    check(folder) raises InputError where what is there now must not be replaced. Of two runs at once the last one's is
    there in the end. Raises InputError where it cannot be written; then nothing of it is left.
    """
    place = Path(os.path.realpath(folder))
    try:
        recover(place)
        check(place)
        with _new_parents(place):
            settle(place.parent)
            token = fresh_token()
            with claimed_folder(place, token) as aside:
                fill(aside)
                flush_tree(aside)
                _keep_mode(place, aside)
                _put(aside, place, token, check, folder)
    except OSError as error:
        raise InputError(
            folder,
            f"requires a folder that can be written; found {error.strerror or error}; free space or choose another",
        ) from None


def change_files(folder: Path, files: Mapping[str, bytes], check: Callable[[Path], None]) -> None:
    """Replace some files of a folder (name -> content), all in one step: the folder is put in the place of itself, with
    links to what stays. Whoever reads it finds all of them, or none.

    check(folder) raises where it is not, or no longer, the folder that is meant; no other run can replace it after
    that. In a folder beside which nothing can be written, the files are replaced one after the other, in their order.
    Raises InputError where they cannot be written, ReadOnlyError where they may not be.
    """
    place = Path(os.path.realpath(folder))
    try:
        recover(place)
        if not os.path.lexists(place):
            # It says in its words what is missing.
            check(place)
        settle(place.parent)
        with claimed(place):
            check(place)
            try:
                token = fresh_token()
                with claimed_folder(place, token) as aside:
                    _link_tree(place, aside, set(files))
                    for name, data in files.items():
                        (aside / name).write_bytes(data)
                    flush_all([*(aside / name for name in files), *(p for p in aside.rglob("*") if p.is_dir()), aside])
                    _keep_mode(place, aside)
                    _exchange(aside, place, token, folder)
                return
            except OvertakenError:
                raise
            except OSError as error:
                if error.errno not in _NO_ROOM_BESIDE:
                    raise
            for name, data in files.items():
                _write_within(place / name, data)
            wrote(folder)
    except OSError as error:
        if not os.path.lexists(place):
            # Gone before it could be claimed: what it was to be is for `check` to say.
            check(place)
        kind = ReadOnlyError if error.errno in _NO_RIGHT else InputError
        raise kind(
            folder,
            f"requires a folder that can be written; found {error.strerror or error}; free space or choose another",
        ) from None


def _write_within(path: Path, data: bytes) -> None:
    """Replace one file of a folder beside which there is no room."""
    settle(path.parent)
    with claimed_file(path, fresh_token()) as aside:
        aside.write_bytes(data)
        flush(aside)
        _keep_mode(path, aside)
        os.replace(aside, path)
        flush(path.parent)


def _keep_mode(path: Path, aside: Path) -> None:
    """Give `aside`, which is about to replace `path`, the rights of what is there."""
    with suppress(FileNotFoundError):
        shutil.copymode(path, aside)


@contextmanager
def _new_parents(path: Path) -> Iterator[None]:
    """The folders on the way to `path`, made; those that were are removed again where nothing came of it."""
    made = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
        raise


def _put(aside: Path, place: Path, token: str, check: Callable[[Path], None], named: Path) -> None:
    """Put `aside` at `place`, whatever other runs put there meanwhile. Raises OSError, InputError."""
    for _ in range(_TRIES):
        check(place)
        # A new name, or an empty folder, is taken by a plain rename.
        try:
            with held():
                os.rename(aside, place)
                wrote(named)
            flush(place.parent)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        try:
            with claimed(place):
                check(place)
                _exchange(aside, place, token, named)
                return
        except (FileNotFoundError, OvertakenError):
            # Another run replaced or removed it between two of these lines.
            continue
    raise TimeoutError(errno.ETIMEDOUT, f"other runs that wrote there for {WAIT_SECONDS:.0f} s", str(place))


def _exchange(aside: Path, place: Path, token: str, named: Path) -> None:
    """Put `aside` in the place of the folder at `place`, which is claimed, and remove that. Raises OSError."""
    with held():
        if not durable.exchange(aside, place):
            _rename_both(aside, place, token)
        wrote(named)
    flush(place.parent)
    remove(aside)


def _rename_both(aside: Path, place: Path, token: str) -> None:
    """The same by two renames. A run that is killed between them leaves the former folder beside its place, whole; the
    next one that writes or reads there puts it back (leftovers.py)."""
    old = beside(place, OLD, token)
    os.rename(place, old)
    try:
        os.rename(aside, place)
    except OSError as error:
        try:
            os.rename(old, place)
        except OSError:
            # Another run's folder stands there already.
            trash = beside(place, NEW, fresh_token())
            os.rename(old, trash)
            remove(trash)
            raise OvertakenError(errno.EBUSY, "another run that is writing there", str(place)) from None
        raise error
    os.rename(old, beside(place, NEW, token))


def _link_tree(source: Path, target: Path, without: set[str]) -> None:
    """Links in `target` to every file of `source` but those named; copies where the file system has no links."""
    for entry in sorted(os.scandir(source), key=lambda each: each.name):
        if entry.name in without:
            continue
        if entry.is_dir(follow_symlinks=False):
            os.mkdir(target / entry.name)
            shutil.copymode(entry.path, target / entry.name)
            _link_tree(Path(entry.path), target / entry.name, set())
            continue
        try:
            os.link(entry.path, target / entry.name, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            shutil.copy2(entry.path, target / entry.name, follow_symlinks=False)
            flush(target / entry.name)
