"""What a NIR or lava-dl file holds, in the terms of inspect: its wiring, every array with its facts, its neurons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.findings import alone, collecting
from tern2lava.frontends.files.checkpoint import Scalar
from tern2lava.frontends.files.hdf5 import Tree, read_hdf5
from tern2lava.frontends.files.hdf5_node import Hdf5Node
from tern2lava.frontends.inspect.facts import Inspection, NeuronFacts, TensorFacts, tensor_facts
from tern2lava.frontends.lavadl import read as lavadl
from tern2lava.frontends.lavadl.read import is_lavadl, parse_layers
from tern2lava.frontends.nir import read as nir
from tern2lava.frontends.nir.file import NEURONS, is_nir, parse_nir
from tern2lava.frontends.nir.time_step import find_timing

GEOMETRY = (
    "shape", "input_shape", "input_type", "kernel_size", "kernelSize", "stride", "padding", "dilation", "groups",
    "start_dim", "end_dim", "inFeatures", "outFeatures", "inChannels", "outChannels", "layers",
)  # fmt: skip
"""Fields that say how a layer is laid out, in either format."""


def inspect_hdf5(path: Path) -> Inspection:
    """What the NIR or lava-dl file at `path` holds. Raises InputError where it is neither, or damaged."""
    tree = read_hdf5(path)
    for is_one, read, tell in (
        (is_nir, nir.read_tree, _inspect_nir), (is_lavadl, lavadl.read_tree, _inspect_lavadl),
    ):  # fmt: skip
        if is_one(tree):
            with collecting() as found, alone():
                read(tree, path.name, path)
            # Nodes that are refused are told of too.
            with collecting():
                return replace(tell(tree, path), refused=tuple(str(error) for error in found.refused))
    held = ", ".join(list(tree)[:6]) or "nothing"
    raise InputError(
        path, f"requires NIR (/node) or lava-dl (/layer); found HDF5 that holds {held}; export the network again"
    )


def _inspect_nir(tree: Tree, path: Path) -> Inspection:
    graph = parse_nir(tree, path)
    missing: tuple[str, ...] = ()
    try:
        timing = find_timing(graph, None, path)
        told = f"; {timing.notes[0]}" if timing.notes else ""
    except InputError as error:
        told, missing = f"; {error.why}", ("dt",)
    nodes = list(graph.nodes.values())
    return Inspection(
        path=str(path),
        format="HDF5",
        content=f"NIR {graph.version or 'of unknown version'}: {count(len(nodes), 'node')}, "
        f"{count(len(graph.edges), 'edge')}{told}",
        prefix="",
        tensors=_tensors(nodes),
        unreadable={},
        neurons=tuple(
            NeuronFacts(
                prefix=node.name, framework=f"NIR {node.kind}", parameters=_spans(node),
                reset="to v_reset" if "v_threshold" in node.fields else None, missing=missing,
            )
            for node in nodes
            if node.kind in NEURONS
        ),
        modules={node.name: _described(node) for node in nodes},
        left_out=graph.notes,
        values=_texts(nodes),
        wiring={node.name: tuple(graph.sources(node.name)) for node in nodes},
    )  # fmt: skip


def _inspect_lavadl(tree: Tree, path: Path) -> Inspection:
    layers = parse_layers(tree, path)
    nodes = [layer for layer, _ in layers]
    return Inspection(
        path=str(path),
        format="HDF5",
        content=f"lava-dl network of {count(len(layers), 'layer')}",
        prefix="",
        tensors=_tensors(nodes),
        unreadable={},
        neurons=tuple(
            NeuronFacts(
                prefix=layer.name, framework=f"lava-dl {neuron.kind}", parameters=_spans(neuron), reset="zero",
                missing=(),
            )
            for layer, neuron in layers
            if neuron is not None
        ),
        modules={node.name: _described(node) for node in nodes},
        left_out=(),
        values=_texts(nodes),
        wiring={node.name: (nodes[i - 1].name,) if i else () for i, node in enumerate(nodes)},
    )  # fmt: skip


def _tensors(nodes: list[Hdf5Node]) -> tuple[TensorFacts, ...]:
    return tuple(
        tensor_facts(f"{node.name}.{key}", _plain(value))
        for node in nodes
        if node.kind not in NEURONS
        for key, value in node.fields.items()
        if isinstance(value, np.ndarray) and key not in GEOMETRY
    )


def _described(node: Hdf5Node) -> str:
    """The kind of a node and its geometry, as in `Conv2d (stride 2x2, groups 1)`."""
    sizes = [
        f"{key} {'x'.join(f'{n:g}' for n in value.reshape(-1)[:4])}"
        for key, value in node.fields.items()
        if isinstance(value, np.ndarray) and key in GEOMETRY
    ]
    return f"{node.kind} ({', '.join(sizes)})" if sizes else node.kind


def _plain(value: Array) -> Array:
    """A trailing axis of one, as old slayer wrote its kernels with, is dropped."""
    return value[..., 0] if value.ndim > 4 and value.shape[-1] == 1 else value


def _spans(node: Hdf5Node) -> dict[str, tuple[float, float]]:
    return {
        key: (float(value.min()), float(value.max()))
        for key, value in node.fields.items()
        if isinstance(value, np.ndarray) and value.size and value.dtype.kind in "biuf"
    }


def _texts(nodes: list[Hdf5Node]) -> dict[str, Scalar]:
    texts = ((f"{node.name}.{key}", value) for node in nodes for key, value in node.fields.items())
    return {name: value for name, value in texts if isinstance(value, str)}
