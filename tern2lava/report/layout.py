"""How a table is laid out in a given width: which columns stand side by side, which below, and where words wrap.

Four ways, of which the first that fits is taken:

1. every column beside the others, text wrapped between words;
2. text with a priority above 0 on lines of its own under its row, each with its title before it;
3. numbers stacked: two or more columns share a place, titles stacked alike, those of low priority below;
4. turned: a block of `title value` lines for every row.

No column and no letter is left out. A number keeps to one line, and a word is broken only where it is wider than the
whole line (in the last way: than the line without its title).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, chop_cells

GAP = 2
"""Blanks between columns."""
INDENT = 2
"""Blanks before what stands under its row."""
_WORDS = 8
_NAME = 16
_PROSE = 24
_LINES = 3


@dataclass(frozen=True)
class Column:
    """One column. justify: "left" for text, which may wrap between words, "right" for numbers, which may not.
    priority: the higher the number, the sooner the column leaves the first line of its rows; text of 0 stays there."""

    title: str
    justify: Literal["left", "right"] = "right"
    priority: int = 0


@dataclass(frozen=True)
class Cell:
    """The text of a cell and the style that it has beside its row's."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Row:
    """One row. ruled: a line separates it from the row before it."""

    cells: tuple[Cell, ...]
    style: str = ""
    ruled: bool = False


@dataclass(frozen=True)
class Piece:
    """A part of a line, in one style."""

    text: str
    style: str = ""


Line = tuple[Piece, ...]


def wrapped(text: str, width: int, first: int | None = None) -> list[str]:
    """The lines of `text`, at most `width` cells each (the first: `first`), broken between words; a word that is wider
    than `width` is chopped."""
    room = width if first is None else first
    if cell_len(text) <= room:
        return [text]
    lines = [""]
    for word in text.split():
        for part in chop_cells(word, max(1, width)) if cell_len(word) > width else [word]:
            longer = f"{lines[-1]} {part}" if lines[-1] else part
            if cell_len(longer) <= room:
                lines[-1] = longer
            else:
                lines.append(part)
                room = width
    return lines if lines[0] or first is not None else lines[1:]


