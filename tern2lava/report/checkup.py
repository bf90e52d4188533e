"""A checkup of the environment as a terminal table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rich.console import Group, RenderableType

from tern2lava.counts import count
from tern2lava.report.sheet import Cell, Paragraph, sheet, text_column

_STYLES = {"ok": "green", "missing": "yellow", "broken": "bold red", "untried": "yellow"}


class Found(Protocol):
    """A line of a checkup (api.doctor.Finding)."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def found(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def add(self) -> str: ...


def checkup_table(findings: Sequence[Found], *, ok: bool) -> RenderableType:
    """What is there; then, of what is not, what it is for and the line that adds it."""
    table = sheet(None, ("Part", text_column("State"), text_column("Found")))
    for one in findings:
        table.add_row(one.name, Cell(one.state, _STYLES[one.state]), one.found)
    lines: list[RenderableType] = [table]
    for one in findings:
        if one.state != "ok" and (one.purpose or one.add):
            lines.append(Paragraph(f" ({one.state}): {one.purpose}", name=one.name))
            lines += [Paragraph(f"  {one.add}")] if one.add else []
    absent = sum(one.state == "missing" for one in findings)
    end = "Everything that `tern2lava demo` needs is there" if ok else "`tern2lava demo` lacks what it needs, see above"
    tail = f"; {count(absent, 'optional part')} missing." if ok and absent else "."
    return Group(*lines, Paragraph(end + tail, style="bold" if ok else "bold red"))
