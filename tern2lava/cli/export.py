"""Writing a network in other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tern2lava.cli import complete
from tern2lava.cli.app import Debug, Json, Weights, app, console, print_json, said, with_plugins
from tern2lava.counts import count
from tern2lava.export.exporters import EXPORTERS
from tern2lava.registry import one_of

STAGES = ("imported", "real")


@app.command(
    cls=with_plugins(EXPORTERS),
    epilog="Example: tern2lava export build/ --to nir -o net.nir\n\n"
    "Another: tern2lava export build/ --to image --codec rans_storage -o images/",
)
def export(
    source: Annotated[
        Path, typer.Argument(metavar="BUNDLE_OR_FILE", help="Bundle folder, or any file that `compile` takes.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            autocompletion=complete.exporters,
            help="; ".join(
                f"`{each.name}`: {'of a bundle, ' * each.of_bundle}{each.what}" for each in EXPORTERS.registered()
            )
            + ".",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file (nir) or new folder to write.")],
    net: Annotated[Path | None, typer.Option("--net", help="net.yaml, for a checkpoint.")] = None,
    weights: Weights = "",
    dt: Annotated[float | None, typer.Option("--dt", help="Time step in seconds, read or (1e-4) written.")] = None,
    assume: Annotated[str, typer.Option(metavar="KEY=VALUE,...", help="As for `compile`.")] = "",
    stage: Annotated[
        str | None,
        typer.Option(
            help="Of a bundle: `imported` (the default), as its source said, or `real`, with ternary weights."
        ),
    ] = None,
    lossy: Annotated[
        bool, typer.Option("--lossy", help="Write what only metadata can say (resets, >=); other readers lose it.")
    ] = False,
    codec: Annotated[
        str | None,
        typer.Option(
            help="Of `image`: all ternary weights in this codec instead of what each core stores; `rans_storage` is "
            "the smallest of large layers.",
        ),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An option of a format, as docs/exports.md and plugins say."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a network in another format, read back with the same spikes."""
    from tern2lava import api
    from tern2lava.errors import InputError

    EXPORTERS.get(to, "--to")
    if stage not in (None, *STAGES):
        raise InputError("--stage", f"requires {one_of(STAGES)}; found '{stage}'; choose one of them")
    if stage == "real" and not source.is_dir():
        raise InputError(
            "--stage", "requires a bundle for 'real'; found a network that is not compiled; compile the file first"
        )
    found = api.export(
        source, out, to=to, net=net, stage=stage, dt=dt, lossy=lossy, codec=codec,
        settings=dict(map(_pair, more or ())), **said(None, assume, weights),
    )  # fmt: skip
    if found.folder:
        summary = {"out": str(out), "files": list(found.files), "bytes": found.size}
        line = f"{count(len(found.files), 'file')} written to {out}, {count(found.size, 'byte')}"
    else:
        summary = {"out": str(out), "notes": list(found.notes)}
        line = f"written to {out}"
    if as_json:
        print_json(summary)
        return
    from tern2lava.report.sheet import Paragraph

    console().print(*(Paragraph(f"- {note}") for note in found.notes), sep="\n", end="")
    print(line)


def _pair(text: str) -> tuple[str, str]:
    from tern2lava.errors import InputError

    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InputError("--set", f"requires NAME=VALUE; found {text!r}; write for example depth=3")
    return name, value
