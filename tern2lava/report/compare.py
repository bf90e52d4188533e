"""What differs between two reports: of one network before and after a change, or of two networks or targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from tern2lava.report.model import Report
from tern2lava.report.model.block import Block

Value = int | float | str | bool | None


class Difference(Block):
    """One value that is another in the second report. null: that report has none."""

    about: str = Field(
        description="Group: bundle, size, memory, traffic, verification, certificate, layer or rounding."
    )
    what: str = Field(description="What it is a value of, by name.")
    key: str = Field(description="Its key in report.json.")
    a: Value = Field(description="In the first report.")
    b: Value = Field(description="In the second.")
    change: float | None = Field(description="b / a - 1; null: they are no numbers, of two units, or a is 0.")


class Comparison(Block):
    """Two reports side by side."""

    a: str = Field(description="What the first report is of, and for which target.")
    b: str = Field(description="The same of the second.")
    same_source: bool = Field(description="Whether both name the same source.")
    same_target: bool = Field(description="Whether both are for the same target.")
    same_network: bool = Field(
        description="Whether both have the same populations, by name and shape, relays left out."
    )
    equal: int = Field(description="Values that were compared and are equal.")
    differences: list[Difference] = Field(description="Those that differ, by group; empty: none.")

    def _shown(self) -> str:
        return f"{self.a} against {self.b}: {len(self.differences):,} differ, {self.equal:,} equal"

    def _repr_html_(self) -> str:
        from tern2lava.report.comparison import comparison_text
        from tern2lava.report.html import html

        return html(comparison_text(self))


BUNDLE = ("source", "target", "version", "steps", "effort", "ranges")
SIZE = ("chips", "cores_lower_bound")
MEMORY = ("weights", "stored_bits", "ratio_int8", "axon_bits", "parameter_bits", "state_bits", "image_bits")
TRAFFIC = ("objective", "measured", "spike_hops", "spikes_off_chip", "link", "unit", "busiest_core", "step")
UNITED = ("busiest_core", "step")
"""Those in the unit of each mapping (ns, or events): of two units, one is no share of the other."""
VERIFIED = ("met", "samples", "accuracy_integer", "accuracy_float", "spike_exact")
CERTIFIED = ("verdict", "eps_relative", "safe_steps", "no_overflow", "induction")
LAYER = ("weights", "code_bits", "cores", "copies", "stored_bits", "encodings")
ROUNDED = ("worst", "absolute", "became")


def compare(a: Report, b: Report) -> Comparison:
    """What differs between two reports, in the order of BUNDLE to ROUNDED."""
    pairs = list(_pairs(a, b))
    differences = [
        Difference(
            about=about, what=what, key=key, a=one, b=other,
            change=None if key in UNITED and a.mapping.unit != b.mapping.unit else _change(one, other),
        )
        for about, what, key, one, other in pairs
        if one != other
    ]  # fmt: skip
    return Comparison(
        a=f"{a.source or 'graph'} for {a.target}", b=f"{b.source or 'graph'} for {b.target}",
        same_source=a.source == b.source, same_target=a.target == b.target, same_network=_shapes(a) == _shapes(b),
        equal=len(pairs) - len(differences), differences=differences,
    )  # fmt: skip


def _shapes(report: Report) -> list[tuple[str, list[int]]]:
    return [(row.name, row.shape) for row in report.populations if not row.relay]


Pair = tuple[str, str, str, Value, Value]


def _pairs(a: Report, b: Report) -> Iterable[Pair]:
    yield from _of("bundle", "the bundle", BUNDLE, a, b)
    for key, number in _COUNTED.items():
        yield "size", "the network", key, number(a), number(b)
    yield from _of("size", "the network", SIZE, a, b)
    yield from _of("memory", "all cores", MEMORY, a.memory.total, b.memory.total)
    yield from _of("traffic", "the mapping", TRAFFIC, a.mapping, b.mapping)
    yield from _of("verification", "the data", VERIFIED, a.verification, b.verification)
    verdicts = [{} if r.verification is None else {v.name: v for v in r.verification.verdicts} for r in (a, b)]
    yield from _rows("verification", verdicts, ("status", "met"))
    certificates = [{row.population: row for row in r.certificate} for r in (a, b)]
    yield from _rows("certificate", certificates, CERTIFIED)
    yield from _rows("layer", [{row.projection: row for row in r.memory.layers} for r in (a, b)], LAYER)
    rounded = [{f"{row.population}: {row.quantity}": row for row in r.roundings} for r in (a, b)]
    yield from _rows("rounding", rounded, ROUNDED)


_COUNTED: dict[str, Callable[[Report], int]] = {
    "cores": lambda report: len(report.cores),
    "neurons": lambda report: sum(row.neurons for row in report.populations),
    "assumptions": lambda report: len(report.assumptions),
    "notes": lambda report: len(report.notes),
    "roundings": lambda report: len(report.roundings),
}


def _rows(about: str, both: Sequence[Mapping[str, BaseModel]], keys: Sequence[str]) -> Iterable[Pair]:
    """The values of rows of the same name; of a row that one report lacks, that it is there."""
    one, other = both
    for name in dict.fromkeys([*one, *other]):
        if (name in one) == (name in other):
            yield from _of(about, name, keys, one[name], other[name])
        else:
            yield about, name, "", _there(name in one), _there(name in other)


def _there(found: bool) -> str | None:
    return "there" if found else None


def _of(about: str, what: str, keys: Sequence[str], a: BaseModel | None, b: BaseModel | None) -> Iterable[Pair]:
    for key in keys:
        yield about, what, key, _plain(a, key), _plain(b, key)


def _plain(block: BaseModel | None, key: str) -> Value:
    value: Any = None if block is None else getattr(block, key)
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _change(a: Value, b: Value) -> float | None:
    numbers = [value for value in (a, b) if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < 2 or not numbers[0]:
        return None
    return numbers[1] / numbers[0] - 1
