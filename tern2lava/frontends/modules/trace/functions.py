"""What torch's functions between layers mean for a Recorder's Symbols; all others make a tensor Foreign."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tern2lava.compiler.ir.shapes import Reals
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import ALL, STATIC, Expression, Foreign, State, Symbol

_PLAIN = frozenset(("zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_full"))
"""Functions that take no numbers from their argument, only its shape."""

_OUTSIDE = frozenset(("item", "tolist", "numpy", "__bool__", "__float__", "__int__", "__index__", "__array__"))


def follow(recorder: Recorder, name: str, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> None:
    """Mark what `result` of the torch function `name` stands for. Raises UnsupportedError where numbers leave torch."""
    meanings = [m for value in _flat([*args, *kwargs.values()]) if (m := recorder.meaning(value)) is not None]
    if not meanings or name in _PLAIN:
        return
    if name in _OUTSIDE:
        raise UnsupportedError(
            recorder.source,
            "a forward that depends on no spike",
            f"Tensor.{name} of a tensor that depends on the input",
            "keep Python's control flow free of data",
        )
    if name == "__setitem__":
        recorder.mark(args[0], Foreign("a tensor written in place (use torch.stack)"))
        return
    strange = next((m for m in meanings if not isinstance(m, Symbol)), None)
    parts = result if isinstance(result, tuple | list) else [result]
    if strange is not None:
        what = strange if isinstance(strange, Foreign) else Foreign("a membrane potential or current of neurons")
        for part in parts:
            recorder.mark(part, strange if isinstance(strange, State) and name in _VIEWS else what)
        return
    handler = HANDLERS.get(name.strip("_") if name.startswith("__") else name.rstrip("_"))
    found = handler(recorder, args, kwargs, result) if handler is not None else None
    found = found if isinstance(found, list) else [found] * len(parts)
    for part, symbol in zip(parts, found, strict=True):
        recorder.mark(part, symbol if symbol is not None else Foreign(f"torch.{name} of earlier layers"))


Handler = Callable[[Recorder, Sequence[Any], dict[str, Any], Any], Any]


def _flat(values: Sequence[Any]) -> list[Any]:
    result: list[Any] = []
    for value in values:
        result += _flat(value) if isinstance(value, tuple | list) else [value]
    return result


def join(recorder: Recorder, a: Symbol, b: Symbol, shape: Sequence[int]) -> Symbol | None:
    """The sum of two symbols; one of an earlier step is looked back at."""
    if a.axes != b.axes or (ALL in (a.time, b.time) and a.time != b.time):
        return None
    time = max(a.time, b.time)
    args = tuple((s.key, time - s.time if s.time >= 0 and time >= 0 else 0) for s in (a, b))
    skip = 2 if a.axes in ("time", "batch") else 1
    key = recorder.express(Expression(kind="add", label="add", args=args, shape=tuple(shape[skip:])))
    return Symbol(key, time, a.axes)


def affine(recorder: Recorder, x: Symbol, gain: Any, offset: Any, result: Tensor) -> Symbol:
    """gain * x + offset, each a number or a tensor that does not depend on the input."""
    shape = recorder.item_shape(result, x.axes)
    channels = [_per_channel(value, shape, x.axes) for value in (gain, offset)]
    if channels[0] is None or channels[1] is None:
        key = recorder.express(
            Expression(kind="constant", label="numbers", args=((x.key, 0),), shape=shape), identity=id(result)
        )
        return Symbol(key, x.time, x.axes)
    identity = tuple(value.tobytes() for value in channels if value is not None)
    if channels[0].size == 1 and channels[0] == 1 and not channels[1].any():
        return x
    expression = Expression(kind="affine", label="scale", args=((x.key, 0),), data=tuple(channels), shape=shape)
    return Symbol(recorder.express(expression, identity=identity), x.time, x.axes)


def _per_channel(value: Any, shape: Sequence[int], axes: str) -> Reals | None:
    """A number or tensor as () or (channels,) where it is one along the first axis of `shape`; else None."""
    array = torch.as_tensor(value, dtype=torch.float64).detach().cpu().numpy()
    if array.size == 1:
        return array.reshape(())
    lead = 2 if axes in ("time", "batch") else 1
    full = (*([1] * (lead + len(shape) - array.ndim)), *array.shape)
    if not shape or full != (*([1] * lead), shape[0], *([1] * (len(shape) - 1))):
        if not array.any():
            return array.reshape(-1)[:1].reshape(())
        return None
    return array.reshape(-1)


def _add(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    return _combine(recorder, args, kwargs, result, 1.0)


def _sub(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    return _combine(recorder, args, kwargs, result, -1.0)


def _rsub(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    return _combine(recorder, (args[1], args[0]), kwargs, result, -1.0)


def _combine(
    recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Tensor, sign: float
) -> Symbol | None:
    """args[0] + sign * args[1]."""
    a, b = args[0], args[1] if len(args) > 1 else kwargs.get("other")
    first, second = recorder.meaning(a), recorder.meaning(b)
    if kwargs.get("alpha", 1) != 1 or any(
        isinstance(v, Tensor) and recorder.meaning(v) is not None and v.shape != result.shape for v in (a, b)
    ):
        return None
    if isinstance(first, Symbol) and isinstance(second, Symbol):
        if sign < 0:
            second = affine(recorder, second, sign, 0.0, result)
        return join(recorder, first, second, tuple(result.shape))
    if isinstance(first, Symbol):
        return affine(recorder, first, 1.0, sign * torch.as_tensor(b, dtype=torch.float64), result)
    assert isinstance(second, Symbol)
    return affine(recorder, second, sign, torch.as_tensor(a, dtype=torch.float64), result)


def _mul(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    a, b = args[0], args[1] if len(args) > 1 else kwargs.get("other")
    if recorder.meaning(a) is not None and recorder.meaning(b) is not None:
        return None
    symbol, tensor, factor = (recorder.meaning(a), a, b) if recorder.meaning(a) is not None else (
        recorder.meaning(b), b, a)  # fmt: skip
    assert isinstance(symbol, Symbol)
    same = isinstance(tensor, Tensor) and tensor.shape == result.shape
    return affine(recorder, symbol, factor, 0.0, result) if same else None


def _div(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    symbol, divisor = recorder.meaning(args[0]), args[1] if len(args) > 1 else kwargs.get("other")
    if not isinstance(symbol, Symbol) or recorder.meaning(divisor) is not None or kwargs.get("rounding_mode"):
        return None
    return affine(recorder, symbol, 1.0 / torch.as_tensor(divisor, dtype=torch.float64), 0.0, result)


def _neg(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    symbol = recorder.meaning(args[0])
    assert isinstance(symbol, Symbol)
    return affine(recorder, symbol, -1.0, 0.0, result)


def _view(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    """Another shape of the same numbers in the same order: as it was, flattened per step, or time and batch merged."""
    x, symbol = args[0], recorder.meaning(args[0])
    if not isinstance(symbol, Symbol) or not isinstance(result, Tensor):
        return None
    shape, axes = tuple(result.shape), symbol.axes
    lead = 2 if axes in ("time", "batch") else 1
    if shape == tuple(x.shape):
        # Relative alone: of weights near 1e-9 a cast to whole numbers would leave nothing, and pass as a cast.
        return symbol if torch.allclose(result.double(), x.double(), rtol=1e-6, atol=0.0) else None
    item = recorder.item_shape(x, axes)
    count = x[(0,) * lead].numel()
    if axes == "time" and shape == (x.shape[0] * x.shape[1], *item):
        return Symbol(symbol.key, symbol.time, "merged")
    if axes == "merged" and shape == (recorder.steps, recorder.batch, *item):
        return Symbol(symbol.key, symbol.time, "time")
    if shape != (*x.shape[:lead], count):
        return None
    key = recorder.express(Expression(kind="flatten", label="flatten", args=((symbol.key, 0),), shape=(count,)))
    return Symbol(key, symbol.time, axes)


def _getitem(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    """x[t] of (time, batch, ...), x[:, t] of (batch, time, ...)."""
    x, symbol = args[0], recorder.meaning(args[0])
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    index = tuple(part for part in index if part is not Ellipsis)
    everything = slice(None)
    while len(index) > 1 and isinstance(index[-1], slice) and index[-1] == everything:
        index = index[:-1]
    assert isinstance(symbol, Symbol)
    wanted = {"time": 1, "batch": 2}.get(symbol.axes, 0)
    if len(index) != wanted or symbol.time not in (ALL,) or not _is_whole(index[-1]):
        return symbol if all(isinstance(i, slice) and i == everything for i in index) else None
    if wanted == 2 and not (isinstance(index[0], slice) and index[0] == everything):
        return None
    return Symbol(symbol.key, int(index[-1]) % x.shape[wanted - 1], "step")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _select(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    dim, index = _argument(args, kwargs, 1, "dim", 0), _argument(args, kwargs, 2, "index", 0)
    return _getitem(recorder, (args[0], (*([slice(None)] * int(dim)), index)), {}, result) if int(dim) >= 0 else None


def _unbind(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Any:
    dim = int(_argument(args, kwargs, 1, "dim", 0))
    symbol = recorder.meaning(args[0])
    assert isinstance(symbol, Symbol)
    if symbol.time != ALL or dim != {"time": 0, "batch": 1}.get(symbol.axes, -9):
        return None
    return [Symbol(symbol.key, t, "step") for t in range(len(result))]


def _stack(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    parts = [recorder.meaning(value) for value in args[0]]
    dim = int(_argument(args, kwargs, 1, "dim", 0))
    first = parts[0]
    if not isinstance(first, Symbol) or first.axes != "step" or dim not in (0, 1) or len(parts) != recorder.steps:
        return None
    if any(not isinstance(p, Symbol) or (p.key, p.axes) != (first.key, "step") for p in parts):
        return None
    times = [p.time for p in parts if isinstance(p, Symbol)]
    if times != list(range(recorder.steps)) and set(times) != {STATIC}:
        return None
    return Symbol(first.key, ALL, ("time", "batch")[dim])


def _swap(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    """Time and batch exchanged, everything else in place."""
    x, symbol = args[0], recorder.meaning(args[0])
    assert isinstance(symbol, Symbol)
    if symbol.axes not in ("time", "batch"):
        return None
    strides = (x.stride()[1], x.stride()[0], *x.stride()[2:])
    if tuple(result.shape) != (x.shape[1], x.shape[0], *x.shape[2:]) or result.stride() != strides:
        return None
    return Symbol(symbol.key, symbol.time, {"time": "batch", "batch": "time"}[symbol.axes])


def _function(
    recorder: Recorder, kind: str, x: Any, data: tuple[Any, ...], result: Tensor, any_axes: bool
) -> Symbol | None:
    """A torch function that is a layer, its numbers in `data`."""
    symbol = recorder.meaning(x)
    if not isinstance(symbol, Symbol) or any(recorder.meaning(value) is not None for value in data):
        return None
    if not any_axes and symbol.axes not in ("step", "merged"):
        return None
    identity = tuple(id(value) if isinstance(value, Tensor) else value for value in data)
    expression = Expression(
        kind=kind, label=kind, args=((symbol.key, 0),), data=data, shape=recorder.item_shape(result, symbol.axes)
    )
    return Symbol(recorder.express(expression, identity=identity), symbol.time, symbol.axes)


def _linear(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    weight, bias = _argument(args, kwargs, 1, "weight"), _argument(args, kwargs, 2, "bias")
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        return None
    return _function(recorder, "linear", args[0], (weight, bias), result, True)


def _matmul(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    weight = args[1]
    if recorder.meaning(weight) is not None or weight.ndim != 2:
        return None
    return _function(recorder, "matmul", args[0], (weight,), result, True)


def _conv(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    names = (("weight", None), ("bias", None), ("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1))
    values = [_argument(args, kwargs, n, name, default) for n, (name, default) in enumerate(names, 1)]
    data = tuple(tuple(value) if isinstance(value, list) else value for value in values)
    return _function(recorder, "conv", args[0], data, result, False)


def _pool(kind: str) -> Handler:
    def handle(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
        names = ("kernel_size", "stride", "padding")
        values = [_argument(args, kwargs, n, name) for n, name in enumerate(names, 1)]
        # Settings beyond these three are torch's defaults, or the function is not followed.
        if len(args) > 4 or set(kwargs) - {*names, "input", "dilation", "ceil_mode", "return_indices"}:
            return None
        if kwargs.get("dilation", 1) != 1 or kwargs.get("ceil_mode") or kwargs.get("return_indices"):
            return None
        data = tuple(tuple(value) if isinstance(value, list) else value for value in values)
        return _function(recorder, kind, args[0], data, result, False)

    return handle


def _dropout(recorder: Recorder, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> Symbol | None:
    symbol = recorder.meaning(args[0])
    return symbol if isinstance(symbol, Symbol) and torch.equal(args[0], result) else None


def _argument(args: Sequence[Any], kwargs: dict[str, Any], position: int, name: str, default: Any = None) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, default)


_VIEWS = frozenset((
    "flatten", "view", "reshape", "squeeze", "unsqueeze", "unflatten", "contiguous", "clone", "detach", "to", "float",
    "double", "type", "type_as", "cpu", "requires_grad_", "view_as", "reshape_as",
))  # fmt: skip
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys((name.rstrip("_") for name in _VIEWS), _view),
    **dict.fromkeys(("add", "iadd", "radd"), _add),
    **dict.fromkeys(("sub", "isub", "subtract"), _sub),
    **dict.fromkeys(("rsub",), _rsub),
    **dict.fromkeys(("mul", "imul", "rmul", "multiply"), _mul),
    **dict.fromkeys(("div", "truediv", "itruediv", "true_divide", "divide"), _div),
    **dict.fromkeys(("neg", "negative"), _neg),
    **dict.fromkeys(("transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "permute"), _swap),
    **dict.fromkeys(("conv1d", "conv2d"), _conv),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d"), _dropout),
    "getitem": _getitem,
    "select": _select,
    "unbind": _unbind,
    "stack": _stack,
    "linear": _linear,
    "matmul": _matmul,
    "avg_pool2d": _pool("avgpool"),
    "max_pool2d": _pool("maxpool"),
}
"""The functions that are followed, by name without underscores around it."""
