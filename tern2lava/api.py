"""The functions: load, compile, what_if, record, simulate, verify, report. The command line is a rendering of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tern2lava import extras
from tern2lava.bundle import (
    Bundle,
    map_options_of,
    measured_rates_of,
    profile_of,
    read_bundle,
    recorded_run,
    save_report,
    write_aside,
    write_bundle,
)
from tern2lava.compiler.build import Compiled, build
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.options import MapOptions, Options
from tern2lava.compiler.place import check_placement
from tern2lava.compiler.progress import Progress, silent
from tern2lava.errors import CapacityError, InputError, Interrupted
from tern2lava.frontends.load import load, load_with_run
from tern2lava.hw_profiles import Profile, load_profile
from tern2lava.report.model import Report, WhatIfRow
from tern2lava.report.requirements import parse_requirements
from tern2lava.report.verification import add_verification
from tern2lava.sim.cores import reference as mapped
from tern2lava.sim.data.fitting import fitted
from tern2lava.sim.data.npz_writer import Record
from tern2lava.sim.data.readout import accuracy, needs_states, predictions, scores
from tern2lava.sim.data.spike_file import SpikeData, load_spikes, make_spikes
from tern2lava.sim.data.trace import Trace, joined
from tern2lava.sim.reading.compare import Reading
from tern2lava.sim.reading.kept_run import run_to_keep
from tern2lava.sim.reading.oracle import Oracle, load_oracle, make_oracle
from tern2lava.sim.reading.verify import read_all, recorded_steps
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.shard import engine_trace
from tern2lava.sim.verify.verify import Backend, LavaMode, shard_size
from tern2lava.sim.verify.verify import verify as prove

if TYPE_CHECKING:
    import torch

__all__ = ["Simulation", "compile", "load", "record", "report", "simulate", "verify", "what_if"]

Engine = Literal["fast", "reference", "images", "ray"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Simulation:
    """A run: trace, class scores (samples, outputs) in the source's units, predictions (samples,), accuracy where the
    data have labels, spikes per population, and (population, reason) of what the fast engine left to the reference."""

    trace: Trace
    scores: Array
    predictions: Array
    accuracy: float | None
    spikes: dict[str, int]
    fallbacks: tuple[tuple[str, str], ...] = ()


def compile(
    source: str | Path | Graph | torch.nn.Module,
    target: str | Path | Profile = "loihi2",
    *,
    net: str | Path | None = None,
    out: str | Path | None = None,
    options: Options | None = None,
    map_options: MapOptions | None = None,
    data: str | Path | SpikeData | dict[str, Any] | None = None,
    any_steps: bool = False,
    pad: bool = False,
    recorded: str | Path | dict[str, Array] | None = None,
    progress: Progress | None = None,
    **load_options: Any,
) -> Compiled:
    """`source` compiled for `target` (a profile's name, YAML file, or Profile); written as a bundle to `out` if given.

    `source`: whatever `load` takes; `load_options` go to it. data: spikes on which the traffic between cores is
    measured (any_steps, pad: see `verify`); without them map_options.rate is assumed. progress(stage, done, total) is
    told what is done, total being 0 where it cannot be known. Raises InputError, ProfileError, UnsupportedError,
    CapacityError or MissingPackageError, each saying where, what was found and what to do; whatever ends it, `out` is a
    whole bundle or as it was before. The bundle of a live module keeps a few samples of the module's own run, recorded
    now, for `verify` to hold the float model against; of other networks it keeps that of `recorded` (arrays or file of
    `record`), if given.
    """
    tell = progress or silent
    profile = target if isinstance(target, Profile) else load_profile(target)
    check_placement((map_options or MapOptions()).placement)
    tell("network", 0, 0)
    loaded = load_with_run(source, net, **load_options)
    graph = loaded if isinstance(loaded, Graph) else loaded.graph
    kept = None if recorded is None else run_to_keep(recorded, graph)
    if kept is None and out is not None and not isinstance(loaded, Graph):
        from tern2lava.frontends.record.keep import keep_run

        tell("the module's own run", 0, 0)
        kept, notes = keep_run(source, loaded)  # type: ignore[arg-type]
        graph = graph.with_nodes(graph.nodes, notes=notes)
    try:
        compiled = build(graph, profile, options, map_options, _measure(data, options, any_steps, pad), tell)
    except CapacityError as error:
        from tern2lava.compiler.advice import advised

        tell("what would fit", 0, 0)
        raise advised(error, graph, profile, options or Options(), map_options or MapOptions()) from None
    compiled = replace(compiled, described=_described(source, net))
    if isinstance(source, (str, Path)) and Path(source).is_file():
        compiled = replace(compiled, source_bytes=Path(source).stat().st_size)
    if out is not None:
        tell("bundle", 0, 0)
        write_bundle(compiled, Path(out), kept)
    return compiled


def what_if(
    source: str | Path | Graph | torch.nn.Module,
    targets: Sequence[str | Path | Profile],
    *,
    net: str | Path | None = None,
    options: Options | None = None,
    map_options: MapOptions | None = None,
    data: str | Path | SpikeData | dict[str, Any] | None = None,
    any_steps: bool = False,
    pad: bool = False,
    progress: Progress | None = None,
    **load_options: Any,
) -> list[WhatIfRow]:
    """`source` mapped onto each of `targets` as `compile` would: a row for each with cores, memory and traffic, or
    with the reason why it does not fit. data, any_steps, pad and progress as for `compile`. Raises InputError
    and ProfileError."""
    from tern2lava.report.what_if import what_if as compare

    profiles = [target if isinstance(target, Profile) else load_profile(target) for target in targets]
    check_placement((map_options or MapOptions()).placement)
    tell = progress or silent
    tell("network", 0, 0)
    measure = _measure(data, options, any_steps, pad)
    return compare(load(source, net, **load_options), profiles, options, map_options, measure, tell)


def simulate(
    bundle: str | Path | Bundle,
    data: str | Path | SpikeData | dict[str, Any],
    *,
    any_steps: bool = False,
    pad: bool = False,
    engine: Engine = "fast",
    states: bool = False,
    keep: bool = True,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """A run of a bundle on spikes: by the fast engine, by it in Ray tasks (engine "ray"), by the integer reference
    ("reference"), or recomputed from its core images ("images"); all give the same. Samples run in pieces.

    any_steps, pad: see `verify`.
    states: keep v and u in the trace. keep: without it the trace stays empty, so that memory holds one piece. out: npz
    file for predictions, scores, spikes (and states), written piece by piece, there when the run is whole.
    progress(stage, done, total) counts samples. Raises Interrupted (a KeyboardInterrupt) with what was done.
    """
    if engine == "ray":
        extras.require("ray")
    opened = _opened(bundle)
    executable = opened.executable
    program = executable.program
    spikes = _spikes(data, program, steps_of(opened), any_steps, pad)
    needed = states or needs_states(program)
    piece = shard_size(program, spikes.steps)
    parts = (spikes.values(begin, begin + piece) for begin in range(0, spikes.samples, piece))
    fallbacks: tuple[tuple[str, str], ...] = ()
    traces: Iterator[Trace]
    if engine == "images":
        traces = (mapped.run(executable.images, executable.host_image, part, states=needed) for part in parts)
    elif engine == "reference":
        traces = (integer.run(program, part, states=needed) for part in parts)
    elif engine == "ray":
        from tern2lava.sim.verify.ray import map_on_ray

        traces = map_on_ray(engine_trace, program, ((part, needed) for part in parts))
    else:
        from tern2lava.sim.engine.program import prepare
        from tern2lava.sim.engine.run import stream

        ready = prepare(program, progress)
        fallbacks = tuple((use.population, use.reason) for use in ready.uses if use.engine == "reference")
        traces = (run.trace for run in stream(ready, parts, states=needed))
    found: list[Array] = []
    kept: list[Trace] = []
    counts = {population.name: 0 for population in program.of_kind(Population)}
    done = 0
    with ExitStack() as around:
        record = None if out is None else around.enter_context(_record_beside(Path(out)))
        try:
            if progress is not None:
                progress(f"engine {engine}", 0, spikes.samples)
            for trace in traces:
                found.append(scores(program, trace))
                for name, fired in trace.spikes.items():
                    counts[name] += int(np.count_nonzero(fired))
                if keep:
                    kept.append(trace if states else Trace(spikes=trace.spikes))
                if record is not None:
                    record.append_trace(trace, states)
                done += len(found[-1])
                if progress is not None:
                    progress(f"engine {engine}", done, spikes.samples)
            total = np.concatenate(found)
            if record is not None and out is not None:
                record.append("predictions", predictions(total))
                record.append("scores", total)
                write_aside(Path(out), record.save)
        except KeyboardInterrupt:
            text = f"interrupted: {done:,} of {spikes.samples:,} samples were simulated; nothing was written"
            raise Interrupted(text) from None
    return Simulation(
        trace=joined(kept),
        scores=total,
        predictions=predictions(total),
        accuracy=None if spikes.labels is None else accuracy(total, spikes.labels),
        spikes=counts,
        fallbacks=fallbacks,
    )


def verify(
    bundle: str | Path | Bundle,
    data: str | Path | SpikeData | dict[str, Any],
    *,
    any_steps: bool = False,
    pad: bool = False,
    backend: Backend = "lava",
    lava_mode: LavaMode = "mixed",
    engine: Literal["local", "ray"] = "local",
    samples: int | None = None,
    timeout: float = 600.0,
    require: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """The bundle's report with the verification on `data`; also written into the bundle's report.json.

    Its first keys are three verdicts (report.verification.verdicts): execution (images, Lava and engine against the
    integers), arithmetic (integers against the float model), reading (float model against the framework's own run).
    require: which must hold for report.verification.met, as "execution,arithmetic=0.1%,reading" (see
    report.requirements); None: execution, arithmetic with at most 1 % of the spikes missing or extra, and reading where
    the data carry such a run (as `record` makes it, docs/oracle.md) or the bundle keeps one. No error is raised for a
    verdict that is not met.

    The fast engine runs all samples; on the first `samples` (None: all) the executions are compared, Lava's as
    `lava_mode` says: "fused", "inprocess", "stock" (each alone), "all", or "mixed", which runs the fused one on all of
    them, the others on some. engine "ray": shards of samples run as Ray tasks.
    Data of another number of steps than the bundle was compiled for are refused unless `any_steps`; `pad` adds steps
    of zeros to samples that have fewer (docs/data.md). Raises InputError, and BackendError where Lava or Ray did not
    finish.
    """
    required = parse_requirements(require)
    if engine == "ray":
        extras.require("ray")
    elif backend == "lava":
        extras.require("lava")
    opened = _opened(bundle)
    spikes = _spikes(data, opened.executable.program, steps_of(opened), any_steps, pad)
    if samples is not None and samples < 1:
        raise InputError("samples", f"found {samples}; verify at least one")
    proof = prove(
        opened.executable, spikes, backend=backend, lava_mode=lava_mode, samples=samples, ray=engine == "ray",
        timeout=timeout, progress=progress,
    )  # fmt: skip
    proof = replace(proof, reading=_reading(opened, data, spikes, samples, progress))
    result = add_verification(opened.report, proof, required, _ternarize(opened))
    save_report(opened.folder, result)
    return result


def record(
    module: torch.nn.Module,
    data: str | Path | dict[str, Array] | Array,
    *,
    out: str | Path | None = None,
    names: Mapping[str, str] | None = None,
    potentials: Mapping[str, tuple[str, str]] | None = None,
    call: str = "auto",
    scores: Callable[[Any], Any] | None = None,
) -> dict[str, Array]:
    """The framework's own run of `module` on `data`, as arrays that `verify` takes for the oracle; also written to the
    npz file `out` if given (docs/oracle.md).

    A copy runs, at rest, in evaluation mode and its own dtype: the module stays as it is. data: spikes (samples, steps,
    *shape), or named arrays or an npz file with `spikes` (one array for each argument of a forward that has several)
    and `labels`. names: the population of a layer by its name in the module, where a net.yaml names it otherwise or the
    layer is of no known class. potentials: for such a layer the attribute that holds its membrane potential after a
    step, and whether that is "before" or "after" the reset. call: as for load_module. scores: what makes the class
    scores (samples, classes) of what the forward returns, of the list of its returns where it is called once per step;
    by default a forward's return of that shape. Raises InputError for what does not fit.
    """
    extras.require("torch", why="a module's own run needs it")
    from tern2lava.frontends.record.data import read_arrays
    from tern2lava.frontends.record.record import record_module

    inputs, labels = read_arrays(data)
    arrays: dict[str, Any] = dict(inputs) if labels is None else {**inputs, "labels": labels}
    arrays |= record_module(module, inputs, names=names, potentials=potentials, call=call, scores=scores)
    if out is not None:
        write_aside(Path(out), lambda path: np.savez_compressed(path, **arrays))
    return arrays


def report(bundle: str | Path | Bundle, *, compare_bits: int | None = None) -> Report:
    """The report of a bundle, with the last verification where there was one.

    compare_bits 8 maps the same network with 8-bit weights onto the same target and adds both beside each other
    (`twins`), also to the bundle's report.json. Raises InputError for other widths.
    """
    opened = _opened(bundle)
    if compare_bits is None:
        return opened.report
    if compare_bits != 8:
        raise InputError("compare_bits", f"found {compare_bits}; only 8-bit weights can be compared with")
    from tern2lava.report.twin import add_twins

    program = opened.executable.program
    result = add_twins(opened.report, program, profile_of(opened), map_options_of(opened), measured_rates_of(opened))
    save_report(opened.folder, result)
    return result


def _record_beside(path: Path) -> Record:
    """What is written to `path` at the end, kept on its disk. Raises InputError where nothing can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Record(path.parent)
    except OSError as error:
        raise InputError(path, f"cannot be written ({error.strerror or error})") from None


def _opened(bundle: str | Path | Bundle) -> Bundle:
    return bundle if isinstance(bundle, Bundle) else read_bundle(Path(bundle))


def steps_of(bundle: Bundle) -> int:
    """Steps that a bundle was compiled for; 0: the network does not say, nor did who compiled it."""
    asked = bundle.manifest.get("options", {}).get("steps", 0)
    return int(asked or bundle.executable.program.steps)


def _reading(
    bundle: Bundle, data: str | Path | SpikeData | dict[str, Any], spikes: SpikeData, samples: int | None,
    progress: Progress | None,
) -> Reading | None:  # fmt: skip
    """The float model against the framework's own run: that in `data`, else that which the bundle keeps, else None."""
    imported, steps = bundle.executable.imported, steps_of(bundle)
    found: Oracle | None = None
    if isinstance(data, dict):
        found = make_oracle(data, imported, spikes.samples, recorded_steps(spikes))
    elif not isinstance(data, SpikeData):
        found = load_oracle(Path(data), imported, spikes.samples, recorded_steps(spikes))
    if found is not None:
        return read_all(imported, spikes, found, steps=steps, samples=samples, progress=progress)
    kept = recorded_run(bundle)
    return None if kept is None else read_all(imported, *kept, steps=kept[0].steps, progress=progress)


def _ternarize(bundle: Bundle) -> str | None:
    """How weights that were not ternary were changed ("twn", "int8"); None where that was not asked for."""
    asked = bundle.manifest.get("options", {}).get("ternarize", "refuse")
    return None if asked == "refuse" else str(asked)


def _described(source: str | Path | Graph | torch.nn.Module, net: str | Path | None) -> str:
    """What says how the neurons of `source` compute, in words that follow "the float model"."""
    if isinstance(source, Graph):
        return "as the graph describes it"
    if isinstance(source, (str, Path)):
        return f"as {Path(source).name} was read" if net is None else f"as {Path(net).name} describes it"
    return "as the module was read"


def _measure(
    data: str | Path | SpikeData | dict[str, Any] | None, options: Options | None, any_steps: bool, pad: bool
) -> Callable[[Graph], dict[str, Array]] | None:
    """What measures spikes per neuron and step of a program on `data`."""
    if data is None:
        return None
    asked = 0 if options is None else options.steps

    def measure(program: Graph) -> dict[str, Array]:
        from tern2lava.sim.activity import measured_rates

        return measured_rates(program, _spikes(data, program, asked or program.steps, any_steps, pad))

    return measure


def _spikes(
    data: str | Path | SpikeData | dict[str, Any], program: Graph, steps: int, any_steps: bool, pad: bool
) -> SpikeData:
    """The data for `program`, held against the `steps` it was compiled for and its outputs."""
    where: object = "data"
    if isinstance(data, SpikeData):
        found = data
    elif isinstance(data, dict):
        found = make_spikes(data, program, steps=steps, pad=pad)
    else:
        where = data
        found = load_spikes(Path(data), program, steps=steps, pad=pad)
    return fitted(found, program, steps, any_steps=any_steps, pad=pad, where=where)
