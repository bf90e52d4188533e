"""Tables leave their lines to text, then stack their numbers, then turn, and lose nothing at any width."""

from __future__ import annotations

import math

import pytest

from shown import check_shown, shown
from tern2lava.report.sheet import NOTHING, Column, Labelled, Sheet, plain, sheet, text_column

NUMBERS = ["1,234,567", "22,400/360,448", "12.50%", "1,048,576", "99.43%"]
REASON = "a long reason that takes many words and more than one line of the table"


def wide_table(priority: int = 0) -> Sheet:
    table = sheet("A title of [words]", ("Name", *"abcde", text_column("Why", priority)))
    table.add_row("population", *NUMBERS, REASON)
    return table


def test_numbers_stay_whole_while_words_move_to_the_next_line() -> None:
    for width in (80, 100, 160):
        text = shown(wide_table(), width)
        for number in NUMBERS:
            assert number in text, width
    assert len(shown(wide_table(), 100).splitlines()) > len(shown(wide_table(), 160).splitlines())
    check_shown(wide_table())


def test_text_that_may_leave_its_line_stands_below_its_row_after_its_heading() -> None:
    assert shown(wide_table(1), 80) == (
        "A title of [words]\n"
        "Name                a               b       c          d       e\n"
        "────────────────────────────────────────────────────────────────\n"
        "population  1,234,567  22,400/360,448  12.50%  1,048,576  99.43%\n"
        f"  Why: {REASON}\n"
        "\n"
    )
    assert f"\n  Why: {' '.join(REASON.split()[:12])}\n    {' '.join(REASON.split()[12:])}\n" in shown(
        wide_table(1), 65
    )


def test_numbers_that_do_not_fit_side_by_side_are_stacked_and_their_headings_too() -> None:
    assert shown(wide_table(1), 50) == (
        "A title of [words]\n"
        "Name                a               b       c\n"
        "                    d               e\n"
        "─────────────────────────────────────────────\n"
        "population  1,234,567  22,400/360,448  12.50%\n"
        "            1,048,576          99.43%\n"
        "  Why: a long reason that takes many words and\n"
        "    more than one line of the table\n"
        "\n"
    )


def test_the_numbers_of_low_priority_are_those_stacked_below() -> None:
    table = sheet(None, ("Name", Column("a", priority=2), Column("b", priority=1), "c"))
    table.add_row("n", "1" * 20, "2" * 20, "3" * 20)
    lines = shown(table, 50).splitlines()
    assert lines[0].split() == ["Name", "b", "c"]
    assert lines[1].split() == ["a"]
    assert lines[3].split() == ["n", "2" * 20, "3" * 20]
    assert lines[4].split() == ["1" * 20]


def test_a_table_with_no_room_for_its_words_is_turned() -> None:
    table = sheet(None, ("Name", "Number", text_column("Where")))
    table.add_row("first", "1,234", "a/" * 30)
    table.add_row("second", "5", "b/" * 30)
    assert shown(table, 64) == (
        f"Name    first\nNumber  1,234\nWhere   {'a/' * 28}\n        {'a/' * 2}\n\n"
        f"Name    second\nNumber  5\nWhere   {'b/' * 28}\n        {'b/' * 2}\n\n"
    )


def test_an_empty_column_and_an_empty_table_keep_their_headings() -> None:
    table = sheet("Nothing", ("Name", text_column("Why", 1), *(f"a number {i}" for i in range(9))))
    assert all(f"number {i}".split()[-1] in shown(table, 60) for i in range(9))
    assert "Why" in shown(table, 60)
    table.add_row("x" * 40, "", *("1,234,567,890" for _ in range(9)))
    assert "Why" in shown(table, 60)


def test_a_rule_separates_sections_and_lines_end_with_their_text() -> None:
    table = sheet(None, ("Name", "Number"))
    table.add_row("one", "1")
    table.add_section()
    table.add_row("Total", "", style="bold")
    assert shown(table, 80) == "Name   Number\n─────────────\none         1\n─────────────\nTotal\n\n"


def test_cells_and_titles_are_no_markup_and_control_characters_are_written_out() -> None:
    table = sheet("[b]n[/b].pt", ("Name",))
    table.add_row("layer[/x]")
    table.add_row("a\x1b[2Jb\nc\td")
    text = shown(table, 80)
    assert "[b]n[/b].pt" in text
    assert "layer[/x]" in text
    assert "a\\x1b[2Jb c d" in text


def test_labelled_lines_hang_behind_their_label() -> None:
    lines = Labelled(10)
    lines.add("Execution", "some words that take more than one line of forty columns", "green")
    assert shown(lines, 40) == (
        "Execution   some words that take more\n            than one line of forty\n            columns\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NOTHING), (math.inf, NOTHING), (math.nan, NOTHING), (0.0, "0"), (1_234_567.0, "1,230,000"),
        (12.0, "12.0"), (0.5, "0.500"), (0.012345, "0.0123"), (4.1e-5, "4.1e-05"), (-2.5, "-2.50"), (999.9, "1,000"),
    ],
)  # fmt: skip
def test_a_number_has_three_digits_and_no_needless_exponent(value: float | None, text: str) -> None:
    assert plain(value) == text
