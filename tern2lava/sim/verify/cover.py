"""The cover stimulus run: every execution that can be driven held against the integer reference, sample by sample."""

from __future__ import annotations

import time
from collections.abc import Iterator
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
    asked = [entry for entry in EXECUTIONS if (backend == "lava" or not entry.lava) and entry.samples(mode, 1, NORMAL)]
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
    from tern2lava.sim.engine.program import prepare

    program = executable.program
    runs, left_out = cover_executions(backend, mode)
    for entry in runs:
        entry.check(program)
    cut = cut_program(program)
    driven = replace(executable, program=cut)
    engine = prepare(cut, effort=effort)
    frame, watch = frame_of(program), SideWatch(program)
    expected = sum(1 for _ in codes(program)) + effort.cover_ramps
    tally = {entry.name: Execution(name=entry.name, samples=0, values=0, seconds=0.0) for entry in runs}
    link, difference, samples = "", None, 0
    found: list[Activity] = []
    preload = tuple(dict.fromkeys(each for entry in runs for each in entry.preload))
    child = LavaChild(preload) if preload else None
    try:
        for stimulus in stimuli(executable, watch, effort):
            if progress is not None:
                progress(STAGE, samples, expected)
            began = time.perf_counter()
            reference = integer.run(program, stimulus.inputs, make=watch, driven=stimulus.driven)
            _add(tally, INTEGER.name, stimulus.samples, 0, time.perf_counter() - began)
            found = [added_activity([*found, _activity(executable, reference, stimulus)])]
            for entry in runs[1:]:
                own = entry.driven == "images"
                setup = Setup(
                    executable=executable if own else driven, engine=engine, threads=None, child=child,
                    timeout=timeout, effort=effort, driven=stimulus.driven if own else {},
                )  # fmt: skip
                data = SpikeData(inputs=stimulus.inputs if own else cut_inputs(program, stimulus))
                began = time.perf_counter()
                trace = entry.run(setup, data, lambda done, total: None).trace
                values, difference = _held(reference, trace, executable, entry, samples)
                _add(tally, entry.name, stimulus.samples, values, time.perf_counter() - began)
                if difference is not None:
                    link = entry.name
                    break
            samples += stimulus.samples
            if difference is not None:
                break
    except KeyboardInterrupt:
        text = f"interrupted: {samples:,} samples of the cover stimulus were done and all executions agree on them"
        raise Interrupted(f"{text}; the report was not changed") from None
    finally:
        if child is not None:
            child.__exit__(None, None, None)
    if progress is not None:
        progress(STAGE, expected, expected)
    executions = tuple(tally.values())
    comparison = Comparison(
        chain=tuple(entry.name for entry in runs), equal=difference is None, link=link, difference=difference,
        compared_values=sum(each.values for each in executions),
    )  # fmt: skip
    return Covered(
        comparison=comparison, executions=executions, left_out=tuple(entry.name for entry in left_out),
        samples=samples, steps=frame.steps, coverage=coverage_of(program, executable.images, found[0]),
        sides=watch.sides(), uncovered=silent_synapses(program),
    )  # fmt: skip


def _add(tally: dict[str, Execution], name: str, samples: int, values: int, seconds: float) -> None:
    was = tally[name]
    tally[name] = replace(
        was, samples=was.samples + samples, values=was.values + values, seconds=was.seconds + seconds
    )  # fmt: skip


def _activity(executable: Executable, trace: Trace, stimulus: Stimulus) -> Activity:
    return activity_of(executable.program, trace.spikes, {**stimulus.inputs, **stimulus.driven})


def _held(
    reference: Trace, trace: Trace, executable: Executable, entry: Executor, before: int
) -> tuple[int, Difference | None]:
    """How many values of an execution were compared, and the first that differs, its sample counted through all."""
    found = compare({INTEGER.name: reference, entry.name: trace}, executable.program)
    if found.difference is None:
        return found.compared_values, None
    return found.compared_values, replace(found.difference, sample=found.difference.sample + before)
