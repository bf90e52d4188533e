"""Linear functions of one tracked tensor whose matrix is found out by running them on unit vectors.

Sums and means over axes, products with constant matrices (matmul, einsum ...), averages, interpolation: whichever axes
they work on, as long as steps and samples stay apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tern2lava.compiler.ir.shapes import Ints, Reals, Shape
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.trace.arithmetic import affine, ordered, over_time
from tern2lava.frontends.modules.trace.recorder import Recorder, item_shape
from tern2lava.frontends.modules.trace.symbols import (
    ITEM,
    TIME,
    Call,
    Expression,
    Foreign,
    Meaning,
    Symbol,
    Weighted,
)

LARGEST = 1 << 26
"""Numbers of a matrix that is found out, zeros counted: half a GiB of float64."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Matrix:
    """What a linear function computes of the items of its argument: entries at (rows, columns), plus `offset` (zeros:
    none), each sample and step for itself; the `axes` of its result and the shape of its items."""

    axes: tuple[str, ...]
    shape: Shape
    rows: Ints
    columns: Ints
    values: Reals
    offset: Reals


def probe(recorder: Recorder, call: Call) -> Meaning | None:
    """A linear function of one tracked argument as a matrix; None where it mixes steps or samples."""
    given = [*call.args, *call.kwargs.values()]
    tracked = [v for v in _tensors(given) if recorder.meaning(v) is not None]
    if len(tracked) != 1 or not isinstance(call.result, Tensor):
        return None
    symbol = recorder.symbol(tracked[0])
    if not isinstance(symbol, Symbol):
        return symbol
    settings = [recorder.digests.of("x" if v is tracked[0] else v) for v in given]
    kept = ("probe", call.name, symbol.axes, tuple(tracked[0].shape), repr(settings), tuple(call.kwargs))
    if kept not in recorder.kept:
        recorder.kept[kept] = _matrix(recorder, call, tracked[0], symbol)
    matrix = recorder.kept[kept]
    if matrix is None:
        return None
    moved = sparse(recorder, symbol, matrix, call)
    return affine_of(recorder, moved, matrix, call)


def sparse(recorder: Recorder, x: Symbol, matrix: Matrix, call: Call) -> Symbol:
    """The Symbol of a matrix times x."""
    data = ((matrix.rows, matrix.columns, matrix.values),)
    identity = (matrix.shape, matrix.rows.tobytes(), matrix.columns.tobytes(), matrix.values.tobytes())
    expression = Expression(
        kind="sparse", label=call.name.strip("_"), args=((x.key, 0),), data=data, shape=matrix.shape, at=call.at
    )
    return Symbol(recorder.express(expression, identity), x.times, matrix.axes)


def affine_of(recorder: Recorder, x: Symbol, matrix: Matrix, call: Call) -> Meaning:
    """x plus the matrix' offset."""
    if not matrix.offset.any():
        return x
    lead = len(matrix.axes) - len(matrix.shape)
    if any(axis != ITEM for axis in matrix.axes[lead:]):
        return Foreign(f"a bias behind axes of steps or samples{call.at}")
    offset = torch.from_numpy(matrix.offset.reshape(*[1] * lead, *matrix.shape))
    return affine(recorder, x, 1.0, offset, call.result.shape, call.at)


