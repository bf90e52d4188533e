"""What was rounded on the way to integers, for the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rich.console import Group, RenderableType

from tern2lava.compiler.certify.rounding import POTENTIAL, Rounding, percent
from tern2lava.counts import count
from tern2lava.report.model import Report, RoundingRow
from tern2lava.report.sheet import Paragraph, Sheet, sheet

# More rows than fit a screen are in report.json.
SHOWN = 12


def rounding_rows(roundings: Iterable[Rounding]) -> list[RoundingRow]:
    """The report's rows, in the same order."""
    rows = [asdict(rounding) | {"neuron": list(rounding.neuron)} for rounding in roundings]
    return [RoundingRow.model_validate({key: row[key] for key in RoundingRow.model_fields}) for row in rows]


def rounding_table(report: Report) -> RenderableType:
    """The worst roundings, one row a population and quantity, and how many quantities are exact."""
    number = report.exact_quantities
    exact = f"{count(number, 'quantity')} {'is' if number == 1 else 'are'} exact."
    if not report.roundings:
        return Group(Paragraph("Rounded to integers", style="bold"), Paragraph(f"Nothing: all {exact}"), "")
    table = rounding_rows_table(report.roundings[:SHOWN], "Rounded to integers, worst first")
    lines = [Paragraph(f"{exact} Value and what it became: of the worst neuron, in the source's units.")]
    if any(row.quantity == POTENTIAL for row in report.roundings):
        lines.append(
            Paragraph(
                "Potentials lose less than a last bit in each step where a decay truncates, and move by at most half a "
                "one where it goes to the nearest: what that may add up to within a sample, over the threshold (over "
                "one weight where it is 0)."
            )
        )
    shifts = [row for row in report.roundings if row.shift is not None]
    if len(report.roundings) > SHOWN:
        lines.append(Paragraph(f"{len(report.roundings) - SHOWN:,} more, all smaller, are in report.json (roundings)."))
    if shifts:
        most = max(shifts, key=lambda row: row.shift or 0.0)
        lines.append(
            Paragraph(
                f"Rounded biases shift a potential by at most {percent(most.shift or 0.0)} of its threshold within a "
                f"sample ({most.population})."
            )
        )
    return Group(table, *lines, "")


def rounding_rows_table(rows: Sequence[RoundingRow], title: str) -> Sheet:
    """A row for each of these roundings."""
    table = sheet(
        title, ("Population", "Quantity", "Neurons", "Worst", "Median", "Value", "Became"), left=("Quantity",)
    )
    for row in rows:
        table.add_row(
            row.population, row.quantity, f"{row.inexact:,}", _share(row.worst), _share(row.median), _value(row.real),
            _value(row.became),
        )  # fmt: skip
    return table


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def other_notes(report: Report) -> list[str]:
    """The notes that the table of roundings does not tell already."""
    told = tuple(f"{row.population}: {row.quantity} rounded in " for row in report.roundings)
    return [note for note in report.notes if not note.startswith(told)] if told else report.notes
