"""Which integers were chosen for each population, on which samples, and what these bought."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.console import RenderableType

from tern2lava.compiler.build import Compiled
from tern2lava.compiler.certify.certificate import Certificate
from tern2lava.compiler.certify.rounding import percent
from tern2lava.compiler.ir.graph import Graph, Population
from tern2lava.compiler.options import U_MARGIN, V_MARGIN
from tern2lava.compiler.passes.search import Choice
from tern2lava.counts import count
from tern2lava.report.model import CalibrationBlock, IntegersRow, Report
from tern2lava.report.sheet import NOTHING, Column, Paragraph, sheet, text_column

RANGES = {"proven": "every input", "steps": "every input, these steps", "observed": "observed", "short": "too short"}
DECAYS = {"truncate": "cut", "nearest": "nearest", "none": "none"}


def integers_rows(compiled: Compiled) -> list[IntegersRow]:
    """One row for each population that was lowered, in network order."""
    lowered = compiled.lowered
    proven = {certificate.population: certificate for certificate in lowered.certificates}
    return [_row(choice, lowered.real, lowered.program, proven[choice.population]) for choice in lowered.choices]


def calibration_block(compiled: Compiled) -> CalibrationBlock | None:
    """The samples that integers were chosen on; None where there were none."""
    told = compiled.lowered.samples
    if told is None:
        return None
    return CalibrationBlock(
        file=told.file or None, sha256=told.sha256, samples=told.samples, run=told.run, steps=told.steps,
        u_margin=U_MARGIN, v_margin=V_MARGIN,
    )  # fmt: skip


def _row(choice: Choice, real: Graph, program: Graph, certificate: Certificate) -> IntegersRow:
    population = program.population(choice.population)
    saved = None if choice.changed is None or choice.changed_before is None else choice.changed_before - choice.changed
    return IntegersRow(
        population=choice.population, unit=choice.unit, unit_exponent=_exponent(choice.unit),
        decays=choice.decays.value if _decays_partly(population, program) else "none", ranges=_ranges(certificate),
        thresholds=choice.thresholds, moved=choice.moved, furthest=_furthest(choice, real, population),
        samples=choice.samples, spikes=choice.spikes, changed=choice.changed, changed_without=choice.changed_before,
        saved=saved, finer_unit=choice.finer,
    )  # fmt: skip


def _exponent(unit: float) -> int | None:
    """e where `unit` is 2^e."""
    fraction, exponent = math.frexp(unit)
    return exponent - 1 if fraction == 0.5 else None


def _decays_partly(population: Population, program: Graph) -> bool:
    assert program.arithmetic is not None
    whole = 1 << program.arithmetic.decay_bits
    decays = [population.decay_u, population.decay_v, *([population.decay_a] if population.gain_a is not None else [])]
    return any(bool(np.any((decay > 0) & (decay < whole))) for decay in decays)


def _ranges(certificate: Certificate) -> str:
    if certificate.observed:
        return "observed"
    if not certificate.no_overflow:
        return "short"
    return "proven" if certificate.to_dict()["safe_steps"] is None else "steps"


def _furthest(choice: Choice, real: Graph, population: Population) -> float:
    """The largest move of a threshold over it, over one weight where that is 0."""
    before, neuron = choice.before_moves, real.neuron(choice.population)
    if before is None or neuron.integrates:
        return 0.0
    pairs = [(population.threshold, before.threshold, neuron.threshold)]
    if population.threshold_low is not None and before.threshold_low is not None and neuron.threshold_low is not None:
        pairs.append((population.threshold_low, before.threshold_low, neuron.threshold_low))
    shares = []
    for now, was, threshold in pairs:
        level = np.abs(threshold) * choice.unit
        shares.append(float(np.max(np.abs(now - was) / np.where(level > 0, level, choice.unit))))
    return max(shares)


def integers_text(report: Report) -> list[RenderableType]:
    """A table of what was chosen on samples; a line or two without any."""
    if report.calibration is None:
        return [Paragraph(_line(report.integers)), ""] if report.integers else []
    found = report.calibration
    moved = any(row.moved for row in report.integers)
    titles: list[str | Column] = ["Population", text_column("Unit"), text_column("Decays", 2), text_column("Ranges", 3)]
    table = sheet(
        "Integers, chosen on samples",
        [*titles, *([text_column("Thresholds", 1)] if moved else []), "Spikes", "Changed", "Without samples"],
    )
    for row in report.integers:
        cells = [row.population, _unit(row), DECAYS[row.decays], RANGES[row.ranges], *([_moved(row)] if moved else [])]
        counts = [NOTHING if n is None else f"{n:,}" for n in (row.spikes, row.changed, row.changed_without)]
        table.add_row(*cells, *counts)
    return [table, *(Paragraph(line) for line in _told(report, found)), ""]


def _moved(row: IntegersRow) -> str:
    if not row.moved:
        return NOTHING
    return f"{row.moved:,} of {row.thresholds:,} moved, {percent(row.furthest)} at most"


def _line(rows: Sequence[IntegersRow]) -> str:
    """What was chosen without samples, in one sentence."""
    units = sorted(rows, key=lambda row: row.unit)
    span = _unit(units[0]) if units[0].unit == units[-1].unit else f"{_unit(units[0])} to {_unit(units[-1])}"
    words = {"nearest": "to the nearest whole number", "truncate": "cut towards zero", "none": "no decay to round"}
    kinds = [(word, sum(row.decays == kind for row in rows)) for kind, word in words.items()]
    used = [(word, number) for word, number in kinds if number]
    decays = used[0][0] if len(used) == 1 else ", ".join(f"{word} in {count(n, 'population')}" for word, n in used)
    label = "" if used[0][0] == words["none"] else "decays "
    return f"Integers: {span} last bits to one weight; {label}{decays}; chosen without calibration samples."


def _told(report: Report, found: CalibrationBlock) -> list[str]:
    """What the table rests on."""
    name = "arrays" if found.file is None else found.file
    lines = [
        "Unit: last bits to one weight. Spikes are the network's own on the samples; changed are those that these "
        "integers make otherwise, every population fed the network's own, and without samples those that the integers "
        "do that are chosen without any."
    ]
    if any(row.changed is None for row in report.integers):
        lines.append(f"{NOTHING}: no spike can change, which is proven, or the source computes in integers already.")
    lines.append(
        f"Samples: {found.run:,} of {found.samples:,} in {name}, {count(found.steps, 'step')}, SHA-256 "
        f"{found.sha256[:12]}..."
    )
    fewer = [row for row in report.integers if row.samples is not None and row.samples < found.run]
    if fewer:
        least = min(row.samples or 0 for row in fewer)
        lines.append(
            f"Of {count(len(fewer), 'population')} fewer samples were looked at, {least:,} at least (docs/effort.md)."
        )
    if any(row.ranges == "observed" for row in report.integers):
        lines.append(
            f"Observed ranges: currents up to {found.u_margin:g} times, potentials up to {found.v_margin:g} times what "
            "these samples show. Certificates are conditional on them, and `verify` watches them."
        )
    finer = [row for row in report.integers if row.finer_unit is not None]
    if finer:
        lines.append(
            f"Ranges are those of every input. --range calibrated lets {count(len(finer), 'population')} take finer "
            f"integers: {', '.join(row.population for row in finer)}."
        )
    return lines


def _unit(row: IntegersRow) -> str:
    return f"{row.unit:,.0f}" if row.unit_exponent is None else f"2^{row.unit_exponent}"
