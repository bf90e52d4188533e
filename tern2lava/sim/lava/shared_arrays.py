"""Arrays shared with the child that runs Lava: one mapping of an unnamed file, so that nothing of it is ever left."""

from __future__ import annotations

import mmap
import os
import tempfile

import numpy as np

from tern2lava.compiler.ir.shapes import Array

Layout = dict[str, tuple[tuple[int, ...], str]]
STEPS_DONE = "steps_done"


class SharedArrays:
    """Zeroed arrays by name over one shared mapping of an unnamed file; `layout` is name -> (shape, dtype)."""

    def __init__(self, layout: Layout, fd: int | None = None) -> None:
        self.layout = {STEPS_DONE: ((1,), "int64"), **layout}
        sizes = {
            name: int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            for name, (shape, dtype) in self.layout.items()
        }
        ends = np.cumsum([-(-nbytes // 64) * 64 for nbytes in sizes.values()])
        self.fd = unnamed_file() if fd is None else fd
        if fd is None:
            os.ftruncate(self.fd, int(ends[-1]))
        self.memory = mmap.mmap(self.fd, int(ends[-1]))
        view = memoryview(self.memory)
        self.arrays: dict[str, Array] = {}
        for (name, (shape, dtype)), offset in zip(self.layout.items(), (0, *ends.tolist()), strict=False):
            self.arrays[name] = np.frombuffer(view[offset : offset + sizes[name]], dtype).reshape(shape)

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]


def unnamed_file() -> int:
    """Descriptor of a file that has no name: in memory where the system offers it, else a deleted temporary file."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("tern2lava")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
