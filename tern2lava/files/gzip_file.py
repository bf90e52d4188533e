"""A gzip file, of which no more is unpacked than is asked for."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO

from tern2lava.files.opening import FileError, Kind, open_file

PIECE = 1 << 20


def read_packed(path: str | Path, kind: Kind, count: int, begin: int = 0) -> bytes:
    """Bytes `begin` to `begin` + `count` of a file, unpacked where its name ends in .gz; fewer where it ends sooner.

    Memory holds what is given back and a piece, whatever the file would unpack to. Raises FileError.
    """
    found = bytearray()
    with open_file(path, kind) as file:
        packed = str(path).endswith(".gz")
        stream: IO[bytes] = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        try:
            left = begin
            while left and (skipped := len(stream.read(min(left, PIECE)))):
                left -= skipped
            while not left and len(found) < count and (piece := stream.read(min(count - len(found), PIECE))):
                found += piece
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, FileError):
                raise
            raise FileError(
                path, f"{kind.what} that is whole", f"damage ({error!s:.80})", "get the file again"
            ) from None
    return bytes(found)
