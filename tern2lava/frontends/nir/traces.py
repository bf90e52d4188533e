"""NIRData: what was recorded of the nodes of a NIR graph (nir.NIRGraphData), as named arrays of a recorded run.

Format: nir/serialization.py of NIR 1.0.8, write_data. A group has the attribute __type__. NIRGraphData holds nodes,
NIRNodeData observables, each TimeGriddedData (data (samples, steps, neurons), attribute dt), EventData (idx, time
(samples, events), -1 and inf where there is none; attributes n_neurons, t_max) or ValuedEventData (and value).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.frontends.files.hdf5 import Tree, read_hdf5
from tern2lava.memory_need import require_memory

SPIKES = ("spikes", "spike", "s", "z")
POTENTIALS = ("v", "voltage", "voltages", "membrane", "membranes", "mem", "potential")
"""Names of observables as frameworks write them; others are ignored."""

_AGREE = 1e-6
_SLACK = 1e-3
"""Share of a step by which an event's time may lie below it: k dt / dt is seldom k."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Events:
    """Events (samples, events) of `neurons` up to t_max seconds; value None: spikes."""

    idx: Array
    time: Array
    value: Array | None
    neurons: int
    t_max: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Observed:
    """One observable of a node: its values on a grid (samples, steps, neurons), or events."""

    node: str
    name: str
    grid: Array | None
    events: Events | None
    dt: float | None


def is_traces(path: Path) -> bool:
    """Whether the HDF5 file at `path` is NIRData. Raises InputError for a damaged one."""
    return read_hdf5(path, attributes=True).get("@__type__") == "NIRGraphData"


def read_traces(path: Path, *, dt: float | None = None, steps: int = 0) -> dict[str, Array]:
    """The observables of a NIRData file: spikes.NODE and v.NODE, each (samples, steps, neurons); names of nodes in
    nested graphs have a dot.

    dt: the time step in seconds, where it is known; events become steps of it, of the grids' own, or of t_max /
    `steps`. Raises InputError for a file that is no NIRData, observables that contradict each other, and events whose
    time step nothing tells.
    """
    tree = read_hdf5(path, attributes=True)
    if tree.get("@__type__") != "NIRGraphData":
        raise InputError(
            path, "requires NIRData (nir.write_data) or an npz file; found another HDF5 file; write what was recorded"
        )
    found = list(_observed(tree, "", path))
    step = _time_step(found, dt, steps, path)
    arrays: dict[str, Array] = {}
    for each in found:
        kind = "spikes" if each.name.lower() in SPIKES else "v" if each.name.lower() in POTENTIALS else ""
        if not kind or (kind == "v" and each.grid is None):
            continue
        key = f"{kind}.{each.node}"
        if key in arrays:
            raise InputError(f"{path}: {each.node}", f"requires one observable of {kind}; found two; leave one out")
        if each.grid is not None:
            whole = kind == "v" and each.grid.dtype.kind != "f"
            arrays[key] = each.grid.astype(np.float64) if whole else each.grid
        else:
            assert each.events is not None
            arrays[key] = _gridded(each.events, step, f"{path}: {each.node}.{each.name}")
    if not arrays:
        names = ", ".join(sorted({f"{each.node}.{each.name}" for each in found})[:8]) or "none"
        raise InputError(
            path, f"requires observables called spikes or v; found {names}; name them so (docs/nir.md)"
        )  # fmt: skip
    shapes = {name: array.shape[:2] for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        said = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:4])
        raise InputError(path, f"requires observables of the same samples and steps; found {said}; record them alike")
    return arrays


def _observed(group: Tree, prefix: str, path: Path) -> Iterator[Observed]:
    nodes = group.get("nodes")
    if not isinstance(nodes, dict):
        raise InputError(path, f"requires nodes in {prefix or 'the file'}; found none; write it with nir.write_data")
    for name, node in nodes.items():
        if name.startswith("@"):
            continue
        kind = node.get("@__type__") if isinstance(node, dict) else None
        if isinstance(node, dict) and kind == "NIRGraphData":
            yield from _observed(node, f"{prefix}{name}.", path)
        elif isinstance(node, dict) and kind == "NIRNodeData" and isinstance(node.get("observables"), dict):
            observables = node["observables"]
            assert isinstance(observables, dict)
            for key, value in observables.items():
                if not key.startswith("@"):
                    yield _one(value, f"{prefix}{name}", key, path)
        else:
            raise InputError(
                f"{path}: {prefix}{name}", f"requires NIRNodeData or NIRGraphData; found {kind}; write the file again"
            )


