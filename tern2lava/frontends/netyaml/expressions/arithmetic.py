"""What operators and functions of an expression compute, on numbers with torch's dtypes (typed.py).

+ - * / of tensors, comparisons, clip, where, abs, sign, round, floor, ceil, max, min and the casts give torch's numbers
bit for bit. exp, exp2, log, sqrt, sigmoid, tanh, mean and sum are computed in float64 and rounded once to the stored
dtype; torch's own differ from that in the last bit, and from processor to processor.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.frontends.netyaml.expressions.typed import (
    DEFAULT,
    HALVES,
    INTEGERS,
    DtypeError,
    Tensor,
    Value,
    computing_dtype,
    dtype_of,
    is_float,
    operand,
    promoted,
    result_dtype,
    rounded,
    shape_of,
)

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_COMPUTE: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip
SMOOTH: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp, "exp2": np.exp2, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh,
    "sigmoid": lambda x: np.where(x < 0, np.exp(-abs(x)), 1.0) / (1 + np.exp(-abs(x))),
}  # fmt: skip
"""Functions of single numbers whose last bit is not torch's."""
STEPPED: dict[str, Callable[[Array], Array]] = {
    "abs": np.abs, "round": np.rint, "floor": np.floor, "ceil": np.ceil,
    # Of NaN torch's sign is 0: a row of zeros, divided by its mean, stays one.
    "sign": lambda x: np.where(np.isnan(x), 0, np.sign(x)),
}  # fmt: skip


def binary(sign: str, one: Value, other: Value) -> Value:
    """`one sign other`. Raises DtypeError, and ZeroDivisionError and OverflowError of Python numbers."""
    if not isinstance(one, Tensor) and not isinstance(other, Tensor):
        return _of_numbers(sign, one, other)
    dtype = result_dtype(one, other)
    if sign in COMPARE:
        return Tensor(COMPARE[sign](operand(one, dtype), operand(other, dtype)), "bool")
    flags = [isinstance(each, Tensor) and each.dtype == "bool" for each in (one, other)]
    if (dtype == "bool" and sign == "+") or (any(flags) and sign == "-"):
        raise DtypeError("requires numbers to add up; found true and false; write float32(...) of each")
    if sign == "/":
        if not isinstance(one, Tensor):
            # torch computes NUMBER / tensor as the tensor's reciprocal times NUMBER.
            return binary("*", binary("/", Tensor(np.ones((), np.int8), "int8"), other), one)
        dtype = dtype if is_float(dtype) else DEFAULT
    if dtype == "bool":
        return Tensor(operand(one, dtype) & operand(other, dtype), dtype)
    if dtype in INTEGERS:
        return rounded(_of_integers(sign, operand(one, dtype), operand(other, dtype)), dtype)
    # A Python number, or a second operand without axes, meets the float16 or bfloat16 tensor unrounded in * and /.
    product = sign in "*/"
    if sign == "*" and not isinstance(one, Tensor):
        one, other = other, one
    exact = (
        product and dtype in HALVES and not shape_of(other) and (bool(shape_of(one)) or not isinstance(other, Tensor))
    )
    with np.errstate(all="ignore"):
        return rounded(_COMPUTE[sign](operand(one, dtype), operand(other, dtype, exact=exact)), dtype)


def _of_numbers(sign: str, one: bool | int | float, other: bool | int | float) -> Value:
    """As in Python; integers stay within 64 bits."""
    if sign in COMPARE:
        return bool(COMPARE[sign](one, other))
    found: int | float = _COMPUTE[sign](one, other)
    if isinstance(found, int) and abs(found) >= 1 << 63:
        raise OverflowError("an integer of over 63 bits")
    return found


def _of_integers(sign: str, one: Array, other: Array) -> Array:
    """The result in int64; OverflowError where that could not hold it."""
    top = [max(abs(int(part.min(initial=0))), abs(int(part.max(initial=0)))) for part in (one, other)]
    if (top[0] * top[1] if sign == "*" else top[0] + top[1]) >= 1 << 63:
        raise OverflowError("an integer of over 63 bits")
    found: Array = _COMPUTE[sign](one.astype(np.int64), other.astype(np.int64))
    return found


def negative(value: Value) -> Value:
    """-value."""
    if not isinstance(value, Tensor):
        return -value
    if value.dtype == "bool":
        raise DtypeError("requires numbers to negate; found true and false; write float32(...) of them")
    return rounded(-computed(value), value.dtype)


def computed(value: Tensor) -> Array:
    """The numbers of a tensor, integers in int64 (uint64, which that does not hold, in float64)."""
    return (
        value.array.astype(np.float64 if value.dtype == "uint64" else np.int64)
        if value.dtype in INTEGERS
        else value.array
    )