def lay_out(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[Line]:
    """The lines of a table, headings first, none wider than `width` cells."""
    for grid in _grids(columns, rows):
        widths = _widths(grid, columns, rows, width)
        if widths is not None:
            return [*_headings(grid, columns, widths), *_lines(grid, columns, rows, widths, width)]
    return list(_turned(columns, rows, width))


@dataclass(frozen=True)
class _Grid:
    """Columns by place and line: places[p][l] is the column in place p of line l; below: those under their row."""

    places: tuple[tuple[int, ...], ...]
    below: tuple[int, ...] = ()

    @property
    def depth(self) -> int:
        return max(map(len, self.places))


def _grids(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[_Grid]:
    """The ways to try, the one with the fewest lines first. The first column always leads its row; one that is empty
    stays, since nothing below a row would name it."""
    numbers = [at for at, column in enumerate(columns) if at and column.justify == "right"]
    texts = [at for at, column in enumerate(columns) if at and column.justify == "left"]
    movable = [at for at in texts if columns[at].priority and any(row.cells[at].text for row in rows)]
    leave = sorted(movable, key=lambda at: (-columns[at].priority, -at))
    kept = sorted(numbers, key=lambda at: (columns[at].priority, at))
    for depth in range(1, len(numbers) + 1) if numbers else (1,):
        across = -(-len(numbers) // depth)
        lines = [sorted(kept[at : at + across]) for at in range(0, len(kept), across)] if across else []
        places = (tuple(line[place] for line in lines if place < len(line)) for place in range(across))
        stacks = {stack[0]: stack for stack in places}
        for moved in range(len(leave) + 1):
            below = set(leave[:moved])
            first = sorted([0, *(at for at in texts if at not in below), *stacks])
            yield _Grid(tuple(stacks.get(at, (at,)) for at in first), tuple(sorted(below)))


def _widths(grid: _Grid, columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[int] | None:
    """The width of every place, None where the grid does not fit: the widest are narrowed first, titles and text to
    their longest word and text to no more than a few lines a cell."""
    natural, least = [], []
    for place in grid.places:
        whole = narrow = 0
        for at in place:
            texts = [row.cells[at].text for row in rows]
            cells = max(map(cell_len, texts), default=0)
            title = max(map(cell_len, columns[at].title.split()), default=0)
            whole = max(whole, cells, cell_len(columns[at].title))
            if columns[at].justify == "left":
                word = max((cell_len(word) for text in texts for word in text.split()), default=0)
                easy = _PROSE if columns[at].priority else _WORDS if at else _NAME
                cells = max(word, min(cells, max(easy, -(-cells // _LINES))))
            narrow = max(narrow, cells, title)
        natural.append(whole)
        least.append(narrow)
    room = width - GAP * (len(grid.places) - 1)
    if sum(least) > room:
        return None
    widths = natural
    while sum(widths) > room:
        at = max(range(len(widths)), key=lambda i: widths[i] if widths[i] > least[i] else -1)
        widths[at] -= 1
    return widths


def _headings(grid: _Grid, columns: Sequence[Column], widths: list[int]) -> Iterator[Line]:
    """The titles over their places, in bold at the bottom of their lines, and a rule below them."""
    for depth in range(grid.depth):
        stacked = [
            wrapped(columns[place[depth]].title, wide) if depth < len(place) else [""]
            for place, wide in zip(grid.places, widths, strict=True)
        ]
        high = max(map(len, stacked))
        for at in range(high):
            cells = [lines[at - high + len(lines)] if at >= high - len(lines) else "" for lines in stacked]
            yield _joined([Piece(cell, "bold") for cell in cells], grid, columns, widths)
    yield (Piece("─" * _total(widths)),)


def _lines(
    grid: _Grid, columns: Sequence[Column], rows: Sequence[Row], widths: list[int], width: int
) -> Iterator[Line]:
    for row in rows:
        if row.ruled:
            yield (Piece("─" * _total(widths)),)
        for depth in range(grid.depth):
            cells = [row.cells[place[depth]] if depth < len(place) else Cell("") for place in grid.places]
            stacked = [wrapped(cell.text, wide) for cell, wide in zip(cells, widths, strict=True)]
            for at in range(max(map(len, stacked))):
                pieces = [
                    Piece(lines[at] if at < len(lines) else "", cell.style or row.style)
                    for lines, cell in zip(stacked, cells, strict=True)
                ]
                line = _joined(pieces, grid, columns, widths)
                if line or not depth:
                    yield line
        yield from _under(grid, columns, row, width)


def _total(widths: list[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _joined(pieces: list[Piece], grid: _Grid, columns: Sequence[Column], widths: list[int]) -> Line:
    """The pieces in their places, nothing behind the last that has text."""
    line: list[Piece] = []
    blank = 0
    for piece, place, wide in zip(pieces, grid.places, widths, strict=True):
        pad = wide - cell_len(piece.text)
        right = columns[place[0]].justify == "right"
        if piece.text:
            line += [Piece(" " * (blank + (pad if right else 0))), piece]
            blank = GAP + (0 if right else pad)
        else:
            blank += wide + GAP
    return tuple(piece for piece in line if piece.text)


def _under(grid: _Grid, columns: Sequence[Column], row: Row, width: int) -> Iterator[Line]:
    """The texts below a row, each after its title, side by side where they are short."""
    line: list[Piece] = []
    used = 0
    for at in grid.below:
        cell = row.cells[at]
        if not cell.text:
            continue
        style = cell.style or row.style
        label = f"{columns[at].title}: "
        long = cell_len(label) + cell_len(cell.text)
        if line and used + GAP + long > width:
            yield tuple(line)
            line, used = [], 0
        if INDENT + long > width:
            yield from _hanging(label, cell.text, style, width)
            continue
        before = " " * (GAP if line else INDENT)
        line += [Piece(before), Piece(label, "bold"), Piece(cell.text, style)]
        used += len(before) + long
    if line:
        yield tuple(line)


def _hanging(label: str, text: str, style: str, width: int) -> Iterator[Line]:
    """A text that takes several lines, its title before the first."""
    titles = wrapped(label.rstrip(), width - INDENT)
    yield from ((Piece(" " * INDENT), Piece(title, "bold")) for title in titles[:-1])
    lines = wrapped(text, width - 2 * INDENT, first=width - INDENT - cell_len(titles[-1]) - 1)
    rest = [Piece(f" {lines[0]}", style)] if lines[0] else []
    yield (Piece(" " * INDENT), Piece(titles[-1], "bold"), *rest)
    yield from ((Piece(" " * 2 * INDENT), Piece(each, style)) for each in lines[1:])


def _turned(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Iterator[Line]:
    """A block for every row, a line for every column that has something to say."""
    if not rows:
        yield from ((Piece(line, "bold"),) for line in wrapped(", ".join(c.title for c in columns), width))
    side = min(max((cell_len(column.title) for column in columns), default=0), width // 3)
    for number, row in enumerate(rows):
        if number:
            yield ()
        for column, cell in zip(columns, row.cells, strict=True):
            titles = wrapped(column.title, side)
            values = wrapped(cell.text, max(1, width - side - GAP))
            for at in range(max(len(titles), len(values))):
                title = titles[at] if at < len(titles) else ""
                value = values[at] if at < len(values) else ""
                blank = Piece(" " * (side - cell_len(title) + GAP)) if value else Piece("")
                yield tuple(p for p in (Piece(title, "bold"), blank, Piece(value, cell.style or row.style)) if p.text)
