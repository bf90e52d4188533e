"""Tensors of a torch file that consist of others: sparse ones (COO, CSR) and quantised ones, as torch makes them dense.

Argument orders: torch/_utils.py (`_rebuild_sparse_tensor`, `_rebuild_qtensor`), torch/_tensor.py (`__reduce_ex__`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.frontends.files.pickle_reader import Global, Record
from tern2lava.frontends.files.stored import StoredTensor

Part = Callable[[Any], StoredTensor]
"""The plain tensor that a record stands for; raises ValueError."""
FILLED, FILLED_UP = 1 << 20, 1000
"""Numbers that a sparse tensor may have when it is filled up: this many, or this many times those that it holds."""
SPARSE = "torch._utils._rebuild_sparse_tensor"


def sparse(args: tuple[Any, ...], part: Part, sizes: Callable[[Any], tuple[int, ...]], where: str) -> StoredTensor:
    """A sparse tensor, zero where it holds nothing; what a COO one holds several times for a place adds up."""
    layout, parts = args[0], args[1] if len(args) > 1 and isinstance(args[1], tuple) else ()
    named = layout.args[0] if isinstance(layout, Record) and isinstance(layout.args, tuple) and layout.args else layout
    kind = str(named).removeprefix("torch.")
    if kind == "sparse_coo" and len(parts) >= 3:
        indices, values, shape = part(parts[0]), part(parts[1]), sizes(parts[2])
        held = [indices, values]
        if len(indices.shape) != 2 or indices.shape[0] != len(shape) or values.shape != indices.shape[1:]:
            raise ValueError("is a sparse tensor with dense axes or malformed indices")
    elif kind == "sparse_csr" and len(parts) >= 4:
        rows, columns, values, shape = part(parts[0]), part(parts[1]), part(parts[2]), sizes(parts[3])
        held = [rows, columns, values]
        if len(shape) != 2 or rows.shape != (shape[0] + 1,) or columns.shape != values.shape or len(values.shape) != 1:
            raise ValueError("is a sparse tensor with batches or malformed indices")
    else:
        raise ValueError(f"is a {kind[:40]} tensor, which is not read; save tensor.to_dense()")
    total = math.prod(shape)
    if total > max(FILLED, FILLED_UP * values.count):
        raise ValueError(
            f"is a sparse tensor of {total:,} numbers, of which it holds {values.count:,}; too large to fill"
        )

    def read() -> Array:
        numbers = values.read()
        if kind == "sparse_coo":
            places = held[0].read()
        else:
            starts = np.asarray(held[0].read(), np.int64)
            counts = np.diff(starts)
            if starts[0] != 0 or (counts < 0).any() or starts[-1] != numbers.size:
                raise _damaged(where, "rows that hold its numbers")
            places = np.stack([np.repeat(np.arange(shape[0]), counts), held[1].read()])
        if places.size and ((places < 0) | (places >= np.asarray(shape)[:, None])).any():
            raise _damaged(where, f"indices within its shape {shape}")
        dense = np.zeros(shape, values.dtype)
        np.add.at(dense, tuple(places), numbers)
        return dense

    return StoredTensor(
        where=where, shape=shape, dtype=values.dtype, packed=sum(each.packed for each in held), read=read,
        kept_as=values.kept_as,
    )  # fmt: skip


def _damaged(where: str, rule: str) -> InputError:
    return InputError(where, f"requires a sparse tensor with {rule}; found others; write the file again")


def quantised(codes: StoredTensor, described: Any, part: Part, where: str) -> StoredTensor:
    """(code - zero point) scale in float32, per tensor or per channel, as torch's `dequantize`."""
    scale: Callable[[], Array]
    zero: Callable[[], Array]
    axis: int | None
    kind = described[0] if isinstance(described, tuple) and described else None
    named = kind.name if isinstance(kind, Global) else ""
    if named == "per_tensor_affine" and len(described) == 3 and all(isinstance(n, int | float) for n in described[1:]):
        scale, zero = partial(np.asarray, described[1]), partial(np.asarray, described[2])
        axis = None
    elif named.startswith("per_channel_affine") and len(described) == 4 and isinstance(described[3], int):
        scales, zeros, axis = part(described[1]), part(described[2]), described[3]
        if not 0 <= axis < len(codes.shape) or not scales.shape == zeros.shape == (codes.shape[axis],):
            raise ValueError("its scales and zero points are malformed")
        scale, zero = scales.read, zeros.read
    else:
        raise ValueError(f"is quantised in a way that is not read ({named[:40]}); save tensor.dequantize()")

    def read() -> Array:
        wide = [1] * len(codes.shape)
        if axis is not None:
            wide[axis] = -1
        exact = codes.read().astype(np.int64) - np.asarray(zero()).astype(np.int64).reshape(wide)
        return exact.astype(np.float32) * np.asarray(scale()).astype(np.float32).reshape(wide)

    size = math.prod(codes.shape)
    return StoredTensor(
        where=where, shape=codes.shape, dtype=np.dtype(np.float32), packed=max(codes.packed, size), read=read
    )
