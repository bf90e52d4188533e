"""A zip file opened with care: no entry is unpacked before its declared size has been held against the file's."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from typing import IO, Any

from tern2lava.counts import count
from tern2lava.errors import one_line
from tern2lava.files.opening import MIB, FileError, OpenFile

MAX_DIRECTORY = 4 * MIB
"""Bytes of the list of entries: some 40,000 tensors of torch, each of which takes Python some 700 bytes."""

_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(ValueError, LookupError, OverflowError, RuntimeError, NotImplementedError),
)
"""What zipfile raises on damaged files."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """The entries of a zip file by name. Raises FileError where the directory is damaged or its sizes cannot be true.

    Nothing but the directory is read. Closing it closes the file.
    """

    def __init__(self, file: OpenFile) -> None:
        self.path, self.file = file.where, file
        try:
            guarded: Any = _Guarded(file)
            self.zip = zipfile.ZipFile(guarded)
            guarded.most = None
            entries = self.zip.infolist()
        except _DAMAGE as error:
            raise FileError(
                self.path, "a whole zip file", f"damage or a cut ({error!s:.80})", "copy it again"
            ) from None
        self.entries = {entry.filename: entry for entry in entries}
        if len(self.entries) != len(entries):
            seen: set[str] = set()
            twice = next(e.filename for e in entries if e.filename in seen or seen.add(e.filename))  # type: ignore[func-returns-value]
            raise FileError(
                self.path, "a name of its own for each entry", f"two called {one_line(twice[:80])}",
                "write the file again with one",
            )  # fmt: skip
        stored = sum(entry.compress_size for entry in entries)
        if stored > file.size:
            # Entries that lie over each other unpack the same bytes again and again.
            raise FileError(
                self.path, f"entries no larger than the file of {count(file.size, 'byte')}",
                f"{stored:,}, as in a damaged file", "copy it again",
            )  # fmt: skip

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.entries)

    def size(self, name: str) -> int:
        """Bytes of an entry once it is unpacked."""
        return self.entries[name].file_size

    def packed(self, name: str) -> int:
        """Bytes that an entry takes in the file."""
        return self.entries[name].compress_size

    def open(self, name: str) -> IO[bytes]:
        """The unpacked bytes of an entry as a stream, which raises FileError on damage. Raises FileError for one that
        is encrypted, in a rare compression or of two sizes."""
        entry = self.entries[name]
        if entry.compress_type not in _METHODS or entry.flag_bits & 1:
            raise FileError(
                self.path, "entries stored or deflated", f"{one_line(name[:80])} encrypted or in a rare compression",
                "write the file again",
            )  # fmt: skip
        if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
            raise FileError(
                self.path, "one size for each entry", f"two for {one_line(name[:80])}, as in a damaged file",
                "copy it again",
            )  # fmt: skip
        try:
            found: Any = _Entry(self.zip.open(entry), self.path, name)
        except _DAMAGE as error:
            raise _damaged(self.path, name, error) from None
        return found  # type: ignore[no-any-return]

    def read(self, name: str, limit: int) -> bytes:
        """The unpacked bytes of one entry of at most `limit` bytes. Raises FileError."""
        size = self.size(name)
        if size > limit:
            raise FileError(
                self.path, f"entries of at most {count(limit, 'byte')}", f"{size:,} in {one_line(name[:80])}",
                "write the file again",
            )  # fmt: skip
        with self.open(name) as stream:
            content = stream.read(size + 1)
        if len(content) != size:
            raise FileError(
                self.path, "whole entries", f"{one_line(name[:80])} shorter than declared", "copy the file again"
            )
        return content

    def close(self) -> None:
        self.zip.close()
        self.file.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Guarded:
    """A file of which no more than a directory is read at once, until the directory is read."""

    def __init__(self, file: OpenFile) -> None:
        self.file = file
        self.most: int | None = MAX_DIRECTORY

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.file.size - self.file.tell())
        wanted = left if size < 0 else min(size, left)
        if self.most is not None and wanted > self.most:
            raise FileError(
                self.file.where, f"a zip file whose list of entries takes at most {count(self.most, 'byte')}",
                f"{wanted:,}", "write fewer entries",
            )  # fmt: skip
        return self.file.read(wanted)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.file.close()


class _Entry:
    """The stream of an entry, whose damage is a FileError."""

    def __init__(self, stream: IO[bytes], path: object, name: str) -> None:
        self.stream, self.path, self.name = stream, path, name

    def read(self, size: int = -1) -> bytes:
        try:
            return self.stream.read(size)
        except _DAMAGE as error:
            raise _damaged(self.path, self.name, error) from None

    def close(self) -> None:
        self.stream.close()

    def __enter__(self) -> _Entry:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _damaged(path: object, name: str, error: Exception) -> FileError:
    return FileError(path, "whole entries", f"{one_line(name[:80])} damaged ({error!s:.80})", "copy the file again")
