"""A report as terminal tables."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.console import Console, Group, RenderableType

from tern2lava.compiler.certify.ties import Ties
from tern2lava.counts import count
from tern2lava.report.account import memory_table, twin_table
from tern2lava.report.energy.text import energy_line, energy_text
from tern2lava.report.headline import assumed_keys, assumed_line, headline
from tern2lava.report.integers import integers_text
from tern2lava.report.mapping import mapping_text
from tern2lava.report.model import CertificateRow, CoreRow, Report
from tern2lava.report.rounding import other_notes, rounding_table
from tern2lava.report.sections import SECTIONS, Section
from tern2lava.report.sheet import NOTHING, Paragraph, Sheet, plain, sheet, text_column
from tern2lava.report.short import left_line, short_certificate, short_cores, short_memory, short_notes, short_roundings
from tern2lava.report.verdict_tables import verdict_summary, verification_table

RESOURCES = (
    ("Neurons", "neurons"), ("Synapse bits", "synapse_bits"), ("Input axons", "in_axons"),
    ("Output axons", "out_axons"),
)  # fmt: skip


def render(report: Report) -> RenderableType:
    """Everything, section by section."""
    return Group(*(part for section in SECTIONS for part in section.render(report)))


def render_short(report: Report) -> RenderableType:
    """What fits a screen: the verdicts, a table of cores and one of memory, the worst roundings; what is left out."""
    parts = [part for section in SECTIONS if section.short is not None for part in section.short(report)]
    return Group(*parts, Paragraph(left_line(report)))


def _bundle(report: Report) -> list[RenderableType]:
    bundle = "" if report.bundle is None else f"bundle {report.bundle[:12]}, "
    return [
        Paragraph(headline(report), style="bold"),
        Paragraph(f"{bundle}compiled by tern2lava {report.version}", style="dim"),
        "",
    ]


def _verification(report: Report) -> list[RenderableType]:
    return [] if report.verification is None else [verification_table(report.verification)]


def _verdicts(report: Report) -> list[RenderableType]:
    if report.verification is None:
        return [Paragraph("Not verified on data yet: tern2lava verify BUNDLE --data FILE", style="yellow"), ""]
    return [verdict_summary(report.verification), ""]


def _energy(report: Report) -> list[RenderableType]:
    return [] if report.energy is None else [energy_line(report.energy, report.mapping.rate), ""]


def _twins(report: Report) -> list[RenderableType]:
    return ["", *_short_twins(report)] if report.twins else []


def _short_twins(report: Report) -> list[RenderableType]:
    return [twin_table(report)] if report.twins else []


def _notes(report: Report) -> list[RenderableType]:
    notes = other_notes(report)
    return ["", Paragraph("Notes", style="bold"), *(Paragraph(f"- {note}") for note in notes)] if notes else []


def _assumptions(report: Report) -> list[RenderableType]:
    if not report.assumptions:
        return []
    return ["", Paragraph(f"{assumed_line(report)} gives values and reasons of {', '.join(assumed_keys(report))}")]


def _assumed(report: Report) -> list[RenderableType]:
    return [Paragraph(assumed_line(report))] if report.assumptions else []


def _relays(report: Report) -> str:
    """How many neurons pass partial sums on, where any do."""
    neurons = sum(row.neurons for row in report.populations if row.relay)
    return f", {count(neurons, 'relay neuron')}" if neurons else ""


def core_table(report: Report) -> Sheet:
    """Used / available / % per resource, one row per group of like cores, with a count column."""
    table = sheet(
        f"Cores of {report.target}: {len(report.cores):,} used on {count(report.chips, 'chip')}, lower bound "
        f"{report.cores_lower_bound:,}{_relays(report)}",
        ("Population", *(heading for heading, _ in RESOURCES), "Cores"),
    )
    found = ", ".join(f"{bound.name.replace('_', ' ')} {bound.cores:,}" for bound in report.bounds)
    table.caption = f"Cores at least, by {found}; {100 * report.over_bound:.1f} % more are used."
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


def certificate_table(report: Report) -> Sheet:
    """What is proven of each population."""
    horizon = report.certificate[0].steps if report.certificate else 0
    observed = any(row.observed for row in report.certificate)
    inputs = "any input (CONDITIONAL: that keeps to observed ranges)" if observed else "any input"
    table = sheet(
        f"Certificate over {count(horizon, 'step')}, for {inputs}",
        (
            "Population", text_column("Shape"), "Lag, steps", text_column("Verdict"), "Error bound in thresholds",
            text_column("Ties", 1), text_column("Overflow"), text_column("Why", 2),
        ),
    )  # fmt: skip
    rows = {row.name: row for row in report.populations}
    if report.slowdown > 1:
        last = 1 + (horizon - 1) * report.slowdown + max(row.lag for row in report.populations)
        table.caption = (
            f"A step takes {report.slowdown} hardware timesteps, a sample of {count(horizon, 'step')} {last:,}; lags "
            "count hardware timesteps."
        )
    for item in report.certificate:
        row = rows[item.population]
        overflow = "never" if item.safe_steps is None else f"not within {count(item.safe_steps, 'step')}"
        eps = _eps(item)
        table.add_row(
            item.population, "x".join(map(str, row.shape)), str(row.lag), item.verdict, eps,
            Ties(**item.ties.model_dump()).text, overflow if item.no_overflow else item.first_overflow or NOTHING,
            item.reason + _SECOND[item.induction],
        )  # fmt: skip
    return table


_SECOND = {None: "", True: "; proven by induction", False: "; by the compiler's certificate alone"}


def _eps(item: CertificateRow) -> str:
    """The bound over the threshold; in weights where that is 0."""
    if item.eps is None:
        return "no bound"
    return f"{_relative(item.eps)} weights" if item.eps_relative is None else _relative(item.eps_relative)


def print_report(report: Report, console: Console, *, full: bool = True) -> None:
    """Print the whole report, or what fits a screen."""
    console.print(render(report) if full else render_short(report))


for _section in (
    Section(
        name="bundle", what="what was compiled for which target, and the first digits of the bundle's digest",
        keys=("bundle", "source", "version"), render=_bundle, short=_bundle,
    ),
    Section(
        name="verification", what="the five verdicts", keys=("verification",), render=_verification,
        short=_verdicts,
    ),
    Section(
        name="certificate", what="what is proven of each population", keys=("certificate", "populations", "slowdown"),
        render=lambda report: [certificate_table(report)], short=short_certificate,
    ),
    Section(
        name="cores", what="what each core uses of what it has",
        keys=("cores", "chips", "cores_lower_bound", "bounds", "over_bound", "target"),
        render=lambda report: [core_table(report)], short=short_cores,
    ),
    Section(
        name="memory", what="what the weights take", keys=("memory",), render=lambda report: [memory_table(report)],
        short=short_memory,
    ),
    Section(
        name="twins", what="the same network with 8-bit weights", keys=("twins",), render=_twins,
        short=_short_twins,
    ),
    Section(
        name="mapping", what="what was asked of the mapping, and its traffic", keys=("mapping",),
        render=lambda report: [mapping_text(report.mapping)],
    ),
    Section(
        name="energy", what="what a sample takes in energy and time, as published numbers say", keys=("energy",),
        render=lambda report: [energy_text(report.energy)] if report.energy else [],
        short=_energy,
    ),
    Section(
        name="integers", what="which integers were chosen, and what samples bought",
        keys=("integers", "calibration", "ranges"), render=integers_text,
    ),
    Section(
        name="roundings", what="what was rounded to integers, worst first", keys=("roundings", "exact_quantities"),
        render=lambda report: [rounding_table(report)], short=short_roundings,
    ),
    Section(name="notes", what="every other approximation", keys=("notes",), render=_notes, short=short_notes),
    Section(name="assumptions", what="numbers of the target that are not published", keys=("assumptions",),
            render=_assumptions, short=_assumed),
):  # fmt: skip
    SECTIONS.add(_section)
