"""Compiling a file into a bundle."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from tern2lava.cli.app import (
    AnySteps,
    Debug,
    EffortName,
    Json,
    Pad,
    Source,
    Target,
    Weights,
    app,
    console,
    print_json,
    said,
    share,
    with_plugins,
)
from tern2lava.cli.mapping import (
    MaxNeurons,
    ObjectiveName,
    Pins,
    PlacementName,
    Rate,
    Seed,
    SpareCores,
    TrafficData,
    WhatIf,
    map_options,
)
from tern2lava.cli.progress import progress_bar
from tern2lava.frontends.sources import SOURCES

if TYPE_CHECKING:
    from tern2lava.compiler.options import Options


Net = Annotated[Path | None, typer.Option("--net", help="net.yaml: how the checkpoint's layers are wired.")]
Dt = Annotated[float | None, typer.Option("--dt", help="Time step in seconds, where a NIR file tells none.")]
Assume = Annotated[
    str, typer.Option(metavar="KEY=VALUE,...", help="What a NIR or lava-dl file cannot say: reset=subtract,fire=ge")
]
Ternarize = Annotated[
    str, typer.Option(help="Weights that are not ternary: `refuse`, `twn` (ternarise now), `int8` (round to 8 bits).")
]
Steps = Annotated[int, typer.Option(min=0, help="Steps the certificate holds for; 0: those of the network.")]
AllowRounding = Annotated[
    str,
    typer.Option(
        metavar="SHARE",
        help="How far rounding to integers may move a threshold or reset amount, or rounded biases a potential (of "
        "its threshold), before compilation is refused; 20% or 0.2.",
    ),
]


CalibrateData = Annotated[
    Path | None,
    typer.Option(
        help="npz file of spikes of typical inputs: integers are chosen that change the fewest of the network's "
        "spikes on them (docs/calibration.md). --data, which measures traffic, changes none."
    ),
]
Ranges = Annotated[
    str,
    typer.Option(
        "--range",
        metavar="RANGES",
        help="What accumulators have to hold: `proven` (every input, for any number of steps), `steps` (every "
        "input, for the steps of a sample), `calibrated` (what --calibrate shows, with a margin, for finer "
        "integers; certificates are then conditional).",
    ),
]


@app.command(
    cls=with_plugins(SOURCES),
    epilog="Example: tern2lava compile net.pt --net net.yaml --target loihi2 -o build/\n\n"
    "Another: tern2lava compile net.pt --net net.yaml --print-ir to_integer\n\n"
    "And: tern2lava compile net.pt --net net.yaml -o build/ --calibrate train.npz --range calibrated\n\n"
    "And: tern2lava compile net.pt --net net.yaml --what-if loihi1,loihi2,hala-point --data test.npz",
)
def compile(
    file: Source,
    net: Net = None,
    weights: Weights = "",
    dt: Dt = None,
    assume: Assume = "",
    target: Target = "loihi2",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the bundle; replaced if it is one.")
    ] = None,
    ternarize: Ternarize = "refuse",
    steps: Steps = 0,
    allow_rounding: AllowRounding = "5%",
    calibrate: CalibrateData = None,
    ranges: Ranges = "steps",
    max_neurons: MaxNeurons = 0,
    pin: Pins = None,
    spare_cores: SpareCores = 0,
    placement: PlacementName = "auto",
    seed: Seed = 0,
    objective: ObjectiveName = "cores",
    data: TrafficData = None,
    any_steps: AnySteps = False,
    pad: Pad = False,
    rate: Rate = 0.1,
    recorded: Annotated[
        Path | None,
        typer.Option(help="npz of the framework's own run (tern2lava.record), kept in the bundle for `verify`."),
    ] = None,
    what_if: WhatIf = "",
    effort: EffortName = "normal",
    print_ir: Annotated[str, typer.Option(metavar="STAGE", help="Print the graph after this pass (`all`: each).")] = "",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Lower a checkpoint to certified integers, map it onto cores, and write one bundle folder."""
    from tern2lava import api
    from tern2lava.compiler.ir.text import print_graph
    from tern2lava.compiler.passes.pipeline import stage_names
    from tern2lava.errors import InputError
    from tern2lava.report.terminal import print_report
    from tern2lava.report.what_if import what_if_table

    _check_ternarize(ternarize)
    if print_ir and print_ir not in (*stage_names(), "all"):
        raise InputError(
            "--print-ir", f"requires the name of a stage; found '{print_ir}'; choose all, {', '.join(stage_names())}"
        )
    if what_if and (out is not None or print_ir):
        raise InputError(
            "--what-if",
            "requires to be alone, for it compares and writes nothing; found --out or --print-ir; leave these out",
        )
    if out is None and not print_ir and not what_if:
        raise InputError(
            "--out",
            "requires a folder for the bundle; found none; add for example -o build/ (or look only: --print-ir all)",
        )
    check_ranges(ranges, calibrate)
    options = pass_options(ternarize, steps, allow_rounding, effort, ranges)
    chosen = map_options(max_neurons, pin, spare_cores, placement, seed, objective, rate)
    if what_if:
        targets = [name.strip() for name in what_if.split(",") if name.strip()]
        with progress_bar(as_json) as progress:
            rows = api.what_if(
                file, targets, net=net, options=options, map_options=chosen, data=data, progress=progress,
                calibrate=calibrate, any_steps=any_steps, pad=pad, **said(dt, assume, weights),
            )  # fmt: skip
        if as_json:
            print_json([row.model_dump() for row in rows])
        else:
            console().print(what_if_table(str(file), rows))
        if not any(row.fits for row in rows):
            raise typer.Exit(4)
        return
    with progress_bar(as_json) as progress:
        compiled = api.compile(
            file, target, net=net, out=out, options=options, map_options=chosen, data=data, progress=progress,
            calibrate=calibrate, recorded=recorded, any_steps=any_steps, pad=pad, **said(dt, assume, weights),
        )  # fmt: skip
    if print_ir:
        texts = {s: print_graph(graph) for s, graph in compiled.lowered.stages.items() if print_ir in (s, "all")}
        if as_json:
            print_json(texts)
        else:
            print("".join(f"--- {stage}\n{text}" for stage, text in texts.items()), end="")
        return
    report = compiled.report
    if as_json:
        print(report.model_dump_json(indent=1))
        return
    print_report(report, console(), full=False)
    print(f"Bundle written to {out}; all of its report: tern2lava report {quote(str(out))} --full")


