"""A zip file opened with care: no entry is unpacked before its declared size has been held against the file's."""

from __future__ import annotations

import struct
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

from tern2lava.counts import count
from tern2lava.errors import InputError

MAX_UNPACKED = 256 << 20
"""Bytes that compressed entries may declare together, unless 100 times the file's own size is more."""

_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(ValueError, LookupError, OverflowError, RuntimeError),
)
"""What zipfile raises on damaged files."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """The entries of a zip file by name. Raises InputError where the directory is damaged or the sizes are absurd."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        try:
            self.zip = zipfile.ZipFile(BytesIO(data))
            entries = self.zip.infolist()
        except _DAMAGE as error:
            raise InputError(
                path, f"requires a whole zip file; found damage or a cut ({error!s:.80}); copy it again"
            ) from None
        self.entries = {entry.filename: entry for entry in entries}
        if len(self.entries) != len(entries):
            raise InputError(path, "requires a name of its own for each entry; found two alike; write the file again")
        stored = sum(entry.compress_size for entry in entries)
        if stored > len(data):
            raise InputError(
                path,
                f"requires entries no larger than the file of {count(len(data), 'byte')}; found {stored:,}, as in "
                "a damaged file; copy it again",
            )
        packed = sum(entry.file_size for entry in entries if entry.compress_type != zipfile.ZIP_STORED)
        if packed > max(MAX_UNPACKED, 100 * len(data)):
            raise InputError(
                path,
                f"requires entries that unpack to a like size; found {count(packed, 'byte')} from {len(data):,}, "
                "as in a zip bomb; write the file again",
            )

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.entries)

    def read(self, name: str, limit: int | None = None) -> bytes:
        """The unpacked bytes of one entry. Raises InputError for one that is damaged, over `limit` or encrypted."""
        entry = self.entries[name]
        if entry.compress_type not in _METHODS or entry.flag_bits & 1:
            raise InputError(
                self.path,
                f"requires entries stored or deflated; found {name[:80]} encrypted or in a rare compression; "
                "write the file again",
            )
        if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
            raise InputError(
                self.path,
                f"requires one size for each entry; found two for {name[:80]}, as in a damaged file; copy it again",
            )
        if limit is not None and entry.file_size > limit:
            raise InputError(
                self.path,
                f"requires entries of at most {count(limit, 'byte')}; found {entry.file_size:,} in {name[:80]}; "
                "write the file again",
            )
        try:
            with self.zip.open(entry) as stream:
                content = stream.read(entry.file_size + 1)
        except _DAMAGE as error:
            raise InputError(
                self.path, f"requires whole entries; found {name[:80]} damaged ({error!s:.80}); copy the file again"
            ) from None
        if len(content) != entry.file_size:
            raise InputError(
                self.path, f"requires whole entries; found {name[:80]} shorter than declared; copy the file again"
            )
        return content
