"""A compiled network as a lava-dl file (.net), which netx of lava-dl 0.6 and this package's own reader load.

Layout: docs/nir.md, "The layout of a .net file"; which networks it can say: docs/exports.md. The layers follow each
other, each with its neurons, in the integers of Lava's LIF (netx_neuron.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Graph, Input, Output, Population, Readout
from tern2lava.compiler.ir.shapes import Shape
from tern2lava.compiler.passes.expand_pooling import unpooled_graph
from tern2lava.counts import count
from tern2lava.errors import UnsupportedError
from tern2lava.export.netx_layer import Feeds, Say, layer_of
from tern2lava.export.netx_neuron import KEEP, refuse_neurons, sayings
from tern2lava.extras import require

Fields = dict[str, Any]


@dataclass
class NetxContent:
    """Layers, each a type and data sets, those of its neurons under "neuron"; the steps of a sample (0: not said), and
    notes of what the file does not say. populations: that of each layer with neurons, in their order."""

    steps: int = 0
    layers: list[Fields] = field(default_factory=list)
    populations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def write_netx(program: Graph, path: Path, *, lossy: bool = False) -> tuple[str, ...]:
    """Write an INTEGER graph to a .net file at `path`; the notes of what it does not say.

    lossy: leave out class sums, step weights and offsets, which the host applies. Raises UnsupportedError for what the
    file cannot say, or netx would not run with the same spikes, naming the node.
    """
    require("hdf5", why="lava-dl's files need it")
    import h5py

    content = netx_content(program, lossy=lossy)
    with h5py.File(path, "w") as file:
        if content.steps:
            file["simulation/Ts"], file["simulation/tSample"] = 1, content.steps
        for number, layer in enumerate(content.layers):
            _write(file.create_group(f"layer/{number}"), layer)
    return tuple(content.notes)


def _write(group: Any, fields: Mapping[str, Any]) -> None:
    for key, value in fields.items():
        if isinstance(value, dict):
            _write(group.create_group(key), value)
        elif isinstance(value, str):
            group.create_dataset(key, (1,), "S10", [value.encode()])
        elif isinstance(value, np.ndarray) and value.ndim > 1:
            group.create_dataset(key, data=value, compression="gzip")
        else:
            group.create_dataset(key, data=value)


def netx_content(program: Graph, *, lossy: bool = False) -> NetxContent:
    """The layers of the .net file for `program`; see write_netx."""
    graph = unpooled_graph(program)
    for population in graph.of_kind(Population):
        refuse_neurons(graph, population)
    source, chain = _chain(graph)
    content = NetxContent(steps=program.steps)
    if source.levels != (0, 1):
        low, high = source.levels
        bits = max(abs(low), abs(high)).bit_length()
        content.notes.append(
            f"{source.name}: its levels are not in the file; load it with --assume levels={low}..{high}, in netx with "
            f"input_message_bits={bits}"
        )
    _outputs(graph, chain[-1], content, lossy)
    before: Input | Population = source
    shape: Shape = source.shape
    for population in chain:
        said = _said(graph, before, population, shape)
        if not content.layers or said.in_shape != shape:
            kind = "flatten" if content.layers else "input"
            content.layers.append({"type": kind, "shape": np.array(said.in_shape, np.int32)})
        content.layers.append({"type": said.kind, **said.fields})
        content.populations.append(population.name)
        before, shape = population, said.out_shape
    return content


def _said(graph: Graph, before: Input | Population, population: Population, shape: Shape) -> Say:
    """The layer of `population`, by the first way of saying its neurons whose weights netx reads as they are."""
    feeds = Feeds.of(graph, before, population)
    refused: UnsupportedError | None = None
    for saying in sayings(graph, population):
        try:
            return layer_of(feeds, saying, None if isinstance(before, Input) else shape)
        except UnsupportedError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _chain(graph: Graph) -> tuple[Input, list[Population]]:
    """The input and the populations, each of which reads the one before alone, and maybe itself."""
    inputs, populations = graph.of_kind(Input), graph.of_kind(Population)
    if len(inputs) != 1:
        raise UnsupportedError(inputs[-1].name, "one input (a .net file)", count(len(inputs), "input"), KEEP)
    readers: dict[str, Population] = {}
    for population in populations:
        read = dict.fromkeys(graph.projection(name).inputs[0] for name in population.inputs)
        read.pop(population.name, None)
        if len(read) != 1:
            found = " and ".join(read) or "none"
            raise UnsupportedError(population.name, "layers that each read one, the one before (netx)", found, KEEP)
        source = next(iter(read))
        if source in readers:
            found = f"{source} read by {readers[source].name} and {population.name}"
            raise UnsupportedError(population.name, "layers that follow each other (netx)", found, KEEP)
        readers[source] = population
    at, chain = inputs[0].name, list[Population]()
    while at in readers:
        chain.append(readers[at])
        at = chain[-1].name
    apart = [population.name for population in populations if population not in chain]
    if apart:
        raise UnsupportedError(apart[0], "layers that follow from the input (netx)", "one that does not", KEEP)
    return inputs[0], chain


def _outputs(graph: Graph, last: Population, content: NetxContent, lossy: bool) -> None:
    """Notes of what the file does not say of the readout."""
    for node in graph.of_kind(Output):
        if node.inputs[0] != last.name:
            raise UnsupportedError(node.name, "an output that reads the last layer (netx)", node.inputs[0], KEEP)
        if not node.plain:
            if not lossy:
                raise UnsupportedError(
                    node.name, "scores that are the readout of neurons (a .net file has no field for more)",
                    "class sums, step weights or an offset that the host applies",
                    "write it with --lossy, and form scores of the output neurons yourself",
                )  # fmt: skip
            content.notes.append(f"{node.name}: its class sums, step weights or offset are left out")
        if node.readout is not Readout.SPIKE_COUNT:
            unit = "1/64 of a weight"
            content.notes.append(
                f"{node.name}: {node.readout.value} is read of the potentials of the last layer, in {unit}; tern2lava "
                f"is told by --assume readout={node.readout.value}"
            )
