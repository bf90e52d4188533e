"""Numbers with the dtype that torch would compute them in, and what dtype a result has.

A Value is a Python number or a Tensor. Rules: torch's type promotion (c10/core/ScalarType.h `promoteTypes`,
ATen/native/TypeProperties.cpp `result_type`): the higher of boolean < integer < floating point wins; within one of them
tensors with axes win over those without, and these over Python numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Shape
from tern2lava.errors import InputError

INTEGERS: dict[str, np.dtype[Any]] = {
    name: np.dtype(name) for name in ("uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")
}
FLOATS: dict[str, np.dtype[Any]] = {
    "float16": np.dtype(np.float16), "bfloat16": np.dtype(np.float32), "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}  # fmt: skip
"""Floating point dtypes, and the dtype in which their numbers are held here."""
HALVES = ("float16", "bfloat16")
DEFAULT = "float32"
"""What torch makes of a Python number with a decimal point, and of integers that are divided."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """An array of numbers of torch's `dtype`; those of bfloat16 and float8 are held in float32."""

    array: Array
    dtype: str


Value: TypeAlias = "bool | int | float | Tensor"


class DtypeError(ValueError):
    """Why dtypes do not allow a computation, as errors.InputError has it."""


def shape_of(value: Value) -> Shape:
    """The shape, () of a Python number."""
    return value.array.shape if isinstance(value, Tensor) else ()


def dtype_of(value: Value) -> str:
    """The dtype, of a Python number the one that torch takes it for."""
    if isinstance(value, Tensor):
        return value.dtype
    return "bool" if isinstance(value, bool) else "int64" if isinstance(value, int) else DEFAULT


def result_dtype(*values: Value) -> str:
    """The dtype of what is computed of `values` together. Raises DtypeError."""
    groups: list[str | None] = [None, None, None]
    for value in values:
        rank = 2 if not isinstance(value, Tensor) else 0 if value.array.ndim else 1
        before = groups[rank]
        groups[rank] = dtype_of(value) if before is None else promoted(before, dtype_of(value))
    return _combined(groups[0], _combined(groups[1], groups[2])) or DEFAULT


def _combined(higher: str | None, lower: str | None) -> str | None:
    """The dtype of two priorities: the higher one's unless the lower one is of a higher category."""
    if higher is None or lower is None:
        return lower if higher is None else higher
    if is_float(higher) or not (is_float(lower) or higher == "bool"):
        return higher
    return promoted(higher, lower)


def is_float(dtype: str) -> bool:
    """Whether torch counts it among the floating point dtypes."""
    return dtype.startswith(("float", "bfloat"))


def promoted(one: str, other: str) -> str:
    """The dtype of two tensors of dtypes `one` and `other`. Raises DtypeError where torch has none."""
    if one == other:
        return one
    for dtype in (one, other):
        if dtype not in FLOATS and dtype not in INTEGERS and dtype != "bool":
            raise DtypeError(
                f"requires dtypes that torch computes together; found {one} and {other}; write float32(...) of each"
            )
    if "bool" in (one, other):
        return other if one == "bool" else one
    if is_float(one) != is_float(other):
        return one if is_float(one) else other
    if is_float(one):
        if {one, other} == set(HALVES):
            return "float32"
        return max(one, other, key=lambda dtype: np.dtype(dtype).itemsize if dtype != "bfloat16" else 2)
    if any(dtype in ("uint16", "uint32", "uint64") for dtype in (one, other)):
        raise DtypeError(
            f"requires integers that torch computes together; found {one} and {other}; write int64(...) of each"
        )
    return str(np.promote_types(one, other))


def rounded(numbers: Array, dtype: str) -> Tensor:
    """Real numbers or integers as a tensor of `dtype`: to the nearest, ties to even. Raises DtypeError for what an
    integer dtype does not hold."""
    if dtype == "bool":
        return Tensor(numbers.astype(bool), dtype)
    if dtype in INTEGERS:
        info = np.iinfo(INTEGERS[dtype])
        # Of floating point numbers the largest integer itself may be one that the dtype does not hold.
        past = float(info.max) + 1 if numbers.dtype.kind == "f" else info.max + 1
        outside = (numbers < info.min) | (numbers >= past) | (numbers != numbers)
        if outside.any():
            raise DtypeError(
                f"requires integers that {dtype} holds; found {numbers[outside].flat[0]:g}; write int64(...) or "
                "float32(...) of the tensor first"
            )
        return Tensor(numbers.astype(INTEGERS[dtype]), dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        if dtype == "bfloat16":
            return Tensor(to_bfloat16(numbers.astype(np.float32)), dtype)
        return Tensor(numbers.astype(FLOATS[dtype]), dtype)


def to_bfloat16(numbers: Array) -> Array:
    """float32 rounded to bfloat16 (the upper 16 bits), ties to even; NaN stays."""
    bits = numbers.view(np.uint32).astype(np.uint64)
    nearest = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return np.where(np.isnan(numbers), numbers, nearest).astype(np.float32)


def computing_dtype(dtype: str) -> np.dtype[Any]:
    """The numpy dtype in which torch computes what it then rounds to `dtype`."""
    if dtype == "bool":
        return np.dtype(bool)
    return INTEGERS[dtype] if dtype in INTEGERS else np.dtype(np.float64 if dtype == "float64" else np.float32)


def operand(value: Value, dtype: str, *, exact: bool = False) -> Array:
    """The numbers of `value` as they go into a computation with result `dtype`.

    exact: a number or a tensor without axes is not rounded to float16 or bfloat16 first, as in torch's `*` and `/`.
    Raises DtypeError for a Python integer that an integer dtype does not hold.
    """
    numbers = value.array if isinstance(value, Tensor) else np.asarray(value)
    if dtype in INTEGERS and dtype != dtype_of(value):
        return rounded(numbers, dtype).array
    if dtype in HALVES and not exact and dtype != dtype_of(value):
        return rounded(numbers, dtype).array.astype(np.float32)
    with np.errstate(over="ignore"):
        return numbers.astype(computing_dtype(dtype))


def common_shape(one: Value, other: Value) -> Shape | None:
    """The shape of two operands, None where one would silently be repeated along an axis.

    Alike; or one of them a single number; or as many axes, of which those of one operand are 1 (written by `reshape`).
    """
    a, b = shape_of(one), shape_of(other)
    size_a, size_b = int(np.prod(a, dtype=np.int64)), int(np.prod(b, dtype=np.int64))
    if a == b:
        return a
    if 1 in (size_a, size_b):
        return tuple(np.broadcast_shapes(a, b))
    if len(a) != len(b) or any(n != m and 1 not in (n, m) for n, m in zip(a, b, strict=True)):
        return None
    shape = tuple(np.broadcast_shapes(a, b))
    return shape if shape in (a, b) else None


def number_of(value: Value, where: object) -> Array:
    """The numbers of a value in the array that holds them. Raises InputError for a Python number without a float."""
    if isinstance(value, Tensor):
        return value.array
    try:
        return np.asarray(float(value))
    except OverflowError:
        raise InputError(where, "requires a number that float64 holds; found a larger one; write it smaller") from None
