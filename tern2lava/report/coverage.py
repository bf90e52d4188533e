"""What a verification covered: blocks of the report, lines under the verdict on execution, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tern2lava.counts import count
from tern2lava.report.model import (
    CoverageBlock,
    CoverageRow,
    CoverBlock,
    ExecutionRow,
    ThresholdRow,
    UncoveredRow,
    Verification,
)
from tern2lava.report.sheet import NOTHING, Sheet, sheet
from tern2lava.sim.verify.cover import Covered
from tern2lava.sim.verify.coverage import Coverage, Share
from tern2lava.sim.verify.executions import EXECUTIONS
from tern2lava.sim.verify.shard import Execution

NAMED = 8
"""Names that a line gives at most."""


def execution_rows(executions: Iterable[Execution]) -> list[ExecutionRow]:
    """Executions as rows of the report."""
    return [
        ExecutionRow(
            name=e.name, what=EXECUTIONS.get(e.name).what, samples=e.samples, values=e.values, seconds=e.seconds
        )
        for e in executions
    ]  # fmt: skip


def coverage_block(found: Coverage) -> CoverageBlock:
    """A coverage as a block of the report."""
    inner = [row for row in found.nodes if row.kind != "input"]
    return CoverageBlock(
        samples=found.samples, steps=found.steps, neurons=sum(row.neurons for row in inner),
        spiked=sum(row.spiked for row in inner), synapses=found.synapses, carried=found.carried,
        populations=_rows(found.nodes), cores=_rows(found.cores),
    )  # fmt: skip


def cover_block(found: Covered) -> CoverBlock:
    """A cover stimulus as a block of the report."""
    difference = found.comparison.difference
    return CoverBlock(
        chain=list(found.comparison.chain), left_out=list(found.left_out), executions=execution_rows(found.executions),
        equal=found.comparison.equal, compared_values=found.comparison.compared_values, samples=found.samples,
        steps=found.steps, first_difference=None if difference is None else str(found.comparison),
        coverage=coverage_block(found.coverage),
        thresholds=[
            ThresholdRow(
                population=row.population, thresholds=row.thresholds, crossed=row.crossed, near=row.near,
                both=row.both, helpless=row.helpless,
            )
            for row in found.sides
        ],
        uncovered=[UncoveredRow(projection=name, synapses=n, reason=why) for name, n, why in found.uncovered],
    )  # fmt: skip


def _rows(shares: Sequence[Share]) -> list[CoverageRow]:
    return [
        CoverageRow(
            name=row.name, kind=row.kind, neurons=row.neurons, spiked=row.spiked, synapses=row.synapses,
            carried=row.carried, late=row.late,
        )
        for row in shares
    ]  # fmt: skip


def coverage_lines(verification: Verification) -> list[tuple[str, str]]:
    """Lines under the verdict on execution, each with its style: what the data covered, and the cover stimulus; what
    never spiked; which synapses nothing has carry a spike."""
    lines = []
    data, cover = verification.coverage, verification.cover
    if data is not None:
        lines.append((f"the data covered: {_covered(data)}", "dim"))
        unnamed = _never_spiked(verification, data)
        if unnamed:
            lines.append((f"never spiked, nothing is known of what they send: {named(unnamed)}", "yellow"))
    if cover is not None and cover.equal:
        lines.append((f"the cover stimulus covered: {_covered(cover.coverage)}; {_sides(cover)}", "dim"))
        if cover.uncovered:
            reasons = [
                f"{count(row.synapses, 'synapse')} of {row.projection} ({row.reason})" for row in cover.uncovered
            ]
            lines.append((f"no stimulus has these carry a spike: {named(reasons)}", "yellow"))
    return lines


def _covered(found: CoverageBlock) -> str:
    return (
        f"{_of(found.carried, found.synapses, 'synapse')} carried a spike, "
        f"{_of(found.spiked, found.neurons, 'neuron')} spiked"
    )


def _sides(cover: CoverBlock) -> str:
    both, all_of = sum(row.both for row in cover.thresholds), sum(row.thresholds for row in cover.thresholds)
    return f"{_of(both, all_of, 'threshold')} met from both sides"


def _of(part: int, whole: int, noun: str) -> str:
    """A part of a whole in numbers and as a share, which is 100 % of all alone: 7 of 8 neurons (87.5 %)."""
    return f"{part:,} of {count(whole, noun)} ({share(part, whole)})"


def share(part: int, whole: int) -> str:
    """A share in percent, cut off, so that 100 % are all."""
    if not whole:
        return NOTHING
    tenths = 1000 * part // whole
    return f"{tenths // 10} %" if tenths % 10 == 0 and (part == whole or tenths < 1000) else f"{tenths / 10:.1f} %"


def named(names: Sequence[str]) -> str:
    """The names, the first NAMED of many."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _never_spiked(verification: Verification, data: CoverageBlock) -> list[str]:
    """Inputs and relays that never spiked; the verdict on arithmetic names populations."""
    counted = {row.population for row in verification.arithmetic.populations}
    return [row.name for row in data.populations if not row.spiked and row.name not in counted]


def coverage_table(found: CoverageBlock, title: str) -> Sheet:
    """What spiked of each input and population, and which of its synapses carried a spike."""
    table = sheet(
        f"{title}, {count(found.samples, 'sample')} x {count(found.steps, 'step')}",
        ("Population", "Neurons", "Spiked", "Share spiked", "Synapses", "Carried", "Share carried", "Too late"),
    )
    for row in found.populations:
        synapses = (f"{row.synapses:,}", f"{row.carried:,}", share(row.carried, row.synapses), f"{row.late:,}")
        table.add_row(
            row.name, f"{row.neurons:,}", f"{row.spiked:,}", share(row.spiked, row.neurons),
            *(synapses if row.kind != "input" else (NOTHING,) * 4),
        )  # fmt: skip
    with_synapses = [row for row in found.cores if row.synapses]
    if with_synapses and len(found.cores) > 1:
        least = min(with_synapses, key=lambda row: row.carried / row.synapses)
        quiet = min(found.cores, key=lambda row: row.spiked / max(1, row.neurons))
        table.caption = (
            f"Of {count(len(found.cores), 'core')}, core {least.name} carried the smallest share "
            f"({share(least.carried, least.synapses)} of {count(least.synapses, 'synapse')}), core {quiet.name} spiked "
            f"the least ({share(quiet.spiked, quiet.neurons)} of {count(quiet.neurons, 'neuron')})."
        )
    return table


def threshold_table(cover: CoverBlock) -> Sheet:
    """Which thresholds the cover stimulus met from both sides."""
    table = sheet(
        "Thresholds that the cover stimulus met",
        ("Population", "Thresholds", "Crossed", "Came near", "Both", "Nothing moves towards"),
    )
    for row in cover.thresholds:
        numbers = (row.thresholds, row.crossed, row.near, row.both, row.helpless)
        table.add_row(row.population, *(f"{number:,}" for number in numbers))
    return table
