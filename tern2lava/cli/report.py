"""The report of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from tern2lava.cli.app import BundleFolder, Debug, Json, app, console


class MayNamePage(TyperCommand):
    """A command whose --html may stand without a path, which is then an empty one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--html" in args:
            at = args.index("--html")
            if at + 1 == len(args) or args[at + 1].startswith("-"):
                args = [*args[:at], "--html=", *args[at + 1 :]]
        return super().parse_args(ctx, args)


@app.command(
    cls=MayNamePage,
    epilog="Example: tern2lava report build/\n\nAnother: tern2lava report build/ --compare-bits 8\n\n"
    "As a page: tern2lava report build/ --html report.html",
)
def report(
    bundle: BundleFolder,
    compare_bits: Annotated[
        int, typer.Option(help="8: map the same network with 8-bit weights too, side by side; 0: do not.")
    ] = 0,
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            metavar="[PATH]",
            help="Write the report as a page that opens offline, to PATH or beside the bundle (build.html of build/).",
        ),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The report of a bundle: proof, certificates, cores, memory, and every approximation made."""
    from tern2lava import api
    from tern2lava.report.terminal import print_report

    page = None if html is None else Path(html) if html else beside(bundle)
    found = api.report(bundle, compare_bits=compare_bits or None, html=page)
    if as_json:
        print(found.model_dump_json(indent=1))
    elif page is not None:
        print(f"written to {page}")
    else:
        print_report(found, console())


def beside(bundle: Path) -> Path:
    """Where the page of a bundle lies if its place is not said: beside the folder, under its name."""
    place = bundle.absolute()
    return bundle.parent / f"{place.name}.html" if bundle.name == place.name else place.with_suffix(".html")
