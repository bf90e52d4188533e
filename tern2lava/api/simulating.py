"""Running a compiled network on spikes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tern2lava import arguments, extras
from tern2lava.api.data import SpikesLike, given_spikes
from tern2lava.api.opened import BundleLike, opened, steps_of
from tern2lava.api.searching import certified
from tern2lava.arguments import public
from tern2lava.bundle import check_outside
from tern2lava.compiler.ir.graph import Graph, Neuron, Population
from tern2lava.compiler.ir.shapes import Array, Ints, size
from tern2lava.compiler.progress import Progress
from tern2lava.compiler.shown import Shown
from tern2lava.counts import count
from tern2lava.effort import NORMAL, Effort, effort_of
from tern2lava.errors import InputError, Interrupted
from tern2lava.export.nir import DEFAULT_DT
from tern2lava.export.nirdata import NIRDATA, write_nirdata
from tern2lava.memory_need import require_memory, simulating
from tern2lava.sim.data.npz_writer import Record
from tern2lava.sim.data.readout import accuracy, all_scores, needs_states, potentials, predictions
from tern2lava.sim.data.spike_file import SpikeData
from tern2lava.sim.data.trace import Trace, joined
from tern2lava.sim.engines import ENGINES
from tern2lava.sim.verify.deviation import Deviation, gathered, part
from tern2lava.sim.verify.shard import places, run_of, shard_size, smaller
from tern2lava.writing import write_file

# Samples of which potentials of both dynamics are held together.
DEVIATION_SAMPLES = 64

Fallbacks = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Simulation(Shown):
    """A run: trace (spikes, and v and u where asked for, by population, (samples, steps, neurons)), class scores
    (samples, classes) in the source's units, predictions (samples,), accuracy (share) where the data have labels, all
    of the network's first output (all_scores: of each, by its name), number of spikes per population, (population,
    reason) of what the fast engine left to the reference, and, where asked for, how far potentials of each population
    part from the real ones (deviations)."""

    trace: Trace
    scores: Array
    predictions: Ints
    accuracy: float | None
    spikes: dict[str, int]
    fallbacks: Fallbacks = ()
    deviations: tuple[Deviation, ...] = ()
    all_scores: dict[str, Array] = field(default_factory=dict)

    def _shown(self) -> str:
        said = [count(len(self.predictions), "sample"), count(self.scores.shape[1], "output")]
        said += [f"accuracy {100 * self.accuracy:.2f} %"] if self.accuracy is not None else []
        names = [f"{name} {count:,}" for name, count in self.spikes.items()]
        return f"{', '.join(said)}; spikes: {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}"


@public
def simulate(
    bundle: BundleLike,
    data: SpikesLike,
    *,
    any_steps: bool = False,
    pad: bool = False,
    engine: str = "fast",
    states: bool = False,
    deviation: bool = False,
    keep: bool = True,
    out: str | Path | None = None,
    dt: float = DEFAULT_DT,
    effort: Effort | str = NORMAL,
    progress: Progress | None = None,
) -> Simulation:
    """A run of a compiled network on spikes: by the fast engine, by it in Ray tasks (engine "ray"), by the integer
    reference ("reference"), or recomputed from its core images ("images"); all give the same. Samples run in pieces.

    bundle: what `compile` returned, or the bundle's folder. data: spikes (samples, steps, *input shape) as an array,
    list or tensor, (spikes, labels), a mapping of arrays, or an npz file (docs/data.md). any_steps, pad: see `verify`.
    states: keep v and u in the trace. deviation: run both references too, and say how far potentials part. keep:
    without it the trace stays empty, so that memory holds one piece. out: npz file for predictions, scores, spikes (and
    states), written piece by piece, there when the run is whole; named .nir, .h5 or .hdf5 it is NIRData (docs/nir.md),
    inputs, spikes and potentials, a step being `dt` seconds. effort:
    "quick", "normal", "thorough" or an Effort: how much is held at a time, on which no spike depends (docs/effort.md).
    progress(stage, done, total) counts samples. Raises InputError, and Interrupted (a KeyboardInterrupt) with what was
    done.
    """
    chosen = ENGINES.get(arguments.choice(engine, "engine", ENGINES.names()))
    if chosen.needs:
        extras.require(chosen.needs)
    any_steps, pad = arguments.flag(any_steps, "any_steps"), arguments.flag(pad, "pad")
    deviation = arguments.flag(deviation, "deviation")
    states, keep = arguments.flag(states, "states"), arguments.flag(keep, "keep")
    place = None if out is None else arguments.path(out, "out", "name the npz file")
    if place is not None:
        check_outside(place)
    wanted = effort_of(effort)
    dt = arguments.number(dt, "dt", "seconds above 0", lambda value: value > 0, "give the time step, as 1e-4")
    nirdata = place is not None and place.suffix.lower() in NIRDATA
    if nirdata:
        extras.require("hdf5", why="NIRData need it")
    arguments.callback(progress, "progress", "it is told (stage, done, total)")
    found = opened(bundle)
    program = found.executable.program
    given = given_spikes(data, program)
    spikes = given.spike_data(program, steps_of(found), any_steps=any_steps, pad=pad, effort=wanted)
    piece = shard_size(program, spikes.steps, wanted)
    _require_memory(program, spikes, piece, states or needs_states(program), states, keep)
    parts = (spikes.values(begin, begin + piece) for begin in range(0, spikes.samples, piece))
    streamed = chosen.run(found.executable, parts, states or needs_states(program), progress, wanted)
    named = {node.name for node in found.executable.imported.of_kind(Neuron)} if nirdata else None
    run = _Run(program, spikes, engine, states, keep, progress, named)
    with ExitStack() as around:
        record = None if place is None else around.enter_context(_record_beside(place))
        try:
            total = run.through(streamed.traces, record)
        except KeyboardInterrupt:
            done = f"{run.done:,} of {count(spikes.samples, 'sample')} were simulated"
            raise Interrupted(f"interrupted: {done}; nothing was written") from None
        first = next(iter(total.values()))
        if record is not None and place is not None and nirdata:
            for begin in range(0, spikes.samples, piece):
                for name, values in spikes.values(begin, begin + piece).items():
                    record.append(f"spikes.{name}", values.reshape(*values.shape[:2], -1))
            held = record
            write_file(place, lambda path: write_nirdata(held, path, dt=dt))
        elif record is not None and place is not None:
            record.append("predictions", predictions(first))
            record.append("scores", first)
            for name, values in list(total.items())[1:]:
                record.append(f"scores.{name}", values)
            write_file(place, record.save)
    apart: tuple[Deviation, ...] = ()
    if deviation:
        executable, limits = found.executable, certified(found.report, spikes.steps)
        pieces = range(0, spikes.samples, min(piece, DEVIATION_SAMPLES))
        run_on = (spikes.values(begin, begin + pieces.step) for begin in pieces)
        bounds = {name: says.bound for name, says in limits.items()}
        apart = gathered((part(executable.real, executable.program, values) for values in run_on), bounds)
    return Simulation(
        deviations=apart,
        trace=joined(run.kept),
        scores=first,
        all_scores=total,
        predictions=predictions(first),
        accuracy=None if spikes.labels is None else accuracy(first, spikes.labels),
        spikes=run.counts,
        fallbacks=streamed.fallbacks,
    )


def _require_memory(program: Graph, spikes: SpikeData, piece: int, held: bool, states: bool, keep: bool) -> None:
    """Raise InputError where a run would take more memory than there is: one piece, and what is kept of all."""
    one, each = min(piece, spikes.samples), places(program) * spikes.steps
    require_memory(
        "simulate", run_of(one, spikes.steps, places(program)), simulating(one * each, 0, states=held), smaller(one)
    )
    if keep:
        neurons = sum(size(population.shape) for population in program.of_kind(Population))
        need = simulating(one * each, spikes.samples * spikes.steps * neurons, states=states)
        what = f"keep the traces of {count(spikes.samples, 'sample')} of {count(spikes.steps, 'step')}"
        require_memory("simulate", what, need, "pass keep=False and out=, which writes them piece by piece")


class _Run:
    """A run as it goes: how many samples are done, what is kept of them, spikes counted by population."""

    def __init__(
        self, program: Graph, spikes: SpikeData, engine: str, states: bool, keep: bool, progress: Progress | None,
        named: set[str] | None,
    ) -> None:  # fmt: skip
        self.named = named
        self.program, self.total, self.stage = program, spikes.samples, f"engine {engine}"
        self.states, self.keep, self.progress = states, keep, progress
        self.done = 0
        self.kept: list[Trace] = []
        self.counts = {population.name: 0 for population in program.of_kind(Population)}

    def through(self, traces: Iterator[Trace], record: Record | None) -> dict[str, Array]:
        """The class scores of all samples, by output; traces are kept and written on the way."""
        found: list[dict[str, Array]] = []
        self._tell()
        for trace in traces:
            found.append(all_scores(self.program, trace))
            for name, fired in trace.spikes.items():
                self.counts[name] += int(np.count_nonzero(fired))
            if self.keep:
                self.kept.append(trace if self.states else Trace(spikes=trace.spikes))
            if record is not None:
                record.append_trace(trace if self.named is None else self.observed(trace), self.states)
            self.done += len(next(iter(found[-1].values())))
            self._tell()
        return {name: np.concatenate([part[name] for part in found]) for name in found[0]}

    def observed(self, trace: Trace) -> Trace:
        """What NIRData hold of `trace`: spikes, and potentials in the source's units, of populations of the source."""
        names = [name for name in trace.spikes if self.named and name in self.named]
        spikes = {name: trace.spikes[name] for name in names}
        v = {name: potentials(self.program, trace, name) for name in names} if self.states else {}
        return Trace(spikes=spikes, v=v)

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.stage, self.done, self.total)


def _record_beside(path: Path) -> Record:
    """What is written to `path` at the end, kept on its disk. Raises InputError where nothing can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Record(path.parent)
    except OSError as error:
        raise InputError(
            path, f"requires a file that can be written; found {error.strerror or error}; choose another"
        ) from None
