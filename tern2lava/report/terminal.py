"""A report as terminal tables."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tern2lava.report.account import memory_table, twin_table
from tern2lava.report.mapping import mapping_text
from tern2lava.report.model import CoreRow, Report, Verification
from tern2lava.report.sheet import NOTHING, plain, sheet

RESOURCES = (
    ("Neurons", "neurons"), ("SynBits", "synapse_bits"), ("AxonIn", "in_axons"), ("AxonOut", "out_axons"),
)  # fmt: skip


def render(report: Report) -> RenderableType:
    """Everything: verdict, certificates, cores, memory, notes."""
    parts: list[RenderableType] = []
    if report.verification is not None:
        parts.append(verification_table(report.verification))
    parts += [certificate_table(report), core_table(report), mapping_text(report.mapping), memory_table(report)]
    if report.twins:
        parts.append(twin_table(report))
    if report.notes:
        parts += ["", Text("Notes", style="bold"), *(Text(f"- {note}") for note in report.notes)]
    if report.assumptions:
        keys = ", ".join(assumption.split(" = ")[0].split(": ")[1] for assumption in report.assumptions)
        parts += [
            "",
            Text(f"Assumed, not published (tern2lava profiles {report.target} gives values and reasons): {keys}"),
        ]
    return Group(*parts)


def _relays(report: Report) -> str:
    """How many neurons pass partial sums on, where any do."""
    neurons = sum(row.neurons for row in report.populations if row.relay)
    return f", {neurons:,} relay neurons" if neurons else ""


def core_table(report: Report) -> Table:
    """Used / available / % per resource, one row per group of like cores, with a count column."""
    table = sheet(
        f"Cores of {report.target}: {len(report.cores):,} used on {report.chips:,} chip"
        f"{'s' if report.chips != 1 else ''}, lower bound {report.cores_lower_bound:,}{_relays(report)}",
        ("Population", *(heading for heading, _ in RESOURCES), "Cores"),
    )
    found = ", ".join(f"{bound.name.replace('_', ' ')} {bound.cores:,}" for bound in report.bounds)
    table.caption = f"Cores at least, by {found}; {100 * report.over_bound:.1f} % more are used."
    table.caption_justify = "left"
    for name, group in groupby(report.cores, key=lambda core: " + ".join(core.populations)):
        for rows in _alike(list(group)):
            first = rows[0]
            cells = [_usage(getattr(first, key)) for _, key in RESOURCES]
            table.add_row(name, *cells, str(len(rows)))
    totals = []
    for _, key in RESOURCES:
        used = sum(getattr(core, key)[0] for core in report.cores)
        available = sum(getattr(core, key)[1] for core in report.cores)
        totals.append(_usage((used, available)))
    table.add_section()
    table.add_row("Total", *totals, str(len(report.cores)), style="bold")
    return table


def _alike(cores: list[CoreRow]) -> Iterable[list[CoreRow]]:
    """Neighbouring cores with equal use, together."""

    def key(core: CoreRow) -> tuple[object, ...]:
        return (core.neurons, core.synapse_bits, core.in_axons, core.out_axons)

    return (list(group) for _, group in groupby(cores, key=key))


def _usage(pair: tuple[int, int]) -> str:
    used, available = pair
    share = f"{100 * used / available:.2f}%" if available else NOTHING
    return f"{used:,}/{available:,} {share:>7}"


def _relative(eps: float) -> str:
    """An error as a share of its threshold; one of a thousand thresholds or more is only said to be that."""
    if not eps < 1000:
        return "over 1,000"
    return f"{eps:.1e}" if 0 < eps < 1 else plain(eps, 2)


def certificate_table(report: Report) -> Table:
    """What is proven of each population."""
    horizon = report.certificate[0].steps if report.certificate else 0
    table = sheet(
        f"Certificate over {horizon:,} steps, for any input",
        ("Population", "Shape", "Lag", "Verdict", "eps/threshold", "Overflow", "Why"),
        left=("Shape", "Verdict", "Overflow", "Why"),
    )
    rows = {row.name: row for row in report.populations}
    for item in report.certificate:
        row = rows[item.population]
        overflow = "never" if item.safe_steps is None else f"not within {item.safe_steps:,} steps"
        eps = "no bound" if item.eps_relative is None else _relative(item.eps_relative)
        table.add_row(
            item.population, "x".join(map(str, row.shape)), str(row.lag), item.verdict, eps,
            overflow if item.no_overflow else item.first_overflow, item.reason,
        )  # fmt: skip
    return table


def verification_table(verification: Verification) -> RenderableType:
    """The verdict and what it rests on."""
    chain = " == ".join(verification.chain)
    lines: list[RenderableType] = []
    if verification.equal:
        lines.append(
            Text(
                f"VERIFIED {chain}: {verification.compared_values:,} spikes and states equal, "
                f"{verification.samples:,} samples x {verification.steps} steps",
                style="bold green",
            )
        )
    else:
        lines.append(Text(f"DIFFERS {verification.first_difference}", style="bold red"))
    if verification.accuracy_integer is not None and verification.accuracy_float is not None:
        lines.append(
            Text(
                f"Accuracy: compiled {100 * verification.accuracy_integer:.2f} %, float model "
                f"{100 * verification.accuracy_float:.2f} % on the same {verification.samples:,} samples"
            )
        )
    if verification.equal and verification.engine_samples:
        lines.append(Text(_engine_line(verification)))
    lines.append(_execution_table(verification))
    table = sheet(
        "Against the float model on this data",
        ("Population", "Spikes", "Spikes that differ", "Near threshold", "of neuron-steps", "Closest"),
    )
    for row in verification.band:
        table.add_row(
            row.population, f"{row.spikes:,}", f"{row.float_differences:,}", f"{row.near:,}", f"{row.neuron_steps:,}",
            plain(row.closest),
        )  # fmt: skip
    lines.append(table)
    if verification.spike_exact:
        lines.append(Text("Proven on this data: integers and real dynamics spike alike in every neuron and step."))
    if verification.processes:
        used = sheet("Lava processes of L1", ("Node", "Process", "Why"), left=("Process", "Why"))
        for process in verification.processes:
            used.add_row(process.node, process.process, process.reason)
        lines.append(used)
    return Group(*lines)


def print_report(report: Report, console: Console) -> None:
    """Print the whole report."""
    console.print(render(report))


def _execution_table(verification: Verification) -> Table:
    """How many samples each execution ran and how many of its values were compared with the reference."""
    table = sheet(
        "Executions, each held against I in every spike and state",
        ("Name", "What", "Samples", "Values", "Seconds", "Samples/s"),
        left=("What",),
    )
    for row in verification.executions:
        rate = plain(row.samples / row.seconds if row.seconds else None)
        values = f"{row.values:,}" if row.values else ""
        table.add_row(row.name, row.what, f"{row.samples:,}", values, f"{row.seconds:.2f}", rate)
    return table


def _engine_line(verification: Verification) -> str:
    """How many samples the fast engine ran, and what it found on all of them."""
    line = f"Fast engine (E): ran all {verification.engine_samples:,} samples"
    if verification.accuracy_engine is not None:
        line += f", accuracy {100 * verification.accuracy_engine:.2f} %"
    for row in verification.engine_fallbacks:
        line += f"; left {row.population} to the integer reference: {row.reason}"
    return line