def _matrix(recorder: Recorder, call: Call, x: Tensor, symbol: Symbol) -> Matrix | None:
    axes = _axes_of_result(recorder, call, x, symbol)
    if axes is None:
        return None
    shape = item_shape(call.result, axes)
    items_in, items_out = int(np.prod(item_shape(x, symbol.axes))), int(np.prod(shape))
    if items_in * items_out > LARGEST:
        raise UnsupportedError(
            recorder.source, f"at most {LARGEST:,} weights in torch.{call.name.strip('_')}, which is read as a matrix",
            f"{items_in:,} x {items_out:,}{call.at}", "write it as a layer that is read as it is, as a convolution",
        )  # fmt: skip
    zero = _on(call, x, torch.zeros(x.shape, dtype=torch.float64))
    offset = ordered(zero.numpy(), axes, recorder.codes)[0, 0].reshape(-1)
    rows, columns, values = [], [], []
    cells = len(symbol.times) * recorder.batch
    for begin in range(0, items_in, cells):
        units = np.zeros((cells, items_in))
        count = min(cells, items_in - begin)
        units[np.arange(count), begin + np.arange(count)] = 1.0
        result = _on(call, x, _placed(units, x.shape, symbol.axes, recorder)).numpy()
        columns_of = ordered(result, axes, recorder.codes).reshape(cells, items_out)[:count] - offset
        which, where = np.nonzero(columns_of)
        rows.append(where)
        columns.append(begin + which)
        values.append(columns_of[which, where])
    return Matrix(
        axes=axes, shape=shape, rows=np.concatenate(rows), columns=np.concatenate(columns),
        values=np.concatenate(values), offset=offset,
    )  # fmt: skip


def _axes_of_result(recorder: Recorder, call: Call, x: Tensor, symbol: Symbol) -> tuple[str, ...] | None:
    """What each axis of the result counts: told from how factors for steps and for samples come out."""
    rng = np.random.default_rng(0)
    items = int(np.prod(item_shape(x, symbol.axes)))
    cells = x.numel() // max(items, 1)
    vector = np.tile(rng.uniform(0.5, 1.5, items), (cells, 1))
    base = _placed(vector, x.shape, symbol.axes, recorder)
    zero = _on(call, x, torch.zeros(x.shape, dtype=torch.float64))
    plain = (_on(call, x, base) - zero).numpy()
    seen = np.abs(plain) > 1e-12 * np.abs(plain).max(initial=1e-300)
    result = [ITEM] * call.result.ndim
    for place, kind in enumerate(symbol.axes):
        if kind == ITEM:
            continue
        count = int(x.shape[place])
        if count == 1:
            # Of a single step the axis cannot be told: it stays where it was.
            found = [place] if place < call.result.ndim and call.result.shape[place] == 1 else []
        else:
            factors = rng.uniform(1, 2, count)
            along = torch.from_numpy(factors.reshape([count if d == place else 1 for d in range(x.ndim)]))
            scaled = (_on(call, x, base * along) - zero).numpy()
            ratio = np.divide(scaled, plain, out=np.ones_like(plain), where=seen)
            near = np.abs(ratio[..., None] - factors) < 1e-9
            if not near.any(axis=-1)[seen].all():
                return None
            index = near.argmax(axis=-1)
            found = [axis for axis in range(index.ndim) if _follows(index, seen, axis, count)]
        if len(found) != 1 or result[found[0]] != ITEM:
            return None
        result[found[0]] = kind
    return tuple(result)


def _follows(index: Ints, seen: Any, axis: int, count: int) -> bool:
    """Whether `index` counts 0, 1, ... along `axis` (where seen), as the only one of its axes."""
    if index.shape[axis] != count:
        return False
    lengths = [1] * index.ndim
    lengths[axis] = count
    return bool((index == np.arange(count).reshape(lengths))[seen].all())


def _placed(given: Reals, shape: Sequence[int], axes: Sequence[str], recorder: Recorder) -> Tensor:
    """Vectors (steps * samples, items), in this order, as a tensor of `shape` with `axes`."""
    codes = np.arange(int(np.prod(shape))).reshape(tuple(shape))
    result = np.empty(codes.size)
    result[ordered(codes, axes, recorder.codes).reshape(-1)] = given.reshape(-1)
    return torch.from_numpy(result.reshape(tuple(shape)))


