"""One shard of a verification: some samples in every execution, each held against the integer reference.

A shard needs nothing of the others: they can be run one after the other here, or on many machines (sim.verify.ray), and
give the same results.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Graph, Input, Population
from tern2lava.compiler.ir.shapes import D, Spikes, size
from tern2lava.compiler.progress import Progress
from tern2lava.counts import count
from tern2lava.effort import LAVA_PROCESSES, NORMAL, Effort
from tern2lava.errors import InputError
from tern2lava.registry import one_of
from tern2lava.sim.data.readout import needs_states, predictions, scores
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.executable import Executable
from tern2lava.sim.reading.real_decides import run_float_model
from tern2lava.sim.reference.watch import Limits, Watched
from tern2lava.sim.verify.arithmetic import SpikeCounts, changed_decisions, count_spikes
from tern2lava.sim.verify.compare import Difference, compare, place_of
from tern2lava.sim.verify.coverage import Activity, activity_of
from tern2lava.sim.verify.executions import ENGINE, EXECUTIONS, INTEGER, Executor, Setup, lava_modes
from tern2lava.sim.verify.threshold_margin import Band, run_band

if TYPE_CHECKING:
    from tern2lava.sim.engine.program import Program
    from tern2lava.sim.lava.child import LavaChild
    from tern2lava.sim.lava.run import MappedUse

Backend = Literal["lava", "reference"]
LavaMode = Literal["mixed", "mapped", "fused", "inprocess", "stock", "all"]
THE_REST = "fast engine on the rest"
"""The stage of the samples that are not compared."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution: how many samples it ran, how many spikes and states of them were compared, and its seconds."""

    name: str
    samples: int
    values: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ShardPlan:
    """Which samples to run in which execution: samples `begin` to `end` of `total`.

    amounts: for each execution, the number of samples it runs, counted from the first of all.
    alone: run the fast engine only. processes, limits: as in executions.Setup.
    """

    begin: int
    end: int
    total: int
    alone: bool
    amounts: tuple[tuple[str, int], ...]
    timeout: float
    processes: int = LAVA_PROCESSES
    effort: Effort = NORMAL
    limits: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class ShardResult:
    """What a shard found. link: the execution in which the first difference is; counts and changed_decisions: integers
    against the float model (sim.verify.arithmetic); watched: what the accumulators did in the integer reference; counts
    of correct samples are 0 where there are no labels; activity: what spiked in the integer reference;
    mapped: how the Lava network of cores was made up."""

    samples: int
    alone: bool
    executions: tuple[Execution, ...]
    link: str = ""
    difference: Difference | None = None
    processes: tuple[tuple[str, str, str], ...] = ()
    bands: tuple[Band, ...] = ()
    watched: tuple[Watched, ...] = ()
    counts: tuple[SpikeCounts, ...] = ()
    changed_decisions: int | None = None
    correct_engine: int = 0
    correct_integer: int = 0
    correct_float: int = 0
    float_ties: int = 0
    mapped: MappedUse | None = None
    activity: Activity | None = None


def amounts(
    backend: Backend, mode: LavaMode, samples: int, effort: Effort = NORMAL, cores: int = 0
) -> tuple[tuple[str, int], ...]:
    """(execution, samples) of each execution that is compared, of a program on `cores` cores. Raises InputError for a
    backend or mode that is none."""
    for option, found, known in (("backend", backend, get_args(Backend)), ("lava_mode", mode, lava_modes())):
        if found not in known:
            raise InputError(option, f"requires {one_of(known)}; found '{found}'; choose one of them")
    wanted = (
        (entry, entry.samples(mode, samples, effort, cores))
        for entry in EXECUTIONS
        if backend == "lava" or not entry.lava
    )
    return tuple((entry.name, count) for entry, count in wanted if count)


