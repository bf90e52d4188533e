"""Writing a network in other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tern2lava.cli.app import Debug, Json, app, console, print_json, said, with_plugins
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
            help="; ".join(
                f"`{each.name}`: {'of a bundle, ' * each.of_bundle}{each.what}" for each in EXPORTERS.registered()
            )
            + ".",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file (nir) or new folder to write.")],
    net: Annotated[Path | None, typer.Option("--net", help="net.yaml, for a checkpoint.")] = None,
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
        typer.Option("--set", metavar="NAME=VALUE", help="An option of a format that a plugin brings."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a network in another format, read back with the same spikes."""
    from tern2lava.bundle import read_bundle, tool_version, write_aside
    from tern2lava.errors import InputError
    from tern2lava.export.exporters import Order, check_options
    from tern2lava.frontends.load import load

    exporter = EXPORTERS.get(to, "--to")
    if stage not in (None, *STAGES):
        raise InputError("--stage", f"found '{stage}'; choose {one_of(STAGES)}")
    own = {"dt": dt, "stage": stage, "lossy": lossy or None, "codec": codec}
    options = {name: value for name, value in own.items() if value is not None} | dict(map(_pair, more or ()))
    opened = read_bundle(source) if source.is_dir() or exporter.of_bundle else None
    # Of a file the time step is what it is read with.
    check_options(exporter, options if opened else {name: value for name, value in options.items() if name != "dt"})
    if opened is None and stage == "real":
        raise InputError("--stage", "real is of a bundle; compile the file first")
    if opened is None:
        graph, executable, target = load(source, net, **said(dt, assume)), None, ""
    else:
        executable, target = opened.executable, opened.report.target
        graph = executable.real if stage == "real" else executable.imported
    written = exporter.run(
        Order(
            graph=graph, executable=executable, target=target, out=out, options=options, version=tool_version(),
            write_file=lambda fill: write_aside(out, fill),
        )
    )  # fmt: skip
    if written.files:
        size = sum((out / name).stat().st_size for name in written.files)
        summary = {"out": str(out), "files": list(written.files), "bytes": size}
        line = f"{count(len(written.files), 'file')} written to {out}, {count(size, 'byte')}"
    else:
        summary = {"out": str(out), "notes": list(written.notes)}
        line = f"written to {out}"
    if as_json:
        print_json(summary)
        return
    from tern2lava.report.sheet import Paragraph

    console().print(*(Paragraph(f"- {note}") for note in written.notes), sep="\n", end="")
    print(line)


def _pair(text: str) -> tuple[str, str]:
    from tern2lava.errors import InputError

    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InputError("--set", f"found {text!r}; write NAME=VALUE")
    return name, value
