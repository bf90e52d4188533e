"""The verification block of a report, from a proof."""

from __future__ import annotations

from tern2lava.prove.run import Translation
from tern2lava.report.coverage import cover_block, coverage_block, execution_rows
from tern2lava.report.lava_network import mapped_block
from tern2lava.report.model import (
    Arithmetic,
    ArithmeticRow,
    BandRow,
    FallbackRow,
    ProcessRow,
    ReadingBlock,
    ReadingRow,
    Report,
    Verification,
)
from tern2lava.report.ranges import range_rows, ranges_verdict
from tern2lava.report.requirements import Requirements
from tern2lava.report.verdicts import arithmetic_verdict, execution_verdict, images_verdict, reading_verdict
from tern2lava.sim.reading.compare import Reading
from tern2lava.sim.verify.verify import Proof


def add_verification(
    report: Report, proof: Proof, require: Requirements | None = None, ternarize: str | None = None,
    translation: Translation | None = None,
) -> Report:  # fmt: skip
    """`report` with the result of `proof`, judged by what is required (None: the default).

    ternarize: how weights were changed on the way from the source ("twn", "int8"; None: not at all).
    translation: whether the images are the program for every input; None: that was not looked at."""
    required = require or Requirements()
    comparison = proof.comparison
    arithmetic = arithmetic_block(proof, report.described, ternarize)
    ranges = range_rows(proof.watched)
    verdicts = [
        execution_verdict(proof, required), arithmetic_verdict(arithmetic, required),
        reading_verdict(required, proof.reading),
        ranges_verdict(ranges, proof.samples, proof.data_samples, proof.steps, required),
        images_verdict(required, translation),
    ]  # fmt: skip
    bands = [
        BandRow(
            population=band.population, neuron_steps=band.neuron_steps, near=band.near, closest=band.closest,
            closest_eps=band.closest_eps,
        )
        for band in proof.bands
    ]  # fmt: skip
    # Of these data it is known, whatever certificates say of others or of fewer steps.
    safe = bool(proof.watched) and not any(row.overflows for row in proof.watched)
    alike = arithmetic.missing + arithmetic.extra == 0
    verification = Verification(
        verdicts=verdicts,
        met=all(verdict.met is not False for verdict in verdicts),
        arithmetic=arithmetic,
        reading=None if proof.reading is None else reading_block(proof.reading),
        effort=proof.effort,
        chain=list(comparison.chain),
        equal=comparison.equal and (proof.cover is None or proof.cover.comparison.equal),
        executions=execution_rows(proof.executions),
        compared_values=comparison.compared_values,
        samples=proof.samples,
        steps=proof.steps,
        first_difference=None if comparison.difference is None else str(comparison),
        coverage=None if proof.coverage is None else coverage_block(proof.coverage),
        cover=None if proof.cover is None else cover_block(proof.cover),
        processes=[ProcessRow(node=node, process=process, reason=why) for node, process, why in proof.processes],
        mapped=None if proof.mapped is None else mapped_block(proof.mapped),
        accuracy_integer=proof.accuracy_integer,
        accuracy_float=proof.accuracy_float,
        band=bands,
        engine_samples=proof.engine_samples,
        accuracy_engine=proof.accuracy_engine,
        engine_fallbacks=[FallbackRow(population=name, reason=why) for name, why in proof.engine_fallbacks],
        ranges=ranges,
        spike_exact=safe and alike and all(band.near == 0 for band in proof.bands),
    )
    return report.model_copy(update={"verification": verification})


def reading_block(found: Reading) -> ReadingBlock:
    """The counts of a reading as a block of the report."""
    return ReadingBlock(
        dtype=found.dtype, kept=found.kept, samples=found.samples, steps=found.steps, spikes=found.spikes,
        equal_spikes=found.equal_spikes, ties=found.ties, misreadings=found.misreadings,
        misread_scores=None if found.scores is None else found.scores.misread,
        first=None if found.first is None else str(found.first), not_compared=list(found.not_compared),
        populations=[
            ReadingRow(
                population=row.population, spikes=row.spikes, neuron_steps=row.neuron_steps, missing=row.missing,
                extra=row.extra, ties=row.float_ties, misread=row.misreadings, potentials=row.potentials,
                left_out=row.left_out,
            )
            for row in found.populations
        ],
    )  # fmt: skip


def arithmetic_block(proof: Proof, float_model: str, ternarize: str | None) -> Arithmetic:
    """The counts of `proof` as a block of the report."""
    rows = [
        ArithmeticRow(
            population=counts.population, float_spikes=counts.float_spikes, integer_spikes=counts.integer_spikes,
            missing=counts.missing, extra=counts.extra, share=counts.share,
            rate_float=counts.float_spikes / max(1, counts.neuron_steps),
            rate_integer=counts.integer_spikes / max(1, counts.neuron_steps), died=counts.died, silent=counts.silent,
        )
        for counts in proof.counts
    ]  # fmt: skip
    spikes = sum(row.float_spikes for row in rows)
    missing, extra = sum(row.missing for row in rows), sum(row.extra for row in rows)
    worst = max(rows, key=lambda row: row.share, default=None)
    return Arithmetic(
        float_model=float_model,
        ternarize=ternarize,
        samples=proof.samples,
        data_samples=proof.data_samples,
        float_spikes=spikes,
        integer_spikes=sum(row.integer_spikes for row in rows),
        missing=missing,
        extra=extra,
        share=(missing + extra) / max(1, spikes),
        worst=worst.population if worst is not None and worst.share > 0 else None,
        float_ties=proof.float_ties,
        changed_decisions=proof.changed_decisions,
        died=[row.population for row in rows if row.died],
        silent=[row.population for row in rows if row.silent],
        populations=rows,
    )
