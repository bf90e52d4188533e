"""The idx files of MNIST and Fashion-MNIST, plain or gzipped, sizes checked before anything is allocated."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.files.gzip_file import read_packed
from tern2lava.files.opening import GIB, Kind

MAX_BYTES = GIB
FILE = Kind("an idx file", 2 * GIB, larger="get the file again")
UINT8 = 0x08


def names(stem: str) -> list[str]:
    """What the file `stem` may be called: plain or gzipped, and with .idx instead of -idx, as some copies are."""
    return [name + suffix for name in (stem, stem.replace("-idx", ".idx")) for suffix in ("", ".gz")]


def find(folder: Path, stem: str) -> Path:
    """The file `stem` in `folder`, by one of its names."""
    for name in names(stem):
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        folder, f"requires {stem} or {stem}.gz; found neither; give the folder of the idx files with --data-dir"
    )


def read_idx(path: Path, dimensions: int) -> Array:
    """The uint8 array of an idx file with `dimensions` dimensions. Raises InputError for anything else.

    Format: two zero bytes, a type byte (0x08: uint8), the number of dimensions, each size as a big-endian uint32, data
    (Y. LeCun, "The MNIST database", yann.lecun.com/exdb/mnist).
    """
    begin = 4 + 4 * dimensions
    header = read_packed(path, FILE, begin)
    if len(header) != begin or header[:4] != bytes([0, 0, UINT8, dimensions]):
        raise InputError(
            path,
            f"requires an idx file of {dimensions}-d uint8; found one that starts with {header[:4].hex()}; "
            "get the file again",
        )
    shape = struct.unpack(f">{dimensions}I", header[4:])
    count = math.prod(shape)
    if not 0 < count <= MAX_BYTES:
        raise InputError(
            path, f"requires 1 to {MAX_BYTES:,} bytes; found a declared shape of {shape}; get the file again"
        )
    data = read_packed(path, FILE, count + 1, begin)
    if len(data) != count:
        more = "more" if len(data) > count else f"{len(data):,}"
        raise InputError(path, f"requires {count:,} bytes, as it declares; found {more}; get the file again")
    return np.frombuffer(data, np.uint8).reshape(shape)
