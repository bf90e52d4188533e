"""What torch computes in bool and integers, which is that of real numbers only within the range of the format.

True + True is True, and 100 + 100 is -56 in int8. The check of the graph sees that only where its runs come to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tern2lava.compiler.ir.shapes import Reals, size
from tern2lava.frontends.modules.trace import arithmetic, elementwise
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import Call, Foreign, Meaning, Moved, Symbol

_WIDE = (torch.int32, torch.int64)
"""Formats that sums of spikes do not leave."""

_EACH = frozenset((*arithmetic.HANDLERS, "masked_fill"))
"""Functions of each number by itself that are found in real numbers."""


def in_format(recorder: Recorder, call: Call, name: str, target: Any, meaning: Meaning | None) -> Meaning | None:
    """`meaning`, found in real numbers for a result of the function `name`, where the format of `target` holds it;
    else what the function makes of all its values in that format, or Foreign."""
    if not isinstance(target, Tensor) or target.is_floating_point() or target.is_complex():
        return meaning
    if meaning is None or isinstance(meaning, Foreign) or name in elementwise.HANDLERS:
        return meaning  # of_values runs the function itself on every value
    if isinstance(meaning, Moved):
        given = [
            value for value in _tensors([*call.args, *call.kwargs.values()]) if recorder.meaning(value) is not None
        ]
        held = all(value.dtype is target.dtype or _held(recorder, recorder.symbol(value), target) for value in given)
    else:
        held = _held(recorder, meaning, target)
    if held:
        return meaning
    found = elementwise.of_values(recorder, call) if name in _EACH else None
    return found or Foreign(
        f"torch.{name} in {str(target.dtype).removeprefix('torch.')}, which may not hold it{call.at}"
    )


def _held(recorder: Recorder, symbol: Symbol | Foreign | None, target: Tensor) -> bool:
    """Whether every value of a symbol is one of the format of `target`."""
    if not isinstance(symbol, Symbol):
        return False
    bounds = _bounds(recorder, symbol.key)
    if bounds is None:
        return target.dtype in _WIDE
    low, high = (0, 1) if target.dtype is torch.bool else (torch.iinfo(target.dtype).min, torch.iinfo(target.dtype).max)
    return bool((bounds[0] >= low).all() and (bounds[1] <= high).all())


def _bounds(recorder: Recorder, key: int) -> tuple[Reals, Reals] | None:
    """The least and the largest value of each item of an expression, flat; None where they are not known, or where it
    can have others than whole ones."""
    e = recorder.expressions[key]
    count = size(e.shape)
    if e.values and e.kind != "sparse":
        whole = all(value == int(value) for value in e.values)
        return (np.full(count, e.values[0]), np.full(count, e.values[-1])) if whole else None
    if e.kind not in ("add", "affine", "sparse"):
        return None
    parts = [found for arg, _ in e.args if (found := _bounds(recorder, arg)) is not None]
    if len(parts) < len(e.args):
        return None
    low, high = np.zeros(count), np.zeros(count)
    if e.kind == "sparse":
        terms = [(at, (part[0][columns], part[1][columns]), np.ones(()) if isinstance(gain, tuple) else gain)
                 for part, (at, columns, gain) in zip(parts, e.data, strict=True)]  # fmt: skip
    else:
        gain, offset = e.data if e.kind == "affine" else (np.ones(()), np.zeros(()))
        gain, offset = (np.broadcast_to(n, e.shape).reshape(-1) for n in (gain, offset))
        terms = [(np.arange(count), part, gain) for part in parts]
        low, high = low + offset, high + offset
    for at, (least, most), gain in terms:
        np.add.at(low, at, np.minimum(gain * least, gain * most))
        np.add.at(high, at, np.maximum(gain * least, gain * most))
    whole = all((np.rint(gain) == gain).all() for _, _, gain in terms) and (np.rint(low) == low).all()
    return (low, high) if whole else None


def _tensors(values: Any) -> list[Tensor]:
    """Every tensor in nested tuples and lists."""
    if isinstance(values, tuple | list):
        return [found for value in values for found in _tensors(value)]
    return [values] if isinstance(values, Tensor) else []
