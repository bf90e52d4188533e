"""A bundle as the functions take it: a folder, what compile() returned, or one that was read."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TypeAlias

from tern2lava import arguments
from tern2lava.api.compiled import CompiledNetwork
from tern2lava.bundle import Bundle, read_bundle, save_report
from tern2lava.compiler.ir.graph import Graph
from tern2lava.errors import InputError, NotKeptWarning
from tern2lava.frontends.sources import is_module
from tern2lava.report.model import Report
from tern2lava.writing import ReadOnlyError

BundleLike: TypeAlias = str | os.PathLike[str] | CompiledNetwork | Bundle
"""A compiled network: what `compile` returned, or the path of a bundle's folder."""

HINT = "give what tern2lava.compile returned, or the folder that it wrote"


def opened(bundle: object) -> Bundle:
    """The bundle that is meant. Raises InputError for anything else, and for a folder that is none or is damaged."""
    if isinstance(bundle, Bundle):
        return bundle
    if isinstance(bundle, CompiledNetwork):
        return bundle.bundle
    if isinstance(bundle, (str, os.PathLike)):
        return read_bundle(Path(arguments.path(bundle, "bundle", HINT)))
    if isinstance(bundle, Graph) or is_module(bundle):
        what = arguments.found(bundle)
        raise InputError("bundle", f"requires a compiled network; found {what}; compile it: tern2lava.compile(...)")
    raise arguments.refused("bundle", "a compiled network", bundle, HINT)


def keep(bundle: object, found: Bundle, report: Report) -> None:
    """Let `report` be that of the `bundle` that the user gave, which was opened as `found`; a NotKeptWarning where that
    may be read and not be written."""
    try:
        if isinstance(bundle, CompiledNetwork):
            bundle.keep(report)
        elif found.folder is not None:
            save_report(found.folder, report)
    except ReadOnlyError as error:
        text = f"{error.where}: the result is not kept in it, for it may not be written; copy it to keep results"
        warnings.warn(text, NotKeptWarning, stacklevel=3)


def steps_of(bundle: Bundle) -> int:
    """Steps that a bundle was compiled for; 0: the network does not say, nor did who compiled it."""
    asked = bundle.manifest.get("options", {}).get("steps", 0)
    return int(asked or bundle.executable.program.steps)
