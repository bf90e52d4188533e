"""Functions of one tensor, number by number: of a value that can be 0 or 1 alone every one of them is a straight line.

f(s) = f(0) + (f(1) - f(0)) s for spikes s of 0 and 1; of more values where f lies on one line. So relu, clamp, > 0,
casts, 1 - s, torch.where(s > 0, a, b) ... are an identity or a scaling of spikes, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tern2lava.frontends.modules.trace.arithmetic import affine, operand, product
from tern2lava.frontends.modules.trace.names import CASTS
from tern2lava.frontends.modules.trace.recorder import Recorder
from tern2lava.frontends.modules.trace.symbols import Call, Foreign, Meaning, Symbol


def of_values(recorder: Recorder, call: Call) -> Meaning | None:
    """The straight line that a function is on all values that its tracked argument can have."""
    given = [*call.args, *call.kwargs.values()]
    tracked = [value for value in given if recorder.meaning(value) is not None]
    if len(tracked) != 1 or not isinstance(call.result, Tensor):
        return None
    symbol = operand(recorder, tracked[0], call.result.shape, call)
    if not isinstance(symbol, Symbol):
        return symbol
    values = recorder.expressions[symbol.key].values
    if not values:
        return None
    found = [_at(call, tracked[0], value) for value in values]
    if len(values) == 1:
        return affine(recorder, symbol, 0.0, found[0], call.result.shape, call.at)
    gain = (found[1] - found[0]) / (values[1] - values[0])
    offset = found[0] - gain * values[0]
    if any(not torch.equal(gain * value + offset, f) for value, f in zip(values[2:], found[2:], strict=True)):
        return None
    return affine(recorder, symbol, gain, offset, call.result.shape, call.at)


def _at(call: Call, tracked: Tensor, value: float) -> Tensor:
    """The function's result where all numbers of `tracked` are `value`."""
    full = torch.full(tracked.shape, value, dtype=torch.float64).to(tracked.dtype)
    args = [full if a is tracked else a for a in call.args]
    result: Tensor = call.function(*args, **{k: full if a is tracked else a for k, a in call.kwargs.items()})
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


def _both(recorder: Recorder, call: Call) -> Meaning | None:
    """x & y of two tensors; a function of values of one."""
    given = [call.args[0], call.argument(1, "other")]
    symbols = [operand(recorder, v, call.result.shape, call) for v in given if recorder.meaning(v) is not None]
    if len(symbols) < 2:
        return of_values(recorder, call)
    first, second = symbols
    if not isinstance(first, Symbol) or not isinstance(second, Symbol):
        return first if isinstance(first, Foreign) else second
    return product(recorder, first, second, call)


_NAMES = (
    "relu", "relu6", "clamp", "clip", "clamp_min", "clamp_max", "hardtanh", "threshold", "gt", "ge", "lt", "le",
    "eq", "ne", "greater", "greater_equal", "less", "less_equal", "not_equal", "ceil", "floor", "round", "trunc",
    "fix", "sign", "sgn", "abs", "absolute", "pow", "rpow", "float_power", "square", "sqrt", "exp", "expm1",
    "log1p", "heaviside", "sigmoid", "tanh", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "hardsigmoid",
    "hardswish", "softplus", "bool", "int", "long", "short", "char", "byte", "logical_not", "bitwise_not",
    "invert", "where", "maximum", "minimum", "fmax", "fmin", "max", "min", "rtruediv", "rdiv", "reciprocal",
    "floor_divide", "rfloordiv", "floordiv", "remainder", "mod", "fmod", "logical_or", "logical_xor",
    "bitwise_or", "bitwise_xor", "or", "xor", "ior", "nan_to_num", "positive",
)  # fmt: skip
HANDLERS: dict[str, Callable[[Recorder, Call], Any]] = {
    **dict.fromkeys(_NAMES, of_values),
    **dict.fromkeys(CASTS, _cast),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"), _dropout),
    **dict.fromkeys(("logical_and", "bitwise_and", "and", "iand"), _both),
}
