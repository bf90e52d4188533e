"""Functions of several spikes of 0 and 1: their AND, their OR, and every other one as a sum of these.

f(x, y) of two numbers that are 0 or 1 each is f(0, 0) + (f(1, 0) - f(0, 0)) x + (f(0, 1) - f(0, 0)) y + c x y with
c = f(1, 1) - f(1, 0) - f(0, 1) + f(0, 0), exactly: maximum, or, xor, comparisons, `torch.where`, |x - y|, ...
x y is a population that fires where both do (a sum above 1.5), max(x, y) one that fires where one does (above 0.5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product as pairs
from typing import Any

import torch
from torch import Tensor

from tern2lava.frontends.modules.trace import arithmetic
from tern2lava.frontends.modules.trace.arithmetic import affine, join, operand, product
from tern2lava.frontends.modules.trace.linear import over_items
from tern2lava.frontends.modules.trace.recorder import Recorder, item_shape
from tern2lava.frontends.modules.trace.symbols import ITEM, Call, Expression, Foreign, Meaning, Symbol

Table = Callable[[float, float], Tensor]
"""The result of a function where all numbers of its two arguments are these."""


def two_valued(recorder: Recorder, symbol: Symbol | Foreign | None) -> tuple[float, ...]:
    """The two values that a symbol can have; () for others."""
    values = recorder.expressions[symbol.key].values if isinstance(symbol, Symbol) else ()
    return values if len(values) == 2 else ()


def of_two(recorder: Recorder, a: Symbol, b: Symbol, table: Table, call: Call) -> Meaning | None:
    """The function `table` of two symbols that have two values each, at the same steps; None for others."""
    shape = call.result.shape
    first, second = two_valued(recorder, a), two_valued(recorder, b)
    if not first or not second or a.axes != b.axes or a.times != b.times:
        return None
    if a.key == b.key:
        low, high = table(first[0], first[0]), table(first[1], first[1])
        gain = (high - low) / (first[1] - first[0])
        return affine(recorder, a, gain, low - gain * first[0], shape, call.at)
    found = {(x, y): table(x, y).double() for x, y in pairs(first, second)}
    base, other, one, both = (found[x, y] for x, y in pairs(first, second))
    x = affine(recorder, a, 1 / (first[1] - first[0]), -first[0] / (first[1] - first[0]), shape, call.at)
    y = affine(recorder, b, 1 / (second[1] - second[0]), -second[0] / (second[1] - second[0]), shape, call.at)
    if not isinstance(x, Symbol) or not isinstance(y, Symbol):
        return None
    rest = both - one - other + base
    if _all(one - base, 1) and _all(other - base, 1) and _all(rest, -1):
        return affine(recorder, fires(recorder, (x, y), 0.5, call), 1.0, base, shape, call.at)
    parts: list[tuple[Symbol, Tensor]] = [(x, one - base), (y, other - base)]
    if rest.any():
        gate = product(recorder, x, y, call)
        if not isinstance(gate, Symbol):
            return gate
        parts.append((gate, rest))
    total: Symbol | None = None
    for symbol, gain in parts:
        if not gain.any():
            continue
        term = _added(recorder, total, affine(recorder, symbol, gain, 0.0 if total else base, shape, call.at), call)
        if not isinstance(term, Symbol):
            return term
        total = term
    if total is None:
        return affine(recorder, x, 0.0, base, shape, call.at)
    values = {float(v) for value in found.values() for v in value.unique()}
    if len(values) <= 16:
        recorder.say_values(total.key, tuple(sorted(values)))
    return total


def _added(recorder: Recorder, total: Symbol | None, term: Meaning | None, call: Call) -> Meaning | None:
    """The sum so far with a term more."""
    return join(recorder, total, term, call.at) if isinstance(term, Symbol) and total is not None else term


def _all(value: Tensor, number: float) -> bool:
    return bool((value == number).all())


def of_sum(recorder: Recorder, symbol: Symbol, table: Callable[[float], Tensor], call: Call) -> Meaning | None:
    """A function of the sum of two symbols that have two values each, of the same step; None for others."""
    expression = recorder.expressions[symbol.key]
    if expression.kind != "add" or any(back for _, back in expression.args):
        return None
    a, b = (Symbol(key, symbol.times, symbol.axes) for key, _ in expression.args)
    return of_two(recorder, a, b, lambda x, y: table(x + y), call)


def fires(recorder: Recorder, args: Sequence[Symbol], threshold: float, call: Call) -> Symbol:
    """The Symbol of spikes where the sum of `args` exceeds `threshold`."""
    keys = tuple(sorted((arg.key, 0) for arg in args))
    kind = "or" if threshold == 0.5 else "and"
    expression = Expression(
        kind=kind, label=kind, args=keys, data=(threshold,), shape=recorder.expressions[args[0].key].shape,
        values=(0.0, 1.0), at=call.at,
    )  # fmt: skip
    return Symbol(recorder.express(expression, threshold), args[0].times, args[0].axes)


def where(recorder: Recorder, call: Call) -> Meaning | None:
    """torch.where(c, x, y) of spikes c, which is c x + (1 - c) y."""
    condition, x, y = call.args[0], call.argument(1, "input"), call.argument(2, "other")
    return _chosen(recorder, condition, x, y, call)


def masked(recorder: Recorder, call: Call) -> Meaning | None:
    """x.masked_fill(m, v) of spikes m, which is m v + (1 - m) x."""
    return _chosen(recorder, call.argument(1, "mask"), call.argument(2, "value"), call.args[0], call)


def _chosen(recorder: Recorder, condition: Any, x: Any, y: Any, call: Call) -> Meaning | None:
    shape = call.result.shape
    mask = operand(recorder, condition, shape, call) if recorder.meaning(condition) is not None else None
    if not isinstance(mask, Symbol) or two_valued(recorder, mask) != (0.0, 1.0):
        return mask if isinstance(mask, Foreign) else None
    inverse = affine(recorder, mask, -1.0, 1.0, shape, call.at)
    found: Symbol | None = None
    for value, chosen in ((x, mask), (y, inverse)):
        assert isinstance(chosen, Symbol)
        symbol = operand(recorder, value, shape, call) if recorder.meaning(value) is not None else None
        term: Meaning | None
        if isinstance(symbol, Foreign):
            return symbol
        if symbol is None:
            term = affine(recorder, chosen, value, 0.0, shape, call.at)
        else:
            term = _gated(recorder, symbol, chosen, call)
        term = _added(recorder, found, term, call)
        if not isinstance(term, Symbol):
            return term
        found = term
    return found


def _gated(recorder: Recorder, x: Symbol, mask: Symbol, call: Call) -> Meaning | None:
    """x where `mask` is 1, 0 elsewhere."""
    if two_valued(recorder, x):
        return of_two(recorder, x, mask, lambda a, b: torch.full(call.result.shape, a * b, dtype=torch.float64), call)
    return product(recorder, x, mask, call)


def multiplied(recorder: Recorder, call: Call) -> Meaning | None:
    """x * y, where one depends on the input, or both are spikes or have two values each."""
    found = arithmetic.HANDLERS["mul"](recorder, call)
    if found is not None:
        return found  # type: ignore[no-any-return]
    x, y = (operand(recorder, v, call.result.shape, call) for v in (call.args[0], call.argument(1, "other")))
    if not isinstance(x, Symbol) or not isinstance(y, Symbol):
        return None
    one = torch.ones(call.result.shape, dtype=torch.float64)
    return of_two(recorder, x, y, lambda a, b: a * b * one, call)


def over_axes(recorder: Recorder, call: Call, all_of: bool) -> Meaning | None:
    """The OR (any, amax) or AND (all, amin, prod) of spikes along axes of items."""
    x = call.args[0]
    symbol = recorder.symbol(x)
    if not isinstance(symbol, Symbol) or two_valued(recorder, symbol) != (0.0, 1.0):
        return symbol if isinstance(symbol, Foreign) else None
    dims = call.argument(1, "dim", call.kwargs.get("axis"))
    given = dims if isinstance(dims, tuple | list) else () if dims is None else (dims,)
    over = sorted({int(d) % x.ndim for d in given})
    if not over or any(symbol.axes[d] != ITEM for d in over):
        return None
    shape = item_shape(x, symbol.axes)
    total = over_items(recorder, symbol, x, over, call)
    left = recorder.expressions[total.key].shape
    count = int(torch.tensor(shape).prod()) // max(1, int(torch.tensor(left).prod()))
    spikes = fires(recorder, (total,), count - 0.5 if all_of else 0.5, call)
    if not call.argument(2, "keepdim", False):
        return spikes
    reduced = [int(n) for d, n in enumerate(x.shape) if d not in over]
    codes = recorder.codes.encode(spikes, reduced, int(torch.tensor(left).prod()))
    whole = call.result[0] if isinstance(call.result, tuple) else call.result
    return recorder.placed(codes.reshape(whole.shape), call.name, call.at)


HANDLERS: dict[str, Callable[[Recorder, Call], Any]] = {
    **dict.fromkeys(("mul", "imul", "rmul", "multiply"), multiplied),
    "any": lambda recorder, call: over_axes(recorder, call, False),
    **dict.fromkeys(("all", "amin", "prod"), lambda recorder, call: over_axes(recorder, call, True)),
}
