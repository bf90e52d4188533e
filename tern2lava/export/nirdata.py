"""A run as NIRData (nir.NIRGraphData), which NIR's own nir.read_data reads: a grid of values for each observable.

Format: nir/serialization.py of NIR 1.0.8, write_data.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.extras import require
from tern2lava.sim.data.npz_writer import Record

NIRDATA = (".nir", ".h5", ".hdf5")
"""Suffixes of files that are written as NIRData."""

_PIECE = 1 << 24


def write_nirdata(record: Record, path: Path, *, dt: float) -> None:
    """Write the arrays KIND.NODE (samples, steps, neurons) of `record`, KIND being spikes or v, to `path`; a step is
    `dt` seconds. Spikes of 0 and 1 are written as bool."""
    require("hdf5", why="NIRData need it")
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["__type__"] = "NIRGraphData"
        nodes = file.create_group("nodes")
        for key, shape, dtype, stream in record.kept():
            kind, _, name = key.partition(".")
            if kind not in ("spikes", "v"):
                continue
            node = nodes.require_group(name.replace("/", "."))
            node.attrs["__type__"] = "NIRNodeData"
            observable = node.require_group("observables").create_group(kind)
            observable.attrs["__type__"] = "TimeGriddedData"
            observable.attrs["dt"] = float(dt)
            binary = kind == "spikes" and all(
                np.all((part == 0) | (part == 1)) for part in _parts(stream, shape, dtype)
            )
            stored = observable.create_dataset(
                "data", shape, np.bool_ if binary else dtype, compression="gzip", compression_opts=1
            )
            at = 0
            for part in _parts(stream, shape, dtype):
                stored[at : at + len(part)] = part.astype(np.bool_) if binary else part
                at += len(part)


def _parts(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[Array]:
    """The array in `stream` some samples at a time."""
    stream.seek(0)
    each = int(np.prod(shape[1:])) * dtype.itemsize
    while data := stream.read(max(1, _PIECE // max(1, each)) * each):
        yield np.frombuffer(data, dtype).reshape(-1, *shape[1:])
