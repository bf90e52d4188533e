"""Proving a bundle for every input."""

from __future__ import annotations

from dataclasses import asdict

import typer

from tern2lava.cli.app import BundleFolder, Debug, Json, app, console, print_json
from tern2lava.cli.progress import progress_bar


@app.command(epilog="Example: tern2lava prove build/")
def prove(
    bundle: BundleFolder,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Whether the core images are the integer program, for every input: every neuron, synapse and route of them, read
    anew from the bundle. Needs no data and executes nothing. The exit code is 1 where they are not."""
    from tern2lava import api
    from tern2lava.report.sheet import Paragraph

    with progress_bar(as_json) as progress:
        found = api.prove(bundle, progress=progress)
    if as_json:
        print_json({"proven": found.proven} | asdict(found))
    else:
        console().print(Paragraph(f"Images {found}"), end="")
    if not found.proven:
        raise typer.Exit(1)
