"""The report of a bundle."""

from __future__ import annotations

from typing import Annotated

import typer

from tern2lava.cli.app import BundleFolder, Debug, Json, app, console


@app.command(epilog="Example: tern2lava report build/\n\nAnother: tern2lava report build/ --compare-bits 8")
def report(
    bundle: BundleFolder,
    compare_bits: Annotated[
        int, typer.Option(help="8: map the same network with 8-bit weights too, side by side; 0: do not.")
    ] = 0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The report of a bundle: proof, certificates, cores, memory, and every approximation made."""
    from tern2lava import api
    from tern2lava.report.terminal import print_report

    found = api.report(bundle, compare_bits=compare_bits or None)
    if as_json:
        print(found.model_dump_json(indent=1))
    else:
        print_report(found, console())
