"""lava-dl's network files (.net, written by slayer's export_hdf5) read into a Graph (docs/nir.md).

Format: lava-dl netx/README.md and slayer/block/base.py. Layers follow each other; concat and add name further ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tern2lava.compiler.ir.check import check
from tern2lava.compiler.ir.graph import Add, ChannelAffine, Dense, Flatten, Graph, Level, Neuron, Output, Readout
from tern2lava.compiler.ir.shapes import Ints, Reals, Shape, frozen, size
from tern2lava.counts import count
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.findings import alone, replaced
from tern2lava.frontends.assumptions import parse_assumptions
from tern2lava.frontends.builder import GraphBuilder
from tern2lava.frontends.delays import delayed_linear, late
from tern2lava.frontends.files.hdf5 import Tree
from tern2lava.frontends.files.hdf5_node import Hdf5Node
from tern2lava.frontends.lavadl.neuron import NEVER, integrator_fields, neuron_fields, whole_numbers

KEYS = ("fire", "readout", "levels", "arithmetic")
KINDS = ("input", "dense", "dense_rec", "conv", "pool", "flatten", "average", "concat", "add")
UNKNOWN = {
    "recurrent": "lava-dl defines no such layer; write what feeds its spikes back one step later as dense_rec",
    "dense_comp": "give dense layers of the real and of the imaginary weights",
}
"""What stands for layers that are not read."""

INPUT = "input"
INPUT_WEIGHT = 64.0
"""Weight of an input layer that stores none: 1.0 in slayer, whose weights are exported times 64."""

LONGEST_DELAY = 62


def is_lavadl(tree: Tree) -> bool:
    """Whether an HDF5 file's tree is a lava-dl network."""
    return isinstance(tree.get("layer"), dict)


def read_tree(
    tree: Tree, source: str, where: object, *, assume: str | Mapping[str, str] | None = None, steps: int = 0
) -> Graph:
    """The Graph (IMPORTED) of the tree of a lava-dl file, in whose integers it computes.

    assume: keys KEYS (see parse_assumptions): fire=ge for neurons trained with Loihi 1's slayer; arithmetic=real reads
    the numbers as real ones, without the truncation of integers. steps: time steps of a sample (0: the file's).
    Raises InputError for a damaged file, UnsupportedError for layers and neurons that have no exact form.
    """
    layers = parse_layers(tree, where)
    assembly = _Assembly(source, steps or _sample_steps(tree), where, assume)
    for layer, neuron in layers:
        with alone(layer.name) as each:
            assembly.add(layer, neuron)
        if each.refused:
            assembly.lose(layer, neuron)
    return assembly.finish()


def parse_layers(tree: Tree, where: object) -> list[tuple[Hdf5Node, Hdf5Node | None]]:
    """(layer, its neurons or None) in order. Raises InputError for missing numbers and types."""
    group = tree["layer"]
    assert isinstance(group, dict)
    if not group or set(group) != {str(i) for i in range(len(group))}:
        numbered = ", ".join(sorted(group)[:8]) or "not at all"
        raise InputError(where, f"requires layers numbered 0, 1, ...; found {numbered}; export the network again")
    result = []
    for i in range(len(group)):
        member = group[str(i)]
        kind = _text(member.get("type")) if isinstance(member, dict) else None
        if not isinstance(member, dict) or kind is None:
            raise InputError(
                where, f"requires a type for each layer; found none for layer {i}; export the network again"
            )
        name = f"{kind}{i}"
        fields = {key: value for key, value in member.items() if not isinstance(value, dict)}
        if isinstance(member.get("weight"), dict):
            raise UnsupportedError(name, "real weights", "complex weights", "use dense or conv with CUBA neurons")
        own = member.get("neuron")
        neuron = None
        if isinstance(own, dict):
            stored = {key: value for key, value in own.items() if not isinstance(value, dict)}
            neuron = Hdf5Node(name=f"{name}.neuron", kind=_text(own.get("type")) or "none", fields=stored)
        result.append((Hdf5Node(name=name, kind=kind, fields=fields), neuron))
    return result


def _text(value: Any) -> str | None:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else None


def _sample_steps(tree: Tree) -> int:
    """tSample / Ts where the file says them as whole steps; 0 otherwise."""
    group = tree.get("simulation")
    values = [group.get(key) for key in ("tSample", "Ts")] if isinstance(group, dict) else []
    numbers = [float(v.reshape(-1)[0]) for v in values if isinstance(v, np.ndarray) and v.size == 1]
    if len(numbers) != 2 or not (0 < numbers[1] <= numbers[0] < 1 << 30) or numbers[0] % numbers[1]:
        return 0
    return int(numbers[0] / numbers[1])