def _on(call: Call, x: Tensor, other: Tensor) -> Tensor:
    """The function's result for `other` in the place of x."""

    def swap(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(swap(part) for part in value) if type(value) in (tuple, list) else value
        return other if value is x else value

    result: Tensor = call.function(*swap(list(call.args)), **{k: swap(v) for k, v in call.kwargs.items()})
    return result.double()


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    result: list[Tensor] = []
    for value in values:
        if isinstance(value, tuple | list):
            result += _tensors(value)
        elif isinstance(value, Tensor):
            result.append(value)
    return result


def reduction(recorder: Recorder, call: Call) -> Meaning | None:
    """sum and mean over axes: of items a matrix of ones, of steps a sum over time."""
    x, mean = call.args[0], call.name.strip("_") in ("mean",)
    meaning = recorder.meaning(x)
    symbol: Symbol | Foreign | None
    if isinstance(meaning, Weighted):
        symbol, weights = meaning.symbol, meaning.weights
    else:
        symbol = recorder.symbol(x)
        weights = None
    if not isinstance(symbol, Symbol):
        return symbol
    dims = call.argument(1, "dim", call.kwargs.get("axis"))
    if dims is None or (isinstance(dims, tuple | list) and not dims):
        dims = tuple(range(x.ndim))
    chosen = sorted({int(d) % x.ndim for d in (dims if isinstance(dims, tuple | list) else (dims,))})
    keep = bool(call.argument(2, "keepdim", False))
    kinds = {symbol.axes[d] for d in chosen}
    if kinds - {TIME, ITEM}:
        return Foreign(f"torch.{call.name} over the samples of the batch{call.at}")
    if weights is not None and TIME not in kinds:
        return None
    result = symbol
    over = [d for d in chosen if symbol.axes[d] == ITEM]
    if over:
        result = over_items(recorder, symbol, x, over, call)
    if TIME in kinds:
        axes = tuple(a for a in result.axes if a != TIME)
        factors = weights or (1.0,) * len(symbol.times)
        alive = [(t, w) for t, w in zip(result.times, factors, strict=True)]
        result = over_time(recorder, result.key, [t for t, _ in alive], [w for _, w in alive], axes, call.at)
    count = int(np.prod([x.shape[d] for d in chosen]))
    # The kept axes of length 1 are put back by their places.
    reduced_shape = [int(n) for d, n in enumerate(x.shape) if d not in chosen]
    final: Meaning = result
    if mean:
        final = affine(recorder, result, 1.0 / count, 0.0, reduced_shape, call.at)
    if keep and isinstance(final, Symbol):
        codes = recorder.codes.encode(
            final, reduced_shape, int(np.prod(recorder.expressions[final.key].shape))
        ).reshape(call.result.shape)
        return recorder.placed(codes, call.name, call.at)
    return final


def over_items(recorder: Recorder, symbol: Symbol, x: Tensor, over: list[int], call: Call) -> Symbol:
    """The sum over axes of items."""
    places = [d for d, axis in enumerate(symbol.axes) if axis == ITEM]
    shape = item_shape(x, symbol.axes)
    gone = [places.index(d) for d in over]
    left = tuple(n for d, n in enumerate(shape) if d not in gone)
    rows = np.arange(int(np.prod(left))).reshape([1 if d in gone else n for d, n in enumerate(shape)])
    full = np.broadcast_to(rows, shape).reshape(-1)
    matrix = Matrix(
        axes=tuple(axis for d, axis in enumerate(symbol.axes) if d not in over), shape=left, rows=full,
        columns=np.arange(full.size), values=np.ones(full.size), offset=np.zeros(1),
    )  # fmt: skip
    return sparse(recorder, symbol, matrix, call)


_PROBED = (
    "matmul", "rmatmul", "mm", "bmm", "mv", "einsum", "tensordot", "baddbmm", "inner", "kron", "cumsum", "diff",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "conv_transpose1d", "conv_transpose2d", "conv1d", "conv2d", "conv3d", "interpolate", "upsample", "linear", "fold",
    "upsample_bilinear", "trace",
)  # fmt: skip
HANDLERS: dict[str, Callable[[Recorder, Call], Any]] = {
    **dict.fromkeys(_PROBED, probe),
    **dict.fromkeys(("sum", "mean"), reduction),
}
