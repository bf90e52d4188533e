"""The cover stimulus run: every execution that can be driven held against the integer reference, sample by sample."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice

from tern2lava.compiler.progress import Progress
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import Interrupted
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.executable import Executable
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import Comparison, Difference, compare
from tern2lava.sim.verify.coverage import (
    Activity,
    Coverage,
    activity_of,
    added_activity,
    coverage_of,
    silent_synapses,
)
from tern2lava.sim.verify.driven import Stimulus, cut_inputs, cut_program
from tern2lava.sim.verify.executions import EXECUTIONS, INTEGER, MIXED, Executor, Setup
from tern2lava.sim.verify.shard import Backend, Execution, LavaMode, shard_size
from tern2lava.sim.verify.stimulus import codes, frame_of, ramp, together
from tern2lava.sim.verify.thresholds import Sides, SideWatch

STAGE = "cover stimulus"
TOGETHER = 10
"""Samples that are run at a time, at most: ramps are for what those before them left."""


@dataclass(frozen=True, kw_only=True)
class Covered:
    """Result of a cover stimulus. comparison: of the executions that ran it; left_out: those of the verification that
    did not; coverage: what it covered; sides: which thresholds it met; uncovered: (projection, synapses, reason) of
    synapses that no stimulus has carry a spike."""

    comparison: Comparison
    executions: tuple[Execution, ...]
    left_out: tuple[str, ...]
    samples: int
    steps: int
    coverage: Coverage
    sides: tuple[Sides, ...]
    uncovered: tuple[tuple[str, int, str], ...]


def cover_executions(backend: Backend, mode: LavaMode) -> tuple[tuple[Executor, ...], tuple[Executor, ...]]:
    """The executions that run the cover stimulus, and those of this verification that do not.

    In the mode "mixed" these are I, E and what executes core images: Lava's processes of the program, a step at a time,
    show nothing more of the images, and run where their mode asks for them."""
    asked = [
        entry for entry in EXECUTIONS if (backend == "lava" or not entry.lava) and entry.samples(mode, 1, NORMAL, 0)
    ]
    runs = [
        entry for entry in asked
        if entry is INTEGER or entry.driven == "images" or (entry.driven and not (entry.lava and mode == MIXED))
    ]  # fmt: skip
    return tuple(runs), tuple(entry for entry in asked if entry not in runs)


def stimuli(executable: Executable, watch: SideWatch, effort: Effort) -> Iterator[Stimulus]:
    """The samples of codes, then ramps until no threshold is missing or `effort` has no more, a few at a time. Each is
    to be run with `watch` before the next is asked for."""
    program = executable.program
    most = min(TOGETHER, shard_size(program, frame_of(program).steps, effort))
    parts = codes(program)
    while found := list(islice(parts, most)):
        yield together(found)
    for begin in range(0, effort.cover_ramps, most):
        numbers = range(begin, min(begin + most, effort.cover_ramps))
        ramps = [each for number in numbers if (each := ramp(program, watch, number)) is not None]
        if not ramps:
            return
        yield together(ramps)


def cover(
    executable: Executable, *, backend: Backend = "lava", mode: LavaMode = "mixed", timeout: float = 600.0,
    effort: Effort = NORMAL, progress: Progress | None = None,
) -> Covered:  # fmt: skip
    """Run the cover stimulus of the program in the executions that can be driven, and compare them; stops at the first
    difference. progress(stage, done, total) counts samples. Raises as sim.verify.verify."""
    program, watch = executable.program, SideWatch(executable.program)
    runs, left_out = cover_executions(backend, mode)
    for entry in runs:
        entry.check(program)
    expected = sum(1 for _ in codes(program)) + effort.cover_ramps
    preload = tuple(dict.fromkeys(each for entry in runs for each in entry.preload))
    with ExitStack() as around:
        child = around.enter_context(LavaChild(preload)) if preload else None
        bench = _Bench(executable, runs, child, timeout, effort)
        try:
            for stimulus in stimuli(executable, watch, effort):
                if progress is not None:
                    progress(STAGE, bench.samples, expected)
                bench.run(stimulus, watch)
                if bench.difference is not None:
                    break
        except KeyboardInterrupt:
            text = f"interrupted: {bench.samples:,} of {expected:,} samples of the cover stimulus were done"
            raise Interrupted(f"{text} and all executions agree on them; the report was not changed") from None
    if progress is not None:
        progress(STAGE, expected, expected)
    executions = tuple(bench.tally.values())
    comparison = Comparison(
        chain=tuple(entry.name for entry in runs), equal=bench.difference is None, link=bench.link,
        difference=bench.difference, compared_values=sum(each.values for each in executions),
    )  # fmt: skip
    (activity,) = bench.activity
    return Covered(
        comparison=comparison, executions=executions, left_out=tuple(entry.name for entry in left_out),
        samples=bench.samples, steps=frame_of(program).steps, sides=watch.sides(),
        coverage=coverage_of(program, executable.images, activity), uncovered=silent_synapses(program),
    )  # fmt: skip


class _Bench:
    """The executions of a cover stimulus, with what they ran so far."""

    def __init__(
        self, executable: Executable, runs: tuple[Executor, ...], child: LavaChild | None, timeout: float,
        effort: Effort,
    ) -> None:  # fmt: skip
        from tern2lava.sim.engine.program import prepare

        self.executable, self.runs = executable, runs
        cut = replace(executable, program=cut_program(executable.program))
        engine = prepare(cut.program, effort=effort)
        self.own = Setup(
            executable=executable, engine=engine, threads=None, child=child, timeout=timeout, effort=effort
        )  # fmt: skip
        self.cut = replace(self.own, executable=cut)
        self.tally = {entry.name: Execution(name=entry.name, samples=0, values=0, seconds=0.0) for entry in runs}
        self.activity: list[Activity] = []
        self.samples = 0
        self.link = ""
        self.difference: Difference | None = None

    def run(self, stimulus: Stimulus, watch: SideWatch) -> None:
        """Run samples in every execution, up to the first that differs from the integer reference."""
        program = self.executable.program
        began = time.perf_counter()
        reference = integer.run(program, stimulus.inputs, make=watch, driven=stimulus.driven)
        self._count(INTEGER.name, stimulus, 0, began)
        found = activity_of(program, reference.spikes, {**stimulus.inputs, **stimulus.driven})
        self.activity = [added_activity([*self.activity, found])]
        for entry in self.runs[1:]:
            began = time.perf_counter()
            compared = compare({INTEGER.name: reference, entry.name: self._trace(entry, stimulus)}, program)
            self._count(entry.name, stimulus, compared.compared_values, began)
            if compared.difference is not None:
                first = compared.difference
                self.link, self.difference = entry.name, replace(first, sample=first.sample + self.samples)
                break
        self.samples += stimulus.samples

    def _trace(self, entry: Executor, stimulus: Stimulus) -> Trace:
        if entry.driven == "images":
            setup, inputs = replace(self.own, driven=stimulus.driven), stimulus.inputs
        else:
            setup, inputs = self.cut, cut_inputs(self.executable.program, stimulus)
        return entry.run(setup, SpikeData(inputs=inputs), lambda done, total: None).trace

    def _count(self, name: str, stimulus: Stimulus, values: int, began: float) -> None:
        was = self.tally[name]
        self.tally[name] = replace(
            was, samples=was.samples + stimulus.samples, values=was.values + values,
            seconds=was.seconds + time.perf_counter() - began,
        )  # fmt: skip
