"""Running and proving a bundle."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tern2lava.cli import complete
from tern2lava.cli.app import AnySteps, BundleFolder, Data, Debug, EffortName, Json, Pad, app, console, print_json
from tern2lava.cli.progress import progress_bar
from tern2lava.counts import count
from tern2lava.effort import LAVA_PROCESSES, NORMAL
from tern2lava.registry import one_of
from tern2lava.sim.engines import ENGINES
from tern2lava.sim.verify.executions import EXECUTIONS, Executor, lava_modes

if TYPE_CHECKING:
    from tern2lava.sim.verify.verify import LavaMode

LAVA = [entry for entry in EXECUTIONS if entry.lava]


@app.command(epilog="Example: tern2lava simulate build/ --data test.npz -o out.npz")
def simulate(
    bundle: BundleFolder,
    data: Data,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="npz for predictions, scores and spikes; .nir or .h5: NIRData (docs/nir.md)."),
    ] = None,
    dt: Annotated[float, typer.Option("--dt", help="Seconds of a step, written to NIRData.")] = 1e-4,
    engine: Annotated[
        str,
        typer.Option(
            help="; ".join(f"`{engine.name}`: {engine.what}" for engine in ENGINES)
            + ". All give the same spikes and states.",
            autocompletion=complete.engines,
        ),
    ] = "fast",
    states: Annotated[bool, typer.Option("--states", help="Write the membrane potentials and currents too.")] = False,
    deviation: Annotated[
        bool, typer.Option("--deviation", help="Show how far potentials part from the real ones (`worst`), too.")
    ] = False,
    any_steps: AnySteps = False,
    pad: Pad = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a bundle on spikes and write its spikes, scores and predictions."""
    from tern2lava import api
    from tern2lava.report.sheet import Paragraph
    from tern2lava.report.worst import deviation_table

    chosen = ENGINES.get(engine, "--engine").name
    with progress_bar(as_json) as progress:
        result = api.simulate(
            bundle, data, engine=chosen, states=states, deviation=deviation, keep=False, out=out, dt=dt,
            progress=progress, any_steps=any_steps, pad=pad,
        )  # fmt: skip
    spikes = result.spikes
    summary: dict[str, object] = {
        "samples": len(result.predictions), "accuracy": result.accuracy, "spikes": spikes,
        "out": None if out is None else str(out), "engine": engine, "left_to_reference": dict(result.fallbacks),
    }  # fmt: skip
    if deviation:
        summary["deviations"] = [asdict(one) for one in result.deviations]
    if as_json:
        print_json(summary)
        return
    counted = ", ".join(f"{name} {n:,}" for name, n in spikes.items())
    lines = [f"{count(len(result.predictions), 'sample')}; spikes: {counted}"]
    if result.accuracy is not None:
        lines.append(f"accuracy {100 * result.accuracy:.2f} %")
    lines += [f"{name} was left to the integer reference: {reason}" for name, reason in result.fallbacks]
    console().print(*map(Paragraph, lines), sep="\n", end="")
    if deviation:
        console().print(deviation_table(result.deviations), end="")
    if out is not None:
        print(f"written to {out}")


