"""A Graph at level IMPORTED built layer by layer: every layer's shape, numbers and name are checked as it is added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tern2lava.compiler.ir.check import check, output_shape
from tern2lava.compiler.ir.graph import (
    ChannelAffine,
    Conv2d,
    Delay,
    Dense,
    Graph,
    Input,
    Level,
    Neuron,
    Node,
    Output,
    Pool2d,
    PoolKind,
    Readout,
    SparseLinear,
)
from tern2lava.compiler.ir.shapes import Ints, Reals, Shape, size
from tern2lava.compiler.neurons.mechanism import gathered
from tern2lava.counts import count
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.findings import alone, replaced, unseen
from tern2lava.frontends.neuron_equations import check_threshold, integrator
from tern2lava.frontends.outputs import ReadAs, add_output
from tern2lava.frontends.spike_logic import fire_above, require_spikes
from tern2lava.memory_need import require_memory

Pair = tuple[int, int]


def numbers(where: object, value: Any, hint: str = "save the network again, as it was before they came up") -> Reals:
    """`value` as a float64 array; InputError (at `where`) where it is complex, or NaN or infinite somewhere.

    hint: what to do about the latter.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputError(where, f"requires real numbers; found dtype {array.dtype}; convert the array")
    if array.dtype.kind == "f":
        finite = np.isfinite(array)
        if not finite.all():
            at = tuple(np.argwhere(~np.atleast_1d(finite))[0].tolist())
            found = np.atleast_1d(array)[at]
            bad = int(array.size - np.count_nonzero(finite))
            raise InputError(
                where,
                f"requires finite numbers; found {bad:,} of {count(array.size, 'number')} NaN or infinite, the "
                f"first {found} at index {list(at)}; {hint}",
            )
    require_numbers(where, array.size)
    return array.astype(np.float64)


def require_numbers(where: object, amount: int) -> None:
    """Raise InputError where `amount` numbers in float64 take more memory than there is."""
    require_memory(
        where, f"hold {count(amount, 'number')} in float64", 8 * amount,
        "use a machine with more memory, or split the layer into several summed ones",
    )  # fmt: skip


