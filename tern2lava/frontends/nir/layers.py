"""The layers of NIR without neurons, as the fields of our nodes; shapes are ours, not those that nir infers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Dense
from tern2lava.compiler.ir.shapes import Shape, size
from tern2lava.counts import count
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.files.hdf5_node import Hdf5Node


def dense_layer(node: Hdf5Node, source: str, shape: Shape) -> Dense:
    """A Linear or Affine node reading `source` of `shape`. Raises where the weight is no matrix or does not fit."""
    weight = node.array("weight")
    if weight.ndim < 2 or any(n != 1 for n in weight.shape[:-2]):
        raise UnsupportedError(
            node.name, "one matrix as a dense weight", f"shape {weight.shape}", "use one Linear node per leading index"
        )
    weight = weight.reshape(weight.shape[-2], weight.shape[-1])
    if shape[-1] != weight.shape[1] or size(shape) != weight.shape[1]:
        raise InputError(
            node.name,
            f"requires a weight for inputs of shape {shape}; found {weight.shape}; put a Flatten before it, "
            "or repair it",
        )
    bias = node.array("bias").reshape(-1) if node.kind == "Affine" and "bias" in node.fields else None
    return Dense(name=node.name, inputs=(source,), weight=weight, bias=bias)


def flattened(node: Hdf5Node, shape: Shape) -> Shape:
    """`shape` with the dimensions from start_dim to end_dim, counted without a batch, as one. Raises InputError."""
    rank = len(shape)
    start, end = (n + rank if n < 0 else n for n in (node.one("start_dim", 1), node.one("end_dim", -1)))
    if not 0 <= start <= end < rank:
        raise InputError(
            node.name,
            f"requires start_dim and end_dim among the {rank} dimensions of {shape}; found {start} and {end}; they "
            "count without the batch",
        )
    return (*shape[:start], size(shape[start : end + 1]), *shape[end + 1 :])


def conv_fields(node: Hdf5Node) -> dict[str, Any]:
    """The arguments of GraphBuilder.conv for a Conv1d or Conv2d node."""
    weight = node.array("weight")
    wanted = 3 if node.kind == "Conv1d" else 4
    if weight.ndim != wanted:
        raise InputError(
            f"{node.name}.weight",
            f"requires a weight of {count(wanted, 'axis')} for {node.kind}; found shape {weight.shape}; write "
            "the file again",
        )
    first = 0 if node.kind == "Conv1d" else None
    padding: Any = node.fields["padding"]
    if isinstance(padding, str) and padding not in ("same", "valid"):
        raise InputError(
            f"{node.name}.padding", f"requires numbers, same or valid; found {padding!r}; write one of them"
        )
    if not isinstance(padding, str):
        padding = size_pair(node, "padding", first)
    elif padding == "valid":
        padding = (0, 0)
    groups = node.one("groups", 1)
    if groups < 1:
        raise InputError(f"{node.name}.groups", f"requires at least 1; found {groups}; write the file again")
    bias = node.array("bias").reshape(-1) if "bias" in node.fields else None
    if bias is not None and bias.size == 1 and weight.shape[0] > 1:
        bias = np.broadcast_to(bias, (weight.shape[0],))
    stride = size_pair(node, "stride", 1 if first is not None else None)
    dilation = size_pair(node, "dilation", 1 if first is not None else None)
    return {
        "weight": weight, "bias": bias, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
    }  # fmt: skip


def size_pair(node: Hdf5Node, key: str, first: int | None, default: tuple[int, int] | None = None) -> tuple[int, int]:
    """(y, x) of a size: two numbers, or one for both; of a one-dimensional node (`first`, its number)."""
    value = node.fields.get(key)
    if default is not None and (value is None or isinstance(value, str)):
        return default
    found = node.whole(key)
    least = 0 if key == "padding" else 1
    if len(found) > 2 or min(found) < least:
        raise InputError(
            f"{node.name}.{key}",
            f"requires one or two numbers of at least {least}; found {list(found)}; write the file again",
        )
    if len(found) == 2:
        return (found[0], found[1])
    return (found[0] if first is None or node.kind != "Conv1d" else first, found[0])
