"""The integer types of C: the least that holds a range, and numbers and arrays as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tern2lava.errors import UnsupportedError

LINE = 100


@dataclass(frozen=True)
class CType:
    """A type of stdint.h: its name, bytes, least and largest value."""

    name: str
    bytes: int
    low: int
    high: int


def _signed(bits: int) -> CType:
    return CType(f"int{bits}_t", bits // 8, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _unsigned(bits: int) -> CType:
    return CType(f"uint{bits}_t", bits // 8, 0, (1 << bits) - 1)


INT8, INT16, INT32, INT64 = (_signed(bits) for bits in (8, 16, 32, 64))
UINT8, UINT16, UINT32 = (_unsigned(bits) for bits in (8, 16, 32))
SIGNED = (INT8, INT16, INT32, INT64)
ALL = (UINT8, INT8, UINT16, INT16, UINT32, INT32, INT64)


def least(low: int, high: int, among: Sequence[CType] = ALL) -> CType:
    """The narrowest type that holds every integer from low to high. Raises UnsupportedError beyond 64 bits."""
    for kind in among:
        if kind.low <= low and high <= kind.high:
            return kind
    raise UnsupportedError("c", "integers of 64 bits", f"{low:,} to {high:,}", "scale the weights down")


def least_signed(low: int, high: int) -> CType:
    """The narrowest signed type that holds every integer from low to high."""
    return least(low, high, SIGNED)


def computing(largest: int) -> CType:
    """The type in which magnitudes up to `largest` are computed: 32 bits, 64 where these do not do."""
    return least(-largest, largest, (INT32, INT64))


def number(value: int) -> str:
    """An integer in an expression; its type is the first of int, long, long long that holds it."""
    return str(value) if value >= 0 else f"({value})"


def rows(values: Iterable[int]) -> list[str]:
    """Lines of the initialiser of an array."""
    lines, line = list[str](), ""
    for value in values:
        text = f"{value},"
        if line and len(line) + 1 + len(text) > LINE - 4:
            lines.append("    " + line)
            line = ""
        line = f"{line} {text}" if line else text
    return [*lines, "    " + line] if line else lines
