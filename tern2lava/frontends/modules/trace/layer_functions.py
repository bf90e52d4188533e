"""torch's functions that are layers with a structure of their own: linear, convolutions, pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from tern2lava.frontends.modules.trace.linear import probe
from tern2lava.frontends.modules.trace.moving import HANDLERS as MOVING
from tern2lava.frontends.modules.trace.recorder import Recorder, item_shape
from tern2lava.frontends.modules.trace.symbols import (
    BATCH,
    BATCH_TIME,
    ITEM,
    TIME_BATCH,
    Call,
    Expression,
    Foreign,
    Meaning,
    Symbol,
)


def layer(
    recorder: Recorder, kind: str, symbol: Symbol, data: tuple[Any, ...], axes: tuple[str, ...], call: Call
) -> Symbol:
    """The Symbol of a function whose numbers are in `data`, compared by their values."""
    expression = Expression(
        kind=kind, label=kind, args=((symbol.key, 0),), data=data, shape=item_shape(call.result, axes), at=call.at,
        values=(0.0, 1.0) if kind.endswith(("maxpool", "adaptivemax")) else (),
    )  # fmt: skip
    known = len(recorder.expressions)
    key = recorder.express(expression, recorder.digests.of(data))
    if key == known:
        # The forward may write other numbers into its tensors later.
        own = tuple(value.detach().clone() if isinstance(value, Tensor) else value for value in data)
        recorder.expressions[key] = replace(recorder.expressions[key], data=own)
    return Symbol(key, symbol.times, axes)


def _source(recorder: Recorder, call: Call, *constants: Any) -> Symbol | Foreign | None:
    """What the first argument stands for; None where others depend on the input too."""
    if any(recorder.meaning(value) is not None for value in constants):
        return None
    symbol = recorder.symbol(call.args[0])
    if isinstance(symbol, Symbol) and symbol.sequence and not symbol.whole(recorder.steps):
        alone = recorder.symbol(call.args[0], single=True)
        return alone if isinstance(alone, Symbol) else symbol
    return symbol


def _linear(recorder: Recorder, call: Call) -> Meaning | None:
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    symbol = _source(recorder, call, weight, bias)
    if not isinstance(symbol, Symbol) or weight.ndim != 2:
        return symbol if isinstance(symbol, Foreign) else None
    if symbol.axes[-1] != ITEM:
        return Foreign(f"torch.linear over steps or samples{call.at}")
    return layer(recorder, "linear", symbol, (weight, bias), symbol.axes, call)


def _matmul(recorder: Recorder, call: Call) -> Meaning | None:
    """x @ matrix is a linear layer; others are found out."""
    weight = call.argument(1, "other")
    meaning = recorder.meaning(call.args[0])
    if meaning is None or recorder.meaning(weight) is not None or weight.ndim != 2:
        return probe(recorder, call)
    symbol = _source(recorder, call, weight)
    if not isinstance(symbol, Symbol) or symbol.axes[-1] != ITEM:
        return probe(recorder, call)
    return layer(recorder, "linear", symbol, (weight.T, None), symbol.axes, call)


def _images(recorder: Recorder, call: Call, dimensions: int, *constants: Any) -> Symbol | Foreign | None:
    """What the first argument stands for, where it is (samples, channels, *`dimensions` axes)."""
    symbol = _source(recorder, call, *constants)
    if not isinstance(symbol, Symbol):
        return symbol
    if symbol.leading not in ((BATCH,), (TIME_BATCH,), (BATCH_TIME,)) or len(symbol.axes) != dimensions + 2:
        return Foreign(f"torch.{call.name} over axes of {', '.join(symbol.axes)}{call.at}")
    return symbol


def _conv(recorder: Recorder, call: Call) -> Meaning | None:
    names = (("weight", None), ("bias", None), ("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1))
    values = [call.argument(n, name, default) for n, (name, default) in enumerate(names, 1)]
    symbol = _images(recorder, call, int(call.name[-2]), *values[:2])
    if not isinstance(symbol, Symbol):
        return symbol
    return layer(recorder, "conv", symbol, _settings(values), symbol.axes, call)


_POOL = (("kernel_size", None), ("stride", None), ("padding", 0))
_AVERAGE = (*_POOL, ("ceil_mode", False), ("count_include_pad", True), ("divisor_override", None))
_MAXIMUM = (*_POOL, ("dilation", 1), ("ceil_mode", False), ("return_indices", False))


def _avgpool(recorder: Recorder, call: Call) -> Meaning | None:
    values = [call.argument(n, name, default) for n, (name, default) in enumerate(_AVERAGE, 1)]
    kernel, stride, padding, ceil, _, divisor = values
    symbol = _images(recorder, call, int(call.name[-2]))
    counted = values[4] or not any(padding if isinstance(padding, tuple | list) else (padding,))
    if not isinstance(symbol, Symbol) or ceil or divisor is not None or not counted:
        return probe(recorder, call)
    return layer(recorder, "avgpool", symbol, _settings((kernel, stride or kernel, padding)), symbol.axes, call)


def _maxpool(recorder: Recorder, call: Call) -> Meaning | None:
    values = [call.argument(n, name, default) for n, (name, default) in enumerate(_MAXIMUM, 1)]
    kernel, stride, padding, dilation, ceil, indices = values
    symbol = _images(recorder, call, int(call.name[-2]))
    if not isinstance(symbol, Symbol) or indices:
        return None
    data = _settings((kernel, stride or kernel, padding, dilation, bool(ceil)))
    return layer(recorder, "maxpool", symbol, data, symbol.axes, call)


def _adaptive_maxpool(recorder: Recorder, call: Call) -> Meaning | None:
    size = call.argument(1, "output_size")
    symbol = _images(recorder, call, int(call.name[-2]))
    if not isinstance(symbol, Symbol) or call.argument(2, "return_indices", False):
        return symbol if isinstance(symbol, Foreign) else None
    return layer(recorder, "adaptivemax", symbol, _settings((size,)), symbol.axes, call)


def _settings(values: Sequence[Any]) -> tuple[Any, ...]:
    """Settings as numbers, tuples and tensors."""
    return tuple(tuple(v) if isinstance(v, list) else v for v in values)


def _interpolate(recorder: Recorder, call: Call) -> Any:
    found = MOVING["interpolate"](recorder, call)
    return probe(recorder, call) if found is None else found


HANDLERS: dict[str, Callable[[Recorder, Call], Any]] = {
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm"), _matmul),
    **dict.fromkeys(("conv1d", "conv2d"), _conv),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d"), _avgpool),
    **dict.fromkeys(("max_pool1d", "max_pool2d"), _maxpool),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d"), _adaptive_maxpool),
    **dict.fromkeys(("interpolate", "upsample"), _interpolate),
}
