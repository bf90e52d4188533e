"""Energies and times as text."""

from __future__ import annotations

from tern2lava.report.sheet import NOTHING

_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))


def span(least: float | None, most: float | None, unit: str) -> str:
    """A range with the unit's prefix that its most has: 1.2 to 3.4 µJ; one number where both are the same."""
    if least is None or most is None:
        return NOTHING
    scale, prefix = next(((s, p) for s, p in _PREFIXES if most >= s), _PREFIXES[-1])
    return f"{plain_span(least / scale, most / scale)} {prefix}{unit}"


def plain_span(least: float, most: float) -> str:
    """A range of numbers of three digits, or of all before the point."""
    return " to ".join(dict.fromkeys(f"{v:,.0f}" if v >= 100 else f"{v:.3g}" for v in (least, most)))