@app.command(
    epilog="Example: tern2lava verify build/ --data test.npz --samples 100\n\n"
    "Another: tern2lava verify build/ --data test.npz --require execution,arithmetic=0.1%\n\n"
    "Without data: tern2lava verify build/ --stimulus cover"
)
def verify(
    bundle: BundleFolder,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="npz file: `spikes` (samples, steps, *input shape), optional `labels` (samples,). May be "
            "left out with --stimulus cover.",
        ),
    ] = None,
    stimulus: Annotated[
        str | None,
        typer.Option(
            metavar="cover",
            help="`cover`: also run generated spikes that every input and population sends in the "
            "place of its own, so that every synapse carries some, any two sources differ and thresholds are met from "
            "both sides (docs/coverage.md).",
        ),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(
            help=f"`lava`: all executions ({', '.join(EXECUTIONS.names())}); `reference`: without Lava "
            f"({', '.join(entry.name for entry in EXECUTIONS if not entry.lava)})."
        ),
    ] = "lava",
    lava_mode: Annotated[
        str,
        typer.Option(
            help="; ".join(f"`{entry.mode}`: {entry.what} ({entry.name})" for entry in LAVA)
            + "; `all`: these; `mixed`: each on all samples, except "
            + ", ".join(f"{entry.name} on the first {_most(entry)}" for entry in LAVA if entry.mixed)
            + " (of the effort normal)."
        ),
    ] = "mixed",
    lava_processes: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes of the operating system that LM takes at most, about: then neighbouring cores share one.",
        ),
    ] = LAVA_PROCESSES,
    engine: Annotated[
        str, typer.Option(help="`local`: this machine; `ray`: shards of samples as Ray tasks (RAY_ADDRESS).")
    ] = "local",
    samples: Annotated[
        int, typer.Option(min=0, help="Samples for all executions; 0: all. The fast engine (E) runs all.")
    ] = 0,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one Lava run may take.")] = 600.0,
    require: Annotated[
        str | None,
        typer.Option(
            metavar="VERDICT,...",
            autocompletion=complete.verdicts,
            help="Verdicts without which the exit code is 1: `execution` (images, Lava and engine equal the integers), "
            "`arithmetic=0.1%` (spikes missing or extra in integers, of the float model's; alone: 1 %; `0`: none), "
            "`reading` (the float model equals the framework's own run), "
            "`images` (the core images are the integers for every input, as `prove` says). "
            "Default: execution,images,arithmetic=1%, and reading "
            "where the data carry such a run or the bundle keeps one (docs/oracle.md). Where named, `ranges` "
            "(no accumulator overflows or leaves the range of its certificate).",
        ),
    ] = None,
    effort: EffortName = "normal",
    any_steps: AnySteps = False,
    pad: Pad = False,
    full: Annotated[bool, typer.Option("--full", help="Also every table that the verdicts rest on.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Five verdicts: on data, whether core images and Lava equal the integers, whether the integers spike as the float
    model, whether that is your framework's network, and whether accumulators stay within their ranges; for every input,
    whether the core images are the integers."""
    from tern2lava import api
    from tern2lava.arguments import found
    from tern2lava.effort import effort_of
    from tern2lava.errors import InputError
    from tern2lava.report.verdict_tables import verdict_summary, verification_table

    if stimulus not in (None, "cover"):
        raise InputError("--stimulus", f"requires cover; found {found(stimulus)}; write --stimulus cover")
    if data is None and stimulus is None:
        raise InputError("--data", "requires an npz file; found none; give one, or --stimulus cover to generate some")
    if backend not in ("lava", "reference"):
        raise InputError("--backend", f"requires lava or reference; found '{backend}'; choose one of them")
    if engine not in ("local", "ray"):
        raise InputError("--engine", f"requires local or ray; found '{engine}'; choose one of them")
    if lava_mode not in lava_modes():
        raise InputError("--lava-mode", f"requires {one_of(lava_modes())}; found '{lava_mode}'; choose one of them")
    with progress_bar(as_json) as progress:
        report = api.verify(
            bundle, data, stimulus=stimulus, backend="lava" if backend == "lava" else "reference",
            lava_mode=cast("LavaMode", lava_mode), lava_processes=lava_processes,
            engine="ray" if engine == "ray" else "local", samples=samples or None, timeout=timeout, progress=progress,
            require=require, effort=effort_of(effort, "--effort"), any_steps=any_steps, pad=pad,
        )  # fmt: skip
    result = report.verification
    assert result is not None
    if as_json:
        print(result.model_dump_json(indent=1))
    elif full:
        console().print(verification_table(result))
    else:
        console().print(verdict_summary(result))
        print(f"What this rests on: tern2lava report {quote(str(bundle))} --full")
    if not result.met:
        raise typer.Exit(1)


def _most(entry: Executor) -> str:
    """How many samples an execution runs in the mode "mixed" at most."""
    assert entry.mixed is not None
    samples = f"{entry.mixed(NORMAL)}"
    return samples if entry.most_cores is None else f"{samples} (up to {entry.most_cores(NORMAL)} cores)"
