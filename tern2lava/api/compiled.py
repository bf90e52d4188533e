"""What compile() returns: the compiled network, which every other function takes as it takes a bundle's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tern2lava import arguments
from tern2lava.bundle import Bundle, in_memory, read_sealed, save_report, tool_version, write_bundle
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.graph import Graph
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.report.build import make_report
from tern2lava.report.model import Report


@dataclass(eq=False, kw_only=True)
class _Kept:
    """What changes of a compiled network: its report, made when it is asked for, and the folder it lies in."""

    report: Report | None = None
    folder: Path | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class CompiledNetwork(Compiled):
    """A network in integers, mapped onto a target; goes into verify, simulate, report and export as it is.

    program: the INTEGER graph that runs; profile: the target. lowered and mapped hold every pass and the mapping.
    recorded: samples of the framework's own run that `verify` holds the float model against, if any.
    """

    recorded: Mapping[str, Array] = field(default_factory=dict)
    _kept: _Kept = field(default_factory=_Kept)

    @property
    def program(self) -> Graph:
        """The INTEGER graph that is mapped and executed."""
        return self.lowered.program

    @property
    def folder(self) -> Path | None:
        """The bundle's folder, None where it was not written."""
        return self._kept.folder

    @property
    def report(self) -> Report:
        """The report: certificates, cores, memory, and the last verification where there was one."""
        if self._kept.report is None:
            self._kept.report = make_report(self, tool_version())
        return self._kept.report

    @property
    def bundle(self) -> Bundle:
        """The network as a bundle in memory, with its report as it stands."""
        return in_memory(self, self.report, self.recorded)

    def save(self, folder: str | Path) -> CompiledNetwork:
        """This network, written as a bundle to `folder`; what is verified from now on is added to its report.json.

        A bundle that is there is replaced. Raises InputError where the folder holds anything else or cannot be written.
        """
        # Absolute: where the working directory changes, the folder stays the one that was written.
        place = arguments.path(folder, "folder", "name the folder that is to be the bundle").absolute()
        fresh = write_bundle(self, place, self.recorded)
        kept = (self._kept.report or fresh).model_copy(update={"bundle": fresh.bundle})
        if kept != fresh:
            save_report(place, kept)
        self._kept.report = kept
        self._kept.folder = place
        return self

    def keep(self, report: Report) -> None:
        """Take `report` in place of the present one, also in the folder while it holds this very network."""
        self._kept.report = report
        folder = self._kept.folder
        if folder is not None and _holds(folder, report.bundle):
            save_report(folder, report)

    def to_frame(self, table: str = "populations") -> Any:
        """A table of its report as a pandas.DataFrame, see Report.to_frame."""
        return self.report.to_frame(table)

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def _holds(folder: Path, digest: str | None) -> bool:
    """Whether the bundle of this digest is in `folder`, every file as it was written."""
    try:
        return read_sealed(folder).digest == digest
    except InputError:
        return False
