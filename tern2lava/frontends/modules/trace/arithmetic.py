"""Sums, differences, products and quotients of tracked tensors with each other and with constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tern2lava.compiler.ir.shapes import Array, Reals
from tern2lava.frontends.modules.trace.codes import Codes
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import (
    BATCH,
    BATCH_TIME,
    TIME,
    TIME_BATCH,
    TOTAL,
    ZERO,
    Call,
    Expression,
    Foreign,
    Meaning,
    Symbol,
    Weighted,
)


def operand(recorder: Recorder, value: Tensor, shape: Sequence[int], call: Call) -> Symbol | Foreign | None:
    """The Symbol of a tracked argument, spread to the result's `shape` as torch does."""
    if tuple(value.shape) == tuple(shape):
        return recorder.symbol(value)
    codes = recorder.codes_of(value)
    if codes is None:
        return recorder.symbol(value)
    return recorder.placed(codes.expand(tuple(shape)), plain(call.name), call.at)


def plain(name: str) -> str:
    return name.strip("_")


def join(recorder: Recorder, a: Symbol, b: Symbol, at: str) -> Symbol | Foreign | None:
    """The sum of two symbols; one of an earlier step is looked back at."""
    a, b = recorder.own.pair(a, b)
    if TOTAL in (*a.times, *b.times) and a.times != b.times:
        a, b = total(recorder, a, at), total(recorder, b, at)
    if a.axes != b.axes or len(a.times) != len(b.times):
        found = f"{', '.join(a.axes)} and {', '.join(b.axes)}"
        return Foreign(f"a sum of tensors whose axes count different things: {found}{at}")
    times = tuple(max(x, y) if min(x, y) != ZERO else ZERO for x, y in zip(a.times, b.times, strict=True))
    backs = []
    for s in (a, b):
        back = {t - x for t, x in zip(times, s.times, strict=True) if x >= 0 and t >= 0}
        if len(back) > 1:
            return Foreign(f"a sum of different steps of earlier layers{at}")
        backs.append(back.pop() if back else 0)
    if any((x == ZERO) != (y == ZERO) for x, y in zip(a.times, b.times, strict=True)):
        return Foreign(f"a sum of steps of which some are zeros{at}")
    first, second = (recorder.expressions[s.key] for s in (a, b))
    sums = {x + y for x in first.values for y in second.values} if first.values and second.values else set()
    expression = Expression(
        kind="add", label="add", args=((a.key, backs[0]), (b.key, backs[1])), shape=first.shape,
        values=tuple(sorted(sums)) if len(sums) <= 16 else (), at=at,
    )  # fmt: skip
    return Symbol(recorder.express(expression), times, a.axes)


def total(recorder: Recorder, x: Symbol, at: str) -> Symbol:
    """A single step as a sum over steps that has this one alone."""
    if x.times == (TOTAL,):
        return x
    return over_time(recorder, x.key, x.times, (1.0,) * len(x.times), tuple(a for a in x.axes if a != TIME), at)


def over_time(
    recorder: Recorder, key: int, times: Sequence[int], weights: Sequence[float], axes: tuple[str, ...], at: str
) -> Symbol:
    """The sum of weights[n] * expression `key` at times[n]."""
    old = recorder.expressions[key]
    data = (tuple(times), tuple(weights))
    expression = Expression(kind="steps", label="over_time", args=((key, 0),), data=data, shape=old.shape, at=at)
    return Symbol(recorder.express(expression, data), (TOTAL,), axes)


