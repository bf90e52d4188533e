"""How every table of the terminal looks: one description, laid out for the width at hand (see layout.py)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from tern2lava.report.layout import Cell, Column, Line, Row, lay_out, wrapped

__all__ = ["NOTHING", "Cell", "Column", "Heading", "Labelled", "Paragraph", "Sheet", "plain", "sheet", "text_column"]

NOTHING = "-"
"""What a cell shows where there is no number: a ratio to nothing, a mean over nothing."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Sheet:
    """A table with a title above and a caption below. Cells are shown as they are, never as markup."""

    def __init__(self, title: str | None, columns: Sequence[Column], caption: str = "") -> None:
        self.title = title
        self.columns = tuple(columns)
        self.caption = caption
        self.rows: list[Row] = []
        self._ruled = False

    def add_row(self, *cells: str | Cell, style: str = "") -> None:
        """Adds a row; every column has a cell, and a Cell keeps its style."""
        assert len(cells) == len(self.columns), f"{len(cells)} cells for {len(self.columns)} columns"
        made = (Cell(_visible(c)) if isinstance(c, str) else Cell(_visible(c.text), c.style) for c in cells)
        self.rows.append(Row(tuple(made), style, self._ruled))
        self._ruled = False

    def add_section(self) -> None:
        """Separates the next row by a rule."""
        self._ruled = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        if self.title is not None:
            yield from (_text(line, "bold") for line in wrapped(_visible(self.title), width))
        yield from (_assembled(line) for line in lay_out(self.columns, self.rows, width))
        if self.caption:
            yield from (_text(line, "dim italic") for line in wrapped(_visible(self.caption), width))
        yield Text()


class Labelled:
    """Lines of text, each after a label of at least `side` cells; where a text wraps, below itself."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.lines: list[tuple[str, str, str]] = []

    def add(self, label: str, text: str, style: str) -> None:
        self.lines.append((_visible(label), _visible(text), style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        side = max([self.side, *(len(label) for label, _, _ in self.lines)]) + 2
        for label, text, style in self.lines:
            for number, line in enumerate(wrapped(text, max(1, options.max_width - side))):
                yield _text(f"{'' if number else label:{side}}{line}".rstrip(), style)


class Paragraph:
    """Text that wraps between words, after a `name` in bold if one is given."""

    def __init__(self, text: str, style: str = "", name: str = "") -> None:
        self.text = _visible(name) + _visible(text)
        self.style = style
        self.name = _visible(name)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, line in enumerate(wrapped(self.text, options.max_width)):
            text = _text(line, self.style)
            if not number:
                text.stylize("bold", 0, len(self.name))
            yield text


class Heading(Paragraph):
    """The name of a part that has several tables, in bold above a line."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "bold")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from super().__rich_console__(console, options)
        yield _text("━" * options.max_width, "bold")


def sheet(title: str | None, columns: Iterable[str | Column], left: Iterable[str] = ()) -> Sheet:
    """An empty table of these columns. A mere heading makes a column of text, where it is the first or one of `left`,
    or else of numbers."""
    words = set(left)
    made = [
        each
        if isinstance(each, Column)
        else Column(title=each, justify="left" if at == 0 or each in words else "right")
        for at, each in enumerate(columns)
    ]
    return Sheet(title, made)


def text_column(title: str, priority: int = 0) -> Column:
    """A column of text; the higher its priority's number, the sooner it goes below its row."""
    return Column(title=title, justify="left", priority=priority)


def _visible(text: str) -> str:
    """`text` on one line, control characters (in the names of a file, say) written out."""
    spaced = " ".join(text.splitlines()).replace("\t", " ")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", spaced)


def _text(line: str, style: str) -> Text:
    return Text(line, style=style, no_wrap=True, overflow="ignore")


def _assembled(line: Line) -> Text:
    return Text.assemble(*((piece.text, piece.style) for piece in line), no_wrap=True, overflow="ignore")


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
