"""Numpy arrays from what pickles say of torch tensors and numpy arrays, every size checked before it is used.

Argument orders: torch/_utils.py (`_rebuild_tensor_v2` and its kin), torch/serialization.py (storages), and numpy's
`ndarray.__reduce__`. No array is copied here: a tensor is a read-only view of its storage's bytes, which are read when
the first of its tensors is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.frontends.files.composed_tensors import SPARSE, quantised, sparse
from tern2lava.frontends.files.pickle_reader import Global, Record, Reference
from tern2lava.frontends.files.small_floats import SMALL, raw, widened
from tern2lava.frontends.files.stored import StoredTensor

EXPAND_LIMIT = 1 << 20
"""Elements that a tensor may have beyond those of its storage (torch.expand repeats one number by a stride of 0)."""

_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
    "QInt8Storage": "i1",
    "QUInt8Storage": "u1",
    "QInt32Storage": "<i4",
    "UntypedStorage": "u1",
}
_OTHER_STORAGES = {
    "ComplexFloatStorage": 8,
    "ComplexDoubleStorage": 16,
    "QUInt4x2Storage": 1,
    "QUInt2x4Storage": 1,
}
_DTYPES = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "i1",
    "uint64": "<u8",
    "uint32": "<u4",
    "uint16": "<u2",
    "uint8": "u1",
    "bool": "?",
    **{name: name for name in SMALL},
}
_PARAMETERS = {
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch.nn.parameter.Parameter",
}
_TENSORS = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"}
_NUMPY_MODULES = ("numpy.core.multiarray.", "numpy._core.multiarray.")


@dataclass(frozen=True, eq=False, kw_only=True)
class Storage:
    """One torch storage: its `size` in bytes, those that it takes in the file, how they are read; little-endian unless
    `big_endian`."""

    size: int
    packed: int
    load: Callable[[], bytes | bytearray]
    big_endian: bool = False
    decoded: dict[str, Array] = field(default_factory=dict)

    def numbers(self, dtype: str) -> Array:
        """All whole numbers of `dtype` in it, decoded once."""
        if dtype not in self.decoded:
            order: Literal["<", ">"] = ">" if self.big_endian else "<"
            data, count = self.load(), self.size // itemsize(dtype)
            if dtype in SMALL:
                self.decoded[dtype] = widened(np.frombuffer(data, f"{order}{raw(dtype)}", count), dtype)
            else:
                flat = np.frombuffer(data, np.dtype(dtype).newbyteorder(order), count)
                self.decoded[dtype] = flat.astype(np.dtype(dtype), copy=False)
        return self.decoded[dtype]


Fetch = Callable[[str], Storage]
"""Gives the storage of a key; raises ValueError where the file holds none."""


class NotATensorError(ValueError):
    """A value that is no tensor at all."""


def itemsize(dtype: str) -> int:
    """Bytes of one element of a dtype named as in this module."""
    return np.dtype(raw(dtype) if dtype in SMALL else dtype).itemsize


def storage_dtype(kind: object) -> str:
    """Numpy name (or 'bfloat16') of a storage class such as torch.FloatStorage; ValueError for one we cannot read."""
    if isinstance(kind, Global) and kind.module in ("torch", "torch.storage", "torch.cuda"):
        found = _STORAGES.get(kind.name)
        if found is not None:
            return found
    raise ValueError(f"its storage class {kind if isinstance(kind, Global) else 'unknown'} cannot be read")


def storage_itemsize(reference: Reference) -> tuple[str, int]:
    """(key, bytes of one element) of a storage, whether or not its numbers can be read; ValueError if unknown."""
    try:
        key, dtype, _ = storage_reference(reference)
    except ValueError:
        target = reference.target
        if isinstance(target, tuple) and len(target) > 2 and isinstance(target[1], Global):
            return str(target[2]) if isinstance(target[2], str) else "", _OTHER_STORAGES.get(target[1].name, 0)
        raise
    return key, itemsize(dtype)


def storage_reference(reference: Reference) -> tuple[str, str, int]:
    """(key, dtype, number of elements) of torch's persistent id ('storage', class, key, location, elements, ...)."""
    target = reference.target
    if not (isinstance(target, tuple) and len(target) >= 5 and target[0] in ("storage", b"storage")):
        raise ValueError("its storage reference is malformed")
    _, kind, key, _, count = target[:5]
    key = key.decode("ascii", "replace") if isinstance(key, bytes) else key
    if not (isinstance(key, str) and _is_size(count)):
        raise ValueError("its storage reference is malformed")
    return key, storage_dtype(kind), count


