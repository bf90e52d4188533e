"""The tensors of a checkpoint, left in the file until they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.files.npz import RATIO, UNPACKED
from tern2lava.files.opening import FileError


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredTensor:
    """What a tensor is before its numbers are read. where: what errors call it; dtype: in which its numbers are held
    here; packed: bytes that it takes in the file; read: its numbers; kept_as: torch's name of the dtype that it has in
    the file, where that is another one (bfloat16); place: where the numbers
    lie, the same of two tensors that share them."""

    where: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    packed: int
    read: Callable[[], Array]
    kept_as: str = ""
    place: tuple[object, ...] | None = None

    @property
    def type(self) -> str:
        """The dtype that it has in the file, by torch's name."""
        return self.kept_as or self.dtype.name

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return self.count * self.dtype.itemsize


class StoredTensors(Mapping[str, Array]):
    """Tensors by name, read-only; each is read when it is asked for, and again when it is asked for again."""

    def __init__(self, stored: Mapping[str, StoredTensor]) -> None:
        self.stored = dict(stored)

    def __getitem__(self, name: str) -> Array:
        """The numbers of a tensor. Raises FileError, before any memory is taken, for one that unpacks to over UNPACKED
        bytes and RATIO times what it takes in the file."""
        tensor = self.stored[name]
        allowed = max(UNPACKED, RATIO * tensor.packed)
        if tensor.size > allowed:
            raise FileError(
                tensor.where, f"a tensor of at most {allowed:,} bytes, {RATIO} times what it takes in the file",
                f"{tensor.size:,}, as in a zip bomb", "save it uncompressed",
            )  # fmt: skip
        return self.needed(name)

    def needed(self, name: str) -> Array:
        """The numbers of a tensor whose size is what the network needs, however small it is packed."""
        array = self.stored[name].read()
        array.setflags(write=False)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    def __contains__(self, name: object) -> bool:
        return name in self.stored
