"""Tables narrow their columns to the longest word before they break one, and numbers have no needless exponent."""

from __future__ import annotations

import math

import pytest

from shown import check_shown, shown
from tern2lava.report.sheet import NOTHING, plain, sheet

NUMBERS = ["1,234,567", "22,400/360,448", "12.50%", "1,048,576", "99.43%"]


def wide_table() -> object:
    table = sheet("A title of [words]", ("Name", *"abcde", "Why"), left=("Why",))
    table.add_row("population", *NUMBERS, "a long reason that takes many words and more than one line of the table")
    return table


def test_numbers_stay_whole_while_words_can_move_to_the_next_line() -> None:
    for width in (80, 100, 160):
        text = shown(wide_table(), width)
        for number in NUMBERS:
            assert number in text, width
    assert len(shown(wide_table(), 80).splitlines()) > len(shown(wide_table(), 160).splitlines())


def test_text_is_broken_before_numbers_and_nothing_is_lost() -> None:
    text = shown(wide_table(), 66)
    assert "population" not in text
    for number in NUMBERS:
        assert number in text
    check_shown(wide_table())


def test_cells_and_titles_are_no_markup() -> None:
    table = sheet("[b]n[/b].pt", ("Name",))
    table.add_row("layer[/x]")
    assert "[b]n[/b].pt" in shown(table, 80)
    assert "layer[/x]" in shown(table, 80)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NOTHING), (math.inf, NOTHING), (math.nan, NOTHING), (0.0, "0"), (1_234_567.0, "1,230,000"),
        (12.0, "12.0"), (0.5, "0.500"), (0.012345, "0.0123"), (4.1e-5, "4.1e-05"), (-2.5, "-2.50"), (999.9, "1,000"),
    ],
)  # fmt: skip
def test_a_number_has_three_digits_and_no_needless_exponent(value: float | None, text: str) -> None:
    assert plain(value) == text
