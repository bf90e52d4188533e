"""A network written as NIR (docs/nir.md), such that our own reader gives back the same spikes.

Format: nir/serialization.py of NIR 1.0. What NIR has no field for goes into metadata, which other readers pass over.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.check import shapes
from tern2lava.compiler.ir.graph import (
    Add,
    ChannelAffine,
    Conv2d,
    Delay,
    Dense,
    Flatten,
    Graph,
    Identity,
    Input,
    Level,
    Neuron,
    Node,
    Output,
    Pool2d,
    PoolKind,
    Population,
    Projection,
    Readout,
    Reset,
    SparseLinear,
)
from tern2lava.compiler.ir.shapes import Reals, Shape, broadcast, size
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.export.nirform import in_nir_form
from tern2lava.export.nirneuron import say_neuron
from tern2lava.export.unfold import unfold
from tern2lava.extras import require

VERSION = "1.0.8"
"""The version of nir whose format is written."""

SAID = "tern2lava"
DEFAULT_DT = 1e-4
MAX_DIAGONAL = 4096
Fields = dict[str, Any]


@dataclass
class NirContent:
    """What goes into a NIR file: the time step in seconds, the steps of a sample (0: not said), nodes (name -> fields,
    `type` among them) and edges; notes of what else was done."""

    dt: float
    steps: int = 0
    nodes: dict[str, Fields] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def write_nir(graph: Graph, path: Path, *, dt: float = DEFAULT_DT, lossy: bool = False) -> tuple[str, ...]:
    """Write `graph` (IMPORTED to TERNARY) to a NIR file at `path`; the notes of what NIR could not say.

    dt: the time step in seconds that its time constants are given for. lossy: write neurons whose reset, comparison or
    refractory period NIR cannot say, which other readers will run as hard resets and `>`; ours reads what is meant from
    metadata. Raises UnsupportedError for what cannot be written, naming the node.
    """
    require("hdf5", why="NIR files need it")
    import h5py

    content = nir_content(graph, dt=dt, lossy=lossy)

    with h5py.File(path, "w") as file:
        text = h5py.string_dtype()
        file.create_dataset("version", data=VERSION, dtype=text)
        root = file.create_group("node")
        root.create_dataset("type", data="NIRGraph", dtype=text)
        metadata = root.create_group("metadata")
        metadata.create_dataset("dt", data=np.float64(content.dt))
        if content.steps:
            metadata.create_dataset("steps", data=np.int64(content.steps))
        edges = np.array(content.edges, dtype=object).reshape(-1, 2)
        root.create_dataset("edges", data=edges, dtype=text)
        nodes = root.create_group("nodes")
        for name, fields in content.nodes.items():
            _write_fields(nodes.create_group(name), fields, text)
    return tuple(content.notes)


def _write_fields(group: Any, fields: Fields, text: Any) -> None:
    for key, value in fields.items():
        if isinstance(value, dict):
            _write_fields(group.create_group(key), value, text)
        elif isinstance(value, str):
            group.create_dataset(key, data=value, dtype=text)
        elif isinstance(value, np.ndarray) and value.ndim:
            group.create_dataset(key, data=value, compression="gzip")
        else:
            group.create_dataset(key, data=value)


def nir_content(graph: Graph, *, dt: float = DEFAULT_DT, lossy: bool = False) -> NirContent:
    """The nodes and edges of the NIR file for `graph`; see write_nir."""
    if not (np.isfinite(dt) and dt > 0):
        raise InputError("--dt", f"requires seconds above 0; found {dt}; write for example 1e-4")
    if graph.level is Level.INTEGER:
        raise UnsupportedError(graph.source or "network", "real numbers (NIR's)", "integers", "write the real graph")
    return _Writer(in_nir_form(unfold(graph)), dt, lossy).content()


class _Writer:
    """One graph on its way into NIR. `carriers` holds, for each node, the NIR nodes whose sum it sends on."""

    def __init__(self, graph: Graph, dt: float, lossy: bool) -> None:
        self.graph = graph
        self.shape = shapes(graph)
        self.lossy = lossy
        self.result = NirContent(dt=dt, steps=graph.steps)
        self.sent: dict[str, Shape] = {}
        self.names = {node.name: node.name.replace("/", ".") for node in graph.nodes}
        self.implied = {node.name for node in graph.of_kind(Delay) if _closes_own_loop(graph, node)}

    def content(self) -> NirContent:
        """The finished content. Raises UnsupportedError for what NIR cannot say."""
        if len(set(self.names.values())) != len(self.names):
            raise InputError(
                self.graph.source or "network", "requires node names that differ in NIR; found two alike; rename one"
            )
        for node in self.graph.nodes:
            if not self.passes(node):
                self.write(node)
        return self.result

    def passes(self, node: Node) -> bool:
        """Whether a node stands for what it reads: its sum, unchanged."""
        if isinstance(node, Delay):
            return node.steps == 0 or node.name in self.implied
        return isinstance(node, Identity | Add)

    def carriers(self, name: str) -> list[str]:
        node = self.graph[name]
        if self.passes(node):
            return [each for source in node.inputs for each in self.carriers(source)]
        return [self.names[name]]

    def put(self, name: str, kind: str, fields: Fields, sources: list[str], shape: Shape) -> None:
        """Add a NIR node fed by `sources` with outputs of `shape`; a source that feeds it twice goes through a Scale of
        1 the second time, for NIR has one edge between two nodes."""
        self.result.nodes[name] = {"type": kind, **fields}
        self.sent[name] = shape
        for source in sources:
            if (source, name) in self.result.edges:
                again = self.free(f"{source}.again")
                # A loop may name its source before that is written.
                own = self.sent.get(source) or self.shape[source]
                self.put(again, "Scale", {"scale": np.ones(own)}, [source], own)
                self.result.edges.append((again, name))
            else:
                self.result.edges.append((source, name))

    def free(self, name: str) -> str:
        taken = {*self.result.nodes, *self.names.values()}
        return next(each for each in (name, *(f"{name}{n}" for n in range(2, len(taken) + 3))) if each not in taken)

    def write(self, node: Node) -> None:
        """Add one node of the graph."""
        name = self.names[node.name]
        sources = [each for source in node.inputs for each in self.carriers(source)]
        shape = self.shape[node.inputs[0]] if node.inputs else self.shape[node.name]
        out = self.shape[node.name]
        match node:
            case Input():
                said = {} if node.levels == (0, 1) else _metadata([f"levels={node.levels[0]}..{node.levels[1]}"])
                self.put(name, "Input", {"shape": np.array(node.shape), **said}, [], node.shape)
            case Output():
                self.output(node, name, sources)
            case Neuron():
                self.neuron(node, name, shape, sources)
            case Dense():
                if len(shape) > 1:
                    sources = [self.flatten(f"{name}.flatten", shape, sources)]
                bias = {} if node.bias is None else {"bias": np.array(node.bias)}
                self.put(name, "Affine" if bias else "Linear", {"weight": np.array(node.weight), **bias}, sources, out)
            case Conv2d():
                self.put(name, "Conv2d", _conv(node, shape), sources, out)
            case Pool2d():
                kind = "AvgPool2d" if node.kind is PoolKind.AVG else "SumPool2d"
                fields = {"kernel_size": np.array(node.kernel), "stride": np.array(node.stride)}
                self.put(name, kind, {**fields, "padding": np.array(_symmetric(node, node.padding))}, sources, out)
            case ChannelAffine():
                self.put(name, *_affine(node, shape), sources, out)
            case Flatten():
                self.flatten(name, shape, sources)
            case Delay():
                seconds = np.full(shape, node.steps * self.result.dt)
                self.put(name, "Delay", {"delay": seconds}, sources, out)
            case SparseLinear():
                raise UnsupportedError(
                    node.name,
                    "layers that NIR has",
                    "a map that moves, pads or averages elements",
                    "export the network behind the passes (--stage real), where it is part of the weights",
                )
            case Identity() | Add() | Projection() | Population():
                raise AssertionError(f"{node.name} is no node to write")

    def flatten(self, name: str, shape: Shape, sources: list[str]) -> str:
        written = name if name in self.names.values() else self.free(name)
        fields = {"start_dim": 0, "end_dim": -1, "input_type": np.array(shape)}
        self.put(written, "Flatten", fields, sources, (size(shape),))
        return written

    def output(self, node: Output, name: str, sources: list[str]) -> None:
        source = self.graph[node.inputs[0]]
        if not node.plain:
            if not self.lossy:
                raise UnsupportedError(
                    node.name, "scores that are the readout of neurons (NIR has no field for more)",
                    "class sums, step weights or an offset that the host applies",
                    "write it with --lossy, and form scores of the output neurons yourself",
                )  # fmt: skip
            self.result.notes.append(f"{node.name}: its class sums, step weights or offset are left out")
        usual = Readout.SPIKE_COUNT
        if isinstance(source, Neuron) and source.reset is Reset.NONE and self.read_only(source):
            usual = Readout.MEMBRANE_LAST
        said = {} if node.readout is usual else _metadata([f"readout={node.readout.value}"])
        self.put(name, "Output", {"shape": np.array(self.shape[node.inputs[0]]), **said}, sources, ())

    def read_only(self, neuron: Neuron) -> bool:
        """Whether only outputs read the neuron, and they its potential."""
        readers = self.graph.consumers(neuron.name)
        return all(isinstance(r, Output) and r.readout is not Readout.SPIKE_COUNT for r in readers)

    def potential_read(self, neuron: Neuron) -> bool:
        """Whether an output reads the neuron's potential."""
        readers = self.graph.consumers(neuron.name)
        return any(isinstance(r, Output) and r.readout is not Readout.SPIKE_COUNT for r in readers)

    def neuron(self, node: Neuron, name: str, shape: Shape, sources: list[str]) -> None:
        if shape != node.shape and size(shape) == size(node.shape):
            after = [r.name for r in self.graph.consumers(node.name) if not isinstance(r, Dense | Flatten | Output)]
            if after:
                raise UnsupportedError(
                    node.name,
                    "neurons of the shape of their input (NIR)",
                    f"{shape} read as {node.shape} by {after[0]}",
                    "reshape in front of the neurons",
                )
        read = self.potential_read(node)
        loop = not self.lossy and (node.reset_delay or not read)
        said = say_neuron(
            node, shape, self.result.dt, read_only=self.read_only(node), potential_read=read, loop=loop
        )  # fmt: skip
        if said.lost and not self.lossy:
            raise UnsupportedError(
                node.name, "a reset and a comparison that NIR can say", ", ".join(said.lost),
                "allow it with --lossy: other readers will run a hard reset and >, ours reads the rest from metadata",
            )  # fmt: skip
        if said.lost:
            self.result.notes.append(f"{node.name}: only metadata say {', '.join(said.lost)}; other readers lose it")
        metadata = _metadata(list(said.lost)) if said.lost else {}
        if said.amount is not None:
            metadata["metadata"]["reset_amount"] = said.amount
        if said.threshold is None:
            self.put(name, said.kind, {**said.fields, **metadata}, sources, shape)
            return
        potential = self.free(f"{name}.potential")
        self.put(potential, said.kind, said.fields, sources, shape)
        self.put(name, "Threshold", {"threshold": said.threshold, **metadata}, [potential], shape)
        if said.feedback is not None:
            back = self.free(f"{name}.reset")
            self.put(back, "Scale", {"scale": said.feedback}, [name], shape)
            self.result.edges.append((back, potential))
            self.result.notes.append(
                f"{node.name}: its soft reset is a loop of {potential}, {name} and {back}, which all readers of NIR "
                "run alike where spikes close a loop one step later; --lossy writes one LIF whose reset metadata say"
            )


