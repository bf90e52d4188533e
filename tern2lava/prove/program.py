"""The integer program as bundles keep it (graphs/program.json and .npz), read anew."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tern2lava.errors import InputError
from tern2lava.prove.image import ARITHMETIC, PARAMETERS
from tern2lava.prove.reader import Box, Codes, Ints, Shape

FORMAT = 1
Arrays = Mapping[str, NDArray[Any]]
# What a node may hold beside what it computes with: for readouts and reports.
_BESIDES = {
    "node", "name", "lsb", "origin", "record_before_reset", "bits", "source_weights", "part_of", "readout", "classes",
    "step_weights", "offset",
}  # fmt: skip
_MODES = ("start", "reset", "refractory", "rearm", "levels", "decays")
_KNOWN = {
    "Input": {"inputs", "shape", "levels"},
    "Projection": {"inputs", "weight", "scale", "gain", "geometry", "delay", "pooling", "reads"},
    "Population": {"inputs", "shape", *_MODES, *PARAMETERS, "threshold_low", "decay_a", "gain_a", "extra"},
    "Output": {"inputs"},
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv:
    """Geometry of a convolution, as of an image's block."""

    in_shape: Shape
    out_shape: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Projection:
    """A linear map of the neurons `reads` of population `source`, summed over windows of `window` from the first row
    and column of `seen` on, by `weight` x `gain`, `delay` hardware timesteps late. conv None: dense."""

    name: str
    source: int
    weight: Codes
    gain: Ints
    delay: int
    conv: Conv | None
    window: tuple[int, int]
    seen: Shape
    reads: Box


@dataclass(frozen=True, eq=False, kw_only=True)
class Population:
    """Whatever emits spikes. modes and values as an image's Group has them, values broadcasting to `shape`; an input
    has none. projections: those that end here."""

    name: str
    shape: Shape
    modes: Mapping[str, object] | None
    values: Mapping[str, Ints] = field(default_factory=dict)
    projections: tuple[Projection, ...] = ()

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class Program:
    """populations: by the numbers that images use; slowdown: hardware timesteps of a step."""

    arithmetic: Mapping[str, int]
    slowdown: int
    populations: tuple[Population, ...]


def read_program(text: bytes, packed: bytes, where: object) -> Program:
    """The program in the contents of graphs/program.json and .npz; errors call it `where`. Raises InputError where that
    is none."""
    try:
        document = json.loads(text)
        with np.load(BytesIO(packed), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return program_of(document, arrays)
    # A document may hold anything anywhere; whatever that breaks is damage.
    except Exception as error:
        raise InputError(where, f"requires an integer program; found damage ({error}); compile again") from None


def program_of(document: Mapping[str, Any], arrays: Arrays) -> Program:
    """The program in a JSON document and the arrays that it names. Raises KeyError, TypeError or ValueError."""
    if document["format"] != FORMAT or document["level"] != "INTEGER":
        raise ValueError(f"format {document['format']} at level {document['level']}")
    nodes = {item["name"]: item for item in document["nodes"]}
    for item in nodes.values():
        strange = set(item) - _BESIDES - _KNOWN[item["node"]]
        if strange or len(nodes) != len(document["nodes"]):
            raise ValueError(f"{item['name']} holds {', '.join(sorted(strange)) or 'a name twice'}")
    emits = [item for item in document["nodes"] if item["node"] in ("Input", "Population")]
    number = {item["name"]: index for index, item in enumerate(emits)}

    def values(item: Mapping[str, Any]) -> dict[str, Ints]:
        low = ["threshold_low"] if item["threshold_low"] is not None else []
        adaptive = ["decay_a", "gain_a"] if item["gain_a"] is not None else []
        named = {name: item[name] for name in (*PARAMETERS, *low, *adaptive)} | item.get("extra", {})
        return {name: arrays[stored["array"]] for name, stored in named.items()}

    def population(item: Mapping[str, Any]) -> Population:
        shape = tuple(item["shape"])
        if item["node"] == "Input":
            return Population(name=item["name"], shape=shape, modes=None)
        modes = {key: tuple(item[key]) if isinstance(item[key], list) else item[key] for key in _MODES}
        wires = tuple(_projection(nodes[name], arrays, number, emits) for name in item["inputs"])
        rows = {wire.weight.shape[0] if wire.conv is None else math.prod(wire.conv.out_shape) for wire in wires}
        if rows - {math.prod(shape)}:
            raise ValueError(f"{item['name']} of {shape} has projections to {rows} neurons")
        return Population(name=item["name"], shape=shape, modes=modes, values=values(item), projections=wires)

    return Program(
        arithmetic={name: document["arithmetic"][name] for name in ARITHMETIC},
        slowdown=document.get("slowdown", 1),
        populations=tuple(map(population, emits)),
    )


def _projection(
    item: Mapping[str, Any], arrays: Arrays, number: Mapping[str, int], emits: list[Mapping[str, Any]]
) -> Projection:
    """A projection in whole shapes: what is not said is filled in."""
    if item["node"] != "Projection":
        raise ValueError(f"{item['name']}, a {item['node']}, ends in a population")
    (name,) = item["inputs"]
    source = number[name]
    weight, gain = arrays[item["weight"]["array"]], arrays[item["gain"]["array"]]
    conv = None if item["geometry"] is None else Conv(**_tuples(item["geometry"]))
    pooling, reads = _tuples(item["pooling"] or {}), _tuples(item["reads"] or {})
    size = math.prod(emits[source]["shape"])
    if reads:
        box = Box(**reads)
    else:
        seen = pooling["in_shape"] if pooling else conv.in_shape if conv else (size,)
        box = Box(seen, (0,) * len(seen), seen)
    seen = pooling["in_shape"] if pooling else conv.in_shape if conv else (box.volume,)
    window = pooling["window"] if pooling else (1, 1)
    windows = (seen[0], seen[1] // window[0], seen[2] // window[1]) if pooling else seen
    shape = (weight.shape[0], math.prod(windows))
    if conv:
        shape = (conv.out_shape[0], conv.in_shape[0] // conv.groups, *weight.shape[2:])
    good = math.prod(box.shape) == size and math.prod(seen) == box.volume and gain.size in (1, weight.shape[0])
    if not good or weight.shape != shape or (conv and conv.in_shape != windows):
        raise ValueError(f"{item['name']}, whose shapes do not belong together")
    return Projection(
        name=item["name"], source=source, weight=weight, gain=gain.reshape(-1), delay=item["delay"], conv=conv,
        window=window, seen=seen, reads=box,
    )  # fmt: skip


def _tuples(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in parts.items()}
