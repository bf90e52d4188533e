"""One door for every source (sources.py): a file, a live module, or a Graph as it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tern2lava import arguments
from tern2lava.compiler.ir.graph import Graph
from tern2lava.effort import NORMAL, Effort, effort_of
from tern2lava.errors import InputError
from tern2lava.frontends.load_options import checked_options
from tern2lava.frontends.sources import read_source

if TYPE_CHECKING:
    import torch

    from tern2lava.frontends.modules.known_modules import Loaded


def load(
    source: str | Path | torch.nn.Module | Graph, net: str | Path | None = None, *,
    effort: Effort | str = NORMAL, **options: Any,
) -> Graph:  # fmt: skip
    """The Graph (IMPORTED) of `source`: a NIR or lava-dl file, a checkpoint wired by a net.yaml, a live module, or what
    a plugin reads.

    `options` are those of load_module (input_shape, steps, readout, levels, call), for NIR and lava-dl files dt
    and assume (see nir.read and lavadl.read). effort: how far spikes of silent layers are searched.
    A Graph comes back as it is. Raises InputError or UnsupportedError naming what was found and what is accepted.
    """
    found = load_with_run(source, net, effort=effort, **options)
    return found if isinstance(found, Graph) else found.graph


def load_with_run(
    source: str | Path | torch.nn.Module | Graph, net: str | Path | None = None, *,
    effort: Effort | str = NORMAL, **options: Any,
) -> Graph | Loaded:  # fmt: skip
    """As `load`; a live module comes with what is known of its own way to run."""
    wanted, options = effort_of(effort), checked_options(options)
    if isinstance(source, Graph):
        given = [*options, *(["net"] if net is not None else [])]
        if given:
            raise InputError(given[0], "requires a file or a module; found a Graph, which says it itself; leave it out")
        return source
    if net is not None:
        net = arguments.path(net, "net", "name the net.yaml")
    if isinstance(source, (str, os.PathLike)):
        source = arguments.path(source, "source", "name the checkpoint")
    return read_source(source, {"net": net, **options}, wanted)
