"""Graphs as bundles keep them (graphs/real and graphs/program), read as what they say: nodes of values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.errors import InputError, Tern2LavaError

Array = NDArray[Any]
Ints = NDArray[np.int64]
FORMAT = 1


class NotProvenError(Tern2LavaError):
    """Why a population is not proven. differs: whether a number contradicts its certificate, so that this is no lack of
    the proof alone."""

    def __init__(self, reason: str, differs: bool = True) -> None:
        super().__init__(reason)
        self.differs = differs


def need(good: object, reason: str, differs: bool = True) -> None:
    """NotProvenError unless `good` (of an array: all of it)."""
    if not np.all(np.asarray(good)):
        raise NotProvenError(reason, differs)


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One node: its class, the nodes that it reads, and its fields as they are stored, arrays in the place of names."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    fields: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.fields[key]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.fields["shape"])

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def array(self, key: str) -> Array:
        """A parameter that broadcasts to the shape; a value for each channel goes along the first axis."""
        value, shape = np.asarray(self.fields[key]), self.shape
        if value.ndim == 1 and len(shape) > 1 and value.shape[0] == shape[0]:
            value = value.reshape(-1, *[1] * (len(shape) - 1))
        np.broadcast_to(value, shape)
        return value

    def integers(self, key: str) -> Ints:
        return self.array(key).astype(np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """The nodes of a graph by name; arithmetic: widths in bits, slowdown: hardware timesteps of a step, of an integer
    program alone."""

    level: str
    nodes: Mapping[str, Node]
    arithmetic: Mapping[str, int]
    slowdown: int

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]


def network_of(document: Mapping[str, Any], arrays: Mapping[str, Array]) -> Network:
    """The graph in a JSON document and the arrays that it names. Raises KeyError, TypeError or ValueError."""
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']}")

    def value(found: Any) -> Any:
        if isinstance(found, Mapping):
            return arrays[found["array"]] if "array" in found else {key: value(part) for key, part in found.items()}
        return tuple(found) if isinstance(found, list) else found

    nodes = {}
    for item in document["nodes"]:
        fields = {key: value(found) for key, found in item.items() if key not in ("node", "name", "inputs")}
        nodes[item["name"]] = Node(kind=item["node"], name=item["name"], inputs=tuple(item["inputs"]), fields=fields)
    return Network(
        level=document["level"], nodes=nodes, arithmetic=dict(document["arithmetic"] or {}),
        slowdown=document.get("slowdown", 1),
    )  # fmt: skip


def read_network(text: bytes, packed: bytes, where: object) -> Network:
    """The graph in the contents of graphs/NAME.json and .npz; errors call it `where`. Raises InputError where that is
    none."""
    try:
        document = json.loads(text)
        with np.load(BytesIO(packed), allow_pickle=False) as stored:
            return network_of(document, {name: stored[name] for name in stored.files})
    # A document may hold anything anywhere; whatever that breaks is damage.
    except Exception as error:
        raise InputError(where, f"requires a graph; found damage ({error}); compile again") from None


# What int64 holds with room for sums; a number beyond it is no potential.
FAR = 1 << 60


def times(values: Array, unit: Fraction) -> tuple[Ints, NDArray[np.bool_]]:
    """(the largest whole numbers up to values * unit, where they equal it), of the exact rational products.

    Products beyond +-2^60 become it. Raises NotProvenError for values that are not finite."""
    values = np.asarray(values, np.float64)
    need(np.isfinite(values), "a parameter that is not finite", False)
    unique, where = np.unique(values, return_inverse=True)
    exact = [Fraction(float(value)) * unit for value in unique]
    floors = np.array([min(max(math.floor(x), -FAR), FAR) for x in exact], np.int64)
    whole = np.array([x.denominator == 1 and abs(x) < FAR for x in exact], bool)
    return floors[where].reshape(values.shape), whole[where].reshape(values.shape)
