"""What a file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tern2lava.cli.app import Debug, Json, Source, Weights, app, console, print_json


@app.command(
    epilog="Example: tern2lava inspect net.pt\n\nAnother: tern2lava inspect net.pt --write-net net.yaml, then fill in "
    "each ??? of it"
)
def inspect(
    file: Source,
    weights: Weights = "",
    write_net: Annotated[
        Path | None,
        typer.Option("--write-net", help="Write the net.yaml that the file says, with ??? for what only you know."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """What a checkpoint holds: tensors, shapes, which are ternary (scale, zeros), which are not and how far from it."""
    from tern2lava.frontends.inspect.read import inspect_file

    found = inspect_file(file, weights or None)
    if write_net is not None:
        from tern2lava.frontends.inspect.draft.write import write_draft

        write_draft(file, found, write_net, weights or None)
    if as_json:
        print_json(found.to_dict())
        return
    from tern2lava.report.inspection import render_inspection

    console().print(render_inspection(found))
    if write_net is not None:
        print(f"{write_net} written: fill in each ??? of it")
