"""What is known of the targets."""

from __future__ import annotations

from typing import Annotated

import typer

from tern2lava.cli import complete
from tern2lava.cli.app import Debug, Json, app, console, print_json


@app.command(epilog="Example: tern2lava profiles loihi2")
def profiles(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Show every number of this profile and its source.", autocompletion=complete.targets
        ),
    ] = "",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The hardware profiles, or every number of one with its unit, kind and source."""
    from tern2lava.hw_profiles import known_profiles, load_profile
    from tern2lava.report.tables import profile_table, profiles_table

    if name:
        profile = load_profile(name)
        if as_json:
            print_json(profile.model_dump(mode="json"))
        else:
            console().print(profile_table(profile))
        return
    known = known_profiles()
    if as_json:
        print_json([profile.model_dump(mode="json") for profile in known])
    else:
        console().print(profiles_table(known))


@app.command(epilog="Example: tern2lava rules")
def rules(as_json: Json = False, debug: Debug = False) -> None:
    """What each target can execute, and what to do about what it cannot (generated from the rules themselves)."""
    from tern2lava.compiler.target.rules import support_table
    from tern2lava.hw_profiles import known_profiles
    from tern2lava.report.tables import rules_table

    known = known_profiles()
    rows = support_table(known)
    if as_json:
        print_json(rows)
    else:
        console().print(rules_table(rows, [profile.name for profile in known]))
