"""Delays that differ: one linear map for each distinct delay, split by value, and their sum.

y(t) = sum over d of M_d x(t - d), M_d being the map with the synapses (or values) of delay d alone, 0 elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Add, ChannelAffine, Delay, Dense
from tern2lava.compiler.ir.shapes import Ints, Reals, compact, frozen
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.builder import GraphBuilder

MOST_DELAYS = 256
"""Distinct delays of one layer: each becomes a linear map of its own."""


def late(builder: GraphBuilder, source: str, steps: int, where: object) -> str:
    """The node that carries what `source` sent `steps` steps before: one for all who ask."""
    if steps == 0:
        return source
    name = f"{source}.delay{steps}"
    known = next((node for node in builder.nodes if node.name == name), None)
    if known is None:
        builder.add(Delay(name=name, inputs=(source,), steps=steps), where)
    elif not (isinstance(known, Delay) and known.steps == steps and known.inputs == (source,)):
        raise InputError(where, f"requires the name {name} for a delay; found another layer called so; rename it")
    return name


def delayed_linear(
    builder: GraphBuilder, name: str, source: str, where: object, weight: Reals, delays: Ints, *,
    bias: Reals | None = None, **conv: Any,
) -> None:  # fmt: skip
    """Add the linear map of `weight` with a delay for each synapse as the layer `name`.

    weight: (out, in) of a dense layer, or that of a convolution with the further arguments `conv` of GraphBuilder.conv.
    delays: whole steps of 0 or more that broadcast to the weight's shape. The bias is not delayed. Delays of weights
    of 0 count for nothing. Raises InputError for delays that do not fit, UnsupportedError for too many different ones.
    """
    try:
        steps = np.broadcast_to(delays, weight.shape)
    except ValueError:
        raise InputError(
            where,
            f"requires delays that broadcast to its weight's {weight.shape}; found {np.shape(delays)}; give one for "
            "each synapse, neuron or layer",
        ) from None
    parts = list(_split(steps, weight != 0, where))
    names = [name] if len(parts) == 1 else [f"{name}.after{delay}" for delay, _ in parts]
    for part, (delay, mask) in zip(names, parts, strict=True):
        own = weight if len(parts) == 1 else np.where(mask, weight, 0.0)
        before, added = late(builder, source, delay, where), bias if part == names[0] else None
        if weight.ndim == 2:
            builder.add(Dense(name=part, inputs=(before,), weight=own, bias=added), where)
        else:
            builder.conv(part, before, where, weight=own, bias=added, **conv)
    if len(parts) > 1:
        builder.add(Add(name=name, inputs=tuple(names)), where)


def delayed(builder: GraphBuilder, name: str, source: str, where: object, delays: Ints) -> None:
    """Add the layer `name`: every value of `source` as many steps later as `delays` says, one number or one for each
    value. Raises as delayed_linear does."""
    parts = list(_split(np.asarray(delays), None, where))
    if len(parts) == 1:
        builder.add(Delay(name=name, inputs=(source,), steps=parts[0][0]), where)
        return
    names = []
    for delay, mask in parts:
        names.append(f"{name}.after{delay}")
        diagonal(builder, names[-1], late(builder, source, delay, where), where, mask.astype(np.float64))
    builder.add(Add(name=name, inputs=tuple(names)), where)


def diagonal(builder: GraphBuilder, name: str, source: str, where: object, factors: Reals) -> None:
    """Add the layer `name`: every value of `source` times its own factor, of an array that broadcasts to its shape."""
    shape = builder.shape[source]
    full = np.broadcast_to(factors, shape)
    rows = full.reshape(shape[0], -1)
    if np.all(rows == rows[:, :1]):
        gain = compact(rows[:, 0], (shape[0],))
        builder.add(ChannelAffine(name=name, inputs=(source,), gain=gain, offset=frozen(0.0)), where)
        return
    (places,) = np.nonzero(full.reshape(-1))
    builder.sparse(name, source, where, shape, places, places, full.reshape(-1)[places])


def _split(delays: Ints, counted: Reals | None, where: object) -> Iterator[tuple[int, Any]]:
    """(delay, where it holds) of every distinct delay, the shortest first; those of `counted` places alone, at least
    one."""
    if np.any(delays < 0):
        raise InputError(where, f"requires delays of 0 steps or more; found {int(delays.min())}; repair the network")
    found = np.unique(delays if counted is None else delays[counted])
    if len(found) > MOST_DELAYS:
        raise UnsupportedError(
            str(where), f"at most {MOST_DELAYS} different delays in a layer", f"{len(found):,}",
            "split the layer, or round its delays, which changes the network",
        )  # fmt: skip
    for delay in found.tolist() or [0]:
        yield delay, delays == delay
