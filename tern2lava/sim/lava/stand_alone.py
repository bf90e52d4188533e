"""A mapped network without tern2lava: read from its files, built, and run in Lava on spikes from a file.

`export --to lava` writes this module, with what it needs of the package's, as one file that imports numpy and Lava.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.sim.lava.assemble import CoreGroup, fill_core
from tern2lava.sim.lava.compat import mend_lava
from tern2lava.sim.lava.procs.neuro_core import NeuroCore, Readout, RoutePort
from tern2lava.sim.lava.procs.spikes import SpikeSource
from tern2lava.sim.lava.run import Window

NETWORK, ARRAYS = "network.json", "network.npz"


def read_network(folder: Path) -> dict[str, Any]:
    """The network in `folder`: cores, connections, inputs, groups and times, arrays in their places."""
    text = json.loads((folder / NETWORK).read_text(encoding="utf-8"))
    with np.load(folder / ARRAYS, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}

    def placed(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"array"}:
                return arrays[value["array"]]
            return {key: placed(each) for key, each in value.items()}
        return tuple(map(placed, value)) if isinstance(value, list) else value

    found: dict[str, Any] = placed(text)
    return found


def build_network(
    network: dict[str, Any], rows: Sequence[Any], samples: int, steps: int, read: Callable[[int, int], bool]
) -> tuple[dict[str, Any], dict[tuple[int, int], Any]]:
    """The connected Lava processes by name, and what the readout of each group (core's place, group) records, (samples,
    steps, neurons).

    rows: values of each input, (samples, steps, neurons). read(core, group): whether a group has a readout.
    """
    period = steps * network["slowdown"] + network["longest_skew"]
    window = Window(samples=samples, steps=steps, period=period, start=0, slowdown=network["slowdown"])
    processes: dict[str, Any] = {}
    for core in network["cores"]:
        groups = [
            CoreGroup((group["process"], group["values"]), replace(window, start=group["start"]), group["wires"])
            for group in core["groups"]
        ]
        process = NeuroCore(
            axons=core["axons"], neurons=[group["neurons"] for group in core["groups"]],
            fill=partial(_parts, groups),
        )  # fmt: skip
        process.name = core["name"]
        processes[process.name] = process
    cores = list(processes.values())
    done = np.zeros(1, np.int64)
    sources = []
    for given, values in zip(network["inputs"], rows, strict=True):
        source = SpikeSource(rows=values, window=window, steps_done=done)
        source.name = f"input {given['name']}"
        processes[source.name] = source
        sources.append(source)
    taken: dict[tuple[int, int], int] = {}
    for route in network["routes"]:
        sender = sources[route["group"]] if route["source"] is None else cores[route["source"]]
        port = sender.s_out if route["source"] is None else getattr(sender, f"spikes_{route['group']}")
        place = route["target"], route["axons"]
        number = taken.get(place, 0)
        taken[place] = number + 1
        RoutePort(port, cores[place[0]].ports_of(place[1])[number], route["sent"], route["axon"])
    records: dict[tuple[int, int], Any] = {}
    for number, core in enumerate(network["cores"]):
        for index, group in enumerate(core["groups"]):
            if read(number, index):
                records[number, index] = _shared((samples, steps, group["neurons"]))
                when = replace(window, start=group["start"])
                readout = Readout(neurons=group["neurons"], record=partial(_read, records[number, index], when))
                readout.name = f"readout of {group['name']} in {core['name']}"
                getattr(cores[number], f"spikes_{index}").connect(readout.s_in)
                processes[readout.name] = readout
    return processes, records


def lava_steps(network: dict[str, Any], samples: int, steps: int) -> int:
    """The Lava steps, one for each hardware timestep, in which the last group ends the last sample."""
    last = max(group["start"] for core in network["cores"] for group in core["groups"])
    period = steps * network["slowdown"] + network["longest_skew"]
    return int((samples - 1) * period + (steps - 1) * network["slowdown"] + 1 + last)


def _parts(groups: Sequence[CoreGroup], core: Any) -> list[Any]:
    return fill_core(core, groups)[0]


def _shared(shape: tuple[int, ...]) -> Any:
    """An array of int32 that processes of the operating system share."""
    import mmap

    count = int(np.prod(shape))
    return np.frombuffer(mmap.mmap(-1, max(1, 4 * count)), np.int32, count).reshape(shape)


def _read(rows: Any, window: Window, time_step: int, spikes: Any) -> None:
    place = window.place(time_step)
    if place is not None:
        rows[place] = spikes


def run_network(folder: Path, given: dict[str, Any], *, everything: bool = False) -> dict[str, Any]:
    """Spikes (samples, steps, neurons) of each population that is read on `given`: values (samples, steps, ...) of each
    input. everything: of all populations, each group with a readout of its own."""
    mend_lava()
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    network = read_network(folder)
    rows = []
    for each in network["inputs"]:
        values = given[each["name"]]
        rows.append(np.asarray(values).reshape(*values.shape[:2], -1))
        if rows[-1].shape[2] != each["neurons"]:
            raise SystemExit(f"{each['name']}: requires {each['neurons']} neurons; found {rows[-1].shape[2]}")
    samples, steps = rows[0].shape[:2]
    if steps > network["steps"]:
        raise SystemExit(f"requires at most {network['steps']} steps, for which it was written; found {steps}")

    def read(core: int, group: int) -> bool:
        return everything or bool(network["cores"][core]["groups"][group]["readout"])

    processes, records = build_network(network, rows, samples, steps, read)
    first = next(iter(processes.values()))
    first.run(
        condition=RunSteps(num_steps=lava_steps(network, samples, steps)),
        run_cfg=Loihi2SimCfg(select_tag="fixed_pt"),
    )
    first.stop()
    spikes: dict[str, Any] = {}
    for (place, number), found in records.items():
        group = network["cores"][place]["groups"][number]
        whole = spikes.setdefault(group["name"], np.zeros((samples, steps, group["population"]), np.int32))
        whole[:, :, group["place"]] = found
    return spikes


def main(folder: Path) -> None:
    """Run the network in `folder` on a file of spikes, print how many spikes each population made, and write them."""
    parser = argparse.ArgumentParser(description="Runs a network of neuro-cores in Lava's CPU simulator.")
    parser.add_argument("data", type=Path, help=".npz: the values of each input, (samples, steps, ...), by its name")
    parser.add_argument("-o", "--out", type=Path, default=Path("spikes.npz"), help="where spikes go (spikes.npz)")
    parser.add_argument("--samples", type=int, help="run the first of them only")
    parser.add_argument("--all", action="store_true", help="read every population, not only the last")
    options = parser.parse_args()
    inputs = read_network(folder)["inputs"]
    with np.load(options.data, allow_pickle=False) as file:
        names = [each["name"] for each in inputs]
        if len(names) == 1 and names[0] not in file.files:
            given = {names[0]: file["spikes" if "spikes" in file.files else file.files[0]]}
        else:
            given = {name: file[name] for name in names}
    given = {name: values[: options.samples] for name, values in given.items()}
    spikes = run_network(folder, given, everything=options.all)
    for name, values in spikes.items():
        print(f"{name}: {np.count_nonzero(values):,} spikes of {values.shape[2]:,} neurons")
    np.savez_compressed(options.out, **spikes)