def as_tensor(value: Any, fetch: Fetch, where: str) -> StoredTensor:
    """The tensor that `value` (a Record of a pickle) stands for, which errors call `where`.

    Raises NotATensorError where it is no tensor, ValueError (saying why) where it is one that cannot be read.
    """
    for _ in range(8):  # a parameter wraps a tensor, a tensor subclass wraps the call that rebuilds it
        if not isinstance(value, Record):
            raise NotATensorError
        args = value.args if isinstance(value.args, tuple) else ()
        if value.kind in _PARAMETERS and args:
            value = args[0]
        elif value.kind == "torch._tensor._rebuild_from_type_v2" and len(args) >= 3 and isinstance(args[2], tuple):
            value = Record(args[0], args[2])
        else:
            break

    def part(inner: Any) -> StoredTensor:
        if not (isinstance(inner, Record) and inner.kind in _TENSORS and isinstance(inner.args, tuple)):
            raise ValueError("its parts are malformed")
        return _torch_tensor(inner.kind, inner.args, fetch, where)

    if value.kind in _TENSORS:
        return _torch_tensor(value.kind, args, fetch, where)
    if value.kind == SPARSE and args:
        return sparse(args, part, _sizes, where)
    if value.kind == "torch._utils._rebuild_qtensor" and len(args) >= 5:
        return quantised(_torch_tensor(value.kind, args, fetch, where), args[4], part, where)
    if "_rebuild_meta_tensor" in value.kind:
        raise ValueError("is a tensor on the meta device, which has a shape and no numbers")
    if value.kind.startswith(_NUMPY_MODULES):
        return _numpy_array(value, args, where)
    if value.kind.startswith("torch._utils._rebuild_"):
        raise ValueError(f"is a {value.kind.removeprefix('torch._utils._rebuild_')}, not a plain dense tensor")
    raise NotATensorError


def _torch_tensor(kind: str, args: tuple[Any, ...], fetch: Fetch, where: str) -> StoredTensor:
    if args and isinstance(args[0], Record) and args[0].kind == "torch.storage._load_from_bytes":
        raise ValueError("was written by pickle.dump; write the file with torch.save")
    if len(args) < 4 or not isinstance(args[0], Reference):
        raise ValueError("its description is malformed")
    key, dtype, count = storage_reference(args[0])
    if kind.endswith("_v3"):
        named = args[6] if len(args) > 6 else None
        if not (isinstance(named, Global) and named.name in _DTYPES):
            raise ValueError(f"its dtype {named if isinstance(named, Global) else 'unknown'} cannot be read")
        count = count * itemsize(dtype) // itemsize(_DTYPES[named.name])
        dtype = _DTYPES[named.name]
    offset, shape, strides = args[1], _sizes(args[2]), _sizes(args[3])
    if not _is_size(offset) or len(shape) != len(strides):
        raise ValueError("its sizes and strides are malformed")
    total = 1
    for n in shape:
        total *= n
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) if total else -1
    if last >= count or total > max(count, EXPAND_LIMIT):
        raise ValueError(f"its shape {_text(shape)} does not fit its storage of {count:,} numbers")
    storage = fetch(key)
    there = storage.size // itemsize(dtype)
    if there < count:
        raise ValueError(f"its storage holds {there:,} numbers where {count:,} are declared")
    kept = np.dtype(np.float32 if dtype in SMALL else dtype)
    # torch keeps -x of some views as x and a flag (torch/_utils.py, `set_tensor_metadata`).
    said = args[7:8] if kind.endswith("_v3") else args[6:7]
    negative = bool(said and isinstance(said[0], dict) and said[0].get("neg"))

    def read() -> Array:
        if not total:
            return np.zeros(shape, kept)
        found = np.lib.stride_tricks.as_strided(
            storage.numbers(dtype)[offset:], shape, tuple(step * kept.itemsize for step in strides), writeable=False
        )
        return np.negative(found) if negative else found

    return StoredTensor(
        where=where, shape=shape, dtype=kept, packed=max(storage.packed, total), read=read,
        kept_as=dtype if dtype in SMALL else "", place=(key, dtype, offset, shape, strides, negative),
    )  # fmt: skip


