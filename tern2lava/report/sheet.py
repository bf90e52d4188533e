"""How every table of the terminal looks: few lines, so that the usual ones are read in 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table


NOTHING = "-"
"""What a cell shows where there is no number: a ratio to nothing, a mean over nothing."""


def plain(value: float | None, digits: int = 3) -> str:
    """`value` with this many significant digits and no exponent, or NOTHING where it is None or not finite; what is
    less than a thousandth (and not 0) keeps its exponent, since only its order matters: 4.1e-05."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -3:
        return f"{value:.{digits - 2}e}"
    rounded = round(value, digits - 1 - magnitude)
    return f"{rounded:,.{max(0, digits - 1 - magnitude)}f}"


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
