"""Functions of one tensor, number by number: of a value that can be 0 or 1 alone every one of them is a straight line.

f(s) = f(0) + (f(1) - f(0)) s for spikes s of 0 and 1; of more values where f lies on one line. So relu, clamp, > 0,
casts, 1 - s, torch.where(s > 0, a, b) ... are an identity or a scaling of spikes, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tern2lava.compiler.ir.graph import Compare
from tern2lava.frontends.modules.trace.arithmetic import affine, operand, per_item
from tern2lava.frontends.modules.trace.gates import of_sum, of_two, where
from tern2lava.frontends.modules.trace.names import CASTS, in_place
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import Call, Foreign, Meaning, Symbol


def of_values(recorder: Recorder, call: Call) -> Meaning | None:
    """The straight line that a function is on all values that its tracked argument can have; of two arguments that can
    have two each, what gates.py makes of it."""
    given = [*call.args, *call.kwargs.values()]
    tracked = [value for value in given if recorder.meaning(value) is not None]
    if not 0 < len(tracked) < 3 or not isinstance(call.result, Tensor):
        return None
    symbols = [operand(recorder, value, call.result.shape, call) for value in tracked]
    strange = next((symbol for symbol in symbols if not isinstance(symbol, Symbol)), None)
    if strange is not None:
        return strange
    first, *others = (symbol for symbol in symbols if isinstance(symbol, Symbol))
    if others:
        return of_two(recorder, first, others[0], lambda x, y: _at(call, tracked, (x, y)), call)
    values = recorder.expressions[first.key].values
    if not values:
        return _fired(recorder, first, call)
    found = [_at(call, tracked, (value,)) for value in values]
    if len(values) == 1:
        return affine(recorder, first, 0.0, found[0], call.result.shape, call.at)
    gain = (found[1] - found[0]) / (values[1] - values[0])
    offset = found[0] - gain * values[0]
    if any(not torch.equal(gain * value + offset, f) for value, f in zip(values[2:], found[2:], strict=True)):
        return of_sum(recorder, first, lambda value: found[values.index(value)], call)
    return affine(recorder, first, gain, offset, call.result.shape, call.at)


_COMPARED = {
    **dict.fromkeys(("gt", "greater"), (Compare.GT, False)),
    **dict.fromkeys(("ge", "greater_equal"), (Compare.GE, False)),
    **dict.fromkeys(("le", "less_equal"), (Compare.GT, True)),
    **dict.fromkeys(("lt", "less"), (Compare.GE, True)),
}
"""What a comparison asks of a potential, and whether its result is the opposite of that."""


def _fired(recorder: Recorder, symbol: Symbol, call: Call) -> Meaning | None:
    """A comparison of what has many values with a constant: the spikes of neurons that the forward writes out."""
    name = call.name.strip("_")
    if name == "heaviside":
        level = torch.as_tensor(call.argument(1, "values"))
        if (
            recorder.meaning(level) is not None
            or level.unique().numel() != 1
            or float(level.reshape(-1)[0]) not in (0, 1)
        ):
            return None
        rule, other = (Compare.GE if float(level.reshape(-1)[0]) else Compare.GT, False), torch.zeros(())
    else:
        other, tracked = call.argument(1, "other"), recorder.meaning(call.args[0]) is not None
        if name not in _COMPARED or not tracked:
            return None
        rule = _COMPARED[name]
    threshold = per_item(other, call.result.shape, symbol.axes, recorder.codes)
    if threshold is None:
        return None
    compare, opposite = rule
    spikes = call.result.bool() ^ opposite
    found = recorder.own.fired(symbol, threshold, compare, spikes.detach().cpu().numpy().astype(np.int8), call.at)
    if found is None or not opposite:
        return found
    return affine(recorder, found, -1.0, 1.0, call.result.shape, call.at)


def _at(call: Call, tracked: Sequence[Tensor], numbers: Sequence[float]) -> Tensor:
    """The function's result where all numbers of each of `tracked` are the one in `numbers`."""
    full = [
        torch.full(tensor.shape, number, dtype=torch.float64).to(tensor.dtype)
        for tensor, number in zip(tracked, numbers, strict=True)
    ]

    def put(value: Any) -> Any:
        return next((new for old, new in zip(tracked, full, strict=True) if old is value), value)

    args = [put(value) for value in call.args]
    if in_place(call.name) and args[0] is call.args[0]:
        args[0] = args[0].clone()  # it is asked for again
    result: Tensor = call.function(*args, **{k: put(value) for k, value in call.kwargs.items()})
    return result.double()


def _cast(recorder: Recorder, call: Call) -> Meaning | None:
    """A cast keeps real numbers, and whole ones of spikes."""
    if call.result.is_floating_point():
        return recorder.meaning(call.args[0])
    return of_values(recorder, call)


def _dropout(recorder: Recorder, call: Call) -> Meaning | None:
    off = call.argument(1, "p", 0.5) == 0 or not call.argument(2, "training", True)
    return (
        recorder.meaning(call.args[0])
        if off
        else Foreign(f"dropout that draws in evaluation too{call.at}, for want of training=self.training")
    )


_NAMES = (
    "relu", "relu6", "clamp", "clip", "clamp_min", "clamp_max", "hardtanh", "threshold", "gt", "ge", "lt", "le",
    "eq", "ne", "greater", "greater_equal", "less", "less_equal", "not_equal", "ceil", "floor", "round", "trunc",
    "fix", "sign", "sgn", "abs", "absolute", "pow", "rpow", "float_power", "square", "sqrt", "exp", "expm1",
    "log1p", "heaviside", "sigmoid", "tanh", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "hardsigmoid",
    "hardswish", "softplus", "bool", "int", "long", "short", "char", "byte", "logical_not", "bitwise_not",
    "invert", "maximum", "minimum", "fmax", "fmin", "max", "min", "rtruediv", "rdiv", "reciprocal",
    "floor_divide", "rfloordiv", "floordiv", "remainder", "mod", "fmod", "logical_or", "logical_xor", "logical_and",
    "bitwise_or", "bitwise_xor", "bitwise_and", "or", "xor", "and", "ior", "ixor", "iand", "nan_to_num", "positive",
)  # fmt: skip


def _where(recorder: Recorder, call: Call) -> Meaning | None:
    """A straight line where one argument depends on the input; else a choice between two."""
    found = of_values(recorder, call)
    return where(recorder, call) if found is None and len(call.args) + len(call.kwargs) == 3 else found


HANDLERS: dict[str, Callable[[Recorder, Call], Any]] = {
    **dict.fromkeys(_NAMES, of_values),
    "where": _where,
    **dict.fromkeys(CASTS, _cast),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"), _dropout),
}
