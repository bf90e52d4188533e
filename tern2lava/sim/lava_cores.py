"""L2: core images executed by our neuro-core processes in Lava's CPU simulator, many cores to one Lava process.

An operating system process for each core would not scale (Lava meets at a barrier of all processes in every step), so
the cores are dealt out to at most MAX_CLUSTERS processes. A chunk of samples travels together: a message is (samples,
axons). All that is executed is decoded from the bytes of the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tern2lava.compiler.image import CoreImage, Group, decode_core
from tern2lava.compiler.ir import Array, size
from tern2lava.errors import InputError
from tern2lava.sim.core import CoreMachine, links
from tern2lava.sim.lava_child import LavaChild, Progress, run_in_child
from tern2lava.sim.lava_compat import require_lava
from tern2lava.sim.lava_run import DEFAULT_TIMEOUT, LavaRun, ProcessUse, samples_and_steps
from tern2lava.sim.lava_runtime import execute
from tern2lava.sim.lava_shared import STEPS_DONE, Layout, SharedArrays
from tern2lava.sim.mapped import check_cover
from tern2lava.sim.trace import Trace

if TYPE_CHECKING:
    from tern2lava.sim.lava_procs.cores import Wires

MAX_PROCESSES = 4
# Of one message; Lava keeps CHANNEL_SLOTS of them for each pair of processes in shared memory.
MAX_MESSAGE_BYTES = 1 << 20


@dataclass(frozen=True, eq=False, kw_only=True)
class CoresJob:
    """What the child needs: the bytes of the images, which process executes which of them, and how samples are cut."""

    images: tuple[bytes, ...]
    host_image: bytes
    clusters: tuple[tuple[int, ...], ...]
    samples: int
    steps: int
    chunk: int
    period: int


def run_cores(
    images: Sequence[bytes],
    host_image: bytes,
    inputs: dict[str, Array],
    *,
    timeout: float = DEFAULT_TIMEOUT,
    progress: Progress | None = None,
    child: LavaChild | None = None,
) -> LavaRun:
    """The trace of the program in `images` on `inputs` (per input, values (batch, steps, *shape)), executed by Lava.

    progress(done, total) counts Lava steps. Raises InputError for damaged images or wrong inputs, MissingPackageError
    where Lava is absent, VerificationError where the run dies or exceeds `timeout` seconds.
    """
    cores = [decode_core(data, f"image of core {k}") for k, data in enumerate(images)]
    host = decode_core(host_image, "host image")
    check_cover(cores)
    links([*cores, host])
    batch, steps = samples_and_steps(inputs)
    sizes = {group.name: size(group.box.shape) for image in cores for group in image.groups}
    layout: Layout = {"input": ((batch, steps, sum(group.box.volume for group in host.groups)), "int32")}
    signed = {group.name for image in cores for group in image.groups if _is_signed(group)}
    for name, count in sizes.items():
        layout[f"spikes/{name}"] = ((batch, steps, count), "int8" if name in signed else "uint8")
        layout[f"u/{name}"] = layout[f"v/{name}"] = ((batch, steps, count), "int64")
    clusters = _deal_out(cores)
    chunk = _chunk_size(cores, clusters, batch)
    starts = [group.local.start for image in cores for group in image.groups if group.local is not None]
    job = CoresJob(
        images=tuple(images), host_image=host_image, clusters=clusters, samples=batch, steps=steps, chunk=chunk,
        period=steps + max(starts),
    )  # fmt: skip
    lava_steps = job.period * -(-batch // chunk)
    shared = SharedArrays(layout)
    _fill_input(shared["input"], host, inputs)
    run_in_child(
        "tern2lava.sim.lava_cores:run_job", job, shared, steps=lava_steps, timeout=timeout, progress=progress, child=child
    )
    trace = Trace(
        spikes={name: shared[f"spikes/{name}"] for name in sizes},
        v={name: shared[f"v/{name}"] for name in sizes},
        u={name: shared[f"u/{name}"] for name in sizes},
    )
    uses = tuple(
        ProcessUse(name=_names(cores, cluster), process="CoreCluster", reason="executes core images")
        for cluster in clusters
    )
    return LavaRun(trace=trace, processes_used=uses, lava_steps=lava_steps)


def run_job(job: CoresJob, shared: SharedArrays) -> None:
    """Nothing; the child's side: builds the processes, connects each to each and runs them."""
    require_lava()
    from tern2lava.sim.lava_procs.cores import CoreCluster, Schedule, SpikeHost

    cores = [decode_core(data) for data in job.images]
    host = decode_core(job.host_image)
    machines = [CoreMachine(image) for image in cores]
    schedule = Schedule(job.samples, job.steps, job.chunk, job.period)
    axons = [sum(machines[k].axons for k in cluster) for cluster in job.clusters]
    wires = _wires(cores, host, machines, job.clusters)
    names = {group.name for image in cores for group in image.groups}
    results = {name: (shared[f"spikes/{name}"], shared[f"u/{name}"], shared[f"v/{name}"]) for name in names}
    clusters = [
        CoreCluster(
            images=[job.images[k] for k in cluster], index=index, axons=axons, wires=wires[index], schedule=schedule,
            results=results,
        )
        for index, cluster in enumerate(job.clusters)
    ]  # fmt: skip
    source = SpikeHost(
        rows=shared["input"], axons=axons, wires=wires[-1], schedule=schedule, steps_done=shared[STEPS_DONE]
    )
    for index, cluster in enumerate(clusters):
        for sender in (*clusters, source):
            getattr(sender, f"to_{index}").connect(cluster.arriving)
    execute(source, job.period * -(-job.samples // job.chunk))


def _chunk_size(cores: list[CoreImage], clusters: tuple[tuple[int, ...], ...], batch: int) -> int:
    """Samples that are executed at a time, so that no message exceeds MAX_MESSAGE_BYTES."""
    axons = max(sum(a.count for k in cluster for a in cores[k].axons) for cluster in clusters)
    return int(np.clip(MAX_MESSAGE_BYTES // (4 * max(axons, 1)), 1, batch))


def _wires(
    cores: list[CoreImage], host: CoreImage, machines: list[CoreMachine], clusters: tuple[tuple[int, ...], ...]
) -> list[list[Wires]]:
    """For each process (the host last) and each cluster, the Wires that the routes of the images make."""
    from tern2lava.sim.lava_procs.cores import Wires

    process = {k: index for index, cluster in enumerate(clusters) for k in cluster} | {len(cores): len(clusters)}
    neurons = {len(cores): 0}
    axons: dict[int, int] = {}
    for cluster in clusters:
        ends = np.cumsum([0] + [machines[k].neurons for k in cluster])
        neurons |= dict(zip(cluster, ends.tolist(), strict=False))
        ends = np.cumsum([0] + [machines[k].axons for k in cluster])
        axons |= dict(zip(cluster, ends.tolist(), strict=False))
    pairs: dict[tuple[int, int], list[tuple[Array, Array]]] = {}
    for link in links([*cores, host]):
        place = process[link.source], process[link.target]
        pairs.setdefault(place, []).append((link.neuron + neurons[link.source], link.axon + axons[link.target]))
    none = np.zeros(0, np.int64)
    return [
        [
            Wires(*(np.concatenate(ends) for ends in zip(*pairs.get((source, target), [(none, none)]), strict=True)))
            for target in range(len(clusters))
        ]
        for source in range(len(clusters) + 1)
    ]


def _is_signed(group: Group) -> bool:
    """Whether the neurons of a group also emit spikes of -1."""
    return group.local is not None and group.local.threshold_low is not None


def _deal_out(cores: list[CoreImage]) -> tuple[tuple[int, ...], ...]:
    """Positions of the cores that each process executes: neighbours together, equally many each."""
    parts = np.array_split(np.arange(len(cores)), min(len(cores), MAX_PROCESSES))
    return tuple(tuple(part.tolist()) for part in parts)


def _fill_input(rows: Array, host: CoreImage, inputs: dict[str, Array]) -> None:
    """Nothing; puts the values of every input side by side, in the order of the host image."""
    first = 0
    for group in host.groups:
        values = inputs.get(group.name)
        count = group.box.volume
        if values is None or values.shape[:2] != rows.shape[:2] or values[0, 0].size != count:
            found = "nothing" if values is None else f"an array of shape {values.shape}"
            raise InputError(f"input {group.name}", f"found {found}, expected {(*rows.shape[:2], count)}")
        rows[:, :, first : first + count] = values.reshape(*rows.shape[:2], count)
        first += count


def _names(cores: list[CoreImage], cluster: tuple[int, ...]) -> str:
    numbers = [cores[k].core for k in cluster]
    return f"core {numbers[0]}" if len(numbers) == 1 else f"cores {', '.join(map(str, numbers))}"
