"""The node of each expression of a recorded run, by its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tern2lava.compiler.ir.graph import Add, ChannelAffine, Dense, Flatten, PoolKind
from tern2lava.compiler.ir.shapes import Reals, Shape, size
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.modules.arrays import as_array
from tern2lava.frontends.modules.known_modules import add_layer, reads_sequences
from tern2lava.frontends.modules.linear_layers import adaptive_maxima, maximum_pooling
from tern2lava.frontends.modules.torch_layers import pair, weight_and_bias
from tern2lava.frontends.modules.trace.symbols import Expression
from tern2lava.frontends.spike_logic import fire_above

Emitter = Callable[[GraphBuilder, Expression, str, Sequence[str], str], None]
"""Adds the nodes of an expression: (builder, expression, name of the last node, the nodes it reads, where)."""


def _layer(builder: GraphBuilder, expression: Expression, name: str, sources: Sequence[str], where: str) -> None:
    module = expression.module
    if reads_sequences(module) is None and len(builder.shape[sources[0]]) > 1:
        weight, bias = weight_and_bias(module, where)
        _last_axis(builder, name, sources[0], where, weight, bias, expression.shape)
    else:
        add_layer(builder, name, sources[0], where, module)


def _add(builder: GraphBuilder, expression: Expression, name: str, sources: Sequence[str], where: str) -> None:
    builder.add(Add(name=name, inputs=tuple(sources)), where)


def _affine(builder: GraphBuilder, expression: Expression, name: str, sources: Sequence[str], where: str) -> None:
    gain, offset = (_per_channel(value, expression.shape) for value in expression.data)
    if gain is not None and offset is not None:
        builder.add(ChannelAffine(name=name, inputs=(sources[0],), gain=gain, offset=offset), where)
        return
    gain, offset = (value if value.ndim == 0 else value.reshape(-1) for value in expression.data)
    _flat_affine(builder, name, sources[0], where, gain, offset, expression.shape)


def _flat_affine(
    builder: GraphBuilder, name: str, source: str, where: str, gain: Reals, offset: Reals, shape: Shape
) -> None:
    """gain * x + offset of numbers for each item: of the flattened items, put back into their shape."""
    builder.add(Flatten(name=f"{name}.flat", inputs=(source,)), where)
    builder.add(ChannelAffine(name=f"{name}.each", inputs=(f"{name}.flat",), gain=gain, offset=offset), where)
    order = np.arange(size(shape))
    builder.sparse(name, f"{name}.each", where, shape=shape, rows=order, columns=order, values=np.ones(()))


def _per_channel(value: Reals, shape: Shape) -> Reals | None:
    """() or (channels,) of an array of `shape` that is constant along all axes but the first; None for others."""
    if value.ndim == 0:
        return value
    rows = value.reshape(shape[0], -1)
    return rows[:, 0] if (rows == rows[:, :1]).all() else None


def _linear(builder: GraphBuilder, expression: Expression, name: str, sources: Sequence[str], where: str) -> None:
    weight = as_array(where, expression.data[0])
    bias = None if expression.data[1] is None else as_array(where, expression.data[1])
    if len(builder.shape[sources[0]]) == 1:
        builder.add(Dense(name=name, inputs=(sources[0],), weight=weight, bias=bias), where)
    else:
        _last_axis(builder, name, sources[0], where, weight, bias, expression.shape)


def _last_axis(
    builder: GraphBuilder, name: str, source: str, where: str, weight: Reals, bias: Reals | None, shape: Shape
) -> None:
    """A matrix (out, in) on the last axis of items of several axes: once for each place on the others."""
    out, into = weight.shape
    places = size(shape) // out
    row, column = np.nonzero(weight)
    at = np.arange(places)[:, None]
    rows, columns = (at * out + row).reshape(-1), (at * into + column).reshape(-1)
    values = np.broadcast_to(weight[row, column], (places, row.size)).reshape(-1)
    last = name if bias is None else f"{name}.product"
    builder.sparse(last, source, where, shape=shape, rows=rows, columns=columns, values=values)
    if bias is not None:
        _flat_affine(builder, name, last, where, np.ones(()), np.tile(bias, places), shape)


def _conv(builder: GraphBuilder, expression: Expression, name: str, sources: Sequence[str], where: str) -> None:
    weight, bias, stride, padding, dilation, groups = expression.data
    sides = (0, 0) if padding == "valid" else padding if padding == "same" else pair(padding, 0)
    builder.conv(
        name, sources[0], where, weight=as_array(where, weight), bias=None if bias is None else as_array(where, bias),
        stride=pair(stride, 1), padding=sides, dilation=pair(dilation, 1), groups=groups,
    )  # fmt: skip


def _pool(builder: GraphBuilder, expression: Expression, name: str, sources: Sequence[str], where: str) -> None:
    # One number is that of the only axis of a one-dimensional pooling.
    given = [(first, v) if isinstance(v, int) and len(expression.shape) == 2 else pair(v, first)
             for v, first in zip(expression.data, (1, 1, 0), strict=True)]  # fmt: skip
    kernel, stride, padding = given
    builder.pool(name, sources[0], where, kind=PoolKind.AVG, kernel=kernel, stride=stride, padding=padding)


def _maximum(builder: GraphBuilder, expression: Expression, name: str, sources: Sequence[str], where: str) -> None:
    axes = 1 if len(expression.shape) == 2 else 2
    if expression.kind == "adaptivemax":
        adaptive_maxima(builder, name, sources[0], where, axes=axes, to=expression.data[0])
        return
    kernel, stride, padding, dilation, ceil = expression.data
    maximum_pooling(
        builder, name, sources[0], where, axes=axes, kernel=kernel, stride=stride, padding=padding, dilation=dilation,
        ceil=ceil,
    )  # fmt: skip


def _sparse(builder: GraphBuilder, expression: Expression, name: str, sources: Sequence[str], where: str) -> None:
    shape = expression.shape or (1,)  # one number of each sample is held as one neuron
    if len(sources) == 1 and len(shape) == 1 and _in_order(expression, size(builder.shape[sources[0]])):
        builder.add(Flatten(name=name, inputs=(sources[0],)), where)
        return
    names = [name] if len(sources) == 1 else [f"{name}.{n}" for n in range(len(sources))]
    for one, source, (rows, columns, values) in zip(names, sources, expression.data, strict=True):
        ones = np.ones(()) if isinstance(values, tuple) else values
        builder.sparse(one, source, where, shape=shape, rows=rows, columns=columns, values=ones)
    if len(sources) > 1:
        builder.add(Add(name=name, inputs=tuple(names)), where)


def _in_order(expression: Expression, items: int) -> bool:
    """Whether a sparse expression is its source's items in their order."""
    rows, columns, values = expression.data[0]
    order = np.arange(size(expression.shape))
    return bool(
        len(values) == 0 and items == order.size == len(rows) and (rows == order).all() and (columns == order).all()
    )


def _gate(builder: GraphBuilder, expression: Expression, name: str, sources: Sequence[str], where: str) -> None:
    (threshold,) = expression.data
    what = "the maximum of spikes is their OR" if expression.kind == "or" else "the product of spikes is their AND"
    fire_above(builder, name, sources, where, threshold, what)


EMITTERS: dict[str, Emitter] = {
    "layer": _layer,
    "add": _add,
    "affine": _affine,
    "linear": _linear,
    "conv": _conv,
    "avgpool": _pool,
    "maxpool": _maximum,
    "adaptivemax": _maximum,
    "sparse": _sparse,
    "and": _gate,
    "or": _gate,
}
"""By the kind of the expression; inputs, neurons and sums over time have none."""
