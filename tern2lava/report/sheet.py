"""How every table of the terminal looks: few lines, so that the usual ones are read in 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

NOTHING = "-"
"""What a cell shows where there is no number: a ratio to nothing, a mean over nothing."""
_ANY_WIDTH = 1 << 16


class Sheet(Table):
    """A table that fits its console: columns are narrowed down to their longest word, the widest first; only where
    that is not enough are words broken, those of text before numbers. Cells are shown as they are, never as markup."""

    def add_row(  # type: ignore[override]
        self, *cells: RenderableType | None, style: str | None = None, end_section: bool = False
    ) -> None:
        shown = (Text(cell) if isinstance(cell, str) else cell for cell in cells)
        super().add_row(*shown, style=style, end_section=end_section)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self._fit(console, options)
        yield from super().__rich_console__(console, options)

    def _fit(self, console: Console, options: ConsoleOptions) -> None:
        texts = [[str(column.header), *map(str, column.cells)] for column in self.columns]
        natural = [max(map(cell_len, column), default=0) for column in texts]
        for column in self.columns:
            column.width = None
        whole = Measurement.get(console, options.update(max_width=_ANY_WIDTH), self).maximum
        room = options.max_width - (whole - sum(natural))
        if sum(natural) <= room:
            return
        words = [max((cell_len(word) for text in column for word in text.split()), default=0) for column in texts]
        text_words = [1 if c.justify == "left" else least for c, least in zip(self.columns, words, strict=True)]
        widths = natural
        for least in (words, text_words, [1] * len(words)):
            widths = _narrowed(widths, least, room)
        for column, width in zip(self.columns, widths, strict=True):
            column.width = width


def _narrowed(widths: list[int], least: list[int], room: int) -> list[int]:
    """`widths` made smaller until they take `room`, always the widest, none below its least."""
    result = list(widths)
    while sum(result) > room:
        at = max(range(len(result)), key=lambda i: result[i] if result[i] > least[i] else 0)
        if result[at] <= least[at]:
            break
        result[at] -= 1
    return result


def sheet(title: str | None, columns: Iterable[str], left: Iterable[str] = ()) -> Sheet:
    """An empty table with these headings; the first column and those of `left` hold text, the others numbers."""
    table = Sheet(
        title=None if title is None else Text(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    words = set(left)
    for at, heading in enumerate(columns):
        side: JustifyMethod = "left" if at == 0 or heading in words else "right"
        table.add_column(heading, justify=side, overflow="fold")
    return table


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
