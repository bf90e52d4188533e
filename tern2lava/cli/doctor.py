"""What this environment has and lacks."""

from __future__ import annotations

import typer

from tern2lava.cli.app import Debug, Json, app, console, print_json


@app.command(epilog="Example: tern2lava doctor")
def doctor(as_json: Json = False, debug: Debug = False) -> None:
    """Python, machine, Lava, numba, frameworks and optional packages: what is there, what is missing, what that is for,
    and the line that adds it. The exit code is 0 where `demo` can run, else 2."""
    from tern2lava.api.doctor import doctor as check
    from tern2lava.report.checkup import checkup_table

    found = check()
    if as_json:
        print_json(found.to_dict())
    else:
        console().print(checkup_table(found.findings, ok=found.ok))
    if not found.ok:
        raise typer.Exit(2)
