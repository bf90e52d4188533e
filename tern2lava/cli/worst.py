"""Searching for the inputs on which integers part furthest from the real dynamics."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tern2lava.cli.app import BundleFolder, Debug, EffortName, Json, app, console, print_json
from tern2lava.cli.progress import progress_bar


@app.command(
    epilog="Example: tern2lava worst build/ -o worst.npz, then: tern2lava simulate build/ --data worst.npz --deviation"
)
def worst(
    bundle: BundleFolder,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="npz for the inputs that were found.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random numbers: the same seed finds the same.")] = 0,
    effort: EffortName = "normal",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Search for the inputs on which potentials of the integers part furthest from the real ones, and hold them against
    the bounds of certificates. All inputs are tried where the network has at most 2^20. The exit code is 1 where a
    bound is exceeded."""
    from tern2lava import api
    from tern2lava.effort import effort_of
    from tern2lava.report.worst import worst_table

    with progress_bar(as_json) as progress:
        found = api.worst(bundle, out=out, seed=seed, effort=effort_of(effort, "--effort"), progress=progress)
    if as_json:
        rows = [asdict(one) | {"excess": one.excess} for one in found.found]
        print_json({"every": found.every, "tried": found.tried, "steps": found.steps, "populations": rows})
    else:
        console().print(worst_table(found), end="")
        if out is not None:
            print(f"written to {out}")
    if found.excess:
        raise typer.Exit(1)