def _numpy_array(value: Record, args: tuple[Any, ...], where: str) -> StoredTensor:
    """An array from numpy's pickle records: scalar(dtype, bytes), or _reconstruct and a state of five parts."""
    shape: tuple[int, ...] = ()
    if value.kind.endswith(".scalar") and len(args) == 2:
        dtype, content, fortran = _numpy_dtype(args[0]), args[1], False
    else:
        state = value.states[-1] if value.states else None
        if not (value.kind.endswith("._reconstruct") and isinstance(state, tuple) and len(state) == 5):
            raise NotATensorError
        _, sizes, described, fortran, content = state
        dtype, shape = _numpy_dtype(described), _sizes(sizes)
    total = 1
    for n in shape:
        total *= n
    content = _checked_raw(content, total * dtype.itemsize)

    def read() -> Array:
        raw = content.encode("latin1") if isinstance(content, str) else bytes(content)
        return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran is True else "C")

    return StoredTensor(where=where, shape=shape, dtype=dtype, packed=total * dtype.itemsize, read=read)


def _numpy_dtype(record: Any) -> np.dtype[Any]:
    """The dtype of a numpy.dtype record: its code, and the byte order of its state (version, order, ...)."""
    code = record.args[0] if isinstance(record, Record) and isinstance(record.args, tuple) and record.args else None
    code = code.decode("ascii", "replace") if isinstance(code, bytes) else code
    if not (isinstance(code, str) and code in _NUMPY_CODES):
        raise ValueError("holds Python objects or an unusual dtype, not numbers")
    dtype = np.dtype(code)
    state = record.states[-1] if record.states else None
    if isinstance(state, tuple) and len(state) > 1 and state[1] in (">", b">"):
        dtype = dtype.newbyteorder(">")
    return dtype


_NUMPY_CODES = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])


def _checked_raw(content: Any, need: int) -> str | bytes | bytearray:
    """The `need` bytes of an array: as they are, or as the text that pickle protocol 2 makes of them
    (`_codecs.encode(text, 'latin1')`)."""
    if isinstance(content, Record) and content.kind == "_codecs.encode" and isinstance(content.args, tuple):
        content = content.args[0] if content.args else None
    if not isinstance(content, str | bytes | bytearray):
        raise ValueError("its bytes are missing")
    if len(content) != need:
        raise ValueError(f"its shape needs {need:,} bytes, {len(content):,} are there")
    if isinstance(content, str) and content and max(content) > "\xff":
        raise ValueError("its bytes are no bytes")
    return content


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48


def _sizes(value: Any) -> tuple[int, ...]:
    """A tuple of sizes (also of a torch.Size record); ValueError where one is no size or there are over 32."""
    if isinstance(value, Record) and value.kind == "torch.Size" and isinstance(value.args, tuple) and value.args:
        value = value.args[0]
    if isinstance(value, list):
        value = tuple(value)
    if not isinstance(value, tuple) or len(value) > 32 or not all(_is_size(n) for n in value):
        raise ValueError("its sizes are malformed")
    return value


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "()"
