"""The verdict on ranges: whether every accumulator stayed, on the data, where its certificate says that it does."""

from __future__ import annotations

from collections.abc import Sequence

from tern2lava.counts import count
from tern2lava.report.model import RangeRow, VerdictRow
from tern2lava.report.requirements import Requirements
from tern2lava.sim.reference.watch import Watched

HINT = "compile with --calibrate on data like these, or with --range steps and --steps of as many as these have"


def range_rows(watched: Sequence[Watched]) -> list[RangeRow]:
    """What was watched as rows of the report."""
    return [
        RangeRow(
            population=row.population, neuron_steps=row.neuron_steps, u_largest=row.u_largest, u_limit=row.u_limit,
            v_largest=row.v_largest, v_limit=row.v_limit, state_max=row.state_max, u_wrapped=row.u_wrapped,
            v_clipped=row.v_clipped, adaptation_clipped=row.adaptation_clipped, left=row.left, stayed=row.stayed,
        )
        for row in watched
    ]  # fmt: skip


def ranges_verdict(
    rows: Sequence[RangeRow], samples: int, data_samples: int, steps: int, require: Requirements
) -> VerdictRow:
    """Whether no accumulator overflowed or left the range that its certificate states, on the samples compared.

    It changes no other verdict: executions overflow alike. But a certificate whose range was left says nothing of
    these data.
    """
    away = [row for row in rows if not row.stayed]
    if not data_samples:
        return VerdictRow(
            name="ranges", status="not compared", required=None, met=None,
            sentence="NOT WATCHED: no data were given",
        )  # fmt: skip
    if away:
        sentence = (
            f"LEFT in {len(away)} of {count(len(rows), 'population')}: certificates are conditional on ranges that "
            f"these data leave, and their bounds do not speak of them; {HINT}"
        )
    else:
        sentence = (
            f"KEPT: every accumulator stayed within its range, {count(samples, 'sample')} x {count(steps, 'step')}"
        )
    if samples < data_samples:
        sentence += f"; watched on {samples:,} of {count(data_samples, 'sample')}"
    return VerdictRow(
        name="ranges",
        status="differs" if away else "equal",
        required="no accumulator overflows or leaves the range of its certificate" if require.ranges else None,
        met=not away if require.ranges else None,
        sentence=sentence,
    )


def departure(row: RangeRow) -> str:
    """One line on a population that overflowed or left its range: how often, and by how much."""
    counts = (
        ("current wrapped in", row.u_wrapped), ("potential clipped in", row.v_clipped),
        ("adaptation clipped in", row.adaptation_clipped), ("beyond its certificate in", row.left),
    )  # fmt: skip
    often = ", ".join(f"{what} {number:,}" for what, number in counts if number)
    far = [_far("current", row.u_largest, row.u_limit), _far("potential", row.v_largest, row.v_limit)]
    return (
        f"{row.population}: {often} of {count(row.neuron_steps, 'neuron-timestep')}; {', '.join(far)}; "
        f"states hold {row.state_max:,}"
    )


def _far(what: str, largest: int, limit: float | None) -> str:
    """How far an accumulator went."""
    return f"{what} up to {largest:,}" + ("" if limit is None else f" (certificate {limit:,.0f})")
