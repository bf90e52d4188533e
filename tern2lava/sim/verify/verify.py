"""The proof on data: every execution held against the integer reference, and that against the float model."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.progress import Progress
from tern2lava.effort import LAVA_PROCESSES, NORMAL, Effort
from tern2lava.errors import Interrupted
from tern2lava.memory_need import require_memory, verifying
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.executable import Executable
from tern2lava.sim.lava.run import MappedUse
from tern2lava.sim.reading.compare import Reading
from tern2lava.sim.reference.watch import Limits, Watched, together
from tern2lava.sim.verify.arithmetic import SpikeCounts, added
from tern2lava.sim.verify.compare import Comparison
from tern2lava.sim.verify.cover import Covered, cover
from tern2lava.sim.verify.coverage import Activity, Coverage, added_activity, coverage_of
from tern2lava.sim.verify.executions import EXECUTIONS, Setup
from tern2lava.sim.verify.shard import (
    Backend,
    Execution,
    LavaMode,
    ShardPlan,
    ShardResult,
    amounts,
    places,
    run_of,
    run_shard,
    shard_size,
    smaller,
)
from tern2lava.sim.verify.threshold_margin import Band
from tern2lava.sim.verify.time_need import foretell

__all__ = ["Backend", "Executable", "LavaMode", "Progress", "Proof", "shard_size", "verify"]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Result of verify. comparison: over `samples` of them; executions: how many of them each ran (the fast engine all
    of the data); processes: (node, process, reason) of Lava's L1; bands: distance from the thresholds; counts: spikes
    of integers against the float model, per population; changed_decisions: samples of the compared ones whose predicted
    class differs (None: one output, which decides nothing); float_ties: neuron-timesteps that float64 rounds to the
    other side of a threshold than the numbers that are meant (real_decides.py); accuracies where labels were given.
    effort: name of what was asked for.
    data_samples: samples of the data. watched: what the accumulators of each population did in the integer reference,
    on the samples compared.

    reading: the float model against the framework's own run, where there is one.
    accuracy_engine: of the fast engine, on all samples; engine_fallbacks: (population, reason) of what it left to the
    integer reference. coverage: what the samples compared covered, in the integer reference; cover: the cover stimulus,
    where it ran; mapped: how the Lava network of cores (LM) was made up. Without data `samples` and `steps` are 0 and
    all of it is empty but `cover`."""

    comparison: Comparison
    executions: tuple[Execution, ...]
    samples: int
    steps: int
    processes: tuple[tuple[str, str, str], ...]
    bands: tuple[Band, ...]
    counts: tuple[SpikeCounts, ...]
    float_ties: int
    changed_decisions: int | None
    data_samples: int
    accuracy_integer: float | None
    accuracy_float: float | None
    engine_samples: int
    accuracy_engine: float | None
    engine_fallbacks: tuple[tuple[str, str], ...]
    effort: str = NORMAL.name
    reading: Reading | None = None
    watched: tuple[Watched, ...] = ()
    mapped: MappedUse | None = None
    coverage: Coverage | None = None
    cover: Covered | None = None


