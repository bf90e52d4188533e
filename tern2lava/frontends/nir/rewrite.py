"""Rewrites of a NIR graph before it is read: thresholds join the potentials they read, missing ends are added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tern2lava.errors import InputError
from tern2lava.frontends.files.hdf5_node import Hdf5Node
from tern2lava.frontends.nir.file import ANALOG, NEURONS, NirGraph
from tern2lava.frontends.nir.neuron import FEEDBACK
from tern2lava.frontends.nir.sizes import declared_shape


def fuse_thresholds(graph: NirGraph) -> NirGraph:
    """`graph` with every LI, CubaLI or I that only a Threshold reads fused with it: neurons that never reset."""
    nodes, edges, notes = dict(graph.nodes), list(graph.edges), list(graph.notes)
    for node in graph.nodes.values():
        targets = graph.targets(node.name)
        if node.kind not in ANALOG or len(targets) != 1:
            continue
        behind = nodes[targets[0]]
        if behind.kind != "Threshold" or len(graph.sources(behind.name)) != 1:
            continue
        fields = {**node.fields, "v_threshold": behind.fields["threshold"]}
        nodes[behind.name] = replace(node, name=behind.name, fields=fields)
        del nodes[node.name]
        edges = [(a, behind.name if b == node.name else b) for a, b in edges if a != node.name]
        notes.append(f"{node.name} and {behind.name} are read as one population that never resets")
    return replace(graph, nodes=nodes, edges=tuple(edges), notes=tuple(notes))


def fuse_resets(graph: NirGraph) -> NirGraph:
    """`graph` with every Scale of factors below 0 that feeds a fused potential's spikes back to it, and nothing else,
    as a soft reset: the spike of a step subtracts from the potential of the next."""
    nodes, edges, notes = dict(graph.nodes), list(graph.edges), list(graph.notes)
    for node in graph.nodes.values():
        ends = (graph.sources(node.name), graph.targets(node.name))
        if node.kind != "Scale" or ends[0] != ends[1] or len(ends[0]) != 1:
            continue
        neuron = nodes[ends[0][0]]
        scale = node.array("scale")
        alone = neuron.kind in ("LI", "I") and "v_threshold" in neuron.fields and FEEDBACK not in neuron.fields
        if not alone or np.any(scale >= 0) or _differ(scale.shape, declared_shape(neuron)):
            continue
        nodes[neuron.name] = replace(neuron, fields={**neuron.fields, FEEDBACK: node.fields["scale"]})
        del nodes[node.name]
        edges = [edge for edge in edges if node.name not in edge]
        notes.append(f"{node.name} takes from {neuron.name} what it spiked a step before: read as its soft reset")
    return replace(graph, nodes=nodes, edges=tuple(edges), notes=tuple(notes))


def _differ(scale: tuple[int, ...], neurons: tuple[int, ...]) -> bool:
    return scale not in ((), (1,), neurons)


def add_ends(graph: NirGraph, where: object) -> NirGraph:
    """`graph` with an Input before every node that nothing feeds, and an Output behind what nothing reads if it has
    none: NIR's own reader adds them too."""
    nodes, edges, notes = dict(graph.nodes), list(graph.edges), list(graph.notes)
    for node in graph.nodes.values():
        if graph.sources(node.name) or node.kind == "Input":
            continue
        shape = _taken_shape(node)
        if shape is None:
            hint = "connect or remove it" if node.kind == "Output" else "put an Input node before it"
            raise InputError(
                where, f"requires an input for each node; found none for {node.name} ({node.kind}); {hint}"
            )
        name = free_name(f"input_{node.name}", nodes)
        nodes[name] = Hdf5Node(name=name, kind="Input", fields={"shape": np.asarray(shape)})
        edges.append((name, node.name))
        notes.append(f"{node.name} is fed by nothing: input {name} of shape {shape} added")
    if not any(node.kind == "Output" for node in graph.nodes.values()):
        for node in graph.nodes.values():
            if not graph.targets(node.name):
                name = free_name(f"output_{node.name}", nodes)
                nodes[name] = Hdf5Node(name=name, kind="Output")
                edges.append((node.name, name))
                notes.append(f"{node.name} is read by nothing: output {name} added")
    result = replace(graph, nodes=nodes, edges=tuple(edges), notes=tuple(notes))
    for node in result.nodes.values():
        if node.kind != "Output" and not result.targets(node.name):
            raise InputError(
                where,
                f"requires a reader for each node; found none for {node.name} ({node.kind}); connect or remove it",
            )
    return result


def _taken_shape(node: Hdf5Node) -> tuple[int, ...] | None:
    if node.kind in ("Affine", "Linear"):
        return (node.array("weight").shape[-1],)
    if node.kind in NEURONS:
        keys = [key for key in ("r", "threshold") if key in node.fields]
        shape = node.array(keys[0], infinite=True).shape
        return shape if shape else None
    return None


def free_name(name: str, taken: Mapping[str, object]) -> str:
    """`name`, or with a number behind it where it is taken."""
    return next(each for each in (name, *(f"{name}_{n}" for n in range(1, len(taken) + 2))) if each not in taken)
