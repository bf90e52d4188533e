"""Values of a spike file that are read as they are asked for: memory holds one piece of however many samples."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array


class StoredValues:
    """An array in an npz file of which slices of samples (its first axis) are read.

    Slices that follow each other are read in one pass; an earlier one starts the file again. item: shape of a step as
    it is given out. check turns what was read into what is given out, or raises InputError. part: bytes read at
    a time.
    """

    def __init__(
        self, path: Path, name: str, shape: tuple[int, ...], dtype: Any, item: tuple[int, ...],
        check: Callable[[Array], Array], part: int,
    ) -> None:  # fmt: skip
        self.path, self.name, self.dtype, self.check = path, name, dtype, check
        self._part = part
        self.shape = (*shape[:2], *item)
        self._each = shape[1:]
        self._bytes = math.prod(self._each) * dtype.itemsize
        self._around = ExitStack()
        self._stream: IO[bytes] | None = None
        self._at = 0

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, span: slice) -> Array:
        begin, end, step = span.indices(self.shape[0])
        if step != 1:
            raise ValueError("only whole runs of samples can be read")
        values = np.empty((max(0, end - begin), *self._each), self.dtype)
        stream, room = self._opened(begin), values.reshape(-1).view(np.uint8)
        while room.size:
            data = stream.read(min(room.size, self._part))
            if not data:
                raise EOFError(f"{self.name} ends before sample {end}")
            room[: len(data)] = np.frombuffer(data, np.uint8)
            room = room[len(data) :]
        self._at = max(begin, end)
        return self.check(values)

    def _opened(self, begin: int) -> IO[bytes]:
        """The stream, at sample `begin`."""
        if self._stream is None or begin < self._at:
            self._around.close()
            archive = self._around.enter_context(zipfile.ZipFile(self.path))
            self._stream = self._around.enter_context(archive.open(self.name))
            read_header(self._stream)
            self._at = 0
        missing = (begin - self._at) * self._bytes
        while missing:
            skipped = len(self._stream.read(min(missing, self._part)))
            if not skipped:
                raise EOFError(f"{self.name} ends before sample {begin}")
            missing -= skipped
        self._at = begin
        return self._stream


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, Any]:
    """Shape, whether in Fortran's order, and dtype of the npy array whose data follow in `stream`."""
    npy_format: Any = np.lib.format
    plain = npy_format.read_magic(stream) == (1, 0)
    shape, fortran, dtype = (npy_format.read_array_header_1_0 if plain else npy_format.read_array_header_2_0)(stream)
    return tuple(shape), bool(fortran), dtype
