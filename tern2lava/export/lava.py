"""A compiled network as a Lava program of its own: a process for each core, its routes as connections."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.ir.graph import Input
from tern2lava.compiler.ir.shapes import Array, size
from tern2lava.errors import InputError
from tern2lava.export.images import write_new_folder
from tern2lava.export.lava_source import RUN, network_source, process_source
from tern2lava.sim.executable import Executable
from tern2lava.sim.lava.mapped.layers import layer_wiring
from tern2lava.sim.lava.mapped.plan import groups_of, plan_mapped, readouts
from tern2lava.sim.lava.mapped.wiring import read_wiring
from tern2lava.sim.lava.stand_alone import ARRAYS, NETWORK

SCRIPT, BUILDER, PROCESSES = "run.py", "network.py", "parts/processes.py"


def export_lava(executable: Executable, folder: Path, *, version: str, steps: int, layers: bool = False) -> list[str]:
    """Write run.py, network.py and parts/processes.py (all code that it needs beside numpy and Lava), network.json and
    network.npz (what the core images hold) to a new folder; the names of the files. steps: the most of a sample.
    layers: of the integer program instead, a process for each population.

    Raises InputError where the folder holds something or cannot be written or no steps are known, UnsupportedError for
    neurons that no Lava process executes.
    """
    if steps < 1:
        raise InputError(
            "export", "requires the steps that a sample has at most; found a bundle without; compile it with --steps"
        )
    arrays: dict[str, Array] = {}
    text = json.dumps(_packed(_document(executable, version, steps, layers), arrays), indent=1) + "\n"

    def write(aside: Path) -> None:
        (aside / "parts").mkdir()
        (aside / SCRIPT).write_text(RUN, encoding="utf-8")
        (aside / PROCESSES).write_text(process_source(version), encoding="utf-8")
        (aside / BUILDER).write_text(network_source(version), encoding="utf-8")
        (aside / NETWORK).write_text(text, encoding="utf-8")
        stored: dict[str, Any] = dict(arrays)
        np.savez_compressed(aside / ARRAYS, **stored)

    write_new_folder(folder, write)
    return [SCRIPT, BUILDER, PROCESSES, NETWORK, ARRAYS]


def _document(executable: Executable, version: str, steps: int, layers: bool) -> dict[str, Any]:
    """What the files say, with arrays and tuples in their places."""
    levels = [node.levels for node in executable.program.of_kind(Input)]
    if layers:
        wiring = layer_wiring(executable.program)
    else:
        wiring = read_wiring(executable.images, executable.host_image, levels)
    # For any number of samples: not for one alone, after which no state would matter.
    plan = plan_mapped(wiring, 2, steps)
    read = set(readouts(wiring))
    cores = []
    for place, (image, core) in enumerate(zip(wiring.cores, plan.cores, strict=True)):
        into = [len(wiring.into(place, number)) for number in range(len(image.axons))]
        groups = [
            {
                "name": group.name, "neurons": group.box.volume, "population": size(group.box.shape),
                "place": group.box.flat(), "start": made.window.start, "readout": (place, number) in read,
                "process": made.neuron[0], "values": made.neuron[1], "wires": made.wires,
            }
            for number, (group, made) in enumerate(zip(image.groups, groups_of(core), strict=True))
        ]  # fmt: skip
        axons = [(axons.count, routes) for axons, routes in zip(image.axons, into, strict=True)]
        name = image.groups[0].name if layers else f"core {image.core}"
        cores.append({"name": name, "core": image.core, "axons": axons, "groups": groups})
    return {
        "written_by": f"tern2lava {version}",
        "steps": steps,
        "slowdown": wiring.slowdown,
        "longest_skew": plan.period - steps * wiring.slowdown,
        "inputs": [{"name": group.name, "neurons": group.box.volume} for group in wiring.host.groups],
        "cores": cores,
        "routes": [
            {
                "source": each.source, "group": each.group, "target": each.target, "axons": each.axons,
                "sent": each.sent, "axon": each.axon,
            }
            for each in wiring.connections
        ],
        "processes": [asdict(part) for part in plan.use.parts],
    }  # fmt: skip


def _packed(value: Any, arrays: dict[str, Array]) -> Any:
    """A value for JSON: arrays are put into `arrays` and named."""
    if isinstance(value, np.ndarray):
        name = f"a{len(arrays):05d}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, dict):
        return {key: _packed(each, arrays) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_packed(each, arrays) for each in value]
    return value.item() if isinstance(value, np.generic) else value
