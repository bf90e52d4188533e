"""Writing a network in other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    from tern2lava.bundle import read_bundle, tool_version, write_aside
    from tern2lava.errors import InputError
    from tern2lava.export.nir import DEFAULT_DT, write_nir
    from tern2lava.frontends.load import load

    if to not in ("nir", "image", "weights"):
        raise InputError("--to", f"found '{to}'; choose nir, image or weights")
    if stage not in ("imported", "real"):
        raise InputError("--stage", f"found '{stage}'; choose imported or real")
    if codec is not None and to != "image":
        raise InputError("--codec", f"is of --to image, found --to {to}; leave it out")
    if to != "nir":
        from tern2lava.export.images import export_images, export_weights

        opened = read_bundle(source)
        program, target = opened.executable.program, opened.report.target
        if to == "image":
            files = export_images(opened.executable, out, target=target, version=tool_version(), codec=codec)
        else:
            files = export_weights(program, out, version=tool_version())
        written = sum((out / name).stat().st_size for name in files)
        if as_json:
            print_json({"out": str(out), "files": files, "bytes": written})
        else:
            print(f"{count(len(files), 'file')} written to {out}, {count(written, 'byte')}")
        return
    if source.is_dir():
        executable = read_bundle(source).executable
        graph = executable.imported if stage == "imported" else executable.real
    else:
        if stage == "real":
            raise InputError("--stage", "real is of a bundle; compile the file first")
        graph = load(source, net, **said(dt, assume))
    notes: list[str] = []
    write_aside(out, lambda path: notes.extend(write_nir(graph, path, dt=dt or DEFAULT_DT, lossy=lossy)))
    if as_json:
        print_json({"out": str(out), "notes": notes})
        return
    from tern2lava.report.sheet import Paragraph

    console().print(*(Paragraph(f"- {note}") for note in notes), sep="\n", end="")
    print(f"written to {out}")
