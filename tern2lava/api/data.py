"""Spikes as the functions take them, made into what a network runs on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from tern2lava import arguments
from tern2lava.compiler.ir.graph import Graph, Input, Neuron, Output, Population
from tern2lava.effort import Effort
from tern2lava.errors import InputError
from tern2lava.files.npz import NPZ
from tern2lava.files.opening import open_file
from tern2lava.frontends.files.hdf5 import is_hdf5
from tern2lava.frontends.nir.traces import read_traces
from tern2lava.sim.data.fitting import fitted
from tern2lava.sim.data.given import HINT, named_arrays
from tern2lava.sim.data.spike_file import SpikeData, load_spikes, make_spikes
from tern2lava.sim.reading.oracle import Oracle, is_oracle_key, load_oracle, make_oracle
from tern2lava.sim.reading.verify import recorded_steps

SpikesLike: TypeAlias = str | os.PathLike[str] | SpikeData | Mapping[str, Any] | ArrayLike
"""Spikes (samples, steps, *input shape): an array, nested lists, a torch tensor, (spikes, labels), a mapping of arrays,
or the path of an npz file (docs/data.md) or of NIRData (docs/nir.md)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Given:
    """What the user gave: the path of a file, named arrays, or SpikeData. source: the file that the arrays are from;
    ignored: what else it holds."""

    path: Path | None = None
    source: Path | None = None
    ignored: tuple[str, ...] = ()
    arrays: Mapping[str, Any] | None = None
    spikes: SpikeData | None = None
    name: str = "data"

    @property
    def where(self) -> object:
        """What errors call it."""
        return self.name if self.path is None else self.path

    @property
    def file(self) -> Path | None:
        """The file that it is from."""
        return self.path or self.source

    def spike_data(self, program: Graph, steps: int, *, any_steps: bool, pad: bool, effort: Effort) -> SpikeData:
        """The values for the inputs of `program`, held against the `steps` it was compiled for and its outputs."""
        if self.spikes is not None:
            made = self.spikes
        elif self.path is not None:
            made = load_spikes(self.path, program, steps=steps, pad=pad, effort=effort)
        else:
            made = make_spikes(self.arrays or {}, program, self.name, steps=steps, pad=pad)
        return fitted(made, program, steps, any_steps=any_steps, pad=pad, where=self.where)

    def oracle(self, imported: Graph, spikes: SpikeData, effort: Effort) -> Oracle | None:
        """The framework's own run that comes with the spikes; None where there is none."""
        if self.path is not None:
            return load_oracle(self.path, imported, spikes.samples, recorded_steps(spikes), effort)
        if self.arrays is not None:
            return make_oracle(self.arrays, imported, spikes.samples, recorded_steps(spikes), self.where)
        return None


def given_spikes(data: object, program: Graph, name: str = "data", *, dt: float | None = None) -> Given:
    """`data` told apart; errors call it `name`. dt: the network's time step, where it is known, for events of NIRData.
    Raises InputError for what is no spikes."""
    if isinstance(data, SpikeData):
        _check_inputs(data, program, name)
        return Given(spikes=data, name=name)
    if isinstance(data, (str, os.PathLike)):
        path = arguments.path(data, name, HINT)
        if is_hdf5(path):
            arrays, ignored = _recorded(path, program, dt)
            return Given(arrays=arrays, name=str(path), source=path, ignored=ignored)
        return Given(path=path)
    names = {"spikes", "labels", "lengths", *(node.name for node in program.of_kind(Input))}
    return Given(arrays=named_arrays(data, lambda name: name in names or is_oracle_key(name), name), name=name)


def _recorded(path: Path, program: Graph, dt: float | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arrays of a NIRData file: those of inputs by their names, spikes.NAME and v.NAME of populations, potentials
    being those after the reset of their step; and the names of nodes that are neither.

    What an Output recorded is its population's, unless that was recorded too.
    """
    inputs = {node.name for node in program.of_kind(Input)}
    populations = {node.name for node in (*program.of_kind(Neuron), *program.of_kind(Population))}
    read = {output.name: output.inputs[0] for output in program.of_kind(Output)}
    arrays: dict[str, Any] = {}
    ignored: dict[str, None] = {}
    given = read_traces(path, dt=dt, steps=program.steps)
    for key, values in given.items():
        kind, _, node = key.partition(".")
        if node in inputs:
            arrays |= {node: values} if kind == "spikes" else {}
        elif node in populations:
            arrays[key] = values
        elif node not in read:
            ignored[node] = None
        elif f"{kind}.{read[node]}" not in given:
            arrays[f"{kind}.{read[node]}"] = values
    if any(key.startswith("v.") for key in arrays):
        arrays["v_when"] = "after"
    return arrays, tuple(ignored)


def digest(data: SpikeData) -> str:
    """SHA-256 of the values of every input, by name, in C order."""
    found = hashlib.sha256()
    for name in sorted(data.inputs):
        values = data.first(data.samples).inputs[name]
        found.update(f"{name} {values.shape} {values.dtype.str}".encode())
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of the bytes of a file."""
    found = hashlib.sha256()
    with open_file(path, NPZ) as stream:
        while piece := stream.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def _check_inputs(data: SpikeData, program: Graph, name: str) -> None:
    """Raise InputError where `data` are those of another network."""
    wanted = {node.name: node.shape for node in program.of_kind(Input)}
    found = {name: tuple(values.shape[2:]) for name, values in data.inputs.items()}
    if wanted != found:
        raise InputError(name, f"requires the inputs {wanted}; found {found}; make them for this network")
