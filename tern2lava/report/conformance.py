"""How far recorded traces are those of another run, as a table and as a document for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tern2lava.counts import count
from tern2lava.report.sheet import NOTHING, Sheet, sheet, text_column
from tern2lava.sim.verify.conform import Agreement, Conformance


def conformance_table(found: Conformance) -> Sheet:
    """One row for each population: spikes of the run compared with and recorded ones, those that differ and the first
    (sample, step, neuron), the largest distance of potentials, differences by rounding and beyond it."""
    table = sheet(
        f"Recorded traces and {found.against}, {count(found.samples, 'sample')} of {count(found.steps, 'step')}",
        (
            "Population", "Spikes", "Recorded", "Differing", text_column("First"), "Potentials", "Rounding", "Beyond",
        ),
    )  # fmt: skip
    for row in found.populations:
        table.add_row(
            row.population, _whole(row.expected), _whole(row.found), f"{row.differing:,}",
            _place(row), NOTHING if row.potential is None else f"{row.potential:.3g}", _whole(row.rounding),
            _whole(row.misread),
        )  # fmt: skip
    table.caption = verdict(found)
    return table


def verdict(found: Conformance) -> str:
    """The outcome in a sentence."""
    said = ["equal" if found.equal else "spikes differ by rounding alone" if found.conforms else "spikes differ"]
    if found.equal and not found.conforms:
        more = f", of {', '.join(found.far)}" if found.far else " (--tolerance allows some distance)"
        said = [f"spikes are equal, potentials differ{more}"]
    if found.ignored:
        said.append(f"not compared: {', '.join(found.ignored)}")
    return "; ".join(said)


def conformance_document(found: Conformance) -> dict[str, Any]:
    """For machines (docs/nir.md)."""
    return {
        "conforms": found.conforms, "equal": found.equal, "against": found.against, "samples": found.samples,
        "steps": found.steps, "tolerance": found.tolerance, "not_compared": list(found.ignored),
        "populations": [asdict(row) for row in found.populations],
    }  # fmt: skip


def _whole(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def _place(row: Agreement) -> str:
    if row.first is None:
        return NOTHING
    return "{}, {}, {}".format(*row.first)