def _one(group: object, node: str, name: str, path: Path) -> Observed:
    where = f"{path}: {node}.{name}"
    kind = group.get("@__type__") if isinstance(group, dict) else None
    if not isinstance(group, dict) or kind not in ("TimeGriddedData", "EventData", "ValuedEventData"):
        raise InputError(where, f"requires TimeGriddedData, EventData or ValuedEventData; found {kind}; write it again")
    if kind == "TimeGriddedData":
        grid = _numbers(group, "data", 3, where)
        return Observed(node=node, name=name, grid=grid, events=None, dt=_attribute(group, "dt", where))
    idx, time = _numbers(group, "idx", 2, where), _numbers(group, "time", 2, where)
    value = _numbers(group, "value", 2, where) if kind == "ValuedEventData" else None
    if idx.shape != time.shape or (value is not None and value.shape != idx.shape) or idx.dtype.kind not in "iu":
        found = f"{idx.shape} of {idx.dtype}, {time.shape}"
        raise InputError(where, f"requires whole idx, and time and value of its shape; found {found}; repair it")
    neurons = _attribute(group, "n_neurons", where)
    if neurons != int(neurons) or neurons > 1 << 30:
        raise InputError(f"{where}.n_neurons", f"requires a whole number; found {neurons:g}; repair it")
    events = Events(idx=idx, time=time, value=value, neurons=int(neurons), t_max=_attribute(group, "t_max", where))
    return Observed(node=node, name=name, grid=None, events=events, dt=None)


def _numbers(group: Tree, key: str, axes: int, where: str) -> Array:
    value = group.get(key)
    if not isinstance(value, np.ndarray) or value.ndim != axes or 0 in value.shape[:1]:
        found = f"shape {value.shape}" if isinstance(value, np.ndarray) else "none"
        raise InputError(f"{where}.{key}", f"requires numbers of {axes} axes; found {found}; write the file again")
    return value


def _attribute(group: Tree, key: str, where: str) -> float:
    value = group.get(f"@{key}")
    number = float(value) if isinstance(value, np.ndarray) and value.size == 1 else np.nan
    if not (np.isfinite(number) and number > 0):
        raise InputError(f"{where}.{key}", "requires a number above 0; found another; write the file again")
    return number


def _time_step(found: list[Observed], given: float | None, steps: int, path: Path) -> float:
    """Seconds of a step; 0 where nothing needs them."""
    own = {f"{each.node}.{each.name}": each.dt for each in found if each.dt is not None}
    said = {**({"the network": given} if given is not None else {}), **own}
    if said:
        low, high = min(said, key=lambda name: said[name]), max(said, key=lambda name: said[name])
        if said[high] - said[low] > _AGREE * said[high]:
            raise InputError(
                path,
                f"requires one time step; found {said[low]:g} s of {low} and {said[high]:g} s of {high}; record all "
                "with the network's",
            )
        return next(iter(said.values()))
    ends = [each.events.t_max for each in found if each.events is not None]
    if ends and not steps:
        raise InputError(
            path,
            "requires a time step for its events; found no grid that has one, and a network without steps; add --dt "
            "or record a grid",
        )
    return max(ends) / steps if ends else 0.0


def _gridded(events: Events, dt: float, where: str) -> Array:
    """Events as values (samples, steps, neurons): an event at t seconds falls into step floor(t / dt)."""
    steps = round(events.t_max / dt) if events.t_max / dt < 1 << 31 else 1 << 31
    samples = len(events.idx)
    require_memory(
        where, f"hold {steps:,} steps of {events.neurons:,} neurons", samples * steps * events.neurons * 8,
        "record fewer samples, or give the right time step",
    )  # fmt: skip
    sample, at = np.nonzero(events.idx != -1)
    neuron, time = events.idx[sample, at], events.time[sample, at].astype(np.float64)
    if np.any(neuron < 0) or np.any(neuron >= events.neurons) or not np.all(np.isfinite(time)):
        raise InputError(
            where, f"requires events of neurons 0 to {events.neurons - 1} at finite times; found others; repair it"
        )  # fmt: skip
    step = np.floor(time / dt + _SLACK).astype(np.int64)
    outside = (step < 0) | (step >= steps)
    if outside.any():
        raise InputError(
            where,
            f"requires events from 0 s to t_max {events.t_max:g} s; found one at {time[outside][0]:g} s; repair it",
        )
    places, times = np.unique(np.stack([sample, step, neuron]), axis=1, return_counts=True)
    if np.any(times > 1):
        twice = places[:, np.argmax(times > 1)]
        raise InputError(
            where,
            f"requires one event of a neuron in a step; found {int(times.max())} of neuron {twice[2]} in step "
            f"{twice[1]} of sample {twice[0]}; give the time step that was recorded",
        )
    grid = np.zeros((samples, steps, events.neurons), np.uint8 if events.value is None else np.float64)
    grid[sample, step, neuron] = 1 if events.value is None else events.value[sample, at]
    return grid
