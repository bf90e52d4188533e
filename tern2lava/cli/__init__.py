"""The command line: arguments in, tables or JSON out; the work is done by tern2lava.api. A module holds one command, or
two that belong together."""

from __future__ import annotations

from tern2lava.cli import (  # noqa: F401  (each registers itself)
    bench,
    check,
    compile,
    conformance,
    doctor,
    export,
    inspect,
    prove,
    report,
    run,
    targets,
    train,
    worst,
)
from tern2lava.cli.app import app

__all__ = ["app"]