def affine(recorder: Recorder, x: Symbol, gain: Any, offset: Any, shape: Sequence[int], at: str) -> Meaning:
    """gain * x + offset, each a number or a tensor that does not depend on the input and spreads to `shape`."""
    numbers: list[Reals] = []
    for value in (gain, offset):
        found = per_item(value, shape, x.axes, recorder.codes)
        if found is None:
            weights = _per_step(gain, shape, x.axes, recorder.codes) if _is_zero(offset) else None
            if weights is not None:
                what = f"numbers that differ between steps, multiplied with earlier layers{at}"
                return Weighted(what, x, weights)
            return Foreign(f"numbers that differ between steps or samples, added to or multiplied with layers{at}")
        numbers.append(found)
    if numbers[0].size == 1 and numbers[0] == 1 and not numbers[1].any():
        return x
    old = recorder.expressions[x.key]
    values: tuple[float, ...] = ()
    if old.values and numbers[0].ndim == 0 and numbers[1].ndim == 0:
        values = tuple(sorted({float(numbers[0]) * v + float(numbers[1]) for v in old.values}))
    expression = Expression(
        kind="affine", label="scale", args=((x.key, 0),), data=tuple(numbers), shape=old.shape, values=values, at=at
    )
    identity = tuple((n.shape, n.tobytes()) for n in numbers)
    return Symbol(recorder.express(expression, identity), x.times, x.axes)


def _is_zero(value: Any) -> bool:
    return not torch.as_tensor(value).any()


def ordered(array: Array, axes: Sequence[str], by: Codes) -> Array:
    """An array of a tensor's shape as (steps, samples, *items)."""
    merged = next((axis for axis in axes if axis in (TIME_BATCH, BATCH_TIME)), None)
    if merged is not None:
        front: Array = np.moveaxis(array, axes.index(merged), 0)
        if merged == TIME_BATCH:
            return front.reshape(-1, by.batch, *front.shape[1:])
        swapped: Array = front.reshape(by.batch, -1, *front.shape[1:]).swapaxes(0, 1)
        return swapped
    if TIME in axes:
        return np.moveaxis(array, (axes.index(TIME), axes.index(BATCH)), (0, 1))
    return np.moveaxis(array, axes.index(BATCH), 0)[None]


def per_item(value: Any, shape: Sequence[int], axes: Sequence[str], by: Codes) -> Reals | None:
    """A number or tensor as () or the shape of an item; None where it differs between steps or samples."""
    array = torch.as_tensor(value, dtype=torch.float64).detach().cpu().numpy()
    if array.size == 1 or (array == array.reshape(-1)[0]).all():
        return np.array(array.reshape(-1)[0])
    full = ordered(np.broadcast_to(array, tuple(shape)), axes, by)
    if not (full == full[:1, :1]).all():
        return None
    return np.array(full[0, 0])


def _per_step(value: Any, shape: Sequence[int], axes: Sequence[str], by: Codes) -> tuple[float, ...] | None:
    """A tensor as one number for each step; None for others."""
    array = torch.as_tensor(value, dtype=torch.float64).detach().cpu().numpy()
    full = ordered(np.broadcast_to(array, tuple(shape)), axes, by)
    full = full.reshape(len(full), -1)
    return tuple(full[:, 0].tolist()) if (full == full[:, :1]).all() else None


def combine(recorder: Recorder, a: Any, b: Any, sign: Any, call: Call) -> Meaning | None:
    """a + sign * b."""
    shape = call.result.shape
    first = operand(recorder, a, shape, call) if recorder.meaning(a) is not None else None
    second = operand(recorder, b, shape, call) if recorder.meaning(b) is not None else None
    for symbol in (first, second):
        if isinstance(symbol, Foreign):
            return symbol
    if isinstance(first, Symbol) and isinstance(second, Symbol):
        signed = affine(recorder, second, sign, 0.0, shape, call.at)
        return join(recorder, first, signed, call.at) if isinstance(signed, Symbol) else signed
    if isinstance(first, Symbol):
        return affine(recorder, first, 1.0, sign * torch.as_tensor(b, dtype=torch.float64), shape, call.at)
    assert isinstance(second, Symbol)
    return affine(recorder, second, sign, torch.as_tensor(a, dtype=torch.float64), shape, call.at)


def _add(recorder: Recorder, call: Call) -> Meaning | None:
    return combine(recorder, call.args[0], call.argument(1, "other"), call.kwargs.get("alpha", 1.0), call)


def _sub(recorder: Recorder, call: Call) -> Meaning | None:
    if call.args[0].dtype is torch.bool:
        return None
    return combine(recorder, call.args[0], call.argument(1, "other"), -call.kwargs.get("alpha", 1.0), call)