def smooth(function: str, value: Value) -> Value:
    """exp, exp2, log, sqrt, sigmoid or tanh of each number; of integers in float32."""
    with np.errstate(all="ignore"):
        if not isinstance(value, Tensor):
            return float(SMOOTH[function](np.asarray(float(value))))
        _needs_arithmetic(value)
        dtype = value.dtype if is_float(value.dtype) else DEFAULT
        found = SMOOTH[function](value.array.astype(np.float64))
        return rounded(found.astype(computing_dtype(dtype)), dtype)


def stepped(function: str, value: Value) -> Value:
    """abs, sign, round, floor or ceil of each number."""
    if not isinstance(value, Tensor):
        if isinstance(value, float):
            return float(STEPPED[function](np.asarray(value)))
        return int(STEPPED[function](np.asarray(value, np.int64)))
    _needs_arithmetic(value)
    if value.dtype == "bool":
        raise DtypeError("requires numbers; found true and false; write float32(...) of them")
    if value.dtype in INTEGERS and function in ("round", "floor", "ceil"):
        return value
    return rounded(STEPPED[function](computed(value)), value.dtype)


def cast(dtype: str, value: Value) -> Tensor:
    """`value` in another dtype; towards zero into integers, as torch does. Raises DtypeError."""
    numbers = value.array if isinstance(value, Tensor) else np.asarray(value)
    if dtype in INTEGERS and dtype_of(value) not in INTEGERS:
        if not np.isfinite(numbers).all():
            raise DtypeError(f"requires finite numbers for {dtype}; found NaN or infinite ones; name another tensor")
        numbers = np.trunc(numbers.astype(np.float64))
    return rounded(numbers, dtype)


def clip(value: Value, low: Value, high: Value) -> Value:
    """`value`, at least `low`, and then at most `high`."""
    if not any(isinstance(each, Tensor) for each in (value, low, high)):
        return min(max(value, low), high)  # type: ignore[type-var]
    dtype = result_dtype(value, low, high)
    numbers, *ends = (operand(each, dtype) for each in (value, low, high))
    return rounded(np.minimum(np.maximum(numbers, ends[0]), ends[1]), dtype)


def where(condition: Value, yes: Value, no: Value) -> Value:
    """`yes` where `condition` holds, else `no`."""
    if dtype_of(condition) != "bool":
        raise DtypeError("requires a comparison as the first argument of where; found numbers; write for example > 0")
    if not isinstance(condition, Tensor):
        return yes if condition else no
    dtype = result_dtype(yes, no)
    return rounded(np.where(condition.array, operand(yes, dtype), operand(no, dtype)), dtype)


def extreme(larger: bool, one: Value, other: Value) -> Value:
    """The larger (or smaller) of two numbers in each place, NaN where one is."""
    choose = np.maximum if larger else np.minimum
    if not isinstance(one, Tensor) and not isinstance(other, Tensor):
        return max(one, other) if larger else min(one, other)
    dtype = result_dtype(one, other)
    return rounded(choose(operand(one, dtype), operand(other, dtype)), dtype)


def reduced(function: str, value: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    """max, min, mean or sum over `axes`. Raises DtypeError for a mean of integers, as torch does."""
    _needs_arithmetic(value)
    if function in ("max", "min"):
        found = (np.max if function == "max" else np.min)(value.array, axis=axes, keepdims=keep)
        return Tensor(np.asarray(found), value.dtype)
    if is_float(value.dtype):
        numbers = value.array.astype(np.float64)
        with np.errstate(all="ignore"):
            found = (np.sum if function == "sum" else np.mean)(numbers, axis=axes, keepdims=keep)
            return rounded(np.asarray(found).astype(computing_dtype(value.dtype)), value.dtype)
    if function == "mean":
        raise DtypeError(f"requires real numbers for mean; found {value.dtype}; write float32(...) of them")
    largest = int(np.abs(computed(value).astype(np.float64)).max(initial=0)) * max(1, value.array.size)
    if largest >= 1 << 63:
        raise OverflowError("an integer of over 63 bits")
    return Tensor(np.asarray(value.array.sum(axis=axes, keepdims=keep, dtype=np.int64)), "int64")


def _needs_arithmetic(value: Tensor) -> None:
    """Raise DtypeError for a dtype that torch does not compute in."""
    promoted(value.dtype, "bool")


__all__ = ["COMPARE", "SMOOTH", "STEPPED", "binary", "cast", "clip", "extreme", "negative", "reduced", "where"]
