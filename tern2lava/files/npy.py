"""Arrays in npy's form: the header read by a grammar of its own, the numbers piece by piece into their array.

Format: numpy/lib/format.py, versions 1.0 to 3.0. Numpy itself evaluates the header as Python, which nesting breaks.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.counts import count
from tern2lava.errors import one_line
from tern2lava.files.opening import MIB, FileError

MAGIC = b"\x93NUMPY"
MAX_HEADER = 10_000
"""Bytes of a header; numpy's own readers take no longer one."""
MAX_AXES = 32
MAX_BYTES = 1 << 48
"""Bytes of an array by its header: no machine holds more."""
PIECE = MIB

_ITEM = re.compile(r"""\s*(['"])(descr|fortran_order|shape)\1\s*:\s*""")
_VALUES = {
    "descr": re.compile(r"""(['"])(?P<text>[^'"\\]{1,40})\1"""),
    "fortran_order": re.compile(r"(?P<text>True|False)"),
    "shape": re.compile(r"\((?P<text>(?:\s*[0-9]{1,18}L?\s*,)*\s*(?:[0-9]{1,18}L?\s*)?)\)"),
}
_DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|[US][0-9]{1,6})")
_MISSHAPEN = "an array header of descr, fortran_order and shape"


@dataclass(frozen=True, kw_only=True)
class NpyHeader:
    """What an array is. begin: bytes before its numbers; size: bytes of them."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    begin: int

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        return self.count * self.dtype.itemsize


def read_header(stream: IO[bytes], where: object, size: int) -> NpyHeader:
    """The header at the beginning of `stream`, which has `size` bytes in all; the stream is then at the numbers.

    Numbers (bool, int, float of up to 64 bits) and texts of fixed length are known. Raises FileError for a damaged
    header, for Python objects, and where the shape has another number of bytes than there are.
    """
    start = stream.read(8)
    if len(start) < 8 or start[:6] != MAGIC or start[6] not in (1, 2, 3):
        raise FileError(where, "an array in npy's form", "other bytes", "save it again with np.savez")
    width = 2 if start[6] == 1 else 4
    packed = stream.read(width)
    (length,) = struct.unpack("<H" if width == 2 else "<I", packed) if len(packed) == width else (0,)
    if length > MAX_HEADER:
        raise FileError(
            where,
            f"an array header of at most {count(MAX_HEADER, 'byte')}",
            f"{length:,}",
            "save it again with np.savez",
        )
    text = stream.read(length)
    if len(text) < length or not length:
        raise FileError(where, "a whole array header", "its end sooner", "copy the file again")
    shape, fortran, dtype = _parsed(text.decode("latin1"), where)
    found = NpyHeader(shape=shape, fortran=fortran, dtype=dtype, begin=8 + width + length)
    if found.size != size - found.begin:
        raise FileError(
            where, f"as many bytes as shape {_shown(shape)} of {dtype} has, {found.size:,}",
            f"{max(0, size - found.begin):,}", "save it again with np.savez",
        )  # fmt: skip
    return found


def _parsed(text: str, where: object) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and dtype of a header's text, the repr of a dict of three keys."""
    inner, given, at = text.strip(), {}, 1
    end = len(inner) - 1
    if inner[:1] != "{" or inner[-1:] != "}":
        raise _misshapen(where, inner)
    while inner[at:end].strip():
        item = _ITEM.match(inner, at, end)
        if item is None:
            raise _misshapen(where, inner)
        key = item.group(2)
        value = _VALUES[key].match(inner, item.end(), end)
        if value is None and key == "descr":
            raise FileError(
                where, "arrays of numbers", "records or another compound type", "save an array for each field"
            )
        after = None if value is None else re.compile(r"\s*(,|$)").match(inner, value.end(), end)
        if value is None or after is None or key in given:
            raise _misshapen(where, inner)
        given[key] = value.group("text")
        at = after.end()
    if set(given) != set(_VALUES):
        raise _misshapen(where, inner)
    descr = given["descr"]
    if "O" in descr:
        raise FileError(
            where, "arrays of numbers", "Python objects, never unpickled",
            "save numbers alone (samples of different lengths: docs/data.md)",
        )  # fmt: skip
    if not _DTYPE.fullmatch(descr):
        raise FileError(
            where, "arrays of real numbers of at most 64 bits", f"type {one_line(descr)}", "convert the array"
        )
    parts = [part.strip().removesuffix("L") for part in given["shape"].split(",")]
    shape = tuple(int(part) for part in parts if part)
    dtype = np.dtype(descr)
    whole = math.prod(max(1, n) for n in shape) * max(1, dtype.itemsize)
    if len(shape) > MAX_AXES or whole > MAX_BYTES:
        raise FileError(
            where, f"a shape that memory can hold, of at most {count(MAX_AXES, 'axis')}", _shown(shape),
            "save it again with np.savez",
        )  # fmt: skip
    return shape, given["fortran_order"] == "True", dtype


def _misshapen(where: object, text: str) -> FileError:
    return FileError(where, _MISSHAPEN, one_line(text[:60]), "save it again with np.savez")


def _shown(shape: tuple[int, ...]) -> str:
    text = str(shape)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_body(stream: IO[bytes], header: NpyHeader, where: object) -> NDArray[Any]:
    """The array whose numbers follow in `stream`, in the machine's byte order. Raises FileError where they end sooner.

    Memory holds the array and one piece.
    """
    try:
        flat = np.empty(header.count, header.dtype)
    except MemoryError:
        raise FileError(
            where, "an array that memory can hold", f"{header.size:,} bytes", "give it fewer numbers"
        ) from None
    fill(stream, flat.view(np.uint8) if flat.size and header.dtype.itemsize else np.empty(0, np.uint8), where)
    if header.dtype.byteorder == ">" or (header.dtype.byteorder not in "<|=" and header.dtype.itemsize > 1):
        flat = flat.astype(header.dtype.newbyteorder("="))
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def fill(stream: IO[bytes], room: NDArray[np.uint8], where: object) -> None:
    """Fill `room` from `stream`, a piece at a time. Raises FileError where it ends sooner."""
    at = 0
    while at < len(room):
        data = stream.read(min(len(room) - at, PIECE))
        if not data:
            raise FileError(where, "a whole array", "its end sooner", "copy the file again")
        room[at : at + len(data)] = np.frombuffer(data, np.uint8)
        at += len(data)


def pieces(stream: IO[bytes], header: NpyHeader, where: object, most: int = 4 * MIB) -> Iterator[NDArray[Any]]:
    """The numbers that follow in `stream`, flat, in the order of the file, at most `most` bytes at a time."""
    left, each = header.count, max(1, most // max(1, header.dtype.itemsize))
    while left:
        part = np.empty(min(left, each), header.dtype)
        fill(stream, part.view(np.uint8), where)
        yield part.astype(header.dtype.newbyteorder("="), copy=False)
        left -= len(part)
