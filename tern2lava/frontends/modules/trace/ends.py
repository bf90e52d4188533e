"""Functions that forwards end in: softmax, votes for the largest class, and maxima over the steps.

They are no linear functions: what they give is read by an output alone (returned.py), never by a layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from tern2lava.frontends.modules.trace.elementwise import of_values
from tern2lava.frontends.modules.trace.gates import over_axes
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import ITEM, TIME, TOTAL, Call, Expression, Foreign, Meaning, Symbol


def _over_classes(recorder: Recorder, call: Call) -> Meaning | None:
    """softmax or log_softmax over the one axis of items."""
    symbol, dim = _single(recorder, call, 1)
    if not isinstance(symbol, Symbol) or dim is None:
        return symbol if isinstance(symbol, Foreign) else None
    if symbol.axes[dim] != ITEM or sum(axis == ITEM for axis in symbol.axes) != 1:
        return Foreign(f"torch.{call.name} over another axis than that of the classes{call.at}")
    return _ended(recorder, symbol, call.name.strip("_"), symbol.times, symbol.axes, call)


def _largest_class(recorder: Recorder, call: Call) -> Meaning | None:
    """argmax over the one axis of items."""
    symbol, dim = _single(recorder, call, 1)
    if not isinstance(symbol, Symbol) or dim is None:
        return symbol if isinstance(symbol, Foreign) else None
    if symbol.axes[dim] != ITEM or sum(axis == ITEM for axis in symbol.axes) != 1 or call.argument(2, "keepdim", False):
        return Foreign(f"torch.argmax over another axis than that of the classes{call.at}")
    axes = tuple(axis for axis in symbol.axes if axis != ITEM)
    return _ended(recorder, symbol, "argmax", symbol.times, axes, call, shape=())


def _one_hot(recorder: Recorder, call: Call) -> Meaning | None:
    """The votes of an argmax: 1 for its class, 0 for the others."""
    symbol = recorder.symbol(call.args[0])
    if not isinstance(symbol, Symbol):
        return symbol
    expression = recorder.expressions[symbol.key]
    if expression.kind != "argmax":
        return None
    classes = recorder.expressions[expression.args[0][0]].shape
    if tuple(call.result.shape[-1:]) != classes:
        return Foreign(f"votes for {call.result.shape[-1]} of {classes[0]} classes{call.at}")
    return _ended(recorder, symbol, "votes", symbol.times, (*symbol.axes, ITEM), call, shape=classes)


def _maximum(recorder: Recorder, call: Call) -> Any:
    """max, amax over the steps; max over the classes with its indices, as argmax; with a constant as any function."""
    if isinstance(call.argument(1, "dim", call.argument(1, "other")), Tensor | float):
        return of_values(recorder, call)
    symbol, dim = _single(recorder, call, 1)
    if not isinstance(symbol, Symbol) or dim is None:
        return symbol if isinstance(symbol, Foreign) else over_axes(recorder, call, False)
    keep = bool(call.argument(2, "keepdim", False))
    found: Meaning
    if symbol.axes[dim] == TIME and not keep and min(symbol.times) >= 0:
        axes = tuple(axis for axis in symbol.axes if axis != TIME)
        found = _ended(recorder, symbol, "max", (TOTAL,), axes, call, data=symbol.times)
    elif symbol.axes[dim] == ITEM:
        largest = _largest_class(recorder, call)
        spikes = over_axes(recorder, call, False)
        found = spikes if isinstance(spikes, Symbol) else Foreign(f"the largest of the classes{call.at}")
        return [found, largest] if isinstance(call.result, tuple) else found
    else:
        found = Foreign(f"torch.{call.name} over another axis than that of the steps{call.at}")
    return [found, Foreign(f"the step of a maximum{call.at}")] if isinstance(call.result, tuple) else found


def _single(recorder: Recorder, call: Call, position: int) -> tuple[Symbol | Foreign | None, int | None]:
    """(what the only tracked argument stands for, the axis that is named, None where none or several are)."""
    x, dim = call.args[0], call.argument(position, "dim", call.kwargs.get("axis"))
    if not isinstance(x, Tensor):
        return None, None
    if isinstance(dim, tuple | list) and len(dim) == 1:
        dim = dim[0]
    return recorder.symbol(x), int(dim) % x.ndim if isinstance(dim, int) else None


def _ended(
    recorder: Recorder, x: Symbol, kind: str, times: tuple[int, ...], axes: tuple[str, ...], call: Call,
    shape: tuple[int, ...] | None = None, data: tuple[Any, ...] = (),
) -> Symbol:  # fmt: skip
    expression = Expression(
        kind=kind, label=kind, args=((x.key, 0),), data=data, states=True, at=call.at,
        shape=recorder.expressions[x.key].shape if shape is None else shape,
    )  # fmt: skip
    return Symbol(recorder.express(expression, data), times, axes)


HANDLERS: dict[str, Callable[[Recorder, Call], Any]] = {
    **dict.fromkeys(("softmax", "log_softmax", "special_softmax"), _over_classes),
    "argmax": _largest_class,
    "one_hot": _one_hot,
    **dict.fromkeys(("max", "amax"), _maximum),
}
KINDS = ("softmax", "log_softmax", "argmax", "votes", "max")
"""Kinds of expressions that these functions make."""

MONOTONE = ("softmax", "log_softmax", "argmax")
"""Those that keep the order of the classes."""


def applied(kind: str, scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What one of MONOTONE gives for scores (samples, classes)."""
    if kind == "argmax":
        return np.asarray(scores.argmax(axis=1))[:, None]
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.asarray(logs if kind == "log_softmax" else np.exp(logs))
