"""A verification as terminal text: the five verdicts first, then the tables they rest on."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from tern2lava.counts import count
from tern2lava.report.coverage import coverage_lines, coverage_table, named, threshold_table
from tern2lava.report.lava_network import mapped_tables
from tern2lava.report.model import Arithmetic, ExecutionRow, ReadingBlock, VerdictRow, Verification
from tern2lava.report.ranges import departure
from tern2lava.report.sheet import Labelled, Paragraph, Sheet, plain, sheet, text_column
from tern2lava.report.verdicts import percent


def verdict_lines(verification: Verification) -> Labelled:
    """The verdicts, each with its name before it, and below the names of populations that died or never spiked,
    and what those did that left their ranges."""
    lines = Labelled(10)
    for row in verification.verdicts:
        style = _style(row)
        lines.add(row.name.capitalize(), row.sentence, style)
        if row.name == "execution":
            for words, style in coverage_lines(verification):
                lines.add("", words, style)
        if row.name == "arithmetic":
            for words, style in _silence(verification.arithmetic):
                lines.add("", words, style)
        if row.name == "ranges":
            for away in verification.ranges:
                if not away.stayed:
                    lines.add("", departure(away), style)
    return lines


def _style(row: VerdictRow) -> str:
    """Green for what holds, red for what was required and does not, yellow for what differs or is not known."""
    if row.met is False:
        return "bold red"
    if row.status == "equal":
        return "bold green"
    return "green" if row.status == "within" else "yellow"


def _silence(arithmetic: Arithmetic) -> list[tuple[str, str]]:
    """Which populations died, and which never spiked in either."""
    found = []
    if arithmetic.died:
        found.append((f"died (spikes in the float model, none in integers): {named(arithmetic.died)}", "bold red"))
    if arithmetic.silent:
        found.append(
            (f"never spiked in either, nothing is known of their spikes: {named(arithmetic.silent)}", "yellow")
        )
    return found


def verdict_summary(verification: Verification) -> Group:
    """The verdicts, and the accuracy where there were labels."""
    lines: list[RenderableType] = [verdict_lines(verification)]
    if verification.accuracy_integer is not None and verification.accuracy_float is not None:
        lines.append(
            Paragraph(
                f"Accuracy: compiled {100 * verification.accuracy_integer:.2f} %, float model "
                f"{100 * verification.accuracy_float:.2f} % on the same {count(verification.samples, 'sample')}"
            )
        )
    if verification.equal and verification.engine_samples:
        lines.append(Paragraph(_engine_line(verification)))
    if verification.spike_exact:
        lines.append(Paragraph("Proven on this data: integers and real dynamics spike alike in every neuron and step."))
    return Group(*lines)


def verification_table(verification: Verification) -> RenderableType:
    """The verdicts and what they rest on."""
    lines: list[RenderableType] = [verdict_summary(verification)]
    if verification.executions:
        lines += [_execution_table(verification.executions), arithmetic_table(verification.arithmetic)]
    if verification.coverage is not None:
        lines.append(coverage_table(verification.coverage, "Coverage of the data"))
    cover = verification.cover
    if cover is not None:
        lines.append(_execution_table(cover.executions, "Executions of the cover stimulus, held against I"))
        lines += [coverage_table(cover.coverage, "Coverage of the cover stimulus"), threshold_table(cover)]
    if verification.reading is not None and verification.reading.populations:
        lines.append(reading_table(verification.reading))
    if verification.band:
        lines.append(_band_table(verification))
    if verification.processes:
        used = sheet("Lava processes of L1", ("Node", text_column("Process"), text_column("Why", 1)))
        for process in verification.processes:
            used.add_row(process.node, process.process, process.reason)
        lines.append(used)
    if verification.mapped is not None:
        lines += mapped_tables(verification.mapped)
    return Group(*lines)


def arithmetic_table(arithmetic: Arithmetic) -> Sheet:
    """Spikes of every population in integers beside those of the float model."""
    table = sheet(
        "Integers against the float model, spikes and spikes per neuron and step",
        ("Population", "Float", "Integer", "Missing", "Extra", "Differ", "Rate float", "Rate integer"),
    )
    for row in arithmetic.populations:
        table.add_row(
            row.population, f"{row.float_spikes:,}", f"{row.integer_spikes:,}", f"{row.missing:,}", f"{row.extra:,}",
            percent(row.share), f"{row.rate_float:.4f}", f"{row.rate_integer:.4f}",
        )  # fmt: skip
    return table


def reading_table(reading: ReadingBlock) -> Sheet:
    """Spikes of every recorded population beside those of the float model that is fed the recording."""
    table = sheet(
        f"Float model against the framework's own run in {reading.dtype}",
        (
            "Population",
            "Recorded",
            "Missing",
            "Extra",
            "Ties",
            "Misread",
            "Potentials compared",
            "Potentials left out",
        ),
    )
    for row in reading.populations:
        table.add_row(
            row.population, f"{row.spikes:,}", f"{row.missing:,}", f"{row.extra:,}", f"{row.ties:,}",
            f"{row.misread:,}", f"{row.potentials:,}", f"{row.left_out:,}",
        )  # fmt: skip
    return table


def _band_table(verification: Verification) -> Sheet:
    """How near potentials came to their thresholds."""
    table = sheet(
        "Potentials within the error bound of their threshold",
        ("Population", "Near threshold", "Of neuron-timesteps", "Closest, in thresholds", "Closest, in error bounds"),
    )
    for row in verification.band:
        bounds = "exact" if row.closest_eps is None else plain(row.closest_eps)
        table.add_row(row.population, f"{row.near:,}", f"{row.neuron_steps:,}", plain(row.closest), bounds)
    return table


def _execution_table(
    executions: Sequence[ExecutionRow], title: str = "Executions, each held against I in every spike and state"
) -> Sheet:
    """How many samples each execution ran and how many of its values were compared with the reference."""
    table = sheet(
        title,
        ("Name", "What", "Samples", "Values compared", "Seconds", "Samples/s"),
        left=("What",),
    )
    for row in executions:
        rate = plain(row.samples / row.seconds if row.seconds else None)
        values = f"{row.values:,}" if row.values else ""
        table.add_row(row.name, row.what, f"{row.samples:,}", values, f"{row.seconds:.2f}", rate)
    return table


def _engine_line(verification: Verification) -> str:
    """How many samples the fast engine ran, and what it found on all of them."""
    line = f"Fast engine (E): ran all {count(verification.engine_samples, 'sample')}"
    if verification.accuracy_engine is not None:
        line += f", accuracy {100 * verification.accuracy_engine:.2f} %"
    for row in verification.engine_fallbacks:
        line += f"; left {row.population} to the integer reference: {row.reason}"
    return line
