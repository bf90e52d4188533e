"""How every table of the terminal looks: few lines, so that the usual ones are read in 80 columns."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table


def sheet(title: str | None, columns: Iterable[str], left: Iterable[str] = ()) -> Table:
    """An empty table with these headings; the first column and those of `left` hold text, the others numbers."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    words = set(left)
    for at, heading in enumerate(columns):
        side: JustifyMethod = "left" if at == 0 or heading in words else "right"
        table.add_column(heading, justify=side, overflow="fold", min_width=max(map(len, heading.split())))
    return table
