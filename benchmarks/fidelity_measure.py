"""One network compiled for one target, its spikes held against the reference's; runs in other checkouts too.

    python fidelity_measure.py FOLDER...     # with PYTHONPATH naming a checkout: a line of JSON for each network

A folder holds case.json (what is compiled, and for which targets), counted.npz (the counted samples and the reference's
spikes of every population) and calibration.npz. Nothing here is imported but at the call, for modules have other names
in other checkouts.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

TIMES = 3
PIECE = 50  # samples at a time
CALIBRATED = "calibrated"


def _module(*names: str) -> Any:
    """The first of these modules that this checkout has."""
    for name in names[:-1]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    return importlib.import_module(names[-1])


def can_calibrate() -> bool:
    """Whether this checkout's compile takes calibration samples."""
    return "calibrate" in inspect.signature(importlib.import_module("tern2lava").compile).parameters


def compiled(folder: Path, case: dict[str, Any], target: str, calibrated: bool) -> Any:
    """What compile returns. The one place that says how calibration samples are given. Roundings that this checkout
    refuses, and 3f246db did not, are allowed, so that their spikes are counted."""
    tern2lava = importlib.import_module("tern2lava")
    given: dict[str, Any] = dict(case["options"])
    further: dict[str, Any] = dict(case["load"])
    if calibrated:
        given["ranges"] = CALIBRATED
        further["calibrate"] = folder / "calibration.npz"
    kind = _module("tern2lava.compiler.options").Options
    if "allow_rounding" in {field.name for field in dataclasses.fields(kind)}:
        given["allow_rounding"] = 1.0
    options = kind(**given)
    return tern2lava.compile(case["source"], target, net=case["net"], options=options, **further)


def fed(program: Any, spikes: dict[str, Any]) -> dict[str, Any]:
    """Spikes (samples, steps, neurons) of every population of `program` where all that it reads are `spikes`: the
    network's inputs, and what the reference's populations made. What it is reset by is its own. Populations that the
    reference lacks (relays) read the same, and are read as they are."""
    graph = _module("tern2lava.compiler.ir.graph", "tern2lava.compiler.ir")
    linear = _module("tern2lava.compiler.ir.linear", "tern2lava.compiler.linear")
    integer = _module("tern2lava.sim.reference.integer", "tern2lava.sim.integer")
    start = {node.name: getattr(node, "start", 0) for node in program.nodes}
    found: dict[str, Any] = {}
    for population in sorted(program.of_kind(graph.Population), key=lambda p: (p.name in spikes, start[p.name])):
        a: Any = 0
        for name in population.inputs:
            projection = program.projection(name) if hasattr(program, "projection") else program[name]
            source = projection.inputs[0]
            x = spikes[source] if source in spikes else found[source]
            late = start[source] + projection.delay + 1 - start[population.name]
            samples, steps = x.shape[:2]
            sums = linear.accumulate(projection, x.reshape(samples * steps, -1)).reshape(samples, steps, -1)
            drive = sums.astype(np.int64) * linear.per_neuron(projection.gain, projection)
            moved = np.zeros_like(drive)
            if late >= 0:
                moved[:, late:] = drive[:, : steps - late]
            else:
                moved[:, :late] = drive[:, -late:]
            a = a + moved
        state = integer.PopulationState(population, program.arithmetic, len(a))
        found[population.name] = np.stack([state.step(a[:, t]) for t in range(a.shape[1])], axis=1)
    return found


def free(program: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Spikes of the whole program by the fast engine."""
    prepared = importlib.import_module("tern2lava.sim.engine.program").prepare(program)
    stream = importlib.import_module("tern2lava.sim.engine.run").stream
    ((name, x),) = inputs.items()
    parts = ({name: x[begin : begin + PIECE]} for begin in range(0, len(x), PIECE))
    return _joined([run.trace.spikes for run in stream(prepared, parts, states=False)])


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Spikes (samples, steps, neurons) of all pieces by population."""
    return {
        name: np.concatenate([part[name].reshape(*part[name].shape[:2], -1) for part in parts]) for name in parts[0]
    }


def differ(own: dict[str, Any], got: dict[str, Any]) -> int:
    """Missing plus extra spikes over all populations of the reference; +1 for -1 counts as two."""
    return sum(int(np.abs(own[name].astype(np.int64) - got[name].astype(np.int64)).sum()) for name in own)


def _code(program: Any) -> bytes:
    """All integers of a program, in order."""
    parts = []
    for node in program.nodes:
        for key, value in sorted(vars(node).items()):
            parts.append(f"{node.name}.{key}".encode())
            parts.append(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return b"".join(parts)


def measure(folder: Path, target: str, calibrated: bool = False, times: int = TIMES) -> dict[str, Any]:
    """Counts for one target: free, fed, decisions that change, populations that round to nearest, CPU seconds of a
    compilation (the median of `times`), and whether all these made the same integers; {"refused": why} where the target
    cannot execute the network."""
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    if calibrated and not can_calibrate():
        return {"refused": "this checkout cannot calibrate"}
    seconds, codes = [], set()
    errors = importlib.import_module("tern2lava.errors")
    for _ in range(times):
        begin = time.process_time()
        try:
            program = compiled(folder, case, target, calibrated).lowered.program
        except (errors.UnsupportedError, errors.CapacityError) as error:
            return {"refused": str(error)}
        seconds.append(time.process_time() - begin)
        codes.add(_code(program))
    with np.load(folder / "counted.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    x = arrays.pop("input")
    (entry,) = program.of_kind(_module("tern2lava.compiler.ir.graph", "tern2lava.compiler.ir").Input)
    got = free(program, {entry.name: x})
    given = {**arrays, entry.name: x.reshape(*x.shape[:2], -1)}
    pieces = range(0, len(x), PIECE)
    alone = _joined([fed(program, {key: value[at : at + PIECE] for key, value in given.items()}) for at in pieces])
    last = case["output"]
    changed = 0
    if arrays[last].any():
        mine, theirs = (s[last].sum(axis=1, dtype=np.int64).argmax(axis=1) for s in (arrays, got))
        changed = int((mine != theirs).sum())
    nearest = [p for p in program.nodes if getattr(getattr(p, "decays", None), "value", "") == "nearest"]
    return {
        "free": differ(arrays, got), "fed": differ(arrays, alone), "changed": changed, "nearest": len(nearest),
        "seconds": round(statistics.median(seconds), 3), "same": len(codes) == 1,
    }  # fmt: skip


def main() -> int:
    for name in sys.argv[1:]:
        folder = Path(name)
        for target in json.loads((folder / "case.json").read_text(encoding="utf-8"))["targets"]:
            row = {"network": folder.name, "target": target, **measure(folder, target)}
            print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
