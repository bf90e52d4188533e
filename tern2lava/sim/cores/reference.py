"""The mapped reference: a run recomputed core by core from packed images, spikes travelling on the stored routes only.

Compared with sim.reference.integer it proves codec, partition and routing at once: nothing else of the program is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from tern2lava.compiler.image.codecs import CODECS
from tern2lava.compiler.image.core_image import CORE, CoreImage, decode_core
from tern2lava.compiler.ir.shapes import Ints, Spikes, size
from tern2lava.errors import InputError
from tern2lava.sim.cores.machine import CoreMachine, Link, links
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reference.integer import spike_type


def run(
    images: Sequence[bytes], host_image: bytes, inputs: Mapping[str, Spikes], *, states: bool = True,
    driven: Mapping[str, Spikes] | None = None,
) -> Trace:  # fmt: skip
    """The trace of the program in `images` on `inputs`: for every input, values (batch, steps, *shape).

    driven: of some populations, values (batch, steps, *shape) that take their routes in the place of their spikes, as
    sim.reference.integer defines it. Raises InputError for damaged images, and where their groups do not cover every
    population exactly once.
    """
    decoders = tuple(codec.decode for codec in CODECS)
    cores, host, wires = _resolved(tuple(images), host_image, decoders)
    batch, steps = next(iter(inputs.values())).shape[:2]
    emitted_by_host = _host_rows(host, inputs, batch, steps)
    slow = host.slowdown
    machines = [CoreMachine(image, batch, steps) for image in cores]
    starts = [group.local.start for image in cores for group in image.groups if group.local is not None]

    sizes = {group.name: size(group.box.shape) for image in cores for group in image.groups}
    neurons = [group.local for image in cores for group in image.groups if group.local is not None]
    types = {local.name: spike_type(local) for local in neurons}
    spikes: dict[str, Spikes] = {name: np.zeros((batch, steps, n), types[name]) for name, n in sizes.items()}
    v = {name: np.zeros((batch, steps, n), np.int64) for name, n in sizes.items() if states}
    u = {name: np.zeros((batch, steps, n), np.int64) for name, n in sizes.items() if states}
    places = [[group.box.flat() for group in image.groups] for image in cores]
    forced = {name: values.reshape(batch, steps, -1) for name, values in (driven or {}).items()}

    arriving = [np.zeros((batch, machine.axons), np.int64) for machine in machines]
    for t in range(1, (steps - 1) * slow + 1 + max(starts, default=0) + 1):
        out: list[Spikes] = [machine.step(t, x) for machine, x in zip(machines, arriving, strict=True)]
        given, late = divmod(t - 1, slow)
        sends = late == 0 and given < steps
        out.append(emitted_by_host[:, given] if sends else np.zeros_like(emitted_by_host[:, 0]))
        sent = [*(_sent(*each, t, forced) for each in zip(machines, out, places, strict=False)), out[-1]]
        arriving = [np.zeros((batch, machine.axons), np.int64) for machine in machines]
        for wire in wires:
            wire.bring(sent[wire.source], arriving[wire.target])
        for machine, place, fired in zip(machines, places, out, strict=False):
            for index, group in enumerate(machine.image.groups):
                k = machine.step_of(index, t)
                if k is not None:
                    mine = slice(*machine.neuron_ends[index : index + 2])
                    spikes[group.name][:, k, place[index]] = fired[:, mine]
                    if states:
                        v[group.name][:, k, place[index]] = machine.groups[index].v
                        u[group.name][:, k, place[index]] = machine.groups[index].u
    return Trace(spikes=spikes, v=v, u=u)


@lru_cache(maxsize=1)
def _resolved(
    images: tuple[bytes, ...], host_image: bytes, decoders: tuple[Callable[..., object], ...]
) -> tuple[list[CoreImage], CoreImage, list[Link]]:
    """The images decoded, and their routes; those of the last run are kept, for samples come shard by shard. decoders:
    of all codecs, plugins among them, with which the images were decoded."""
    cores = [decode_core(data, f"image of core {k}") for k, data in enumerate(images)]
    host = decode_core(host_image, "host image")
    check_cover(cores)
    slowdown_of([*cores, host])
    return cores, host, links([*cores, host])


def _sent(machine: CoreMachine, fired: Spikes, places: Sequence[Ints], t: int, driven: Mapping[str, Spikes]) -> Spikes:
    """What a core sends in hardware timestep t, (batch, neurons): what it fired, but of driven populations what stands
    there."""
    if not any(group.name in driven for group in machine.image.groups):
        return fired
    sent = fired.astype(np.int64)
    for index, group in enumerate(machine.image.groups):
        k = machine.step_of(index, t)
        if group.name in driven and k is not None:
            mine = slice(*machine.neuron_ends[index : index + 2])
            sent[:, mine] = driven[group.name][:, k, places[index]]
    return sent


def slowdown_of(images: Sequence[CoreImage]) -> int:
    """The hardware timesteps of a step that all images say. Raises InputError where they do not agree."""
    found = {image.slowdown for image in images}
    if len(found) != 1:
        raise InputError(
            "core images",
            f"requires one number of hardware timesteps a step; found {' and '.join(map(str, sorted(found)))}; compile "
            "again",
        )
    return found.pop()


def check_cover(cores: Sequence[CoreImage]) -> None:
    """InputError where a neuron lies on no core or on two."""
    seen: dict[str, Ints] = {}
    for image in cores:
        for group in image.groups:
            if image.kind != CORE:
                raise InputError(f"core {image.core}", "is a host image")
            count = seen.setdefault(group.name, np.zeros(size(group.box.shape), np.int64))
            if count.size != size(group.box.shape):
                raise InputError(group.name, "has different sizes in different images")
            count[group.box.flat()] += 1
    for name, count in seen.items():
        wrong = np.flatnonzero(count != 1)
        if wrong.size:
            raise InputError(name, f"neuron {wrong[0]} lies on {count[wrong[0]]} cores, expected 1")


def _host_rows(host: CoreImage, inputs: Mapping[str, Spikes], batch: int, steps: int) -> Ints:
    """What the host emits, (batch, steps, neurons of all its groups)."""
    rows = []
    for group in host.groups:
        values = inputs.get(group.name)
        if values is None or values.shape[:2] != (batch, steps) or values[0, 0].size != group.box.volume:
            found = "nothing" if values is None else f"an array of shape {values.shape}"
            raise InputError(
                f"input {group.name}",
                f"requires shape ({batch}, {steps}, {group.box.volume}); found {found}; give every step of every "
                "sample",
            )
        rows.append(values.reshape(batch, steps, -1).astype(np.int64))
    return np.concatenate(rows, axis=2) if rows else np.zeros((batch, steps, 0), np.int64)
