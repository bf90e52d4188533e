"""Writing a network in other formats."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tern2lava import arguments
from tern2lava.api.compiled import CompiledNetwork
from tern2lava.api.opened import BundleLike, opened, steps_of
from tern2lava.arguments import public
from tern2lava.bundle import Bundle, check_outside, tool_version
from tern2lava.compiler.ir.graph import Graph
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.export.exporters import EXPORTERS, Order, check_options
from tern2lava.frontends.load import load
from tern2lava.sim.executable import Executable
from tern2lava.writing import write_file

if TYPE_CHECKING:
    import torch

STAGES = ("imported", "real")


@dataclass(frozen=True, kw_only=True)
class Export:
    """What was written: the file or folder, the names of its files, their bytes, and what the format could not say."""

    out: Path
    files: tuple[str, ...]
    size: int
    notes: tuple[str, ...] = ()
    folder: bool = False

    def __repr__(self) -> str:
        return f"Export({self.out}: {count(len(self.files), 'file')}, {count(self.size, 'byte')})"


@public
def export(
    source: BundleLike | Graph | torch.nn.Module,
    out: str | Path,
    *,
    to: str = "nir",
    net: str | Path | None = None,
    stage: str | None = None,
    dt: float | None = None,
    lossy: bool = False,
    codec: str | None = None,
    settings: Mapping[str, Any] | None = None,
    **load_options: Any,
) -> Export:
    """A network written to `out` in another format: to "nir" a file (docs/nir.md), read back with the same spikes; of a
    compiled one to "image" a new folder of its core images (docs/image-format.md), to "weights" of its codes,
    entropy-coded, to "c" of a C program (docs/c-export.md); or in another format (docs/exports.md, docs/extending.md).

    source: what `compile` returned, a bundle's folder, or for NIR whatever `load` takes (net and load_options go to
    it). stage: of a compiled network, "imported" (None) as its source said, or "real", with ternary weights. dt: the
    time step in seconds, read from a NIR file or (1e-4) written. lossy: write what only metadata can say (resets, >=);
    other readers lose it. codec: of "image", all ternary weights in this codec instead of what each core stores.
    settings: options of a plugin's format. Raises InputError, UnsupportedError for what NIR cannot say.
    """
    place = arguments.path(out, "out", "name the file or folder to write")
    check_outside(place)
    exporter = EXPORTERS.get(arguments.choice(to, "to", EXPORTERS.names()))
    if stage is not None:
        arguments.choice(stage, "stage", STAGES)
    arguments.flag(lossy, "lossy")
    if dt is not None:
        dt = arguments.number(dt, "dt", "seconds above 0", lambda value: value > 0, "give the time step, as 1e-4")
    if codec is not None:
        arguments.text(codec, "codec", "name a codec")
    own = {"dt": dt, "stage": stage, "lossy": lossy or None, "codec": codec}
    options = {name: value for name, value in own.items() if value is not None}
    further = arguments.named({} if settings is None else settings, "settings", "name the options of a format")
    for name in further:
        if name in own:
            # Given so, a text would come where a number or a flag is meant.
            raise InputError(f"settings: {name}", f"requires an option of its own; found {name}; give {name} by itself")
    options |= further
    found = opened(source) if exporter.of_bundle or _is_compiled(source) else None
    # Of a file the time step is what it is read with.
    check_options(exporter, options if found else {name: value for name, value in options.items() if name != "dt"})
    graph, executable = _graph(source, found, net, stage, dt, load_options)
    written = exporter.run(
        Order(
            graph=graph, executable=executable, target=found.report.target if found else "", out=place,
            options=options, version=tool_version(), write_file=lambda fill: write_file(place, fill),
        )
    )  # fmt: skip
    paths = [place / name for name in written.files] or [place]
    files = written.files or (place.name,)
    return Export(
        out=place, files=files, size=sum(p.stat().st_size for p in paths), notes=written.notes,
        folder=bool(written.files),
    )  # fmt: skip


def _is_compiled(source: object) -> bool:
    if isinstance(source, (CompiledNetwork, Bundle)):
        return True
    return isinstance(source, (str, os.PathLike)) and arguments.path(source, "source", "name a file or folder").is_dir()


def _graph(
    source: Any, found: Bundle | None, net: str | Path | None, stage: str | None, dt: float | None,
    load_options: dict[str, Any],
) -> tuple[Graph, Executable | None]:  # fmt: skip
    """The network, as its source said or with ternary weights, and what is executed where it is compiled."""
    if found is not None:
        if load_options or net is not None:
            name = next(iter(load_options), "net")
            raise InputError(
                name, "requires a file or module that is still to be read; found a network that has been; leave it out"
            )
        executable = found.executable
        graph = executable.real if stage == "real" else executable.imported
        return (graph if graph.steps else replace(graph, steps=steps_of(found))), executable
    if stage == "real":
        raise InputError("stage", "requires a compiled network for 'real'; found one that is not; compile it first")
    if dt is not None and not isinstance(source, Graph):
        load_options = {**load_options, "dt": dt}
    return load(source, net, **load_options), None
