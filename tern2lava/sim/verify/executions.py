"""The executions that `verify` compares, each an entry of EXECUTIONS: the others are held against the first. Nothing
heavy is imported before one runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tern2lava.effort import LAVA_PROCESSES, NORMAL, Effort
from tern2lava.registry import Registry

if TYPE_CHECKING:
    from tern2lava.compiler.ir.graph import Graph
    from tern2lava.compiler.ir.shapes import Spikes
    from tern2lava.sim.data.spike_file import SpikeData
    from tern2lava.sim.data.trace import Trace
    from tern2lava.sim.engine.program import Program
    from tern2lava.sim.executable import Executable
    from tern2lava.sim.lava.child import LavaChild
    from tern2lava.sim.lava.run import MappedUse
    from tern2lava.sim.reference.watch import Limits, Watched

    Tell = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Setup:
    """What executions run, and where.

    executable: the program and its core images. engine: the program prepared for the fast engine; threads: the number
    of threads it may use (None: all). child: where Lava runs (None: a child process of its own); timeout: the seconds
    that one run of it may take; processes: of the operating system that LM takes at most. effort: how much is held at
    a time. limits: of each population with a certificate, the ranges that it states. driven: of some populations, what
    their targets receive in the place of their spikes, as sim.reference.integer defines it; the program and engine are
    then those of sim.verify.driven.cut_program for executions that are `driven` as "program".
    """

    executable: Executable
    engine: Program
    threads: int | None
    child: LavaChild | None
    timeout: float
    processes: int = LAVA_PROCESSES
    effort: Effort = NORMAL
    limits: Mapping[str, Limits] = field(default_factory=dict)
    driven: Mapping[str, Spikes] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Ran:
    """A trace, (node, process, reason) of the Lava processes that made it, what its accumulators did, where that was
    watched, and how a Lava network of cores was made up."""

    trace: Trace
    processes: tuple[tuple[str, str, str], ...] = ()
    watched: tuple[Watched, ...] = ()
    mapped: MappedUse | None = None


@dataclass(frozen=True, kw_only=True)
class Executor:
    """One way to execute a program. name: as in docs/verification.md. what: its line in the report. shows: what it
    shows, for that page.
    stage: its words beside the progress bar.

    check(program) raises UnsupportedError, before anything runs, for an INTEGER graph that it cannot execute.
    run(setup, data, tell): the trace of `data`; tell(done, total) counts what it likes. Spikes of every population are
    compared, potentials and currents where the trace has them.
    mode: of Lava alone: the --lava-mode in which it runs alone; "": it runs on all compared samples always. mixed: how
    many samples it runs in the mode "mixed", by the effort (None: all). preload: what a Lava child imports for it,
    "module:function". driven: how it runs a cover stimulus: "images", where it drives the core images by Setup.driven
    itself, "program", where it is given a program of driven populations to run, "": not at all. most_cores: the cores
    up to which it runs in the mode "mixed", by the effort (None: any number). of_images: it executes the core images
    and not the program. meets: Lava's processes meet at a barrier in every step of every sample.
    """

    name: str
    what: str
    shows: str
    stage: str
    run: Callable[[Setup, SpikeData, Tell], Ran]
    check: Callable[[Graph], None] = lambda program: None
    mode: str = ""
    mixed: Callable[[Effort], int] | None = None
    preload: tuple[str, ...] = ()
    driven: Literal["", "images", "program"] = ""
    most_cores: Callable[[Effort], int] | None = None
    of_images: bool = False
    meets: bool = False

    @property
    def lava(self) -> bool:
        """Whether it runs in Lava."""
        return bool(self.mode)

    def samples(self, mode: str, compared: int, effort: Effort, cores: int) -> int:
        """How many of the compared samples it runs in a --lava-mode, of a program on this number of cores."""
        if mode == MIXED and self.most_cores is not None and cores > self.most_cores(effort):
            return 0
        if mode == MIXED and self.mixed is not None:
            return min(compared, self.mixed(effort))
        return compared if self.mode in ("", mode) or mode in (MIXED, ALL) else 0


MIXED, ALL = "mixed", "all"
EXECUTIONS: Registry[Executor] = Registry("execution")


def lava_modes() -> tuple[str, ...]:
    """The values of --lava-mode."""
    return (MIXED, *(entry.mode for entry in EXECUTIONS if entry.lava), ALL)


def _lava_kinds(program: Graph) -> None:
    from tern2lava.sim.lava.process_choice import refuse_unknown_kinds

    refuse_unknown_kinds(program)


def _integer(setup: Setup, data: SpikeData, tell: Tell) -> Ran:
    from tern2lava.sim.reference import integer
    from tern2lava.sim.reference.watch import Watch

    watch = Watch(setup.limits)
    trace = integer.run(setup.executable.program, data.values(), make=watch)
    return Ran(trace, watched=watch.watched())


def _engine(setup: Setup, data: SpikeData, tell: Tell) -> Ran:
    from tern2lava.sim.engine.run import run

    return Ran(run(setup.engine, data.values(), threads=setup.threads).trace)


def _images(setup: Setup, data: SpikeData, tell: Tell) -> Ran:
    from tern2lava.sim.cores import reference

    executable = setup.executable
    return Ran(reference.run(executable.images, executable.host_image, data.values(), driven=setup.driven))


def _lava_cores(setup: Setup, data: SpikeData, tell: Tell) -> Ran:
    from tern2lava.sim.lava.cores import run_cores

    images, host = setup.executable.images, setup.executable.host_image
    run = run_cores(
        images, host, data.values(), timeout=setup.timeout, progress=tell, child=setup.child, effort=setup.effort,
        driven=setup.driven,
    )  # fmt: skip
    return Ran(run.trace)


def _lava_mapped(setup: Setup, data: SpikeData, tell: Tell) -> Ran:
    from tern2lava.sim.lava.mapped.run import run_mapped

    run = run_mapped(
        setup.executable.images, setup.executable.host_image, data.values(), processes=setup.processes,
        timeout=setup.timeout, progress=tell, child=setup.child, cores_per_chip=setup.executable.cores_per_chip,
    )  # fmt: skip
    return Ran(run.trace, mapped=run.mapped)


def _lava_processes(sequential: bool) -> Callable[[Setup, SpikeData, Tell], Ran]:
    def run(setup: Setup, data: SpikeData, tell: Tell) -> Ran:
        from tern2lava.sim.lava.processes import run_stock

        found = run_stock(
            setup.executable.program, data.values(), sequential=sequential, timeout=setup.timeout, progress=tell,
            child=setup.child,
        )  # fmt: skip
        return Ran(found.trace, tuple((use.name, use.process, use.reason) for use in found.processes_used))

    return run


_RUNTIME = "tern2lava.sim.lava.runtime:preload"
INTEGER = EXECUTIONS.add(
    Executor(
        name="I", what="integer reference", shows="the definition of our semantics", stage="integer reference",
        run=_integer,
    )
)  # fmt: skip
ENGINE = EXECUTIONS.add(
    Executor(
        name="E", what="fast engine", shows="the same integers on packed bits, for whole test sets",
        stage="fast engine", run=_engine, driven="program",
    )
)  # fmt: skip
EXECUTIONS.add(
    Executor(
        name="M", what="packed core images, recomputed in numpy",
        shows="recomputed core by core from the packed images, along the routes: codec, partition, routing",
        stage="images core by core", run=_images, driven="images", of_images=True,
    )
)  # fmt: skip
EXECUTIONS.add(
    Executor(
        name="LM", what="core images in Lava's runtime, a process for each core",
        shows="the mapping as a Lava network: spikes on the ports of cores, routes as connections",
        stage="a Lava process for each core", run=_lava_mapped, mode="mapped", check=_lava_kinds,
        mixed=lambda effort: effort.mapped_samples, most_cores=lambda effort: effort.mapped_cores,
        preload=(_RUNTIME, "tern2lava.sim.lava.mapped.network:preload"), of_images=True, meets=True,
    )
)  # fmt: skip
EXECUTIONS.add(
    Executor(
        name="L2", what="core images in our Lava process, many samples a step",
        shows="the artefact itself, in Lava's runtime", stage="core images in Lava", run=_lava_cores, mode="fused",
        check=_lava_kinds, preload=(_RUNTIME, "tern2lava.sim.lava.cores:preload"), driven="images",
        of_images=True,
    )
)  # fmt: skip
EXECUTIONS.add(
    Executor(
        name="L3", what="Lava's process models in sequence, without its runtime",
        shows="L1's second opinion on more samples", stage="Lava's process models", run=_lava_processes(True),
        mode="inprocess", mixed=lambda effort: effort.sequential_samples, check=_lava_kinds, preload=(_RUNTIME,),
        driven="program",
    )
)  # fmt: skip
EXECUTIONS.add(
    Executor(
        name="L1", what="Lava's runtime, a process for each layer",
        shows="stock `lava.proc` processes wherever their semantics suffice; the report says which",
        stage="Lava's runtime", run=_lava_processes(False), mode="stock", check=_lava_kinds,
        mixed=lambda effort: effort.runtime_samples, preload=(_RUNTIME,), driven="program", meets=True,
    )
)  # fmt: skip
