"""Two reports side by side, as terminal text."""

from __future__ import annotations

from itertools import groupby

from rich.console import Group, RenderableType

from tern2lava.counts import count
from tern2lava.report.account import size_text
from tern2lava.report.compare import Comparison, Difference, Value
from tern2lava.report.sheet import NOTHING, Paragraph, plain, sheet, text_column
from tern2lava.report.verdicts import percent

SHOWN = 12
"""Rows of a group that are shown; more are counted."""
_ACCURACIES = ("accuracy_integer", "accuracy_float")
"""Shares whose change is a difference in percentage points: 2 % more of 97 % would be read as 99 %, and is 98.9 %."""
_SHARES = ("eps_relative", "worst", *_ACCURACIES)


def comparison_text(found: Comparison, *, full: bool = False) -> RenderableType:
    """What the two reports are of, then a table of what differs. full: all rows of each group."""
    lines: list[RenderableType] = [Paragraph(f"a: {found.a}", style="bold"), Paragraph(f"b: {found.b}", style="bold")]
    others = [
        words
        for same, words in (
            (found.same_source, "sources"), (found.same_target, "targets"), (found.same_network, "networks"),
        )
        if not same
    ]  # fmt: skip
    if others:
        named = " and ".join(filter(None, (", ".join(others[:-1]), others[-1])))
        lines.append(Paragraph(f"These are of different {named}.", style="yellow"))
    if not found.differences:
        return Group(*lines, Paragraph(f"Nothing differs: {count(found.equal, 'value')} are equal.", style="green"))
    table = sheet(
        f"{count(len(found.differences), 'value')} {'differs' if len(found.differences) == 1 else 'differ'}, "
        f"{found.equal:,} are equal",
        (text_column("Of"), text_column("Value"), "a", "b", "Change"),
    )
    for at, (about, group) in enumerate(groupby(found.differences, key=lambda row: row.about)):
        rows = list(group)
        if at:
            table.add_section()
        shown = rows if full or len(rows) <= SHOWN else _furthest(rows)
        for row in shown:
            table.add_row(
                _name(row),
                row.key.replace("_", " ") or about,
                _text(row.key, row.a),
                _text(row.key, row.b),
                _change(row),
            )
        if len(shown) < len(rows):
            table.add_row(f"{len(rows) - len(shown):,} more (--full)", about, "", "", "")
    return Group(*lines, "", table)


def _furthest(rows: list[Difference]) -> list[Difference]:
    """The rows that changed most, in their order; what is no number comes first."""
    far = sorted(range(len(rows)), key=lambda at: -_distance(rows[at]))[: SHOWN - 1]
    return [rows[at] for at in sorted(far)]


def _distance(row: Difference) -> float:
    return float("inf") if row.change is None else abs(row.change)


def _name(row: Difference) -> str:
    return f"layer {row.what}" if row.about == "layer" else row.what


def _text(key: str, value: Value) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if key.endswith("_bits") and key != "code_bits":
        return size_text(value)
    if key in _SHARES:
        return percent(value)
    return f"{value:,}" if isinstance(value, int) else plain(value, 4)


def _change(row: Difference) -> str:
    if row.change is None:
        return ""
    if row.key in _ACCURACIES and isinstance(row.a, float) and isinstance(row.b, float):
        return f"{100 * (row.b - row.a):+.3g} points"
    if row.change >= 1:
        return f"{row.change + 1:,.1f}x"
    return f"{100 * row.change:+,.1f} %" if abs(row.change) >= 0.0005 else f"{100 * row.change:+.0e} %"
