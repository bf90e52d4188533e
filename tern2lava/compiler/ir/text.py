"""A graph as text: one paragraph a node, arrays by shape, range and first row, so that a weight can be followed."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.graph import Decays, Graph, Node, Projection
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, Pooling

SHOWN = 12


def print_graph(graph: Graph) -> str:
    """The whole graph, definition order; ends with the notes made so far."""
    lines = [f"graph {graph.level.name} from {graph.source or 'memory'}, {len(graph.nodes)} nodes"]
    if graph.steps:
        lines[0] += f", {graph.steps} steps"
    if graph.slowdown > 1:
        lines[0] += f", {graph.slowdown} hardware timesteps a step"
    if graph.arithmetic is not None:
        lines.append(f"  arithmetic: {graph.arithmetic}")
    for node in graph.nodes:
        lines.extend(_print_node(node))
    lines.extend(f"note: {note}" for note in graph.notes)
    return "\n".join(lines) + "\n"


def _print_node(node: Node) -> list[str]:
    lines = [f"{node.name} = {type(node).__name__}({', '.join(node.inputs)})"]
    plain, arrays = [], []
    for f in fields(node):
        value = getattr(node, f.name)
        if (
            f.name in ("name", "inputs")
            or value is None
            or value is Decays.TRUNCATE
            or (f.name == "part_of" and not value)
        ):
            continue
        if f.name == "extra":
            arrays += [f"    {name}: {_print_array(array)}" for name, array in value.items()]
            continue
        if isinstance(value, np.ndarray):
            arrays.append(f"    {f.name}: {_print_array(value)}")
        elif isinstance(value, ConvGeometry):
            plain += [f"{g.name}={getattr(value, g.name)}" for g in fields(value)]
        elif isinstance(value, Pooling):
            plain.append(f"pooling={value.window} of {value.in_shape}")
        elif isinstance(value, Box):
            plain.append(f"{f.name}={value.text()} of {value.shape}")
        else:
            plain.append(f"{f.name}={value.value if isinstance(value, Enum) else value}")
    if plain:
        lines.append("    " + " ".join(plain))
    lines += arrays
    if isinstance(node, Projection) and node.weight.dtype == np.int8 and node.weight.size:
        counts = [int(np.count_nonzero(node.weight == code)) for code in (-1, 0, 1)]
        other = node.weight.size - sum(counts)
        lines.append(
            f"    codes: {counts[0]:,} of -1, {counts[1]:,} of 0, {counts[2]:,} of +1"
            + (f", {other:,} other" if other else "")
        )
    return lines


def _print_array(value: Array) -> str:
    if value.ndim == 0:
        return _number(value[()])
    flat = value.reshape(-1)
    if flat.size == 0:
        return f"{value.dtype} {value.shape} empty"
    if np.all(flat == flat[0]):
        return f"{value.dtype} {value.shape} all {_number(flat[0])}"
    first = value.reshape(value.shape[0], -1)[0] if value.ndim > 1 else value
    label = "[0]" if value.ndim > 1 else ""
    row = " ".join(_number(x) for x in first[:SHOWN]) + (" ..." if first.size > SHOWN else "")
    span = f"{_number(flat.min())} .. {_number(flat.max())}"
    return f"{value.dtype} {value.shape} from {span}; {label} {row}".replace(";  ", "; ")


def _number(x: object) -> str:
    if isinstance(x, float | np.floating):
        return f"{float(x):.9g}"
    return str(x)
