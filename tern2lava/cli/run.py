"""Running and proving a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tern2lava.cli.app import AnySteps, BundleFolder, Data, Debug, EffortName, Json, Pad, app, console, print_json
from tern2lava.cli.progress import progress_bar
from tern2lava.counts import count

if TYPE_CHECKING:
    from tern2lava.sim.verify.verify import LavaMode


@app.command(epilog="Example: tern2lava simulate build/ --data test.npz -o out.npz")
def simulate(
    bundle: BundleFolder,
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="npz for predictions, scores and spikes.")] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="`fast`: compiled kernels; `reference`: the integer program, step by step; `images`: core by core "
            "from the packed core images; `ray`: `fast` in Ray tasks. All give the same spikes and states."
        ),
    ] = "fast",
    states: Annotated[bool, typer.Option("--states", help="Write the membrane potentials and currents too.")] = False,
    any_steps: AnySteps = False,
    pad: Pad = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a bundle on spikes and write its spikes, scores and predictions."""
    from tern2lava import api
    from tern2lava.errors import InputError
    from tern2lava.report.sheet import Paragraph

    engines: dict[str, api.Engine] = {"fast": "fast", "reference": "reference", "images": "images", "ray": "ray"}
    if engine not in engines:
        raise InputError("--engine", f"found '{engine}'; choose {', '.join(engines)}")
    with progress_bar(as_json) as progress:
        result = api.simulate(
            bundle, data, engine=engines[engine], states=states, keep=False, out=out, progress=progress,
            any_steps=any_steps, pad=pad,
        )  # fmt: skip
    spikes = result.spikes
    summary = {
        "samples": len(result.predictions), "accuracy": result.accuracy, "spikes": spikes,
        "out": None if out is None else str(out), "engine": engine, "left_to_reference": dict(result.fallbacks),
    }  # fmt: skip
    if as_json:
        print_json(summary)
        return
    counted = ", ".join(f"{name} {n:,}" for name, n in spikes.items())
    lines = [f"{count(len(result.predictions), 'sample')}; spikes: {counted}"]
    if result.accuracy is not None:
        lines.append(f"accuracy {100 * result.accuracy:.2f} %")
    lines += [f"{name} was left to the integer reference: {reason}" for name, reason in result.fallbacks]
    console().print(*map(Paragraph, lines), sep="\n", end="")
    if out is not None:
        print(f"written to {out}")


@app.command(
    epilog="Example: tern2lava verify build/ --data test.npz --samples 100\n\n"
    "Another: tern2lava verify build/ --data test.npz --require execution,arithmetic=0.1%"
)
def verify(
    bundle: BundleFolder,
    data: Data,
    backend: Annotated[
        str, typer.Option(help="`lava`: all executions (I, E, M, L1, L2, L3); `reference`: without Lava (I, E, M).")
    ] = "lava",
    lava_mode: Annotated[
        str,
        typer.Option(
            help="`fused`: core images in our Lava process (L2); `inprocess`: Lava's own process models in sequence "
            "(L3); `stock`: Lava's runtime (L1); `all`: these three; `mixed`: L2 on all samples, L3 and L1 on some."
        ),
    ] = "mixed",
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
            help="Verdicts without which the exit code is 1: `execution` (images, Lava and engine equal the integers), "
            "`arithmetic=0.1%` (spikes missing or extra in integers, of the float model's; alone: 1 %; `0`: none), "
            "`reading` (the float model equals the framework's own run). Default: execution,arithmetic=1%, and reading "
            "where the data carry such a run or the bundle keeps one (docs/oracle.md).",
        ),
    ] = None,
    effort: EffortName = "normal",
    any_steps: AnySteps = False,
    pad: Pad = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Three verdicts on data: whether core images and Lava equal the integers, whether the integers spike as the float
    model, and whether that is your framework's network."""
    from tern2lava import api
    from tern2lava.errors import InputError
    from tern2lava.report.verdict_tables import verification_table

    if backend not in ("lava", "reference"):
        raise InputError("--backend", f"found '{backend}'; choose lava or reference")
    if engine not in ("local", "ray"):
        raise InputError("--engine", f"found '{engine}'; choose local or ray")
    modes: dict[str, LavaMode] = {
        "mixed": "mixed", "stock": "stock", "fused": "fused", "inprocess": "inprocess", "all": "all",
    }  # fmt: skip
    if lava_mode not in modes:
        raise InputError("--lava-mode", f"found '{lava_mode}'; choose {', '.join(modes)}")
    with progress_bar(as_json) as progress:
        report = api.verify(
            bundle, data, backend="lava" if backend == "lava" else "reference", lava_mode=modes[lava_mode],
            engine="ray" if engine == "ray" else "local", samples=samples or None, timeout=timeout, progress=progress,
            require=require, effort=effort, any_steps=any_steps, pad=pad,
        )  # fmt: skip
    found = report.verification
    assert found is not None
    if as_json:
        print(found.model_dump_json(indent=1))
    else:
        console().print(verification_table(found))
    if not found.met:
        raise typer.Exit(1)
