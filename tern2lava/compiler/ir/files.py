"""Graphs on disk: one JSON text for the structure and one npz for the arrays; nothing is ever executed on reading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import Enum
from io import BytesIO
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from tern2lava.compiler.ir.box import Box
from tern2lava.compiler.ir.check import check
from tern2lava.compiler.ir.graph import NODE_KINDS, Arithmetic, Graph, Level, Node, Output
from tern2lava.compiler.ir.shapes import ARRAYS, Array, ConvGeometry, Pooling
from tern2lava.errors import InputError, Tern2LavaError
from tern2lava.files.held import parse_npz
from tern2lava.files.json_text import parse_json
from tern2lava.files.npz import RATIO, UNPACKED
from tern2lava.files.opening import GIB, FileError, Kind, read_bytes

FORMAT = 1
GRAPH = Kind("a graph's file", 4 * GIB)


def save_graph(graph: Graph, stem: Path) -> None:
    """Write `stem`.json and `stem`.npz."""
    document, arrays = graph_files(graph)
    stem.with_suffix(".json").write_bytes(document)
    stem.with_suffix(".npz").write_bytes(arrays)


def graph_files(graph: Graph) -> tuple[bytes, bytes]:
    """The content of the two files of `save_graph`: the JSON text and the npz file."""
    document, arrays = graph_document(graph)
    return json.dumps(document, indent=1, default=int).encode("utf-8"), npz(arrays)


def npz(arrays: Mapping[str, Any]) -> bytes:
    """An npz file of `arrays`, compressed; as they are where that is so much smaller that it would not be unpacked."""
    named: dict[str, Any] = dict(arrays)
    stream = BytesIO()
    np.savez_compressed(stream, **named)
    # What is written is read again: all zeros are packed to a thousandth.
    if sum(np.asarray(value).nbytes for value in named.values()) > max(UNPACKED, RATIO * len(stream.getbuffer())):
        stream = BytesIO()
        np.savez(stream, **named)
    return stream.getvalue()


def graph_document(graph: Graph) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `save_graph` writes: the structure, in the types of JSON but for tuples, and the arrays by the names that
    it uses."""
    arrays: dict[str, Any] = {}
    nodes = [_node_to_json(node, arrays) for node in graph.nodes]
    document = {
        "format": FORMAT,
        "level": graph.level.name,
        "source": graph.source,
        "steps": graph.steps,
        "notes": list(graph.notes),
        "arithmetic": None if graph.arithmetic is None else asdict(graph.arithmetic),
        "nodes": nodes,
    }
    if graph.slowdown > 1:
        document["slowdown"] = graph.slowdown
    return document, arrays


def load_graph(stem: Path, level: Level | None = None) -> Graph:
    """The graph that save_graph wrote to `stem`, checked as every pass's is.

    Raises InputError for files that are missing, damaged, or hold a graph that is none or is not at `level`.
    """
    try:
        document, arrays = (read_bytes(stem.with_suffix(suffix), GRAPH) for suffix in (".json", ".npz"))
    except FileError as error:
        raise error.instead("compile again") from None
    return read_graph(document, arrays, stem, level)


def read_graph(text: bytes, packed: bytes, stem: Path, level: Level | None = None) -> Graph:
    """The graph of the two files' contents that graph_files gives, checked as every pass's is; errors call them by
    `stem`.

    Raises InputError for what is damaged, or holds a graph that is none or is not at `level`.
    """
    where = stem.with_suffix(".json")
    try:
        document = parse_json(text, where)
        arrays = parse_npz(packed, stem.with_suffix(".npz"))
        if document["format"] != FORMAT:
            raise InputError(where, f"requires graph format {FORMAT}; found {document['format']}; compile again")
        arithmetic = document["arithmetic"]
        graph = Graph(
            level=Level[document["level"]],
            nodes=tuple(_node_from_json(item, arrays) for item in document["nodes"]),
            source=document["source"],
            steps=document["steps"],
            notes=tuple(document["notes"]),
            arithmetic=None if arithmetic is None else Arithmetic(**arithmetic),
            slowdown=document.get("slowdown", 1),
        )
        check(graph)
    except FileError as error:
        raise error.instead("compile again") from None
    except Tern2LavaError as error:
        raise InputError(where, f"{error}") from None
    # A document of the right format may still hold anything anywhere: whatever that breaks is damage.
    except Exception as error:
        raise InputError(where, f"requires a readable graph; found damage ({error}); compile again") from None
    if graph.level is not (level or graph.level) or (graph.level is Level.INTEGER and graph.arithmetic is None):
        wanted = level.name if level else f"{graph.level.name} with its arithmetic"
        raise InputError(where, f"requires a graph at level {wanted}; found {graph.level.name}; compile again")
    return graph


def _node_to_json(node: Node, arrays: dict[str, Array]) -> dict[str, Any]:
    item: dict[str, Any] = {"node": type(node).__name__}
    for f in fields(node):
        value = getattr(node, f.name)
        if isinstance(value, np.ndarray):
            key = f"{node.name}/{f.name}"
            arrays[key] = value
            item[f.name] = {"array": key}
        elif f.name == "extra":
            if value:
                item[f.name] = {name: {"array": f"{node.name}/{name}"} for name in value}
                arrays |= {f"{node.name}/{name}": array for name, array in value.items()}
        elif value is None and isinstance(node, Output):
            continue
        elif isinstance(value, Box):
            item[f.name] = value.ranges()
        elif isinstance(value, ConvGeometry | Pooling):
            item[f.name] = asdict(value)
        else:
            item[f.name] = value.value if isinstance(value, Enum) else value
    return item


def _node_from_json(item: dict[str, Any], arrays: dict[str, Array]) -> Node:
    kind = NODE_KINDS[item["node"]]
    hints = get_type_hints(kind, localns={"Box": Box})
    values: dict[str, Any] = {}
    for f in fields(kind):
        if f.name == "extra":
            values[f.name] = {name: arrays[stored["array"]] for name, stored in item.get("extra", {}).items()}
        elif f.name in item or kind is not Output:
            values[f.name] = _value(item[f.name], hints[f.name], arrays)
    node: Node = kind(**values)  # type: ignore[assignment]
    return node


def _value(value: Any, hint: Any, arrays: dict[str, Array]) -> Any:
    """The value of a field declared as `hint`; raises KeyError, TypeError or ValueError for what cannot be one."""
    options = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    if value is None and type(None) in options:
        return None
    if any(option in ARRAYS for option in options):
        return arrays[value["array"]]
    for option in options:
        if option in (ConvGeometry, Pooling, Box):
            parts: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
            if option is Box and set(parts) != {"shape", "lo", "hi"}:
                raise TypeError(f"a box of {', '.join(parts)}")
            return option(**parts)
        if isinstance(option, type) and issubclass(option, Enum):
            return option(value)
    found = tuple(value) if isinstance(value, list) else value
    if not any(isinstance(found, get_origin(option) or option) for option in options):
        raise TypeError(f"{value!r} where {hint} is meant")
    return found
