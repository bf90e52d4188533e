"""Compiling a file into a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from tern2lava.cli.app import Debug, Json, Source, Target, app, console, print_json, said


@app.command(
    epilog="Example: tern2lava compile net.pt --net net.yaml --target loihi2 -o build/\n\n"
    "Another: tern2lava compile net.pt --net net.yaml --print-ir to_integer"
)
def compile(
    file: Source,
    net: Annotated[Path | None, typer.Option("--net", help="net.yaml: how the checkpoint's layers are wired.")] = None,
    dt: Annotated[float | None, typer.Option("--dt", help="Time step in seconds, where a NIR file tells none.")] = None,
    assume: Annotated[
        str, typer.Option(metavar="KEY=VALUE,...", help="What a NIR or lava-dl file cannot say: reset=subtract,fire=>=")
    ] = "",
    target: Target = "loihi2",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the bundle; replaced if it is one.")
    ] = None,
    ternarize: Annotated[
        str,
        typer.Option(help="Weights that are not ternary: `refuse`, `twn` (ternarise now), `int8` (round to 8 bits)."),
    ] = "refuse",
    steps: Annotated[int, typer.Option(min=0, help="Steps the certificate holds for; 0: those of the network.")] = 0,
    max_neurons: Annotated[int, typer.Option(min=0, help="Most neurons on a core; 0: as many as fit.")] = 0,
    print_ir: Annotated[str, typer.Option(metavar="STAGE", help="Print the graph after this pass (`all`: each).")] = "",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Lower a checkpoint to certified integers, map it onto cores, and write one bundle folder."""
    from tern2lava import api
    from tern2lava.bundle import tool_version
    from tern2lava.compiler.lower import STAGES
    from tern2lava.compiler.options import MapOptions, Options
    from tern2lava.compiler.text import print_graph
    from tern2lava.errors import InputError
    from tern2lava.report.build import make_report
    from tern2lava.report.terminal import print_report

    if ternarize not in ("refuse", "twn", "int8"):
        raise InputError("--ternarize", f"found '{ternarize}'; choose refuse, twn or int8")
    if print_ir and print_ir not in (*STAGES, "all"):
        raise InputError("--print-ir", f"no stage '{print_ir}'; choose all, {', '.join(STAGES)}")
    if out is None and not print_ir:
        raise InputError("--out", "say where the bundle goes, for example -o build/ (or only look: --print-ir all)")
    options = Options(ternarize=cast('Literal["refuse", "twn", "int8"]', ternarize), steps=steps)
    map_options = MapOptions(max_neurons_per_core=max_neurons or None)
    compiled = api.compile(file, target, net=net, out=out, options=options, map_options=map_options, **said(dt, assume))
    if print_ir:
        texts = {s: print_graph(compiled.lowered.stages[s]) for s in STAGES if print_ir in (s, "all")}
        if as_json:
            print_json(texts)
        else:
            print("".join(f"--- {stage}\n{text}" for stage, text in texts.items()), end="")
        return
    report = make_report(compiled, tool_version())
    if as_json:
        print(report.model_dump_json(indent=1))
        return
    print_report(report, console())
    print(f"Bundle written to {out}")
