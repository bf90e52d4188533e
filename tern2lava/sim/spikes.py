"""Spike files: npz with the values that enter a network, and labels where there are any."""

from __future__ import annotations

import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir import Array, Graph, Input, size
from tern2lava.errors import InputError

NPY = b"\x93NUMPY"
# NotImplementedError and RuntimeError: zipfile's, for unknown and encrypted members.
_DAMAGED = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, KeyError)


@dataclass(frozen=True, eq=False, kw_only=True)
class SpikeData:
    """inputs: for every Input its values (batch, steps, *shape); labels (batch,) int64 or None."""

    inputs: dict[str, Array]
    labels: Array | None = None

    @property
    def samples(self) -> int:
        return int(next(iter(self.inputs.values())).shape[0])

    @property
    def steps(self) -> int:
        return int(next(iter(self.inputs.values())).shape[1])

    def first(self, count: int) -> SpikeData:
        """The first `count` samples (all where there are fewer)."""
        return self.slice(0, count)

    def slice(self, begin: int, end: int) -> SpikeData:
        """Samples begin to end (exclusive)."""
        return SpikeData(
            inputs={name: values[begin:end] for name, values in self.inputs.items()},
            labels=None if self.labels is None else self.labels[begin:end],
        )


def load_spikes(path: Path, graph: Graph) -> SpikeData:
    """The data of an npz file for the inputs of `graph`.

    Arrays: `spikes` (batch, steps, *input shape), or one array per Input under its name; `labels` (batch,) optional.
    Raises InputError for a file that is no npz, has no such array, or holds other shapes or values.
    """
    wanted = {"spikes", "labels", *(node.name for node in graph.of_kind(Input))}
    try:
        with Path(path).open("rb") as stream:
            if stream.read(len(NPY)) == NPY:
                raise InputError(path, "holds one bare array; save it with np.savez(..., spikes=array)")
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            arrays = {name: _read(archive, info, path) for name, info in members.items() if name in wanted}
    except FileNotFoundError:
        raise InputError(path, "does not exist") from None
    except MemoryError:
        raise InputError(path, "holds more than fits into memory; split it into files of fewer samples") from None
    except _DAMAGED as error:
        raise InputError(path, f"is no readable npz file ({error})") from None
    if not arrays:
        names = ", ".join(list(members)[:8]) or "none"
        raise InputError(path, f"has no array 'spikes' (found: {names})")
    return make_spikes(arrays, graph, path)


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Array:
    """One array of an npz file, its claimed size checked against what is stored before anything is allocated."""
    npy_format: Any = np.lib.format
    with archive.open(member) as stream:
        plain = npy_format.read_magic(stream) == (1, 0)
        shape, _, dtype = (npy_format.read_array_header_1_0 if plain else npy_format.read_array_header_2_0)(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > member.file_size:
        raise InputError(f"{path}: {member.filename}", f"shape {shape} of {dtype} is not what is stored; save it again")
    with archive.open(member) as stream:
        array: Array = npy_format.read_array(stream, allow_pickle=False)
    return array


def make_spikes(arrays: dict[str, Array], graph: Graph, where: object = "data") -> SpikeData:
    """SpikeData from named arrays (see load_spikes), checked against the inputs of `graph`."""
    nodes: tuple[Input, ...] = graph.of_kind(Input)
    inputs: dict[str, Array] = {}
    for node in nodes:
        key = "spikes" if len(nodes) == 1 and node.name not in arrays else node.name
        if key not in arrays:
            raise InputError(where, f"has no array '{key}' (found: {', '.join(arrays) or 'none'})")
        inputs[node.name] = _checked(arrays[key], node, f"{where}: {key}")
    if len({values.shape[:2] for values in inputs.values()}) > 1:
        raise InputError(where, "its inputs differ in samples or steps")
    samples = next(iter(inputs.values())).shape[0]
    labels = arrays.get("labels")
    if labels is not None and (labels.shape != (samples,) or labels.dtype.kind not in "iu"):
        raise InputError(f"{where}: labels", f"shape {labels.shape} of {labels.dtype}; expected {samples} integers")
    return SpikeData(inputs=inputs, labels=None if labels is None else labels.astype(np.int64))


def _checked(values: Array, node: Input, where: str) -> Array:
    if values.dtype.kind not in "biuf":
        raise InputError(where, f"holds {values.dtype}, expected numbers")
    if values.ndim < 3 or values.shape[0] == 0 or values.shape[1] == 0:
        raise InputError(where, f"shape {values.shape}; expected (samples, steps, {', '.join(map(str, node.shape))})")
    width = int(np.prod(values.shape[2:]))
    flat = values.ndim == 3 and width == size(node.shape)
    # One-dimensional layers hold (channels, length) as (channels, 1, length).
    one_dimensional = node.shape == (*values.shape[2:3], 1, *values.shape[3:])
    if values.shape[2:] != node.shape and not flat and not one_dimensional:
        raise InputError(
            where, f"each step has shape {values.shape[2:]} ({width:,} values); the network's input '{node.name}' is "
            f"{node.shape} ({size(node.shape):,} values)",
        )  # fmt: skip
    low, high = node.levels
    if not np.all((values >= low) & (values <= high) & (values == np.rint(values))):
        raise InputError(where, f"values must be whole numbers from {low} to {high}; encode the data as spikes first")
    kind = np.uint8 if (low, high) == (0, 1) else np.int32
    return values.astype(kind).reshape(*values.shape[:2], *node.shape)
