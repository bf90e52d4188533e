"""Values of a spike file that are read as they are asked for: memory holds one piece of however many samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.files.npz import open_npz
from tern2lava.files.opening import FileError


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
        self._stored, self._each = tuple(shape), shape[1:]
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
            npz = self._around.enter_context(open_npz(self.path))
            header = npz.get(self.name)
            if header is None or (header.shape, header.dtype) != (self._stored, self.dtype):
                raise FileError(
                    self.path, "a file that stays as it is while it is read", f"another array {self.name}",
                    "read it again once nothing writes to it",
                )  # fmt: skip
            self._stream = self._around.enter_context(npz.stream(self.name))
            self._at = 0
        missing = (begin - self._at) * self._bytes
        while missing:
            skipped = len(self._stream.read(min(missing, self._part)))
            if not skipped:
                raise EOFError(f"{self.name} ends before sample {begin}")
            missing -= skipped
        self._at = begin
        return self._stream
