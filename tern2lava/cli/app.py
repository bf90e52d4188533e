"""The application that commands register with, and what they share: their common arguments, console, progress."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from tern2lava.cli import complete, verbose
from tern2lava.errors import ClosedOutputError, StoppedError
from tern2lava.frontends.sources import files
from tern2lava.registry import Registry

if TYPE_CHECKING:
    from rich.console import Console


# What every pager, mail and browser shows without wrapping; one width, so that a file is the same from any window.
PIPED_WIDTH = 80
LEAST_WIDTH = 20
ORDER = (
    "inspect",
    "check",
    "compile",
    "simulate",
    "prove",
    "verify",
    "conformance",
    "worst",
    "bench",
    "report",
    "export",
    "profiles",
    "rules",
    "train",
    "demo",
    "doctor",
)


class Commands(TyperGroup):
    """The commands in ORDER; an interruption passes on to __main__, where typer would end it without a word."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return sorted(super().list_commands(ctx), key=ORDER.index)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """A command, which has -v beside its own options."""
        found = super().get_command(ctx, cmd_name)
        if found is not None and not any(param.name == "verbose" for param in found.params):
            found.params.append(verbose.option())
        return found

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise StoppedError(str(error)) from None
        except BrokenPipeError:
            # typer would end with exit code 1, which means that a verdict is not met.
            raise ClosedOutputError from None


class WithPlugins(TyperCommand):
    """A command whose --help ends with what plugins add to `registries`; they are looked for only then."""

    registries: tuple[Registry[Any], ...] = ()

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        rows = [(f"{r.kind} {name}", r.origin(name)) for r in self.registries for name in r.plugin_names()]
        if rows:
            with formatter.section("Plugins"):
                formatter.write_dl(rows)
        super().format_epilog(ctx, formatter)


def with_plugins(*registries: Registry[Any]) -> type[WithPlugins]:
    """A class of commands for typer, with the plugins of `registries` in their --help."""
    return type("Command", (WithPlugins,), {"registries": registries})


app = typer.Typer(
    name="tern2lava",
    cls=Commands,
    help="Compile trained ternary spiking networks for Loihi-style chips: exact integers, core maps, verified in Lava.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    # Rich help would import a Markdown renderer and a highlighter: twice the start-up time of every command.
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
    epilog="Exit codes: 0 ok, 1 a required verdict is not met or images are not the program, 2 bad input or usage, or "
    "a machine that lacks room, rights, handles or processes, 3 unsupported, 4 does not fit the target, 5 a backend "
    "(Lava, Ray) did not finish, 70 an error of tern2lava itself, 130 interrupted (Ctrl-C), 143 ended by SIGTERM, "
    "141 its output was closed.",
)


def _print_version(asked: bool) -> None:
    """The version and the end, where it is asked for: no command is needed then."""
    if asked:
        import tern2lava

        print(f"tern2lava {tern2lava.__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
    speak: verbose.Verbose = False,
) -> None:
    """Options of no command."""


Source = Annotated[
    Path,
    typer.Argument(metavar="FILE", help=f"{files()[0].upper()}{files()[1:]}."),
]
Weights = Annotated[
    str, typer.Option("--weights", metavar="KEY", help="Of a checkpoint of several weights: which, as model_ema.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]
Debug = Annotated[bool, typer.Option("--debug", help="On an error, show the whole traceback.")]
BundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder written by `tern2lava compile`.")]
Data = Annotated[
    Path,
    typer.Option("--data", help="npz file: `spikes` (samples, steps, *input shape), optional `labels` (samples,)."),
]
AnySteps = Annotated[
    bool, typer.Option("--any-steps", help="Run data of another number of steps than the network is compiled for.")
]
Pad = Annotated[bool, typer.Option("--pad", help="Add steps of zeros to samples that have fewer steps (docs/data.md).")]
Target = Annotated[
    str,
    typer.Option(
        "--target",
        "-t",
        help="Hardware profile: a name (see `profiles`) or a YAML file.",
        autocompletion=complete.targets,
    ),
]


EffortName = Annotated[
    str,
    typer.Option(
        "--effort",
        help="How much is tried and run: `quick`, `normal` or `thorough` (docs/effort.md).",
        autocompletion=complete.efforts,
    ),
]


def console() -> Console:
    """Where tables go: as wide as COLUMNS says, else as the terminal is, else (in a file or pipe) PIPED_WIDTH."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            # rich would end with exit code 1, which means that a verdict is not met.
            raise ClosedOutputError

    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked):
        return Output(width=max(LEAST_WIDTH, int(asked)))
    return Output() if sys.stdout.isatty() else Output(width=PIPED_WIDTH)


def said(dt: float | None, assume: str, weights: str) -> dict[str, Any]:
    """Load options for what the user said of a NIR or lava-dl file, or of a checkpoint of several weights."""
    given = (("dt", dt), ("assume", assume), ("weights", weights))
    return {key: value for key, value in given if value not in (None, "")}


def share(option: str, text: str) -> float:
    """A share written as 5% or 0.05. Raises InputError for anything else, and for 5, which may mean either."""
    from tern2lava.errors import InputError

    number = text.strip().removesuffix("%")
    try:
        value = float(number) / (100 if number != text.strip() else 1)
    except ValueError:
        value = math.nan
    if number == text.strip() and 1 <= value < math.inf:
        raise InputError(option, f"requires a share; found '{text}'; write {number}% (or {value / 100:g})")
    if not 0 <= value < math.inf:
        raise InputError(option, f"requires a share; found '{text}'; write it as 20% or 0.2")
    return value


def print_json(value: Any) -> None:
    """Print a value as JSON for machines."""
    print(json.dumps(value, indent=1))
