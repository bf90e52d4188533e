"""LM: core images in Lava's CPU simulator, a process for each core, spikes on its ports, routes as connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tern2lava.compiler.image.core_image import Group, decode_core
from tern2lava.compiler.ir.shapes import Array, Spikes, size
from tern2lava.effort import LAVA_PROCESSES
from tern2lava.errors import InputError
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.lava.child import LavaChild, Progress, run_in_child
from tern2lava.sim.lava.mapped.plan import MappedPlan, plan_mapped, readouts
from tern2lava.sim.lava.mapped.wiring import read_wiring
from tern2lava.sim.lava.run import DEFAULT_TIMEOUT, LavaRun, samples_and_steps
from tern2lava.sim.lava.shared_arrays import Layout, SharedArrays
from tern2lava.sim.reference.integer import spike_type


def run_mapped(
    images: Sequence[bytes], host_image: bytes, inputs: Mapping[str, Spikes], *, processes: int = LAVA_PROCESSES,
    timeout: float = DEFAULT_TIMEOUT, progress: Progress | None = None, child: LavaChild | None = None,
    cores_per_chip: int | None = None,
) -> LavaRun:  # fmt: skip
    """The trace of the program in `images` on `inputs` (per input, values (batch, steps, *shape)), executed by Lava.

    processes: of the operating system, at most about as many; cores that share one are of one chip where cores_per_chip
    is given and there are no more chips than processes. All samples run one after the other, one Lava step for
    each hardware timestep. progress(done, total) counts Lava steps. child: where it runs (None: in one of its own).
    Raises InputError for damaged images or wrong inputs, UnsupportedError for neurons that no Lava process executes,
    MissingPackageError where Lava is absent, BackendError where the run dies or exceeds `timeout` seconds.
    """
    batch, steps = samples_and_steps(inputs)
    host = decode_core(host_image, "host image")
    rows = [_rows(group, inputs, batch, steps) for group in host.groups]
    levels = [(min(0, int(each.min(initial=0))), max(1, int(each.max(initial=1)))) for each in rows]
    plan = plan_mapped(read_wiring(images, host_image, levels), batch, steps, processes, cores_per_chip)
    shared = SharedArrays(_layout(plan, levels))
    for number, each in enumerate(rows):
        shared[f"input/{number}"][:] = each
    entry = "tern2lava.sim.lava.mapped.network:run"
    run_in_child(entry, plan, shared, steps=plan.lava_steps, timeout=timeout, progress=progress, child=child)
    return LavaRun(trace=_trace(plan, shared), processes_used=(), lava_steps=plan.lava_steps, mapped=plan.use)


def _rows(group: Group, inputs: Mapping[str, Spikes], batch: int, steps: int) -> Array:
    """An input's values (batch, steps, neurons). Raises InputError where they do not fit."""
    values = inputs.get(group.name)
    if values is None or values.shape[:2] != (batch, steps) or values[0, 0].size != group.box.volume:
        found = "nothing" if values is None else f"an array of shape {values.shape}"
        raise InputError(
            f"input {group.name}",
            f"requires shape {(batch, steps, group.box.volume)}; found {found}; give every step of every sample",
        )
    return values.reshape(batch, steps, -1)


def _layout(plan: MappedPlan, levels: Sequence[tuple[int, int]]) -> Layout:
    """Arrays of inputs, of the spikes and states of each group, and of readouts."""
    layout: Layout = {}
    for number, (group, (low, high)) in enumerate(zip(plan.wiring.host.groups, levels, strict=True)):
        kind = np.promote_types(np.min_scalar_type(low), np.min_scalar_type(high))
        layout[f"input/{number}"] = ((plan.samples, plan.steps, group.box.volume), str(kind))
    read = readouts(plan.wiring)
    for core, image in enumerate(plan.wiring.cores):
        for number, group in enumerate(image.groups):
            assert group.local is not None
            shape = (plan.samples, plan.steps, group.box.volume)
            layout[f"spikes/{core}.{number}"] = (shape, np.dtype(spike_type(group.local)).name)
            layout[f"u/{core}.{number}"] = layout[f"v/{core}.{number}"] = (shape, "int64")
            if (core, number) in read:
                layout[f"read/{core}.{number}"] = layout[f"spikes/{core}.{number}"]
    return layout


def _trace(plan: MappedPlan, shared: SharedArrays) -> Trace:
    """Spikes and states by population. Spikes that a readout read are what it read."""
    spikes: dict[str, Array] = {}
    u: dict[str, Array] = {}
    v: dict[str, Array] = {}
    for core, image in enumerate(plan.wiring.cores):
        for number, group in enumerate(image.groups):
            here, place = f"{core}.{number}", group.box.flat()
            fired = shared.arrays.get(f"read/{here}", shared[f"spikes/{here}"])
            for trace, rows in ((spikes, fired), (u, shared[f"u/{here}"]), (v, shared[f"v/{here}"])):
                whole = trace.setdefault(
                    group.name, np.zeros((plan.samples, plan.steps, size(group.box.shape)), rows.dtype)
                )
                whole[:, :, place] = rows
    return Trace(spikes=spikes, v=v, u=u)