def _metadata(said: list[str]) -> Fields:
    return {"metadata": {SAID: ",".join(said)}}


def _closes_own_loop(graph: Graph, delay: Delay) -> bool:
    """Whether a Delay of one step lies behind neurons that alone read it, through layers: NIR implies that step."""
    source = graph[delay.inputs[0]]
    if delay.steps != 1 or len(delay.inputs) != 1 or not isinstance(source, Neuron):
        return False
    at: Node = delay
    while True:
        readers = graph.consumers(at.name)
        if len(readers) != 1 or sum(name == at.name for name in readers[0].inputs) != 1:
            return False
        at = readers[0]
        if isinstance(at, Neuron):
            return at.name == source.name
        if not isinstance(at, Dense | Conv2d | ChannelAffine | Identity) or len(at.inputs) != 1:
            return False


def _symmetric(node: Node, padding: tuple[int, int, int, int]) -> tuple[int, int]:
    if padding[0] != padding[1] or padding[2] != padding[3]:
        raise UnsupportedError(
            node.name, "both ends padded alike (NIR)", f"padding {padding}", "pad symmetrically, or crop the input"
        )
    return (padding[0], padding[2])


def _conv(node: Conv2d, shape: Shape) -> Fields:
    bias = np.zeros(node.weight.shape[0]) if node.bias is None else np.array(node.bias)
    return {
        "input_shape": np.array(shape[1:]), "weight": np.array(node.weight), "bias": bias,
        "stride": np.array(node.stride), "padding": np.array(_symmetric(node, node.padding)),
        "dilation": np.array(node.dilation), "groups": node.groups,
    }  # fmt: skip


def _affine(node: ChannelAffine, shape: Shape) -> tuple[str, Fields]:
    """A gain and offset per channel: Scale, or with an offset a diagonal Affine or a depthwise convolution."""
    gain: Reals = np.array(broadcast(np.asarray(node.gain, np.float64), shape))
    offset: Reals = np.array(broadcast(np.asarray(node.offset, np.float64), shape))
    if not np.any(offset):
        return "Scale", {"scale": gain}
    if len(shape) == 1:
        if shape[0] > MAX_DIAGONAL:
            raise UnsupportedError(
                node.name,
                "offsets behind weights (NIR has none alone)",
                f"{shape[0]:,} of them",
                "fold them into the layer in front",
            )
        return "Affine", {"weight": np.diag(gain), "bias": offset}
    weight = gain.reshape(shape[0], -1)[:, :1].reshape(-1, 1, 1, 1)
    conv = Conv2d(name=node.name, weight=weight, bias=offset.reshape(shape[0], -1)[:, 0], groups=shape[0])
    return "Conv2d", _conv(replace(conv), shape)