def verify(
    executable: Executable, data: SpikeData | None, *, backend: Backend = "lava", lava_mode: LavaMode = "mixed",
    samples: int | None = None, ray: bool = False, progress: Progress | None = None, timeout: float = 600.0,
    effort: Effort = NORMAL, limits: Mapping[str, Limits] | None = None, stimulus: bool = False,
    processes: int = LAVA_PROCESSES,
) -> Proof:  # fmt: skip
    """Run the first `samples` (None: all) in I (integer reference), E (fast engine), M (core images) and, with backend
    lava, in Lava as `lava_mode` says, and compare all; then the rest in E alone.

    lava_mode: "mapped" LM (a Lava process for each core, with at most about `processes` of the system), "fused" L2 (all
    core images in one Lava process), "inprocess" L3 (Lava's process models in sequence), "stock" L1 (Lava's runtime),
    "all" these on all compared samples, "mixed" L2 on all, the others on as many as `effort` says, LM only up to its
    number of cores. ray: shards of samples run as Ray tasks. limits: of each population with a certificate, the ranges
    that it states, which the integer reference watches. Stops at the first shard of samples that differs. stimulus: run
    the cover stimulus too (sim.verify.cover), where nothing differs on the data; data None: it alone. Warns
    (LongRunWarning) before a run that is expected to take long. `progress(stage, done, total)` counts samples. Raises
    BackendError where Lava dies or exceeds `timeout` seconds, MissingPackageError where it or Ray is absent,
    Interrupted (a KeyboardInterrupt) with what was done.
    """
    from tern2lava.sim.engine.program import prepare

    def covered() -> Covered:
        return cover(executable, backend=backend, mode=lava_mode, timeout=timeout, effort=effort, progress=progress)

    if data is None:
        return _without_data(covered(), effort)
    compared = data.samples if samples is None else min(samples, data.samples)
    chosen = amounts(backend, lava_mode, compared, effort, len(executable.images))
    for name, _ in chosen:
        EXECUTIONS.get(name).check(executable.program)
    size = min(shard_size(executable.program, data.steps, effort), data.samples)
    values = places(executable.program)
    require_memory("verify", run_of(size, data.steps, values), verifying(size * data.steps * values), smaller(size))
    engine = prepare(executable.program, progress, effort)
    if not ray:
        setup = Setup(
            executable=executable, engine=engine, threads=None, child=None, timeout=timeout, processes=processes,
            effort=effort,
        )  # fmt: skip
        foretell(setup, data, chosen, effort)
    plans = _plans(executable.program, data, compared, chosen, timeout, effort, limits or {}, processes)
    tally = _Tally(chain=tuple(name for name, _ in chosen))
    with ExitStack() as around:
        child = None
        if ray:
            results = _on_ray(executable, data, plans, progress)
        else:
            preload = tuple(dict.fromkeys(each for name, _ in chosen for each in EXECUTIONS.get(name).preload))
            if preload:
                from tern2lava.sim.lava.child import LavaChild

                child = around.enter_context(LavaChild(preload))
            results = (
                run_shard(
                    executable, data.slice(plan.begin, plan.end), plan, engine=engine, child=child, progress=progress
                )
                for plan in plans
            )
        try:
            # Closed at once after a difference: nothing further is begun, and Ray's tasks are cancelled.
            for result in around.enter_context(closing(results)):
                tally.add(result)
                if result.difference is not None:
                    break
        except KeyboardInterrupt:
            raise Interrupted(tally.done_so_far(data.samples)) from None
    labelled = data.labels is not None
    run_by_engine = tally.samples + tally.alone
    comparison = tally.comparison()
    return Proof(
        comparison=comparison,
        executions=tuple(tally.executions.values()),
        samples=tally.samples,
        steps=data.steps,
        processes=tally.processes,
        mapped=tally.mapped,
        bands=tuple(_merged(bands) for bands in tally.bands.values()),
        watched=tuple(together(parts) for parts in tally.watched.values()),
        counts=tuple(added(parts) for parts in tally.counts.values()),
        float_ties=tally.float_ties,
        changed_decisions=tally.changed_decisions,
        data_samples=data.samples,
        accuracy_integer=tally.correct_integer / tally.samples if labelled else None,
        accuracy_float=tally.correct_float / tally.samples if labelled else None,
        engine_samples=run_by_engine,
        accuracy_engine=tally.correct_engine / run_by_engine if labelled and tally.differs is None else None,
        effort=effort.name,
        engine_fallbacks=tuple((use.population, use.reason) for use in engine.uses if use.engine == "reference"),
        coverage=coverage_of(executable.program, executable.images, added_activity(tally.activity)),
        cover=covered() if stimulus and comparison.equal else None,
    )


def _without_data(found: Covered, effort: Effort) -> Proof:
    """The proof of a cover stimulus alone."""
    return Proof(
        comparison=Comparison(chain=found.comparison.chain, equal=True, compared_values=0), executions=(), samples=0,
        steps=0, processes=(), bands=(), counts=(), float_ties=0, changed_decisions=None, data_samples=0,
        accuracy_integer=None, accuracy_float=None, engine_samples=0, accuracy_engine=None, engine_fallbacks=(),
        effort=effort.name, cover=found,
    )  # fmt: skip


