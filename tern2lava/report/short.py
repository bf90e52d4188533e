"""What the short report shows: one table of cores, one of memory, the worst roundings, and what else there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import RenderableType

from tern2lava.counts import count
from tern2lava.report.account import held_line, size_text
from tern2lava.report.model import CoreRow, LayerMemory, MemoryTotal, Report
from tern2lava.report.rounding import other_notes, rounding_rows_table
from tern2lava.report.sheet import NOTHING, Paragraph, sheet, text_column

WORST = 3
"""Roundings that are shown, the worst first."""
NOTES = 3
"""Approximations and assumptions that are shown, the first."""
ROWS = 12
"""Rows of a table that fit a screen beside what stands above and below; more are counted."""
NAMES = 3
"""Populations of a core that are named."""
RESOURCES = (
    ("Neurons", "neurons"), ("Synapse memory", "synapse_bits"), ("Input axons", "in_axons"),
    ("Output axons", "out_axons"),
)  # fmt: skip
Item = TypeVar("Item")


def short_cores(report: Report) -> list[RenderableType]:
    """A row for all cores that hold the same populations: how full the fullest of them is; `*` marks the resource that
    is nearest to its limit."""
    cores: dict[str, list[CoreRow]] = {}
    for core in report.cores:
        cores.setdefault(_named(core.populations), []).append(core)
    table = sheet(
        f"Cores of {report.target}: {len(report.cores):,} on {count(report.chips, 'chip')}, at least "
        f"{report.cores_lower_bound:,} needed; % of the fullest core",
        (text_column("Populations"), "Cores", *(heading for heading, _ in RESOURCES)),
    )
    shown = _largest(list(cores.items()), [len(group) for group in cores.values()])
    for name, group in shown:
        table.add_row(name, f"{len(group):,}", *_fullest(group))
    if len(shown) < len(cores):
        table.add_row(f"{len(cores) - len(shown):,} more rows", "", "", "", "", "")
    if len(cores) > 1:
        table.add_section()
        table.add_row("All", f"{len(report.cores):,}", *_fullest(report.cores), style="bold")
    table.caption = "* nearest to what a core holds"
    return [table]


def _named(populations: Sequence[str]) -> str:
    more = len(populations) - NAMES
    return " + ".join([*populations[:NAMES], *([f"{more} more"] if more > 0 else [])])


def _fullest(cores: Iterable[CoreRow]) -> list[str]:
    pairs = [[getattr(core, key) for core in cores] for _, key in RESOURCES]
    shares = [max((used / most for used, most in each if most), default=0.0) for each in pairs]
    most = max(shares)
    return [f"{'*' if share == most and share else ''}{100 * share:.1f}" for share in shares]


def _largest(rows: list[Item], sizes: Sequence[float]) -> list[Item]:
    """The rows of the largest sizes, in their order, as many as are shown."""
    if len(rows) <= ROWS:
        return rows
    kept = sorted(range(len(rows)), key=lambda at: -sizes[at])[: ROWS - 1]
    return [rows[at] for at in sorted(kept)]


def short_memory(report: Report) -> list[RenderableType]:
    """What the cores store of each layer, and how many times that it would be in plain formats with as many copies."""
    table = sheet(
        "Synaptic memory, overheads and copies included",
        ("Layer", "Weights", "Zeros", "Copies", "Stored", "Bits per weight", "Against int8", "Against fp32"),
    )
    table.caption = "Against: plain weights with as many copies over what is stored."
    layers = report.memory.layers
    shown = _largest(layers, [layer.stored_bits for layer in layers])
    for layer in shown:
        zeros = NOTHING if layer.zeros is None else f"{100 * layer.zeros:.1f} %"
        table.add_row(layer.projection, f"{layer.weights:,}", zeros, f"{layer.copies:.1f}", *_stored(layer))
    if len(shown) < len(layers):
        table.add_row(f"{len(layers) - len(shown):,} more rows", *[""] * 7)
    total = report.memory.total
    table.add_section()
    table.add_row("Total", f"{total.weights:,}", "", "", *_stored(total), style="bold")
    return [table, Paragraph(held_line(total)), ""]


def _stored(row: LayerMemory | MemoryTotal) -> list[str]:
    per_weight = f"{row.stored_bits / row.weights:.2f}" if row.weights else NOTHING
    ratios = (NOTHING if ratio is None else f"{ratio:,.1f}x" for ratio in (row.ratio_int8, row.ratio_fp32))
    return [size_text(row.stored_bits), per_weight, *ratios]


def short_certificate(report: Report) -> list[RenderableType]:
    """How many populations have which verdict, in one line."""
    rows = report.certificate
    if not rows:
        return []
    found = ", ".join(f"{number:,} {name}" for name, number in Counter(row.verdict for row in rows).items())
    safe = sum(row.no_overflow for row in rows)
    overflow = "no accumulator can overflow" if safe == len(rows) else f"{len(rows) - safe:,} may overflow"
    inputs = "inputs within observed ranges" if any(row.observed for row in rows) else "any input"
    text = f"Certificate over {count(rows[0].steps, 'step')}, {inputs}: {found} of {count(len(rows), 'population')}; "
    return [Paragraph(text + overflow), ""]


def short_roundings(report: Report) -> list[RenderableType]:
    """The worst roundings."""
    if not report.roundings:
        return [Paragraph("Rounded to integers: nothing"), ""]
    shown = report.roundings[:WORST]
    return [rounding_rows_table(shown, f"Rounded most, {len(shown)} worst of {len(report.roundings):,}")]


def short_notes(report: Report) -> list[RenderableType]:
    """The first notes on what was approximated or assumed of the network."""
    notes = [Paragraph(f"- {note}") for note in other_notes(report)[:NOTES]]
    return [Paragraph("Notes", style="bold"), *notes, ""] if notes else []


def left_line(report: Report) -> str:
    """What the short report leaves out."""
    notes = len(other_notes(report)) - NOTES
    found = [
        count(notes, "note") if notes > 0 else "",
        "each population's certificate and integers",
        "mapping and traffic",
        "weights in other formats",
        "what the verdicts rest on" if report.verification is not None else "",
    ]
    return f"Not shown: {', '.join(filter(None, found))}."
