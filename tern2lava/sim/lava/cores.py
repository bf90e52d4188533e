"""L2: core images executed by CoreImageBatchRunner in Lava's CPU simulator, many samples and all steps at a time.

Lava meets at a barrier of all its processes in every step, and each process is one of the operating system: a process
for each core, or a Lava step for each time step, would wait more than compute. So one process holds all cores, a few
such processes share the samples, and a Lava step executes a chunk of samples over all their time steps. Inputs and
results lie in shared memory. All that is executed is decoded from the bytes of the images (sim.cores.program).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tern2lava.compiler.image.core_image import CoreImage, Group, decode_core
from tern2lava.compiler.ir.shapes import Spikes, size
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError
from tern2lava.sim.cores.program import CoreProgram, prepare_cores
from tern2lava.sim.cores.reference import check_cover
from tern2lava.sim.cores.routes import gathers
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.engine.run import available_cores
from tern2lava.sim.lava.child import LavaChild, Progress, run_in_child
from tern2lava.sim.lava.compat import require_lava
from tern2lava.sim.lava.run import DEFAULT_TIMEOUT, LavaRun, ProcessUse, samples_and_steps
from tern2lava.sim.lava.runtime import execute
from tern2lava.sim.lava.shared_arrays import STEPS_DONE, Layout, SharedArrays
from tern2lava.sim.reference.integer import spike_type

MAX_WORKERS = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class CoresJob:
    """What the child needs: the bytes of the images, the range of each input's values, and how samples are dealt."""

    images: tuple[bytes, ...]
    host_image: bytes
    levels: tuple[tuple[int, int], ...]
    samples: int
    chunk: int
    workers: int

    @property
    def lava_steps(self) -> int:
        """Lava steps until every sample is dealt."""
        return -(-self.samples // (self.chunk * self.workers))


def run_cores(
    images: Sequence[bytes], host_image: bytes, inputs: Mapping[str, Spikes], *, states: bool = True,
    timeout: float = DEFAULT_TIMEOUT, progress: Progress | None = None, child: LavaChild | None = None,
    effort: Effort = NORMAL, driven: Mapping[str, Spikes] | None = None,
) -> LavaRun:  # fmt: skip
    """The trace of the program in `images` on `inputs` (per input, values (batch, steps, *shape)), executed by Lava.

    states: record u and v too. driven: of some populations, values (batch, steps, *shape) that take their routes in
    the place of their spikes. progress(done, total) counts Lava steps. child: where it runs (None: in one of its own).
    Raises InputError for damaged images or wrong inputs, MissingPackageError where Lava is absent, BackendError
    where the run dies or exceeds `timeout` seconds.
    """
    cores = [decode_core(data, f"image of core {k}") for k, data in enumerate(images)]
    host = decode_core(host_image, "host image")
    check_cover(cores)
    gathers([*cores, host])
    batch, steps = samples_and_steps(inputs)
    levels = tuple(_levels(group, inputs, (batch, steps)) for group in host.groups)
    sizes = {group.name: size(group.box.shape) for image in cores for group in image.groups}
    kinds = {g.name: np.dtype(spike_type(g.local)).name for image in cores for g in image.groups if g.local is not None}
    width = sum(group.box.volume for group in host.groups)
    binary = all(level == (0, 1) for level in levels)
    layout: Layout = {"input": ((batch, steps, width), "uint8" if binary else "int32")}
    for name, count in sizes.items():
        layout[f"spikes/{name}"] = ((batch, steps, count), kinds[name])
        if states:
            layout[f"u/{name}"] = layout[f"v/{name}"] = ((batch, steps, count), "int64")
    forced = {name: values.reshape(batch, steps, -1) for name, values in (driven or {}).items() if name in sizes}
    for name, values in forced.items():
        layout[f"driven/{name}"] = (values.shape, kinds[name])
    workers = min(MAX_WORKERS, available_cores(), batch)
    sample_bytes = steps * (width + sum(sizes.values()) * (17 if states else 1))
    chunk = max(1, min(effort.lava_bytes // max(1, sample_bytes), -(-batch // workers)))
    job = CoresJob(
        images=tuple(images), host_image=host_image, levels=levels, samples=batch, chunk=chunk, workers=workers
    )
    shared = SharedArrays(layout)
    for span, group in zip(_spans(host), host.groups, strict=True):
        shared["input"][:, :, span] = inputs[group.name].reshape(batch, steps, -1)
    for name, values in forced.items():
        shared[f"driven/{name}"][:] = values
    entry = "tern2lava.sim.lava.cores:run_job"
    run_in_child(entry, job, shared, steps=job.lava_steps, timeout=timeout, progress=progress, child=child)
    trace = Trace(
        spikes={name: shared[f"spikes/{name}"] for name in sizes},
        v={name: shared[f"v/{name}"] for name in sizes if states},
        u={name: shared[f"u/{name}"] for name in sizes if states},
    )
    numbers = ", ".join(str(image.core) for image in cores)
    reason = f"executes the core images; {workers} such processes share the samples"
    use = ProcessUse(name=f"cores {numbers}", process="CoreImageBatchRunner", reason=reason)
    return LavaRun(trace=trace, processes_used=(use,), lava_steps=job.lava_steps)


def preload() -> None:
    """Import Lava and the compiler of the kernels early, so that the first job starts fast."""


def run_job(job: CoresJob, shared: SharedArrays) -> None:
    """Decode the images, then build, connect and run their processes (called in the child)."""
    require_lava()
    from tern2lava.sim.lava.procs.cores import CoreImageBatchRunner, Dealer

    cores = [decode_core(data) for data in job.images]
    host = decode_core(job.host_image)
    program = prepare_cores(cores, host, list(job.levels))
    inputs = dict(enumerate(_spans(host)))
    _load_kernels(program, inputs, shared["input"])
    results = {
        (c, g): (
            *(shared.arrays.get(f"{kind}/{group.name}") for kind in ("spikes", "u", "v")),
            slice(None) if group.box.is_full else group.box.flat(),
        )
        for c, image in enumerate(cores)
        for g, group in enumerate(image.groups)
    }
    driven = {
        (c, g): (shared[f"driven/{group.name}"], slice(None) if group.box.is_full else group.box.flat())
        for c, image in enumerate(cores)
        for g, group in enumerate(image.groups)
        if f"driven/{group.name}" in shared.arrays
    }
    dealer = Dealer(samples=job.samples, chunk=job.chunk, workers=job.workers, steps_done=shared[STEPS_DONE])
    for number in range(job.workers):
        worker = CoreImageBatchRunner(
            program=program, rows=shared["input"], inputs=inputs, results=results, driven=driven
        )
        getattr(dealer, f"to_{number}").connect(worker.dealt)
    execute(dealer, job.lava_steps)


def _load_kernels(program: CoreProgram, inputs: dict[int, slice], rows: Spikes) -> None:
    """Load the compiled kernels once, before the fork; otherwise each process would load them in every run."""
    for _ in program.run({group: rows[:1, :1, span] for group, span in inputs.items()}, states=True):
        pass


def _spans(host: CoreImage) -> list[slice]:
    """Where the values of each input lie among those of all, side by side."""
    ends = np.cumsum([0, *(group.box.volume for group in host.groups)]).tolist()
    return [slice(begin, end) for begin, end in pairwise(ends)]


def _levels(group: Group, inputs: Mapping[str, Spikes], expected: tuple[int, int]) -> tuple[int, int]:
    """The range of an input's values, (0, 1) where they are spikes. Raises InputError where they do not fit."""
    values = inputs.get(group.name)
    if values is None or values.shape[:2] != expected or values[0, 0].size != group.box.volume:
        found = "nothing" if values is None else f"an array of shape {values.shape}"
        raise InputError(
            f"input {group.name}",
            f"requires shape {(*expected, group.box.volume)}; found {found}; give every step of every sample",
        )
    low, high = int(values.min(initial=0)), int(values.max(initial=1))
    return (low, high)