def _plans(
    program: Graph, data: SpikeData, compared: int, amounts: tuple[tuple[str, int], ...], timeout: float,
    effort: Effort, limits: Mapping[str, Limits], processes: int,
) -> list[ShardPlan]:  # fmt: skip
    """Every shard: those in which all executions are compared, then those of the engine alone."""
    size = shard_size(program, data.steps, effort)
    spans = [(begin, min(begin + size, compared), False) for begin in range(0, compared, size)]
    spans += [(begin, min(begin + size, data.samples), True) for begin in range(compared, data.samples, size)]
    return [
        ShardPlan(
            begin=begin, end=end, total=data.samples if alone else compared, alone=alone, amounts=amounts,
            timeout=timeout, effort=effort, limits=limits, processes=processes,
        )
        for begin, end, alone in spans
    ]  # fmt: skip


def _on_ray(
    executable: Executable, data: SpikeData, plans: list[ShardPlan], progress: Progress | None
) -> Generator[ShardResult, None, None]:
    """The results of the shards in their order, each run as a Ray task."""
    from tern2lava.sim.verify.ray import map_on_ray

    parts = ((data.slice(plan.begin, plan.end), plan) for plan in plans)
    with closing(map_on_ray(_run_part, executable, parts)) as results:
        for plan, result in zip(plans, results, strict=True):
            if progress is not None:
                progress("shards on Ray", plan.end, data.samples)
            yield result


def _run_part(executable: Executable, part: tuple[SpikeData, ShardPlan]) -> ShardResult:
    """The result of one shard, on the single core that Ray gives a task."""
    data, plan = part
    return run_shard(executable, data, plan, threads=1)


@dataclass(eq=False)
class _Tally:
    """Sums over the shards so far, which come in the order of the samples."""

    chain: tuple[str, ...]
    samples: int = 0
    alone: int = 0
    executions: dict[str, Execution] = field(default_factory=dict)
    differs: ShardResult | None = None
    processes: tuple[tuple[str, str, str], ...] = ()
    mapped: MappedUse | None = None
    correct_engine: int = 0
    correct_integer: int = 0
    correct_float: int = 0
    counts: dict[str, list[SpikeCounts]] = field(default_factory=dict)
    float_ties: int = 0
    changed_decisions: int | None = None
    bands: dict[str, list[Band]] = field(default_factory=dict)
    watched: dict[str, list[Watched]] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)

    def add(self, result: ShardResult) -> None:
        for more in result.executions:
            was = self.executions.get(more.name, Execution(name=more.name, samples=0, values=0, seconds=0.0))
            self.executions[more.name] = Execution(
                name=more.name, samples=was.samples + more.samples, values=was.values + more.values,
                seconds=was.seconds + more.seconds,
            )  # fmt: skip
        self.correct_engine += result.correct_engine
        if result.alone:
            self.alone += result.samples
            return
        self.samples += result.samples
        self.processes = self.processes or result.processes
        self.mapped = self.mapped or result.mapped
        self.correct_integer += result.correct_integer
        self.correct_float += result.correct_float
        self.float_ties += result.float_ties
        for counts in result.counts:
            self.counts.setdefault(counts.population, []).append(counts)
        if result.changed_decisions is not None:
            self.changed_decisions = (self.changed_decisions or 0) + result.changed_decisions
        for band in result.bands:
            self.bands.setdefault(band.population, []).append(band)
        for watched in result.watched:
            self.watched.setdefault(watched.population, []).append(watched)
        if result.activity is not None:
            self.activity = [added_activity([*self.activity, result.activity])]
        if result.difference is not None:
            self.differs = result

    def comparison(self) -> Comparison:
        values = sum(execution.values for execution in self.executions.values())
        if self.differs is None:
            return Comparison(chain=self.chain, equal=True, compared_values=values)
        return Comparison(
            chain=self.chain, equal=False, compared_values=values, link=self.differs.link,
            difference=self.differs.difference,
        )  # fmt: skip

    def done_so_far(self, total: int) -> str:
        """One line for a user who interrupted."""
        text = f"interrupted: {self.samples + self.alone:,} of {total:,} samples were done"
        if self.samples:
            each = ", ".join(f"{name} {execution.samples:,}" for name, execution in self.executions.items())
            text += f" and all executions agree on them ({each})"
        return f"{text}; the report was not changed"


def _merged(bands: list[Band]) -> Band:
    return Band(
        population=bands[0].population,
        neuron_steps=sum(band.neuron_steps for band in bands),
        near=sum(band.near for band in bands),
        closest=min(band.closest for band in bands),
        closest_eps=min((band.closest_eps for band in bands if band.closest_eps is not None), default=None),
    )
