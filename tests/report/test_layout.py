"""A table of any words and numbers shows each of them whole, within any width."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tern2lava.report.layout import Cell, Column, Row, lay_out, wrapped

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGH_.-/äß神"
WORDS = st.text(LETTERS, min_size=1, max_size=18)
LONG = st.text(LETTERS, min_size=60, max_size=250)
TEXTS = st.one_of(
    st.just(""), WORDS, st.lists(WORDS, min_size=2, max_size=25).map(" ".join),
    st.lists(st.one_of(WORDS, LONG), min_size=1, max_size=4).map(" ".join),
)  # fmt: skip
NUMBERS = st.one_of(
    st.just(""), st.integers(-(10**12), 10**12).map("{:,}".format),
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)).map(lambda pair: f"{pair[0]:,}/{pair[1]:,}  12.50%"),
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Column], list[Row]]:
    """Columns of text and of numbers in any order, the first of text, with rows of them."""
    kinds = ["left", *draw(st.lists(st.sampled_from(["left", "right"]), max_size=11))]
    columns = [
        Column(draw(st.lists(WORDS, min_size=1, max_size=4).map(" ".join)), kind, draw(st.integers(0, 3)))  # type: ignore[arg-type]
        for kind in kinds
    ]
    rows = [
        Row(
            tuple(Cell(draw(TEXTS if kind == "left" else NUMBERS)) for kind in kinds),
            ruled=number > 0 and draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 4)))
    ]
    return columns, rows


@settings(deadline=None, max_examples=150)
@given(tables(), st.integers(60, 220))
def test_no_letter_is_lost_no_number_broken_and_no_line_too_wide(
    table: tuple[list[Column], list[Row]], width: int
) -> None:
    columns, rows = table
    lines = ["".join(piece.text for piece in line) for line in lay_out(columns, rows, width)]
    assert all(cell_len(line) <= width for line in lines), max(lines, key=cell_len)
    assert all(line == line.rstrip() for line in lines)
    cells = [(column, cell.text) for row in rows for column, cell in zip(columns, row.cells, strict=True)]
    for column, text in cells:
        if column.justify == "right":
            assert any(text in line for line in lines), text
    # Words that fit a third of the width (what a turned table may leave a heading) are never broken.
    found = Counter(word.rstrip(":,") for line in lines for word in line.split())
    texts = [*(text for _, text in cells), *(column.title for column in columns)]
    short = Counter(word for text in texts for word in text.split() if cell_len(word) <= width // 3)
    assert not short - found
    # Longer words keep all their letters, in order.
    letters = "".join("".join(lines).split())
    assert not Counter("".join("".join(texts).split())) - Counter(letters)


@given(TEXTS, st.integers(2, 90))
def test_wrapping_puts_the_same_letters_on_lines_that_fit(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    if all(cell_len(word) <= width for word in text.split()):
        assert " ".join(lines).split() == text.split()
