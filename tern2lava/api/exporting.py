"""Writing a network in other formats."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tern2lava import arguments
from tern2lava.api.compiled import CompiledNetwork
from tern2lava.api.opened import BundleLike, opened
from tern2lava.arguments import public
from tern2lava.bundle import Bundle, tool_version, write_aside
from tern2lava.compiler.ir.graph import Graph
from tern2lava.counts import count
from tern2lava.errors import InputError
from tern2lava.frontends.load import load

if TYPE_CHECKING:
    import torch

Format = Literal["nir", "image", "weights"]
FORMATS: tuple[str, ...] = ("nir", "image", "weights")


@dataclass(frozen=True, kw_only=True)
class Export:
    """What was written: the file or folder, the names of its files, their bytes, and what NIR could not say."""

    out: Path
    files: tuple[str, ...]
    size: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Export({self.out}: {count(len(self.files), 'file')}, {count(self.size, 'byte')})"


@public
def export(
    source: BundleLike | Graph | torch.nn.Module,
    out: str | Path,
    *,
    to: Format = "nir",
    net: str | Path | None = None,
    stage: Literal["imported", "real"] = "imported",
    dt: float | None = None,
    lossy: bool = False,
    codec: str | None = None,
    **load_options: Any,
) -> Export:
    """A network written to `out` in another format: to "nir" a file (docs/nir.md), read back with the same spikes; of a
    compiled one to "image" a new folder of its core images (docs/image-format.md), to "weights" of its codes,
    entropy-coded.

    source: what `compile` returned, a bundle's folder, or for NIR whatever `load` takes (net and load_options go to
    it). stage: of a compiled network, "imported" as its source said, or "real", with ternary weights. dt: the time step
    in seconds, read from a NIR file or (1e-4) written. lossy: write what only metadata can say (resets, >=); other
    readers lose it. codec: of "image", all ternary weights in this codec instead of what each core stores.
    Raises InputError, UnsupportedError for what NIR cannot say.
    """
    place = arguments.path(out, "out", "name the file or folder to write")
    arguments.choice(to, "to", FORMATS)
    arguments.choice(stage, "stage", ("imported", "real"))
    arguments.flag(lossy, "lossy")
    if dt is not None:
        dt = arguments.number(dt, "dt", "seconds above 0", lambda value: value > 0, "give the time step, as 1e-4")
    if codec is not None:
        arguments.text(codec, "codec", "name a codec")
        if to != "image":
            raise InputError("codec", f"is of to='image', found to={to!r}; leave it out")
    found = opened(source) if _is_compiled(source) else None
    if to == "nir":
        return _write_nir(source, found, place, net, stage, dt, lossy, load_options)
    from tern2lava.export.images import export_images, export_weights

    # A file is refused as any other thing that is no bundle.
    found = found or opened(source)
    executable, version = found.executable, tool_version()
    if to == "image":
        files = export_images(executable, place, target=found.report.target, version=version, codec=codec)
    else:
        files = export_weights(executable.program, place, version=version)
    return Export(out=place, files=tuple(files), size=sum((place / name).stat().st_size for name in files))


def _is_compiled(source: object) -> bool:
    if isinstance(source, (CompiledNetwork, Bundle)):
        return True
    return isinstance(source, (str, os.PathLike)) and arguments.path(source, "source", "name a file or folder").is_dir()


def _write_nir(
    source: Any, found: Bundle | None, place: Path, net: str | Path | None, stage: str, dt: float | None, lossy: bool,
    load_options: dict[str, Any],
) -> Export:  # fmt: skip
    from tern2lava.export.nir import DEFAULT_DT, write_nir

    if found is not None:
        if load_options or net is not None:
            name = next(iter(load_options), "net")
            raise InputError(name, "is for files and modules that are still to be read; leave it out")
        graph = found.executable.imported if stage == "imported" else found.executable.real
    else:
        if stage == "real":
            raise InputError("stage", "real is of a compiled network; compile the file first")
        if dt is not None and not isinstance(source, Graph):
            load_options = {**load_options, "dt": dt}
        graph = load(source, net, **load_options)
    notes: list[str] = []
    write_aside(place, lambda path: notes.extend(write_nir(graph, path, dt=dt or DEFAULT_DT, lossy=lossy)))
    return Export(out=place, files=(place.name,), size=place.stat().st_size, notes=tuple(notes))