def same_padding(where: object, kernel: Pair, stride: Pair, dilation: Pair) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of torch's padding='same': dilation * (kernel - 1), the odd one at the end."""
    if stride != (1, 1):
        raise InputError(where, f"requires stride 1 for padding same; found {stride}; give the padding as a number")
    height, width = (d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
    return height // 2, height - height // 2, width // 2, width - width // 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Feed:
    """A linear map inside a neuron layer: of a dense weight (out, in), of a convolution's weight (out, in, kh, kw) with
    stride 1 and `padding` (y, x), or, `one_to_one`, of a factor that joins each neuron with itself and broadcasts over
    the layer along its last axes as in torch."""

    weight: Reals
    bias: Reals | None = None
    padding: Pair = (0, 0)
    one_to_one: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class NeuronLayer:
    """A neuron layer of a framework: `fields` of its ir.Neuron, what its reading must note, the weights it applies to
    its input first, and those that feed its spikes back `feedback_delay` steps later."""

    fields: dict[str, Any]
    notes: tuple[str, ...] = ()
    entry: Feed | None = None
    feedback: Feed | None = None
    feedback_delay: int = 1


class Shapes(dict[str, Shape]):
    """Shapes by layer. One that was refused, where refusals are collected (findings.py), has none: asking for it raises
    UnseenError."""

    def __getitem__(self, name: str) -> Shape:
        shape = super().__getitem__(name)
        if shape == ():
            raise unseen(name)
        return shape


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
        self.shape = Shapes()
        self.notes: list[str] = []
        self.promised: set[str] = set()

    def held(self, shape: Sequence[int]) -> Shape:
        """`shape` as its nodes hold it: (channels, length) as (channels, 1, length)."""
        return (shape[0], 1, shape[1]) if self.one_dimensional and len(shape) == 2 else tuple(shape)

    def lose(self, name: str) -> None:
        """Let `name` be a layer that was refused, so that what reads it is not looked at."""
        self.shape[name] = ()

    def refuse_lost(self) -> None:
        """Raise UnseenError where a layer was refused for which nothing stands."""
        if any(shape == () for shape in self.shape.values()):
            raise unseen("the passes and the mapping")

    def replace(self, name: str, sources: tuple[str, ...], where: object) -> None:
        """Let ordinary neurons stand for the neurons `name`, which were refused (lose)."""
        shape = self.shape[sources[0]]
        del self.shape[name]
        replaced(name)
        self.add(Neuron(name=name, inputs=sources, shape=shape), where)

    def promise(self, name: str, shape: Shape) -> None:
        """Let nodes read the neurons `name` of `shape`, which are added later (through a delay)."""
        self.shape[name] = shape
        self.promised.add(name)

    def add(self, node: Node, where: object) -> None:
        """Add any node; its inputs must have been added or promised before."""
        if node.name in self.shape and node.name not in self.promised:
            raise InputError(
                where, f"requires a name of its own for each layer; found two called {node.name}; give one another name"
            )
        promised = self.shape.get(node.name)
        try:
            self.shape[node.name] = output_shape(node, [self.shape[source] for source in node.inputs])
        except InputError as error:
            raise InputError(where, error.why) from None
        if promised is not None and promised != self.shape[node.name]:
            raise InputError(
                where,
                f"requires the shape {promised} that a delay reads it as; found {self.shape[node.name]}; mend the "
                "delay's shape",
            )
        self.promised.discard(node.name)
        self.nodes.append(node)

    def input(self, name: str, shape: Sequence[int], levels: tuple[int, int], where: object) -> None:
        """The network's input of spikes or small integers."""
        held = self.held(shape)
        if held != tuple(shape):
            self.notes.append(f"{name}: shape {tuple(shape)} is held as {held}, one-dimensional layers have height 1")
        self.add(Input(name=name, shape=held, levels=levels), where)

    def conv(
        self,
        name: str,
        source: str,
        where: object,
        *,
        weight: Reals,
        bias: Reals | None,
        stride: Pair,
        padding: Pair | str,
        dilation: Pair,
        groups: int,
    ) -> None:
        """A convolution of weight (out, in/groups, kh, kw), or (out, in/groups, k) for a one-dimensional one."""
        if weight.ndim == 3:
            weight = weight[:, :, None, :]
        if weight.ndim != 4 or 0 in weight.shape:
            raise InputError(
                where,
                f"requires a weight of (out, in/groups, height, width); found {weight.shape}; give that of a "
                "convolution",
            )
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
            raise InputError(
                where, f"requires padding of at most half of the window {kernel}; found {padding}; lower it"
            )
        sides = (padding[0], padding[0], padding[1], padding[1])
        self.add(Pool2d(name=name, inputs=(source,), kind=kind, kernel=kernel, stride=stride, padding=sides), where)

    def sparse(
        self, name: str, source: str, where: object, shape: Sequence[int], rows: Ints, columns: Ints, values: Reals
    ) -> None:
        """A linear map onto `shape`, zero but for values[k] (or the one of values ()) from element columns[k] of the
        source to element rows[k], both counted in C order."""
        places = (np.asarray(rows, np.int64).reshape(-1), np.asarray(columns, np.int64).reshape(-1))
        node = SparseLinear(
            name=name, inputs=(source,), shape=self.held(shape), rows=places[0], columns=places[1],
            values=numbers(where, values),
        )  # fmt: skip
        self.add(node, where)

    def maxpool(self, name: str, source: str, where: object, *, kernel: Pair, stride: Pair, padding: Pair) -> None:
        """The maximum of spikes over windows, as largest_of forms it."""
        self.require_spikes(name, source, where)
        self.pool(f"{name}.sum", source, where, kind=PoolKind.SUM, kernel=kernel, stride=stride, padding=padding)
        self.largest_of(name, f"{name}.sum", where)

    def require_spikes(self, name: str, source: str, where: object) -> None:
        """Raise UnsupportedError where `source`, whose maxima are the layer `name`, is not spikes of 0 and 1."""
        _ = self.shape[source]
        with alone() as each:
            require_spikes(self, source, where, "the maximum")
        if each.refused:
            replaced(name)

    def largest_of(self, name: str, sums: str, where: object) -> None:
        """The maxima of spikes of 0 and 1 that `sums` adds up: neurons that fire where a sum is above 0 (an OR)."""
        fire_above(self, name, (sums,), where, 0.5, "the maximum of spikes is their OR")

    def batchnorm(
        self,
        name: str,
        source: str,
        where: object,
        *,
        weight: Reals | None,
        bias: Reals | None,
        mean: Reals,
        var: Reals,
        eps: float,
    ) -> None:
        """Batch normalisation in inference: weight * (x - mean) / sqrt(var + eps) + bias (Ioffe and Szegedy 2015)."""
        if mean.ndim != 1 or any(other is not None and other.shape != mean.shape for other in (weight, bias, var)):
            raise InputError(
                where,
                f"requires tensors of one shape; found running_mean of {mean.shape} and others; give those of one "
                "layer",
            )
        if (var + eps <= 0).any():
            raise InputError(
                where,
                f"requires a variance plus eps above 0; found {float(var.min()) + eps:g}; raise eps or repair the "
                "network",
            )
        gain = (1.0 if weight is None else weight) / np.sqrt(var + eps)
        offset = (0.0 if bias is None else bias) - mean * gain
        self.add(ChannelAffine(name=name, inputs=(source,), gain=gain, offset=offset), where)

    def neuron(self, name: str, sources: tuple[str, ...], where: object, **fields: Any) -> None:
        """A population as large as its input. Array fields broadcast over it as in numpy and torch (last axis)."""
        shape = self.shape[sources[0]]
        arrays = {key: value for key, value in fields.items() if isinstance(value, np.ndarray)}
        fields.update({key: self.spread(value, shape, f"{where}.{key}") for key, value in arrays.items()})
        fields = gathered(fields)
        with alone() as each:
            check_threshold(name, np.asarray(fields["threshold"]))
        if each.refused:
            replaced(name)
            fields = {}
        self.add(Neuron(name=name, inputs=sources, shape=shape, **fields), where)

    def integrator(self, name: str, sources: Sequence[str], where: object, **decays: Any) -> None:
        """A population without a threshold, read by its potential: a sum over the steps, or as `decays` say (alpha_v,
        gain_v, bias, alpha_u, ... of ir.Neuron)."""
        self.neuron(name, tuple(sources), where, **integrator({"alpha_v": np.ones(()), **decays}))

    def layer(self, name: str, sources: Sequence[str], where: object, layer: NeuronLayer) -> None:
        """A neuron layer of a framework, with the weights that it applies to its input and to its own spikes."""
        self.notes.extend(layer.notes)
        sources = tuple(sources)
        if layer.entry is not None:
            self.feed(f"{name}.input", sources[0], where, layer.entry)
            sources = (f"{name}.input",)
        if layer.feedback is not None:
            shape = self.shape[sources[0]]
            if name not in self.shape:
                self.promise(name, shape)
            self.add(Delay(name=f"{name}.previous", inputs=(name,), steps=layer.feedback_delay), where)
            self.feed(f"{name}.recurrent", f"{name}.previous", where, layer.feedback)
            if size(self.shape[f"{name}.recurrent"]) != size(shape):
                found = f"{self.shape[f'{name}.recurrent']} for neurons of {shape}"
                raise InputError(
                    where,
                    f"requires recurrent weights from the layer to itself; found weights that give {found}; give "
                    "those of this layer",
                )
            sources = (*sources, f"{name}.recurrent")
        self.neuron(name, sources, where, **layer.fields)

    def feed(self, name: str, source: str, where: object, feed: Feed) -> None:
        """The linear map `feed` as a node."""
        if feed.one_to_one:
            shape = self.shape[source]
            lengths = (shape[0], *([1] * (len(shape) - (2 if self.one_dimensional and len(shape) == 3 else 1))))
            if feed.weight.size != 1 and feed.weight.shape != lengths:
                raise UnsupportedError(
                    str(where),
                    "one weight, or one per channel, where neurons feed themselves back",
                    f"weights of shape {feed.weight.shape} for neurons of {shape}",
                    "write it as a dense recurrence with these weights on its diagonal",
                )
            gain = feed.weight.reshape(() if feed.weight.size == 1 else (-1,))
            self.add(ChannelAffine(name=name, inputs=(source,), gain=gain, offset=np.zeros(())), where)
        elif feed.weight.ndim == 2:
            self.add(Dense(name=name, inputs=(source,), weight=feed.weight, bias=feed.bias), where)
        else:
            self.conv(
                name,
                source,
                where,
                weight=feed.weight,
                bias=feed.bias,
                stride=(1, 1),
                padding=feed.padding,
                dilation=(1, 1),
                groups=1,
            )

    def spread(self, value: Reals, shape: Shape, where: object) -> Reals:
        """A parameter for neurons of `shape`: () if it is one number, else an array of the full shape."""
        if value.size == 1:
            return value.reshape(())
        seen = (shape[0], shape[2]) if self.one_dimensional and len(shape) == 3 else shape
        while value.ndim > len(seen) and value.shape[0] == 1:
            value = value[0]
        try:
            return np.broadcast_to(value, seen).reshape(shape)
        except ValueError:
            raise InputError(
                where,
                f"requires one number or a shape that broadcasts to the layer's {seen}; found {value.shape}; give "
                "a number for each neuron or channel",
            ) from None

    def finish(self, readout: Readout | None, where: object, outputs: Sequence[str | ReadAs] = ()) -> Graph:
        """The checked graph, an Output reading each of the layers `outputs` (by default the last one).

        readout: of those that say none of their own; None: spikes are counted, and of a linear layer the sum over the
        steps is taken.
        """
        self.refuse_lost()
        for each in tuple(outputs) or (self.nodes[-1].name,):
            said = ReadAs(layer=each) if isinstance(each, str) else each
            add_output(self, said if said.readout is not None else replace(said, readout=readout), where)
        read = {source for node in self.nodes for source in node.inputs}
        for node in self.nodes:
            if node.name not in read and not isinstance(node, Output):
                raise InputError(
                    where,
                    f"requires a reader for each layer but the outputs; found none for {node.name}; remove it or "
                    "connect it",
                )
        graph = Graph(
            level=Level.IMPORTED,
            nodes=tuple(self.nodes),
            source=self.source,
            steps=self.steps,
            notes=tuple(self.notes),
        )
        check(graph)
        return graph
