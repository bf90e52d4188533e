"""Holding recorded traces, of whatever back end, against the network that they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tern2lava.cli.app import Debug, Json, Source, app, console, print_json, said


@app.command(
    epilog="Example: tern2lava conformance net.nir --data recorded.nir\n\n"
    "Another: tern2lava conformance net.nir --data recorded.nir --against other.nir\n\n"
    "And: tern2lava conformance net.nir --data recorded.nir -t loihi2 --json",
)
def conformance(
    file: Source,
    data: Annotated[
        Path,
        typer.Option("--data", help="Inputs and what was recorded: NIRData (docs/nir.md) or npz (docs/oracle.md)."),
    ],
    against: Annotated[
        Path | None, typer.Option("--against", help="Traces of another back end on the same inputs, to compare with.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", help="Compare with the integers of this target, not with the equations."),
    ] = None,
    ternarize: Annotated[str, typer.Option(help="With a target: as for `compile`.")] = "refuse",
    dt: Annotated[float | None, typer.Option("--dt", help="Time step in seconds, where a NIR file tells none.")] = None,
    assume: Annotated[str, typer.Option(metavar="KEY=VALUE,...", help="As for `compile`.")] = "",
    when: Annotated[
        str, typer.Option(help="Recorded potentials are those `after` or `before` the reset of their step.")
    ] = "after",
    tolerance: Annotated[
        float | None,
        typer.Option(help="How far recorded potentials may be apart. Default: by rounding; elsewhere as they like."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compare recorded spikes and potentials of a network with its own equations, step by step: for any back end.
    The exit code is 1 where they differ by more than rounding."""
    from tern2lava import api
    from tern2lava.compiler.options import Options
    from tern2lava.errors import InputError
    from tern2lava.report.conformance import conformance_document, conformance_table

    if ternarize not in ("refuse", "twn", "int8"):
        raise InputError("--ternarize", f"requires refuse, twn or int8; found '{ternarize}'; choose one of them")
    found = api.conformance(
        file, data, against=against, target=target, when=when, tolerance=tolerance,
        options=Options(ternarize=ternarize), **said(dt, assume, ""),  # type: ignore[arg-type]
    )  # fmt: skip
    if as_json:
        print_json(conformance_document(found))
    else:
        console().print(conformance_table(found), end="")
    if not found.conforms:
        raise typer.Exit(1)
