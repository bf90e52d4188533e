"""What a compilation was made of: the SHA-256 of everything given, and the packages that read it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.api.data import Given, digest, file_digest
from tern2lava.compiler.build import Origin
from tern2lava.frontends.files.hdf5 import is_hdf5
from tern2lava.frontends.sources import is_module
from tern2lava.hw_profiles import profile_files
from tern2lava.sim.data.spike_file import SpikeData

FRAMEWORKS = ("snntorch", "spikingjelly", "norse")


def origins(source: object, target: object, net: str | Path | None, recorded: object) -> Iterator[Origin]:
    """The files that the network, its description, the target and the framework's run were read from, and that run
    where arrays of it were given. What is in the bundle itself, a Graph, a module or a Profile, is left out."""
    if isinstance(source, (str, os.PathLike)):
        yield _file("network", Path(source))
    if net is not None:
        yield _file("net.yaml", Path(net))
    if isinstance(target, (str, os.PathLike)):
        for name, text in profile_files(str(target)):
            yield Origin(what="profile", file=name, sha256=sha256(text).hexdigest())
    if isinstance(recorded, Mapping):
        yield Origin(what="recorded", file="", sha256=_arrays_digest(recorded))
    elif recorded is not None:
        yield _file("recorded", Path(str(recorded)))


def origin_of_data(given: Given, spikes: SpikeData) -> Origin:
    """What is said of the data on which traffic was measured."""
    if given.file is not None:
        return _file("data", given.file)
    return Origin(what="data", file="", sha256=digest(spikes))


def libraries_of(source: Any) -> tuple[str, ...]:
    """The packages that read `source`, beside those of every installation: h5py of a file in HDF5; of a live module
    torch and the frameworks that its neurons are from."""
    if is_module(source):
        kinds = {type(each).__module__.split(".")[0] for each in source.modules()}
        return ("torch", *(name for name in FRAMEWORKS if name in kinds))
    if isinstance(source, (str, os.PathLike)) and is_hdf5(Path(source)):
        return ("h5py",)
    return ()


def _file(what: str, path: Path) -> Origin:
    return Origin(what=what, file=path.name, sha256=file_digest(path))


def _arrays_digest(arrays: Mapping[str, Any]) -> str:
    """SHA-256 of named arrays, as `digest` has it of spikes."""
    found = sha256()
    for name in sorted(arrays):
        values = np.asarray(arrays[name])
        found.update(f"{name} {values.shape} {values.dtype.str}".encode())
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()
