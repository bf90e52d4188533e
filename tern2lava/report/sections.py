"""The sections of a report on the terminal, each an entry of SECTIONS, in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import RenderableType

from tern2lava.registry import Registry
from tern2lava.report.model import Report


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section. what: one line of docs. keys: the keys of report.json that it shows. render(report): its parts;
    none where the report has nothing for it. short(report): what the short report shows of it; None: nothing."""

    name: str
    what: str
    keys: tuple[str, ...]
    render: Callable[[Report], Sequence[RenderableType]]
    short: Callable[[Report], Sequence[RenderableType]] | None = None


SECTIONS: Registry[Section] = Registry("report section")
# Keys that are in report.json alone.
NOT_SHOWN = ("schema_version", "described", "steps", "effort")
