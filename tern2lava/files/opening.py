"""A file of the user, opened for reading: a regular one, not larger than what it may be, read within its size.

Nothing else in tern2lava opens a file to read it (tests/files/test_door.py holds that).
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tern2lava.errors import InputError

MIB = 1 << 20
GIB = 1 << 30

_KINDS = (
    (stat.S_ISDIR, "a folder", "name a file"),
    (stat.S_ISFIFO, "a pipe", "write its content to a file and name that"),
    (stat.S_ISCHR, "a device", "name a file"),
    (stat.S_ISBLK, "a device", "name a file"),
    (stat.S_ISSOCK, "a socket", "name a file"),
)
# A pipe without a writer is opened at once instead of waiting for one; a regular file takes no notice.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_FLAGS |= getattr(os, "O_BINARY", 0)


class FileError(InputError):
    """A file that cannot be used: "where: requires RULE; found FOUND; HINT". missing: there is none."""

    def __init__(self, where: object, rule: str, found: str, hint: str, *, missing: bool = False) -> None:
        super().__init__(where, f"requires {rule}; found {found}; {hint}")
        self.rule, self.found, self.hint, self.missing = rule, found, hint, missing

    def instead(self, hint: str, where: object = None) -> FileError:
        """The same error with another thing to do, and at another place where one is given."""
        return FileError(where or self.where, self.rule, self.found, hint, missing=self.missing)


@dataclass(frozen=True)
class Kind:
    """What a file is meant to be. what: in words, with its article; most: the largest size in bytes; hint: what to do
    about one that is missing or larger."""

    what: str
    most: int
    missing: str = "check the path"
    larger: str = "name a smaller one"


class OpenFile(io.RawIOBase):
    """An open regular file of `size` bytes, read from the place it is at; closed with `with`, or by being let go."""

    def __init__(self, path: Path, handle: int, size: int, where: object) -> None:
        super().__init__()
        self.path, self.size, self.where = path, size, where
        self._handle = handle
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence])
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        done = self.fill(memoryview(buffer).cast("B"), self._at)
        self._at += done
        return done

    def read_exactly(self, count: int, at: int) -> bytes:
        """`count` bytes from `at` on, fewer at the end of the file. The place that the file is at stays."""
        return bytes(self.read_room(count, at))

    def read_room(self, count: int, at: int) -> bytearray:
        """As read_exactly, without a copy."""
        found = bytearray(max(0, min(count, self.size - at)))
        self.fill(memoryview(found), at)
        return found

    def buffered(self) -> io.BufferedReader:
        """A reader of its own, from the beginning on, that leaves the file open when it is let go."""
        return io.BufferedReader(_View(self), 1 << 16)

    def fill(self, room: memoryview, at: int) -> int:
        """Fill `room` with what lies from `at` on, as far as the file goes; the number of bytes. Raises FileError where
        the file became shorter or cannot be read."""
        wanted = max(0, min(len(room), self.size - at))
        done = 0
        while done < wanted:
            try:
                piece = os.pread(self._handle, min(wanted - done, 8 * MIB), at + done)
            except OSError as error:
                raise _unreadable(self.where, error) from None
            if not piece:
                raise FileError(
                    self.where, "a file that stays as it is while it is read", f"its end before byte {self.size:,}",
                    "read it again once nothing writes to it",
                )  # fmt: skip
            room[done : done + len(piece)] = piece
            done += len(piece)
        return done

    def close(self) -> None:
        if not self.closed:
            os.close(self._handle)
        super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _View(io.RawIOBase):
    """An OpenFile at a place of its own."""

    def __init__(self, file: OpenFile) -> None:
        super().__init__()
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}[whence])
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        done = self._file.fill(memoryview(buffer).cast("B"), self._at)
        self._at += done
        return done


def open_file(path: str | Path, kind: Kind, *, where: object = None) -> OpenFile:
    """The regular file at `path`, open. where: what errors call it, if not by its path.

    Never waits and never reads: a pipe, a device, a socket and a folder are refused before anything is read of them.
    `/dev/stdin` is what it leads to: a file that the shell gave with `<` is read, a pipe is refused. Raises FileError.
    """
    where = path if where is None else where
    try:
        found = os.stat(path)
        # Some devices do things on being opened; what changed since is seen below.
        _check_regular(where, found.st_mode, kind)
        handle = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        raise _unreadable(where, error, kind) from None
    try:
        found = os.fstat(handle)
        _check_regular(where, found.st_mode, kind)
        if found.st_size > kind.most:
            raise FileError(
                where, f"{kind.what} of at most {kind.most:,} bytes", f"{found.st_size:,} bytes", kind.larger
            )
    except BaseException:
        os.close(handle)
        raise
    return OpenFile(Path(path), handle, found.st_size, where)


def read_bytes(path: str | Path, kind: Kind, *, where: object = None) -> bytes:
    """The whole content of a file. Raises FileError."""
    with open_file(path, kind, where=where) as file:
        return file.read_exactly(file.size, 0)


def read_text(path: str | Path, kind: Kind, *, where: object = None) -> str:
    """The whole content of a file of UTF-8. Raises FileError."""
    return as_text(read_bytes(path, kind, where=where), path if where is None else where, kind)


def as_text(data: bytes, where: object, kind: Kind) -> str:
    """`data` as text, a byte order mark at its beginning left out. Raises FileError for what is no UTF-8 and for
    NULs."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(
            where, f"{kind.what} in UTF-8", f"another byte at {error.start:,}", "save it as UTF-8"
        ) from None
    if "\0" in text:
        raise FileError(
            where, f"{kind.what} of text alone", f"a NUL at character {text.index(chr(0)):,}", "save it as plain text"
        )
    return text


def size_of(path: str | Path, kind: Kind) -> int:
    """Bytes of a file. Raises FileError."""
    with open_file(path, kind) as file:
        return file.size


def begins(path: str | Path, signature: bytes) -> bool:
    """Whether `path` is a regular file that begins with `signature`; False for all else, also for what is missing."""
    try:
        with open_file(path, Kind("a file", 1 << 62)) as file:
            return file.read_exactly(len(signature), 0) == signature
    except FileError:
        return False


def _check_regular(where: object, mode: int, kind: Kind) -> None:
    if stat.S_ISREG(mode):
        return
    found, hint = next(((found, hint) for is_it, found, hint in _KINDS if is_it(mode)), ("no file", "name a file"))
    raise FileError(where, kind.what, found, hint)


def _unreadable(where: object, error: OSError | ValueError, kind: Kind | None = None) -> FileError:
    if kind is not None and isinstance(error, FileNotFoundError | NotADirectoryError):
        return FileError(where, kind.what, "none there", kind.missing, missing=True)
    reason = getattr(error, "strerror", None) or ("a name that no file can have" if kind else str(error)[:80])
    return FileError(where, "a file that can be read", reason, "check path and permissions")
