"""What a file holds."""

from __future__ import annotations

from tern2lava.cli.app import Debug, Json, Source, Weights, app, console, print_json


@app.command(epilog="Example: tern2lava inspect net.pt")
def inspect(
    file: Source,
    weights: Weights = "",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """What a checkpoint holds: tensors, shapes, which are ternary (scale, zeros), which are not and how far from it."""
    from tern2lava.frontends.inspect.read import inspect_file

    found = inspect_file(file, weights or None)
    if as_json:
        print_json(found.to_dict())
        return
    from tern2lava.report.inspection import render_inspection

    console().print(render_inspection(found))