def _rsub(recorder: Recorder, call: Call) -> Meaning | None:
    return combine(recorder, call.argument(1, "other"), call.args[0], -1.0, call)


def _mul(recorder: Recorder, call: Call) -> Meaning | None:
    a, b = call.args[0], call.argument(1, "other")
    shape = call.result.shape
    symbols = [operand(recorder, v, shape, call) for v in (a, b) if recorder.meaning(v) is not None]
    for symbol in symbols:
        if isinstance(symbol, Foreign):
            return symbol
    if len(symbols) == 2:
        first, second = symbols
        assert isinstance(first, Symbol)
        assert isinstance(second, Symbol)
        return product(recorder, first, second, call)
    (symbol,) = symbols
    assert isinstance(symbol, Symbol)
    return affine(recorder, symbol, b if recorder.meaning(a) is not None else a, 0.0, shape, call.at)


def product(recorder: Recorder, a: Symbol, b: Symbol, call: Call) -> Meaning | None:
    """a * b of spikes of 0 and 1, their AND, or of spikes and the potential that made them; None for others."""
    gated = recorder.own.gated(a, b, call.at)
    if gated is not None:
        return gated
    first, second = (recorder.expressions[s.key] for s in (a, b))
    binary = all(e.values and set(e.values) <= {0.0, 1.0} for e in (first, second))
    if not binary or a.axes != b.axes or a.times != b.times:
        return None
    if a == b:
        return a
    args = tuple(sorted(((a.key, 0), (b.key, 0))))
    expression = Expression(
        kind="and", label="and", args=args, data=(1.5,), shape=first.shape, values=(0.0, 1.0), at=call.at
    )
    return Symbol(recorder.express(expression, 1.5), a.times, a.axes)


def _div(recorder: Recorder, call: Call) -> Meaning | None:
    divisor = call.argument(1, "other")
    if recorder.meaning(divisor) is not None or call.kwargs.get("rounding_mode"):
        return None
    symbol = operand(recorder, call.args[0], call.result.shape, call)
    if not isinstance(symbol, Symbol):
        return symbol
    gain = 1.0 / torch.as_tensor(divisor, dtype=torch.float64)
    return affine(recorder, symbol, gain, 0.0, call.result.shape, call.at)


def _neg(recorder: Recorder, call: Call) -> Meaning | None:
    symbol = recorder.symbol(call.args[0])
    return affine(recorder, symbol, -1.0, 0.0, call.result.shape, call.at) if isinstance(symbol, Symbol) else symbol


def _batch_norm(recorder: Recorder, call: Call) -> Meaning | None:
    """weight * (x - mean) / sqrt(var + eps) + bias, with stored statistics."""
    names = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    defaults = (None, None, None, None, False, 0.1, 1e-5)
    values = [call.argument(n, name, default) for n, (name, default) in enumerate(zip(names, defaults, strict=True), 1)]
    mean, var, weight, bias, training, _, eps = values
    symbol = recorder.symbol(call.args[0])
    if not isinstance(symbol, Symbol):
        return symbol
    if training or mean is None or var is None:
        return Foreign(f"a normalisation by the statistics of the batch{call.at}")
    gain = (1.0 if weight is None else weight) / torch.sqrt(var + eps)
    offset = (0.0 if bias is None else bias) - mean * gain
    spread = (1, -1, *[1] * (call.result.ndim - 2))
    return affine(recorder, symbol, gain.reshape(spread), offset.reshape(spread), call.result.shape, call.at)


HANDLERS: dict[str, Callable[[Recorder, Call], Any]] = {
    **dict.fromkeys(("add", "iadd", "radd"), _add),
    **dict.fromkeys(("sub", "isub", "subtract"), _sub),
    **dict.fromkeys(("rsub",), _rsub),
    **dict.fromkeys(("mul", "imul", "rmul", "multiply"), _mul),
    **dict.fromkeys(("div", "truediv", "itruediv", "true_divide", "divide"), _div),
    **dict.fromkeys(("neg", "negative"), _neg),
    "batch_norm": _batch_norm,
}
