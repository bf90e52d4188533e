"""The named tensors of an npz or safetensors file, every declared size checked before anything is allocated.

Formats: npy as in files/npy.py, and the safetensors README (8 bytes of header length, a JSON header, the numbers).
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.counts import count
from tern2lava.errors import InputError, one_line
from tern2lava.files.json_text import parse_json
from tern2lava.files.npy import MAX_BYTES
from tern2lava.files.npz import Npz
from tern2lava.files.opening import MIB, FileError, Kind, OpenFile
from tern2lava.files.zip_archive import Archive
from tern2lava.frontends.files.small_floats import widened
from tern2lava.frontends.files.stored import StoredTensor

_NUMBERS = "biuf"
_SMALL = {
    "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip
MAX_JSON_HEADER = 16 * MIB
HEADER = Kind("a safetensors header", MAX_JSON_HEADER)
_SAFETENSORS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "F8_E4M3": "u1",
    "F8_E5M2": "u1",
    "F8_E8M0": "u1",
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


def read_npz(archive: Archive) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    """The arrays of an npz by name, and why others cannot be read. Raises InputError for a damaged one."""
    npz = Npz(archive)
    found, unreadable = {}, {}
    for name in sorted(name for name in npz if npz.member(name).endswith(".npy")):
        try:
            header = npz[name]
        except FileError as error:
            # What the header says of another dtype, not of damage.
            if not error.why.startswith("requires arrays of"):
                raise
            unreadable[name] = error.why
            continue
        if header.dtype.kind not in _NUMBERS:
            unreadable[name] = f"its dtype {header.dtype} is not one of real numbers"
            continue
        found[name] = StoredTensor(
            where=npz.where(name), shape=header.shape, dtype=header.dtype.newbyteorder("="), packed=npz.packed(name),
            read=partial(npz.read, name, header.size),
        )  # fmt: skip
    return found, unreadable


def is_safetensors(file: OpenFile) -> bool:
    """Whether the first bytes are a header length within the file followed by a JSON object."""
    data = file.read_exactly(9, 0)
    return file.size > 10 and 2 <= int.from_bytes(data[:8], "little") <= file.size - 8 and data[8:9] == b"{"


def read_safetensors(path: Path, file: OpenFile) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    """The tensors of a safetensors file by name, and why others cannot be read. Raises InputError for a damaged one."""
    length = int.from_bytes(file.read_exactly(8, 0), "little")
    if length > MAX_JSON_HEADER:
        raise InputError(
            path,
            f"requires a safetensors header of at most {count(MAX_JSON_HEADER, 'byte')}; found {length:,}; "
            "write the file again",
        )
    header = parse_json(file.read_exactly(length, 8), path, HEADER)
    begin = 8 + length
    found: dict[str, StoredTensor] = {}
    unreadable: dict[str, str] = {}
    spans = []
    for name, entry in header.items():
        kind = entry.get("dtype") if isinstance(entry, dict) else None
        if name != "__metadata__" and isinstance(kind, str) and kind not in _SAFETENSORS:
            unreadable[name] = f"its dtype {one_line(kind[:20])} is none of {', '.join(_SAFETENSORS)}"
        elif name != "__metadata__":
            found[name], span = _safe_tensor(f"{path}: {name}", entry, file, begin)
            spans.append(span)
    spans.sort()
    for (_, end), (following, _) in pairwise(spans):
        if following < end:
            raise InputError(
                path, "requires a place of its own for each tensor; found two on each other, as in a damaged file; "
                "write the file again"
            )  # fmt: skip
    return found, unreadable


def _safe_tensor(where: str, entry: Any, file: OpenFile, begin: int) -> tuple[StoredTensor, tuple[int, int]]:
    """A tensor by its entry in the header, and its place in what follows the header."""
    described: dict[str, Any] = entry if isinstance(entry, dict) else {}
    kind, shape, span = described.get("dtype"), described.get("shape"), described.get("data_offsets")
    if not (isinstance(kind, str) and kind in _SAFETENSORS):
        found = kind[:20] if isinstance(kind, str) else "none"
        raise InputError(where, f"requires a dtype of {', '.join(_SAFETENSORS)}; found {found}; convert the tensor")
    if not _sizes(shape, 32) or not _sizes(span, 2) or len(span) != 2 or not span[0] <= span[1] <= file.size - begin:
        raise InputError(
            where, "requires a shape and a place within the file; found malformed ones; copy the file again"
        )
    dtype, size = np.dtype(_SAFETENSORS[kind]), span[1] - span[0]
    if math.prod(shape) * dtype.itemsize != size:
        raise InputError(
            where,
            f"requires as many bytes as its shape {shape!s:.60} has; found {count(size, 'byte')}; copy the file again",
        )
    if not size and math.prod(max(1, n) for n in shape) > MAX_BYTES:
        raise InputError(where, "requires a shape that memory can hold; found an absurd one; write the file again")
    small = _SMALL.get(kind, "")
    kept = np.dtype(np.float32) if small else dtype.newbyteorder("=")

    def read() -> Array:
        flat: Array = np.frombuffer(file.read_room(size, begin + span[0]), dtype)
        if small:
            flat = widened(flat, small)
        return flat.reshape(tuple(shape))

    tensor = StoredTensor(
        where=where,
        shape=tuple(shape),
        dtype=kept,
        packed=size,
        read=read,
        kept_as=small,
    )
    return tensor, (span[0], span[1])


def _sizes(value: Any, longest: int) -> TypeGuard[list[int]]:
    return (
        isinstance(value, list)
        and len(value) <= longest
        and all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 62 for n in value)
    )