def check_ranges(ranges: str, calibrate: Path | None) -> None:
    """Raise InputError for a --range that is none, or that requires samples where none are given."""
    from tern2lava.compiler.options import RANGES
    from tern2lava.errors import InputError

    if ranges not in RANGES:
        known = ", ".join(RANGES)
        raise InputError("--range", f"requires one of {known}; found '{ranges}'; choose one of them")
    if ranges == "calibrated" and calibrate is None:
        raise InputError(
            "--range", "requires samples for calibrated ranges; found none; add --calibrate FILE, or choose steps"
        )


def pass_options(ternarize: str, steps: int, allow_rounding: str, effort: str, ranges: str = "steps") -> Options:
    """The options of the passes. Raises InputError for words and shares that are none."""
    from tern2lava.compiler.options import Options
    from tern2lava.effort import effort_of

    _check_ternarize(ternarize)
    return Options(
        ternarize=cast('Literal["refuse", "twn", "int8"]', ternarize), steps=steps,
        allow_rounding=share("--allow-rounding", allow_rounding), effort=effort_of(effort, "--effort"),
        ranges=cast('Literal["proven", "steps", "calibrated"]', ranges),
    )  # fmt: skip


def _check_ternarize(ternarize: str) -> None:
    from tern2lava.errors import InputError

    if ternarize not in ("refuse", "twn", "int8"):
        raise InputError("--ternarize", f"requires refuse, twn or int8; found '{ternarize}'; choose one of them")
