"""The functions of an expression: what each takes, and what it gives. docs/net-yaml.md has their table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tern2lava.compiler.ir.shapes import Shape
from tern2lava.counts import count
from tern2lava.frontends.netyaml.expressions import arithmetic, packed
from tern2lava.frontends.netyaml.expressions.packed import Packing
from tern2lava.frontends.netyaml.expressions.tree import (
    Expression,
    ExpressionError,
    Items,
    Negative,
    Number,
    Text,
    Word,
)
from tern2lava.frontends.netyaml.expressions.typed import INTEGERS, Tensor, Value, shape_of

REQUIRED = object()
MAX_AXES = 8
LARGEST = 1 << 40


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """An argument. read: what a tree that is no value stands for; None: it is a value, which is evaluated."""

    name: str
    read: Callable[[Expression], Any] | None = None
    default: Any = REQUIRED


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function. run: of its arguments in order. alike: the names of values whose shapes must be alike. grows: how
    many times more numbers it gives than its first argument has."""

    name: str
    parameters: tuple[Parameter, ...]
    run: Callable[..., Value]
    alike: tuple[str, ...] = ()
    grows: int = 1

    @property
    def written(self) -> str:
        """How it is called, as in `clip(x, low, high)`."""
        names = (p.name if p.default is REQUIRED else f"{p.name}=..." for p in self.parameters)
        return f"{self.name}({', '.join(names)})"


def _whole(tree: Expression, rule: str = "a whole number") -> int:
    match tree:
        case Number(value=int() as value):
            return value
        case Negative(operand=Number(value=int() as value)):
            return -value
    raise ExpressionError(tree.at, f"requires {rule}, written out; found another; mend it")


def _axes(tree: Expression) -> tuple[int, ...]:
    values = tree.values if isinstance(tree, Items) else (tree,)
    return tuple(_whole(value, "an axis, or several in brackets") for value in values)


def _sizes(tree: Expression) -> tuple[int, ...]:
    if not isinstance(tree, Items):
        raise ExpressionError(tree.at, "requires sizes in brackets; found another; write for example [8, -1]")
    sizes = tuple(_whole(value) for value in tree.values)
    if len(sizes) > MAX_AXES or any(not -1 <= size <= LARGEST for size in sizes):
        raise ExpressionError(tree.at, f"requires at most {MAX_AXES} sizes from 0 on; found others; mend them")
    return sizes


def _codes(tree: Expression) -> tuple[int | float | None, ...]:
    values = tree.values if isinstance(tree, Items) else ()
    found: list[int | float | None] = []
    for value in values:
        match value:
            case Word(value=None):
                found.append(None)
            case Number() as number:
                found.append(number.value)
            case Negative(operand=Number() as number):
                found.append(-number.value)
            case _:
                values = ()
    if not values:
        raise ExpressionError(
            tree.at, "requires numbers in brackets; found another; write for example [-1, 0, 1, none]"
        )
    return tuple(found)


def _choice(tree: Expression, known: tuple[str, ...]) -> str:
    if not (isinstance(tree, Text) and tree.value in known):
        raise ExpressionError(
            tree.at, f"requires {' or '.join(map(repr, known))}; found {_shown(tree)}; choose one of them in quotes"
        )
    return tree.value


def _flag(tree: Expression) -> bool:
    if not (isinstance(tree, Word) and tree.value is not None):
        raise ExpressionError(tree.at, "requires true or false; found another; mend it")
    return tree.value


def _shown(tree: Expression) -> str:
    return repr(tree.value)[:40] if isinstance(tree, Text | Number | Word) else "another"


def _axis(axis: int, axes: int) -> int:
    """`axis` counted from the front. Raises ValueError where there is none."""
    if not -axes <= axis < axes:
        there = f"from {-axes} to {axes - 1}, those of a tensor" if axes else "of a tensor that has some"
        raise ValueError(f"requires an axis {there}; found {axis}; mend it")
    return axis % axes


def _reduce(function: str, x: Value, axis: tuple[int, ...] | None, keepdim: bool) -> Value:
    if not isinstance(x, Tensor):
        raise ValueError(f"requires a tensor for {function}; found a number; write the number itself")
    axes = tuple(range(x.array.ndim)) if axis is None else tuple(_axis(each, x.array.ndim) for each in axis)
    if len(set(axes)) != len(axes):
        raise ValueError("requires each axis once; found one twice; leave one out")
    if not math.prod(x.array.shape[each] for each in axes):
        raise ValueError(f"requires a number at least for {function}; found none; name another tensor")
    return arithmetic.reduced(function, x, axes, keepdim)


def _reshape(x: Value, sizes: Shape) -> Value:
    tensor = x if isinstance(x, Tensor) else arithmetic.cast("float32" if isinstance(x, float) else "int64", x)
    known = math.prod(size for size in sizes if size != -1)
    total = tensor.array.size
    if sizes.count(-1) > 1 or (total % known if -1 in sizes and known else total != known):
        raise ValueError(
            f"requires sizes for {count(total, 'number')}, of which one may be -1; found {list(sizes)}; mend them"
        )
    if -1 in sizes and not known:
        raise ValueError("requires sizes that -1 can be told from; found a size of 0; write all sizes")
    return Tensor(tensor.array.reshape(sizes), tensor.dtype)


def _transpose(x: Value, one: int | None, other: int | None) -> Value:
    shape = shape_of(x)
    if (one is None) != (other is None) or (one is None and len(shape) != 2):
        raise ValueError(f"requires two axes to exchange; found a tensor of shape {shape}; write transpose(x, 0, 1)")
    order = list(range(len(shape)))
    first, second = _axis(one or 0, len(shape)), _axis(1 if other is None else other, len(shape))
    order[first], order[second] = second, first
    return _permute(x, tuple(order))


