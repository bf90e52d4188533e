"""Proving a bundle for every input."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from tern2lava.cli.app import BundleFolder, Debug, Json, app, console, print_json
from tern2lava.cli.progress import progress_bar


@app.command(epilog="Example: tern2lava prove build/")
def prove(
    bundle: BundleFolder,
    exhaustive: Annotated[
        bool,
        typer.Option(
            "--exhaustive",
            help="Try all that can happen to each neuron of the populations that are not EXACT, up to 2^20 states and "
            "sums of a population.",
        ),
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Whether the core images are the integer program, for every input: every neuron, synapse and route of them, read
    anew from the bundle; and whether populations certified EXACT spike as the real dynamics do, by induction. Needs no
    data and executes nothing. The exit code is 1 where one is not so."""
    from tern2lava import api
    from tern2lava.report.sheet import Paragraph

    with progress_bar(as_json) as progress:
        found = api.prove(bundle, exhaustive=exhaustive, progress=progress)
    if as_json:
        print_json({"proven": found.proven} | asdict(found))
    else:
        lines = [f"Images {found}", f"Arithmetic {found.arithmetic}"]
        lines += [f"{one.population} {one}" for one in found.arithmetic.tried] if found.arithmetic else []
        console().print(*map(Paragraph, lines), sep="\n", end="")
    if not found.proven or (found.arithmetic is not None and found.arithmetic.differs):
        raise typer.Exit(1)