def shard_size(program: Graph, steps: int, effort: Effort = NORMAL) -> int:
    """Samples that can be run at a time with traces and inputs of at most effort.shard_values of each kind."""
    return max(1, effort.shard_values // max(1, places(program) * steps))


def places(program: Graph) -> int:
    """Neurons and input values of a program."""
    nodes: tuple[Input | Population, ...] = (*program.of_kind(Input), *program.of_kind(Population))
    return sum(size(node.shape) for node in nodes)


def smaller(samples: int) -> str:
    """What to do where a run of `samples` at a time is too large."""
    if samples == 1:
        return (
            "give it samples of fewer steps, or use a machine with more memory; samples are run one at a time already"
        )
    return "let it hold less at a time (an Effort of fewer shard_values), or use a machine with more memory"


def run_of(samples: int, steps: int, values: int) -> str:
    """What a run holds at a time, for an error."""
    return f"run {count(samples, 'sample')} of {count(steps, 'step')} and {values:,} neurons and inputs at a time"


def run_shard(
    executable: Executable, data: SpikeData, plan: ShardPlan, *, engine: Program | None = None,
    child: LavaChild | None = None, threads: int | None = None, progress: Progress | None = None,
) -> ShardResult:  # fmt: skip
    """The result of the samples in `data`, which are those of `plan`.

    engine: the prepared program; child: where Lava runs (None: each made here). progress(stage, done, total) counts
    samples. Stops after the first execution that differs. Raises BackendError where Lava dies or exceeds the
    plan's timeout, MissingPackageError where it is absent.
    """
    from tern2lava.sim.engine.program import prepare
    from tern2lava.sim.engine.run import run as run_engine

    program = executable.program
    engine = engine or prepare(program, effort=plan.effort)
    if plan.alone:
        if progress is not None:
            progress(THE_REST, plan.begin, plan.total)
        began = time.perf_counter()
        trace = run_engine(engine, data.values(), states=needs_states(program), threads=threads).trace
        run = Execution(name=ENGINE.name, samples=data.samples, values=0, seconds=time.perf_counter() - began)
        if progress is not None:
            progress(THE_REST, plan.end, plan.total)
        correct = _correct(program, trace, data)
        return ShardResult(samples=data.samples, alone=True, executions=(run,), correct_engine=correct)
    bench = _Bench(executable, data, plan, progress)
    setup = Setup(
        executable=executable, engine=engine, threads=threads, child=child, timeout=plan.timeout, effort=plan.effort,
        processes=plan.processes, limits=plan.limits,
    )  # fmt: skip
    traces: dict[str, Trace] = {}
    for name, amount in plan.amounts:
        count = min(plan.end, amount) - plan.begin
        if bench.difference is None and count > 0:
            traces[name] = bench.run(EXECUTIONS.get(name), setup, count)
    reference, fast = traces[INTEGER.name], traces[ENGINE.name]
    bench.tell("float model", 0, plan.total)
    bands, folded = run_band(executable.real, program, data.values(), states=needs_states(program))
    real = run_float_model(executable.imported, executable.real, folded, data.values())
    return ShardResult(
        samples=data.samples,
        alone=False,
        executions=tuple(bench.executions),
        link=bench.link,
        difference=bench.difference,
        processes=bench.processes,
        bands=bands,
        watched=bench.watched,
        mapped=bench.mapped,
        activity=activity_of(program, reference.spikes, data.values()),
        counts=count_spikes(executable.imported, real.trace, reference),
        float_ties=real.ties,
        changed_decisions=changed_decisions(real.graph, real.trace, program, reference),
        correct_engine=_correct(program, fast, data),
        correct_integer=_correct(program, reference, data),
        correct_float=_correct(real.graph, real.trace, data),
    )


def engine_trace(program: Graph, part: tuple[dict[str, Spikes], bool]) -> Trace:
    """The fast engine's trace on inputs, with states where asked for, on one core."""
    from tern2lava.sim.engine.run import run as run_engine

    inputs, states = part
    return run_engine(program, inputs, states=states, threads=1).trace


@dataclass(eq=False)
class _Bench:
    """Executions made so far and the reference that they are held against."""

    executable: Executable
    data: SpikeData
    plan: ShardPlan
    progress: Progress | None
    reference: Trace | None = None
    executions: list[Execution] = field(default_factory=list)
    processes: tuple[tuple[str, str, str], ...] = ()
    watched: tuple[Watched, ...] = ()
    mapped: MappedUse | None = None
    link: str = ""
    difference: Difference | None = None

    def tell(self, stage: str, done: int, total: int) -> None:
        """Tell that `done` samples of this shard are done in a stage that runs `total` of all."""
        if self.progress is not None:
            self.progress(stage, self.plan.begin + done, total)

    def run(self, entry: Executor, setup: Setup, samples: int) -> Trace:
        """The trace of an execution on the first `samples`, held against the reference (the first one)."""
        part = self.data.first(samples)
        total = dict(self.plan.amounts)[entry.name]
        self.tell(entry.stage, 0, total)

        def tell(done: int, of: int) -> None:
            self.tell(entry.stage, part.samples * done // max(1, of), total)

        began = time.perf_counter()
        ran = entry.run(setup, part, tell)
        seconds = time.perf_counter() - began
        values = 0
        if self.reference is None:
            self.reference = ran.trace
        else:
            expected = _first(self.reference, part.samples)
            found = compare({INTEGER.name: expected, entry.name: ran.trace}, self.executable.program)
            values = found.compared_values
            if found.difference is not None:
                first = found.difference
                place = place_of(self.executable.images, first) if entry.of_images else ""
                self.link = entry.name
                self.difference = replace(first, sample=first.sample + self.plan.begin, place=place)
        self.processes = ran.processes or self.processes
        self.watched = ran.watched or self.watched
        self.mapped = ran.mapped or self.mapped
        self.executions.append(Execution(name=entry.name, samples=part.samples, values=values, seconds=seconds))
        self.tell(entry.stage, part.samples, total)
        return ran.trace


def _first(trace: Trace, samples: int) -> Trace:
    def cut(kind: dict[str, NDArray[D]]) -> dict[str, NDArray[D]]:
        return {name: values[:samples] for name, values in kind.items()}

    return Trace(spikes=cut(trace.spikes), v=cut(trace.v), u=cut(trace.u))


def _correct(graph: Graph, trace: Trace, part: SpikeData) -> int:
    """How many samples of `part` are classified as labelled; 0 without labels."""
    if part.labels is None:
        return 0
    return int(np.count_nonzero(predictions(scores(graph, trace)) == part.labels))
