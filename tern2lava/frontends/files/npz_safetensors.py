"""The named arrays of an npz or safetensors file, every declared size checked before anything is allocated.

Formats: numpy/lib/format.py (npy 1.0 to 3.0) and the safetensors README (8 bytes of header length, a JSON header,
the numbers).
"""

from __future__ import annotations

import json
import math
from io import BytesIO
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.frontends.files.zip_archive import Archive

_NUMBERS = "biuf"
MAX_NPY_HEADER = 10_000
MAX_JSON_HEADER = 16 << 20
_SAFETENSORS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


def read_npz(path: Path, archive: Archive) -> dict[str, Array]:
    """The arrays of an npz by name. Raises InputError for a damaged one and for arrays of Python objects."""
    names = sorted(name for name in archive.names if name.endswith(".npy"))
    return {
        name.removesuffix(".npy"): _npy(f"{path}: {name.removesuffix('.npy')}", archive.read(name)) for name in names
    }


def _npy(where: str, data: bytes) -> Array:
    stream = BytesIO(data)
    npy: Any = np.lib.format
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(stream, max_header_size=MAX_NPY_HEADER)
    except (ValueError, TypeError, SyntaxError, EOFError, MemoryError, RecursionError) as error:
        raise InputError(
            where, f"requires a whole array header; found damage ({error!s:.60}); write the file again"
        ) from None
    if dtype.kind not in _NUMBERS or dtype.itemsize > 8:
        what = "Python objects" if dtype.hasobject else f"dtype {dtype}"
        raise InputError(where, f"requires an array of real numbers; found {what}; save numbers alone")
    have, need = len(data) - stream.tell(), math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or len(shape) > 32 or need != have:
        raise InputError(
            where,
            f"requires as many bytes as its shape {shape!s:.60} has; found {count(have, 'byte')}; write the file again",
        )
    flat = np.frombuffer(data, dtype, offset=stream.tell())
    return _shaped(where, flat.astype(dtype.newbyteorder("="), copy=False), shape, fortran)


def _shaped(where: str, flat: Array, shape: tuple[int, ...], fortran: bool = False) -> Array:
    try:
        return flat.reshape(shape, order="F" if fortran else "C")
    except (ValueError, OverflowError):
        raise InputError(
            where, "requires a shape that memory can hold; found an absurd one; write the file again"
        ) from None


def is_safetensors(data: bytes) -> bool:
    """Whether the first bytes are a header length within the file followed by a JSON object."""
    return len(data) > 10 and 2 <= int.from_bytes(data[:8], "little") <= len(data) - 8 and data[8:9] == b"{"


def read_safetensors(path: Path, data: bytes) -> dict[str, Array]:
    """The tensors of a safetensors file by name. Raises InputError for a damaged one."""
    length = int.from_bytes(data[:8], "little")
    if length > MAX_JSON_HEADER:
        raise InputError(
            path,
            f"requires a safetensors header of at most {count(MAX_JSON_HEADER, 'byte')}; found {length:,}; "
            "write the file again",
        )
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(
            path, f"requires a whole safetensors header; found damage ({error!s:.60}); copy the file again"
        ) from None
    body = memoryview(data)[8 + length :]
    return {
        name: _safe_tensor(f"{path}: {name}", entry, body) for name, entry in header.items() if name != "__metadata__"
    }


def _safe_tensor(where: str, entry: Any, body: memoryview) -> Array:
    described: dict[str, Any] = entry if isinstance(entry, dict) else {}
    kind, shape, span = described.get("dtype"), described.get("shape"), described.get("data_offsets")
    if not (isinstance(kind, str) and kind in _SAFETENSORS):
        found = kind[:20] if isinstance(kind, str) else "none"
        raise InputError(where, f"requires a dtype of {', '.join(_SAFETENSORS)}; found {found}; convert the tensor")
    if not _sizes(shape, 32) or not _sizes(span, 2) or len(span) != 2 or not span[0] <= span[1] <= len(body):
        raise InputError(
            where, "requires a shape and a place within the file; found malformed ones; copy the file again"
        )
    dtype = np.dtype(_SAFETENSORS[kind])
    if math.prod(shape) * dtype.itemsize != span[1] - span[0]:
        raise InputError(
            where,
            f"requires as many bytes as its shape {shape!s:.60} has; found "
            f"{count(span[1] - span[0], 'byte')}; copy the file again",
        )
    flat = np.frombuffer(body[span[0] : span[1]], dtype)
    if kind == "BF16":
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return _shaped(where, flat, tuple(shape))


def _sizes(value: Any, longest: int) -> TypeGuard[list[int]]:
    return (
        isinstance(value, list)
        and len(value) <= longest
        and all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 62 for n in value)
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name twice")
    return result
