"""A framework's own run on its way into a bundle and back: a few samples, packed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import Array
from tern2lava.counts import count
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError
from tern2lava.files.held import HeldFile
from tern2lava.files.npz import RATIO, Npz, open_npz
from tern2lava.files.opening import MIB, FileError, Kind
from tern2lava.files.zip_archive import Archive
from tern2lava.sim.data.spike_file import SpikeData, make_spikes
from tern2lava.sim.reading.oracle import Oracle, make_oracle
from tern2lava.sim.reading.pack import unpack, unpacked_from

RECORDED = Kind("a recorded run", 1024 * MIB, larger="record fewer samples")
LARGEST = 256 * MIB
"""Bytes that a run may take in memory, unless RATIO times its size in the file is more."""
_DAMAGED = (InputError, ValueError, KeyError)


def run_to_keep(recorded: str | Path | Mapping[str, Any], graph: Graph, effort: Effort = NORMAL) -> dict[str, Array]:
    """The first samples of a recorded run of `graph` (IMPORTED), without potentials, as a bundle keeps them.

    recorded: what api.record returns or wrote. effort: how many samples. Raises
    InputError where it is no run of this network.
    """
    where: object = "recorded"
    if not isinstance(recorded, Mapping):
        where = recorded
        with open_npz(recorded, RECORDED) as npz:
            recorded = _arrays(npz)
    data = make_spikes(dict(recorded), graph, where)
    if graph.steps and data.steps != graph.steps:
        raise InputError(
            where,
            f"requires {count(graph.steps, 'step')} a sample, those of the network; found {data.steps:,}; "
            "record as many",
        )
    oracle = make_oracle(recorded, graph, data.samples, data.steps, where)
    if oracle is None:
        raise InputError(
            where, "requires a framework's run (spikes.NAME or scores); found none; write one with tern2lava.record"
        )
    kept = effort.kept_samples
    found: dict[str, Array] = dict(data.values(0, kept))
    found |= {f"spikes.{name}": np.asarray(values[:kept]) for name, values in oracle.spikes.items()}
    if oracle.scores is not None:
        found["scores"] = oracle.scores[:kept]
    return found | {name: np.asarray(recorded[name]) for name in ("dtype", "framework") if name in recorded}


def kept_run(packed: bytes, graph: Graph, where: object) -> tuple[SpikeData, Oracle] | None:
    """The run that a bundle keeps, of the content of its file, which errors call `where`, and its input; None where it
    holds none. Raises InputError for damage."""
    try:
        with Npz(Archive(HeldFile(packed, where))) as npz:
            arrays = _arrays(npz)
        return kept_arrays(arrays, graph, where)
    except FileError as error:
        raise error.instead("compile again") from None
    except _DAMAGED as error:
        raise InputError(
            where, f"requires a whole file; found damage ({str(error).splitlines()[0]}); compile again"
        ) from None


def kept_arrays(arrays: Mapping[str, Any], graph: Graph, where: object) -> tuple[SpikeData, Oracle] | None:
    """The run that a bundle keeps, of its arrays, and its input; None where they hold none. Raises InputError."""
    data = make_spikes(arrays, graph, where)
    oracle = make_oracle(arrays, graph, data.samples, data.steps, where)
    return None if oracle is None else (data, replace(oracle, kept=True))


def _arrays(npz: Npz) -> dict[str, Array]:
    """The arrays of a run, unpacked. Raises FileError, before any is read where they would take more memory than
    LARGEST, and for others than `pack` made."""
    need = sum(npz[name].size * unpacked_from(name) for name in npz)
    allowed = max(LARGEST, RATIO * npz.archive.file.size)
    if need > allowed:
        raise FileError(
            npz.path, f"{RECORDED.what} of at most {allowed:,} bytes in memory", f"{need:,}", "record fewer samples"
        )
    arrays = {name: npz.read(name, allowed) for name in npz}
    try:
        return unpack(arrays)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        found = str(error).splitlines()[0]
        raise FileError(npz.path, "a readable npz file", found, "record it again") from None