class _Assembly:
    """One file on its way into a Graph. `layers` holds what each layer sends on: the nodes whose outputs follow each
    other along the first axis (more than one behind a concat)."""

    def __init__(self, source: str, steps: int, where: object, assume: str | Mapping[str, str] | None) -> None:
        self.builder = GraphBuilder(source, steps)
        self.where = where
        self.assumptions = parse_assumptions(assume, KEYS)
        self.layers: list[list[str]] = []
        # Layers that the file does not count: the input, where it has no layer of its own.
        self.before = 0
        self.backward: list[tuple[str, str]] = []

    def add(self, layer: Hdf5Node, neuron: Hdf5Node | None) -> None:
        """Add one layer behind the last."""
        if layer.kind not in KINDS:
            hint = UNKNOWN.get(layer.kind, "write it as a dense layer with the weights of what it computes")
            raise UnsupportedError(layer.name, f"one of the layers {', '.join(KINDS)}", layer.kind, hint)
        if not self.layers:
            self.input(layer)
            if layer.kind == "input":
                self.layers.append(self.input_layer(layer, neuron))
                return
        sources = self.layers[-1]
        match layer.kind:
            case "dense" | "dense_rec":
                self.layers.append([self.dense(layer, neuron, sources)])
            case "conv" | "pool":
                self.layers.append([self.convolution(layer, neuron, sources)])
            case "flatten":
                self.layers.append([self.flat(name, layer) for name in sources])
            case "average":
                self.layers.append([self.average(layer, sources)])
            case "concat":
                self.layers.append([name for index in self.named(layer) for name in self.layers[index]])
            case "add":
                self.layers.append([self.sum(layer)])
            case _:
                raise UnsupportedError(
                    layer.name, "the input as the first layer", "an input further on", "put it first"
                )

    def lose(self, layer: Hdf5Node, neuron: Hdf5Node | None) -> None:
        """Go on without a layer that was refused: what its neurons say themselves is still looked at."""
        self.builder.lose(layer.name)
        self.layers.append([layer.name])
        if neuron is not None:
            with alone():
                neuron_fields(neuron, self.assumptions, layer.name, [])

    def input(self, layer: Hdf5Node) -> None:
        """The network's input; its shape is that of the input layer, or the first dense layer's inputs."""
        if layer.kind == "input":
            shape: Shape = layer.whole("shape")
        elif layer.kind in ("dense", "dense_rec"):
            shape = (self.matrix(layer, "weight").shape[1],)
        else:
            raise InputError(
                self.where,
                f"requires an input shape; found a network that begins with {layer.kind}; add an input layer",
            )
        if min(shape) < 1 or len(shape) not in (1, 3):
            raise InputError(
                f"{layer.name}.shape",
                f"requires (values) or (channels, height, width); found {shape}; export the network again",
            )
        self.builder.input(INPUT, shape, self.assumptions.levels(INPUT), self.where)
        if layer.kind != "input":
            self.layers.append([INPUT])
            self.before = 1

    def input_layer(self, layer: Hdf5Node, neuron: Hdf5Node | None) -> list[str]:
        """What an input layer sends on: the input itself, or the spikes of neurons that are fed weight * x + bias."""
        if neuron is None:
            return [INPUT]
        weight = self.numbers(layer, "weight") if "weight" in layer.fields else np.full(1, INPUT_WEIGHT)
        bias = self.numbers(layer, "bias") if "bias" in layer.fields else np.zeros(1)
        if weight.size != 1 or bias.size != 1:
            raise InputError(
                layer.name,
                f"requires one weight and one bias; found {weight.size} and {bias.size}; export the network again",
            )
        gain = f"{layer.name}.weight"
        affine = ChannelAffine(name=gain, inputs=(INPUT,), gain=weight.reshape(()), offset=frozen(0.0))
        self.builder.add(affine, self.where)
        return [self.neurons(layer, neuron, [gain], bias)]

    def numbers(self, layer: Hdf5Node, key: str) -> Reals:
        return whole_numbers(layer, key, self.assumptions)

    def matrix(self, layer: Hdf5Node, key: str) -> Reals:
        """A weight as (out, in); a flat one is cut into as many rows as the layer has neurons."""
        weight = self.numbers(layer, key)
        rows = size(layer.whole("shape")) if weight.ndim < 2 else weight.shape[0]
        if any(n != 1 for n in weight.shape[2:]) or rows < 1 or weight.size % rows:
            raise InputError(
                f"{layer.name}.{key}",
                f"requires a weight of (neurons, inputs); found {weight.shape}; export the network again",
            )
        return weight.reshape(rows, -1)

    def dense(self, layer: Hdf5Node, neuron: Hdf5Node | None, sources: list[str]) -> str:
        """A dense layer and its neurons; delays that differ become one matrix for each (delays.delayed_linear)."""
        weight = self.matrix(layer, "weight")
        lengths = [size(self.builder.shape[name]) for name in sources]
        if weight.shape[1] != sum(lengths):
            raise InputError(
                layer.name,
                f"requires {count(weight.shape[1], 'value')}, as its weight has; found {sum(lengths)}; mend its "
                "weight or the layers before it",
            )
        delays = self.delays(layer, weight.shape)
        if layer.kind == "dense_rec" and np.any(delays):
            raise UnsupportedError(
                layer.name, "recurrent layers without delays", "delays",
                "lava-dl defines none for their feedback; leaving them out changes the network",
            )  # fmt: skip
        feeds = []
        ends = np.cumsum([0, *lengths])
        for part, source in enumerate(sources):
            columns = slice(int(ends[part]), int(ends[part + 1]))
            feeds.append(self.free(f"{layer.name}.weight"))
            delayed_linear(self.builder, feeds[-1], source, self.where, weight[:, columns], delays[:, columns])
        if neuron is None:
            return self.sum_over_time(layer, feeds)
        result = self.neurons(layer, neuron, feeds, self.bias(layer, weight.shape[0]))
        if layer.kind == "dense_rec":
            self.recurrent(layer, result)
        return result

    def linear(self, layer: Hdf5Node, source: str, weight: Reals) -> str:
        name = self.free(f"{layer.name}.weight")
        self.builder.add(Dense(name=name, inputs=(source,), weight=weight), self.where)
        return name

    def delays(self, layer: Hdf5Node, shape: tuple[int, ...]) -> Ints:
        """Steps that each synapse of a weight of `shape` waits: one number, one for each neuron (or channel), of a
        dense layer one for each input, or one for each synapse."""
        if "delay" not in layer.fields:
            return np.zeros(shape, np.int64)
        value: Reals = np.floor(layer.array("delay"))
        low, high = float(value.min(initial=0)), float(value.max(initial=0))
        if low < 0 or high > LONGEST_DELAY:
            raise InputError(
                f"{layer.name}.delay",
                f"requires delays of 0 to {LONGEST_DELAY}, as lava-dl's; found {low:g} to {high:g}; export the network "
                "again",
            )
        outputs = shape[0]
        if value.size == outputs * size(shape[1:]) and value.size not in (1, outputs):
            value = value.reshape(shape)
        elif value.size == outputs:
            value = value.reshape(-1, *([1] * (len(shape) - 1)))
        elif value.size == 1 or (len(shape) == 2 and value.size == shape[1]):
            value = value.reshape(-1)
        else:
            synapses = " x ".join(map(str, shape))
            raise InputError(
                f"{layer.name}.delay",
                f"requires one delay, or one for each of {count(outputs, 'neuron')} or of {synapses} synapses; found "
                f"{value.size}; export the network again",
            )
        return np.broadcast_to(value, shape).astype(np.int64)

    def bias(self, layer: Hdf5Node, channels: int) -> Reals:
        if "bias" not in layer.fields:
            return np.zeros(1)
        value = self.numbers(layer, "bias").reshape(-1)
        if value.size not in (1, channels):
            raise InputError(
                f"{layer.name}.bias",
                f"requires one bias for each of {count(channels, 'channel')}; found {value.size}; export the "
                "network again",
            )
        return value

    def neurons(self, layer: Hdf5Node, neuron: Hdf5Node, feeds: list[str], bias: Reals) -> str:
        """Add the neurons of a layer under its name. Their bias joins the membrane potential, as in netx."""
        with alone() as each:
            channels = self.builder.shape[feeds[0]][0]
            fields = neuron_fields(neuron, self.assumptions, layer.name, self.builder.notes, channels)
        if each.refused:
            replaced(layer.name)
            fields = {"alpha_u": frozen(0.0), "threshold": frozen(1.0)}
        if np.any(bias) and np.any(fields["alpha_u"] != 0):
            self.builder.notes.append(f"{layer.name}: its bias joins the potential as in netx, not the current")
        shape = self.builder.shape[feeds[0]]
        if bias.size > 1 and len(shape) == 3:
            bias = np.broadcast_to(bias.reshape(-1, 1, 1), shape)
        self.builder.neuron(layer.name, tuple(feeds), self.where, bias=bias, **fields)
        self.check_shape(layer)
        return layer.name

    def check_shape(self, layer: Hdf5Node) -> None:
        if "shape" in layer.fields and size(layer.whole("shape")) != size(self.builder.shape[layer.name]):
            raise InputError(
                f"{layer.name}.shape",
                f"requires the shape of its neurons, {self.builder.shape[layer.name]}; found "
                f"{layer.whole('shape')}; export the network again",
            )

    def recurrent(self, layer: Hdf5Node, neurons: str) -> None:
        """Let the neurons read their own spikes of the step before through weight_rec."""
        weight = self.matrix(layer, "weight_rec")
        wait = late(self.builder, neurons, 1, self.where)
        name = f"{layer.name}.weight_rec"
        self.builder.add(Dense(name=name, inputs=(wait,), weight=weight), self.where)
        self.backward.append((name, neurons))

    def convolution(self, layer: Hdf5Node, neuron: Hdf5Node | None, sources: list[str]) -> str:
        """A convolution or pooling (a convolution of each channel with one kernel) and its neurons."""
        weight = self.numbers(layer, "weight")
        while weight.ndim > 4 and weight.shape[-1] == 1:
            weight = weight[..., 0]
        if weight.ndim != 4:
            raise InputError(
                f"{layer.name}.weight",
                f"requires a weight of (out, in, height, width); found {weight.shape}; export the network again",
            )
        channels = sum(self.builder.shape[name][0] for name in sources)
        groups = layer.one("groups", 1)
        if layer.kind == "pool":
            weight, groups = np.repeat(weight[:1, :1], channels, axis=0), channels
        delays = self.delays(layer, weight.shape)
        if groups != 1 and len(sources) > 1:
            raise UnsupportedError(
                layer.name, "one group of inputs in a convolution behind a concat", f"{groups} groups",
                "give each layer of the concat a convolution of its own, joined by an add",
            )  # fmt: skip
        feeds, at = [], 0
        for source in sources:
            width = weight.shape[1] if groups != 1 else self.builder.shape[source][0]
            name = self.free(f"{layer.name}.weight")
            delayed_linear(
                self.builder, name, source, self.where, weight[:, at : at + width], delays[:, at : at + width],
                stride=_pair(layer, "stride", 1), padding=_pair(layer, "padding", 0), groups=groups,
                dilation=_pair(layer, "dilation", 1),
            )  # fmt: skip
            feeds.append(name)
            at += width
        if at != weight.shape[1]:
            raise InputError(
                layer.name,
                f"requires {count(weight.shape[1], 'channel')}, as its weight has; found an input of {at}; mend "
                "its weight or the layer before it",
            )
        if neuron is None:
            return self.sum_over_time(layer, feeds)
        return self.neurons(layer, neuron, feeds, self.bias(layer, weight.shape[0]))

    def flat(self, name: str, layer: Hdf5Node) -> str:
        if len(self.builder.shape[name]) == 1:
            return name
        flat = self.free(layer.name)
        self.builder.add(Flatten(name=flat, inputs=(name,)), self.where)
        return flat

    def average(self, layer: Hdf5Node, sources: list[str]) -> str:
        """The mean over groups of neurons that follow each other; summed over the steps where it is the output."""
        groups = layer.whole("shape")[0]
        neurons = size(self.builder.shape[sources[0]])
        if len(sources) != 1 or groups < 1 or neurons % groups:
            raise InputError(
                layer.name,
                f"requires groups of equal size; found {count(neurons, 'neuron')} in {count(groups, 'group')}; "
                "export the network again",
            )
        mean = np.kron(np.eye(groups), np.full((1, neurons // groups), groups / neurons))
        return self.linear(layer, self.flat(sources[0], layer), mean)

    def named(self, layer: Hdf5Node) -> list[int]:
        """The layer before `layer`, then those it names under `layers`."""
        last = len(self.layers) - 1
        if "layers" not in layer.fields:
            raise InputError(layer.name, "requires further layers; found none; add them under layers")
        found = [int(n) + self.before for n in layer.array("layers").reshape(-1)]
        ahead = [n for n in found if not 0 <= n <= last]
        if ahead:
            found_there = f"layer {ahead[0] - self.before}"
            raise UnsupportedError(layer.name, "layers that name earlier ones", found_there, "use dense_rec for a loop")
        return [last, *(n for n in found if n != last)]

    def sum(self, layer: Hdf5Node) -> str:
        parts = [self.layers[index] for index in self.named(layer)]
        if any(len(part) != 1 for part in parts):
            raise UnsupportedError(layer.name, "an add that reads layers", "a concat", "put neurons between them")
        self.builder.add(Add(name=layer.name, inputs=tuple(part[0] for part in parts)), self.where)
        return layer.name

    def sum_over_time(self, layer: Hdf5Node, feeds: list[str]) -> str:
        self.builder.notes.append(f"{layer.name} has no neurons: it is summed over the steps, read at the end")
        self.builder.neuron(layer.name, tuple(feeds), self.where, **integrator_fields())
        return layer.name

    def free(self, name: str) -> str:
        count, found = 1, name
        while found in self.builder.shape:
            count, found = count + 1, f"{name}{count + 1}"
        return found

    def finish(self) -> Graph:
        """The finished graph, its Output reading the last layer, checked."""
        builder, last = self.builder, self.layers[-1]
        builder.refuse_lost()
        by_name = {node.name: node for node in builder.nodes}
        if len(last) != 1 or not any(isinstance(node, Neuron) for node in builder.nodes):
            raise UnsupportedError(str(self.where), "a network that ends in one layer with neurons", "none", "add one")
        name = last[0]
        node = by_name[name]
        while isinstance(node, Flatten):
            name = node.inputs[0]
            node = by_name[name]
        if not isinstance(node, Neuron):
            name = self.free(f"{name}.sum")
            builder.neuron(name, (node.name,), self.where, **integrator_fields())
            builder.notes.append(f"{node.name} is summed over the steps and read at the end")
        silent = not isinstance(node, Neuron) or float(np.max(node.threshold)) >= NEVER
        self.check_read(name)
        said = self.assumptions.get("output", "readout")
        readout = Readout(said) if said else Readout.MEMBRANE_LAST if silent else Readout.SPIKE_COUNT
        if silent and readout is Readout.SPIKE_COUNT:
            raise UnsupportedError("output", "an integrator to be read by its potential", "spike_count", "leave it out")
        builder.add(Output(name="output", inputs=(name,), readout=readout), self.where)
        nodes = {each.name: each for each in builder.nodes}
        for source, target in self.backward:
            nodes[target] = replace(nodes[target], inputs=(*nodes[target].inputs, source))
        graph = Graph(
            level=Level.IMPORTED, nodes=tuple(nodes.values()), source=builder.source, steps=builder.steps,
            notes=(*builder.notes, *self.assumed()),
        )  # fmt: skip
        check(graph)
        self.assumptions.check_used()
        return graph

    def check_read(self, output: str) -> None:
        """UnsupportedError for an integrator whose potential feeds synapses."""
        read = {source for node in self.builder.nodes for source in node.inputs}
        for node in self.builder.nodes:
            inside = node.name != output and node.name in read
            if isinstance(node, Neuron) and inside and float(np.max(node.threshold)) >= NEVER:
                raise UnsupportedError(
                    node.name,
                    "neurons in layers inside a network",
                    "none",
                    "multiply its weights into those of the next layer, where the two are one linear map",
                )

    def assumed(self) -> list[str]:
        neurons = [node for node in self.builder.nodes if isinstance(node, Neuron)]
        notes = [f"assumed: {', '.join(self.assumptions.texts)}"] if self.assumptions.texts else []
        if any(node.quantum is not None for node in neurons):
            notes.append("lava-dl's integers are kept: 64 membrane units to one of a weight, decays cut towards zero")
        if self.assumptions.everywhere.get("fire") is None:
            notes.append("spikes where v > vThMant * 64 as Lava's LIF; slayer for Loihi 1 means >= (--assume fire=ge)")
        return notes


def _pair(layer: Hdf5Node, key: str, default: int) -> tuple[int, int]:
    """(y, x) of a size; a third number is the time axis, where it does nothing."""
    found = layer.whole(key, default)
    if len(found) == 1:
        found = (found[0], found[0])
    if len(found) not in (2, 3) or (len(found) == 3 and found[2] != default) or min(found) < default:
        raise InputError(
            f"{layer.name}.{key}",
            f"requires (y, x) of at least {default}; found {list(found)}; export the network again",
        )
    return (found[0], found[1])
