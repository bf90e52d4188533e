"""Content that is held already, read as a file is: within the same bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tern2lava.files.npz import Npz, read_all
from tern2lava.files.opening import OpenFile
from tern2lava.files.zip_archive import Archive


class HeldFile(OpenFile):
    """The bytes of a file, which errors call `where`."""

    def __init__(self, data: bytes, where: object) -> None:
        super().__init__(Path(str(where)), -1, len(data), where)
        self._data = memoryview(data)

    def fill(self, room: memoryview, at: int) -> int:
        part = self._data[at : at + len(room)]
        room[: len(part)] = part
        return len(part)

    def close(self) -> None:
        # The handle is none.
        self._data = memoryview(b"")


def parse_npz(data: bytes, where: object) -> dict[str, NDArray[Any]]:
    """All arrays of an npz file by name, of its content. Raises FileError as read_npz does."""
    with Npz(Archive(HeldFile(data, where))) as npz:
        return read_all(npz)
