"""Writing a network in other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from tern2lava.cli.app import Debug, Json, app, console, print_json, said
from tern2lava.counts import count


@app.command(
    epilog="Example: tern2lava export build/ --to nir -o net.nir\n\n"
    "Another: tern2lava export build/ --to image --codec rans_storage -o images/"
)
def export(
    source: Annotated[
        Path, typer.Argument(metavar="BUNDLE_OR_FILE", help="Bundle folder, or any file that `compile` takes.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="`nir`: a NIR file (docs/nir.md). Of a bundle, `image`: its core images (docs/image-format.md); "
            "`weights`: its codes, entropy-coded.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file (nir) or new folder to write.")],
    net: Annotated[Path | None, typer.Option("--net", help="net.yaml, for a checkpoint.")] = None,
    dt: Annotated[float | None, typer.Option("--dt", help="Time step in seconds, read or (1e-4) written.")] = None,
    assume: Annotated[str, typer.Option(metavar="KEY=VALUE,...", help="As for `compile`.")] = "",
    stage: Annotated[
        str, typer.Option(help="Of a bundle: `imported`, as its source said, or `real`, with ternary weights.")
    ] = "imported",
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
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a network in another format, read back with the same spikes."""
    from tern2lava import api
    from tern2lava.errors import InputError

    if to not in ("nir", "image", "weights"):
        raise InputError("--to", f"found '{to}'; choose nir, image or weights")
    if stage not in ("imported", "real"):
        raise InputError("--stage", f"found '{stage}'; choose imported or real")
    if codec is not None and to != "image":
        raise InputError("--codec", f"is of --to image, found --to {to}; leave it out")
    if stage == "real" and to == "nir" and not source.is_dir():
        raise InputError("--stage", "real is of a bundle; compile the file first")
    found = api.export(
        source, out, to=cast('Literal["nir", "image", "weights"]', to), net=net, lossy=lossy, codec=codec,
        stage="real" if stage == "real" else "imported", dt=dt, **said(None, assume),
    )  # fmt: skip
    if to != "nir":
        if as_json:
            print_json({"out": str(out), "files": list(found.files), "bytes": found.size})
        else:
            print(f"{count(len(found.files), 'file')} written to {out}, {count(found.size, 'byte')}")
        return
    if as_json:
        print_json({"out": str(out), "notes": list(found.notes)})
        return
    from tern2lava.report.sheet import Paragraph

    console().print(*(Paragraph(f"- {note}") for note in found.notes), sep="\n", end="")
    print(f"written to {out}")
