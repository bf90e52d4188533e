"""The report of a bundle, and of two side by side."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from tern2lava.cli.app import AnySteps, Debug, Json, Pad, app, console
from tern2lava.errors import InputError


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
    epilog="Example: tern2lava report build/\n\nEverything: tern2lava report build/ --full\n\n"
    "As a page: tern2lava report build/ --html report.html --data test.npz\n\n"
    "What a change changed: tern2lava report before/ after/\n\n"
    "For a pull request: tern2lava report before/ after/ --markdown\n\n"
    "With 8-bit twins: tern2lava report build/ --compare-bits 8",
)
def report(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="Folder written by `tern2lava compile`.", show_default=False)
    ] = None,
    other: Annotated[
        Path | None,
        typer.Argument(metavar="OTHER", help="Another one: what differs is printed instead.", show_default=False),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Every table, instead of what fits a screen.")] = False,
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
    data: Annotated[
        Path | None,
        typer.Option("--data", help="With --html: npz file as for `verify`, of which the page shows a sample."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=0, help="With --html: which sample the page shows, from 0; without it one of the first that differs."
        ),
    ] = None,
    any_steps: AnySteps = False,
    pad: Pad = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for pull requests.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of report.json, of no bundle.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """The report of a bundle: verdicts, cores, memory and the worst roundings; with --full also certificates, integers,
    mapping, and every approximation made. Of two bundles: what differs; the exit code is 0 either way."""
    if as_markdown and (as_json or html is not None):
        raise InputError(
            "--markdown", f"requires to be the only form; found {'--json' if as_json else '--html'} too; leave one out"
        )
    if schema:
        from tern2lava.report.schema import schema_text

        if bundle is not None:
            raise InputError("--schema", f"requires no bundle, being that of all; found {bundle}; leave one out")
        print(schema_text(), end="")
        return
    if bundle is None:
        raise InputError("BUNDLE", "requires the folder of a bundle; found none; give one, as build/ (or --schema)")
    for option, without in (("--data", data is not None), ("--sample", sample is not None)):
        if without and html is None:
            raise InputError(option, "requires --html, the page that shows it; found none; add --html")
    if other is None:
        page = None if html is None else Path(html) if html else beside(bundle)
        shown = {"html": page, "data": data, "sample": sample, "any_steps": any_steps, "pad": pad}
        _one(
            bundle, {"compare_bits": compare_bits or None, **shown}, full=full, as_json=as_json, as_markdown=as_markdown
        )
        return
    for option, given in (("--compare-bits", bool(compare_bits)), ("--html", html is not None)):
        if given:
            raise InputError(option, "requires one bundle; found two; give it for each of them")
    _compared(bundle, other, full=full, as_json=as_json, as_markdown=as_markdown)


def _one(bundle: Path, asked: dict[str, Any], *, full: bool, as_json: bool, as_markdown: bool) -> None:
    """Print the report of a bundle, or write it as a page. asked: the arguments of api.report."""
    from tern2lava import api
    from tern2lava.report.markdown import markdown
    from tern2lava.report.terminal import print_report, render, render_short

    found = api.report(bundle, **asked)
    if as_json:
        print(found.model_dump_json(indent=1))
    elif as_markdown:
        print(markdown(render(found) if full else render_short(found)), end="")
    elif asked["html"] is not None:
        print(f"written to {asked['html']}")
    else:
        print_report(found, console(), full=full)
        if not full:
            print(f"All of it: tern2lava report {quote(str(bundle))} --full (as a page: --html)")


def beside(bundle: Path) -> Path:
    """Where the page of a bundle lies if its place is not said: beside the folder, under its name."""
    place = bundle.absolute()
    return bundle.parent / f"{place.name}.html" if bundle.name == place.name else place.with_suffix(".html")


def _compared(bundle: Path, other: Path, *, full: bool, as_json: bool, as_markdown: bool) -> None:
    """Print what differs between two bundles."""
    from tern2lava import api
    from tern2lava.report.compare import compare
    from tern2lava.report.comparison import comparison_text
    from tern2lava.report.markdown import markdown

    found = compare(api.report(bundle), api.report(other))
    if as_json:
        print(found.model_dump_json(indent=1))
    elif as_markdown:
        print(markdown(comparison_text(found, full=full)), end="")
    else:
        console().print(comparison_text(found, full=full))