def _permute(x: Value, axes: tuple[int, ...]) -> Value:
    order = [_axis(axis, len(shape_of(x))) for axis in axes]
    if not isinstance(x, Tensor) or sorted(order) != list(range(x.array.ndim)):
        raise ValueError(f"requires each axis of a tensor of shape {shape_of(x)} once; found {list(axes)}; mend them")
    return Tensor(x.array.transpose(order), x.dtype)


def _unpack(
    digits: int, packed_codes: Value, codes: tuple[int | float | None, ...], order: str, axis: int, shape: Shape,
    layout: str,
) -> Value:  # fmt: skip
    bytes_only = digits == 3
    if not isinstance(packed_codes, Tensor) or packed_codes.dtype not in (
        ("uint8", "int8") if bytes_only else INTEGERS
    ):
        kind = packed_codes.dtype if isinstance(packed_codes, Tensor) else "a number"
        raise ValueError(
            f"requires packed {'bytes' if bytes_only else 'integers'}; found {kind}; name the packed tensor"
        )
    if len(codes) != digits:
        raise ValueError(f"requires {digits} codes, one for each digit; found {len(codes)}; write none for one unused")
    if -1 in shape:
        raise ValueError("requires all sizes of shape; found -1; write them out")
    axes = packed_codes.array.ndim
    packing = Packing(
        codes=codes, low_first=order == "low first", blocks=layout == "blocks", axis=_axis(axis, axes), shape=shape
    )
    found = (packed.base_three if bytes_only else packed.two_bits)(packed_codes.array, packing)
    whole = all(code is None or (isinstance(code, int) and -128 <= code <= 127) for code in codes)
    return arithmetic.cast(
        "int8" if whole else "float32", Tensor(found, "float64" if found.dtype.kind == "f" else "int64")
    )


def _dequantize(x: Value, scale: Value, zero_point: Value) -> Value:
    """(x - zero_point) scale: the integers exact, then in the dtype of the scale, as torch's dequantize."""
    if not isinstance(x, Tensor) or x.dtype not in INTEGERS:
        found = x.dtype if isinstance(x, Tensor) else "a number"
        raise ValueError(f"requires integers to dequantize; found {found}; name the tensor of codes")
    exact = arithmetic.binary("-", arithmetic.cast("int64", x), zero_point)
    return arithmetic.binary("*", exact, scale)


_X = Parameter(name="x")
_PACKED = (
    Parameter(name="packed"), Parameter(name="codes", read=_codes),
    Parameter(name="order", read=lambda tree: _choice(tree, ("low first", "high first"))),
    Parameter(name="axis", read=_whole), Parameter(name="shape", read=_sizes),
    Parameter(name="layout", read=lambda tree: _choice(tree, ("adjacent", "blocks")), default="adjacent"),
)  # fmt: skip
_CASTS = ("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8")


def _reduction(name: str) -> Function:
    return Function(
        name=name, run=partial(_reduce, name),
        parameters=(
            _X, Parameter(name="axis", read=_axes, default=None), Parameter(name="keepdim", read=_flag, default=False),
        ),
    )  # fmt: skip


def _unpacking(name: str, digits: int, grows: int) -> Function:
    return Function(name=name, parameters=_PACKED, run=partial(_unpack, digits), grows=grows)


_ALL = (
    *(Function(name=n, parameters=(_X,), run=partial(arithmetic.smooth, n)) for n in arithmetic.SMOOTH),
    *(Function(name=n, parameters=(_X,), run=partial(arithmetic.stepped, n)) for n in arithmetic.STEPPED),
    *(Function(name=n, parameters=(_X,), run=partial(arithmetic.cast, n)) for n in _CASTS),
    Function(
        name="clip", parameters=(_X, Parameter(name="low"), Parameter(name="high")), run=arithmetic.clip,
        alike=("x", "low", "high"),
    ),
    Function(
        name="where", parameters=(Parameter(name="condition"), Parameter(name="yes"), Parameter(name="no")),
        run=arithmetic.where, alike=("condition", "yes", "no"),
    ),
    *(
        Function(name=n, parameters=(_X, Parameter(name="y")), run=partial(arithmetic.extreme, large), alike=("x", "y"))
        for n, large in (("maximum", True), ("minimum", False))
    ),
    *map(_reduction, ("max", "min", "mean", "sum")),
    Function(name="reshape", parameters=(_X, Parameter(name="sizes", read=_sizes)), run=_reshape),
    Function(
        name="transpose", run=_transpose,
        parameters=(
            _X, Parameter(name="one", read=_whole, default=None), Parameter(name="other", read=_whole, default=None),
        ),
    ),
    Function(name="permute", parameters=(_X, Parameter(name="axes", read=_axes)), run=_permute),
    _unpacking("unpack2", 4, 32), _unpacking("unpack3", 3, packed.TRITS),
    Function(
        name="dequantize", parameters=(_X, Parameter(name="scale"), Parameter(name="zero_point", default=0)),
        run=_dequantize, alike=("x", "scale", "zero_point"),
    ),
)  # fmt: skip
FUNCTIONS: Mapping[str, Function] = {function.name: function for function in _ALL}
"""Every function by its name, but for t('NAME'), which names a tensor."""


def check_reads(tree: Expression) -> None:
    """Raise ExpressionError for a text, list or word where a value is needed."""
    if isinstance(tree, Text | Items | Word):
        found = f"a text; write t({_shown(tree)}) for a tensor" if isinstance(tree, Text) else "another; mend it"
        raise ExpressionError(tree.at, f"requires a number or a tensor; found {found}")


__all__ = ["FUNCTIONS", "REQUIRED", "Function", "Parameter", "check_reads"]
