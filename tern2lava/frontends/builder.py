"""A Graph at level IMPORTED built layer by layer: every layer's shape, numbers and name are checked as it is added."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from typing import Any

import numpy as np

from tern2lava.compiler.check import check, output_shape
from tern2lava.compiler.ir import (
    Array,
    ChannelAffine,
    Conv2d,
    Graph,
    Input,
    Level,
    Neuron,
    Node,
    Output,
    Pool2d,
    PoolKind,
    Readout,
    Shape,
)
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.frontends.conventions import check_threshold

Pair = tuple[int, int]


def numbers(where: object, value: Any) -> Array:
    """`value` as a float64 array; InputError (at `where`) where it is complex, or NaN or infinite somewhere."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputError(where, f"has dtype {array.dtype}; expected real numbers")
    if array.dtype.kind == "f":
        finite = np.isfinite(array)
        if not finite.all():
            at = tuple(np.argwhere(~np.atleast_1d(finite))[0].tolist())
            found = np.atleast_1d(array)[at]
            bad = int(array.size - np.count_nonzero(finite))
            raise InputError(
                where,
                f"{bad:,} of {array.size:,} numbers are NaN or infinite, the first {found} at index {list(at)}; "
                "repair or retrain the network",
            )
    return array.astype(np.float64)


def same_padding(where: object, kernel: Pair, stride: Pair, dilation: Pair) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of torch's padding='same': dilation * (kernel - 1), the odd one at the end."""
    if stride != (1, 1):
        raise InputError(where, f"padding same needs stride 1, found {stride}")
    height, width = (d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
    return height // 2, height - height // 2, width // 2, width - width // 2


class GraphBuilder:
    """Collects nodes. Each method adds one layer that reads `source` and returns nothing; `shape[name]` is its shape.

    A network of one-dimensional layers (`one_dimensional`) holds every (channels, length) as (channels, 1, length).
    All methods raise InputError at `where` for what does not fit.
    """

    def __init__(self, source: str, steps: int, *, one_dimensional: bool = False) -> None:
        self.source = source
        self.steps = steps
        self.one_dimensional = one_dimensional
        self.nodes: list[Node] = []
        self.shape: dict[str, Shape] = {}
        self.notes: list[str] = []

    def add(self, node: Node, where: object) -> None:
        """Add any node; its inputs must have been added before."""
        if node.name in self.shape:
            raise InputError(where, f"a layer called {node.name} exists already; give another name")
        try:
            self.shape[node.name] = output_shape(node, [self.shape[source] for source in node.inputs])
        except InputError as error:
            raise InputError(where, error.why) from None
        self.nodes.append(node)

    def input(self, name: str, shape: Sequence[int], levels: tuple[int, int], where: object) -> None:
        """The network's input of spikes or small integers."""
        held = tuple(shape)
        if self.one_dimensional and len(held) == 2:
            held = (held[0], 1, held[1])
            self.notes.append(f"{name}: shape {tuple(shape)} is held as {held}, one-dimensional layers have height 1")
        self.add(Input(name=name, shape=held, levels=levels), where)

    def conv(
        self,
        name: str,
        source: str,
        where: object,
        *,
        weight: Array,
        bias: Array | None,
        stride: Pair,
        padding: Pair | str,
        dilation: Pair,
        groups: int,
    ) -> None:
        """A convolution of weight (out, in/groups, kh, kw), or (out, in/groups, k) for a one-dimensional one."""
        if weight.ndim == 3:
            weight = weight[:, :, None, :]
        if weight.ndim != 4 or 0 in weight.shape:
            raise InputError(where, f"weight {weight.shape}; a convolution has (out, in/groups, height, width)")
        kernel = (weight.shape[2], weight.shape[3])
        if isinstance(padding, str):
            sides = same_padding(where, kernel, stride, dilation)
        else:
            sides = (padding[0], padding[0], padding[1], padding[1])
        self.add(
            Conv2d(
                name=name,
                inputs=(source,),
                weight=weight,
                bias=bias,
                stride=stride,
                padding=sides,
                dilation=dilation,
                groups=groups,
            ),
            where,
        )

    def pool(
        self, name: str, source: str, where: object, *, kind: PoolKind, kernel: Pair, stride: Pair, padding: Pair
    ) -> None:
        """A sum or average over windows, the padding counting as zeros."""
        if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            raise InputError(where, f"padding {padding} is more than half of the window {kernel}")
        sides = (padding[0], padding[0], padding[1], padding[1])
        self.add(Pool2d(name=name, inputs=(source,), kind=kind, kernel=kernel, stride=stride, padding=sides), where)

    def batchnorm(
        self,
        name: str,
        source: str,
        where: object,
        *,
        weight: Array | None,
        bias: Array | None,
        mean: Array,
        var: Array,
        eps: float,
    ) -> None:
        """Batch normalisation in inference: weight * (x - mean) / sqrt(var + eps) + bias (Ioffe and Szegedy 2015)."""
        if mean.ndim != 1 or any(other is not None and other.shape != mean.shape for other in (weight, bias, var)):
            raise InputError(where, f"its tensors have different shapes, running_mean {mean.shape}")
        if (var + eps <= 0).any():
            raise InputError(where, f"variance plus eps is not positive (smallest {float(var.min()) + eps:g})")
        gain = (1.0 if weight is None else weight) / np.sqrt(var + eps)
        offset = (0.0 if bias is None else bias) - mean * gain
        self.add(ChannelAffine(name=name, inputs=(source,), gain=gain, offset=offset), where)

    def neuron(self, name: str, sources: tuple[str, ...], where: object, **fields: Any) -> None:
        """A population as large as its input. Array fields broadcast over it as in numpy and torch (last axis)."""
        shape = self.shape[sources[0]]
        arrays = {key: value for key, value in fields.items() if isinstance(value, np.ndarray)}
        fields.update({key: self.spread(value, shape, f"{where}.{key}") for key, value in arrays.items()})
        check_threshold(name, np.asarray(fields["threshold"]))
        self.add(Neuron(name=name, inputs=sources, shape=shape, **fields), where)

    def spread(self, value: Array, shape: Shape, where: object) -> Array:
        """A parameter for neurons of `shape`: () if it is one number, else an array of the full shape."""
        if value.size == 1:
            return value.reshape(())
        seen = (shape[0], shape[2]) if self.one_dimensional and len(shape) == 3 else shape
        while value.ndim > len(seen) and value.shape[0] == 1:
            value = value[0]
        try:
            return np.broadcast_to(value, seen).reshape(shape)
        except ValueError:
            raise InputError(where, f"shape {value.shape} does not fit neurons of shape {seen}") from None

    def finish(self, readout: Readout, where: object) -> Graph:
        """The checked graph, its Output reading the last layer."""
        last = self.nodes[-1]
        if not isinstance(last, Neuron):
            raise UnsupportedError(
                last.name,
                "a network ends in neurons",
                type(last).__name__,
                "add a neuron layer; one without leak and reset, read as membrane_last, sums its input over the steps",
            )
        read = {source for node in self.nodes for source in node.inputs}
        for node in self.nodes[:-1]:
            if node.name not in read:
                raise InputError(where, f"layer {node.name} is read by no other layer; remove or connect it")
        free = next(name for name in chain(["output"], (f"output_{n}" for n in count(1))) if name not in self.shape)
        self.add(Output(name=free, inputs=(last.name,), readout=readout), where)
        graph = Graph(
            level=Level.IMPORTED,
            nodes=tuple(self.nodes),
            source=self.source,
            steps=self.steps,
            notes=tuple(self.notes),
        )
        check(graph)
        return graph
