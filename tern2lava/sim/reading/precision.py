"""The floating-point arithmetic that a framework ran in: which numbers it holds, and how far sums can be off.

With unit roundoff u = 2^-p (p bits of significand, round to nearest) an operation gives its exact result times
(1 + d), |d| <= u, and nothing is lost where the result has p bits. A sum of n terms, in whatever order, is off by at
most gamma_n * sum |term|, gamma_n = n u / (1 - n u): Higham, Accuracy and Stability of Numerical Algorithms, 2nd
edition, SIAM 2002, sections 2.2, 3.1 and 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Bools, Reals
from tern2lava.errors import InputError

BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
"""Bits of significand of each dtype, the hidden one counted."""
_LEAST = {"float64": -1074, "float32": -149, "float16": -24, "bfloat16": -133}
_REFERENCE = 2.0**-53


@dataclass(frozen=True)
class Precision:
    """The arithmetic of `dtype`.

    unit: its unit roundoff plus float64's, for the reference that is held against it rounds as well.
    """

    dtype: str

    @property
    def bits(self) -> int:
        return BITS[self.dtype]

    @property
    def unit(self) -> float:
        return 2.0**-self.bits + _REFERENCE

    def lost(self, values: Reals) -> Reals:
        """|value - the nearest number of this precision|, 0 where it is held exactly; of float64 always 0."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.abs(values - self.nearest(values)))

    def nearest(self, values: Reals) -> Reals:
        """The numbers of this precision that are nearest to values, halves to even."""
        if self.dtype == "float64":
            return np.asarray(values)
        if self.dtype == "float32":
            return np.asarray(values, np.float32).astype(np.float64)
        _, exponent = np.frexp(values)
        last = np.maximum(exponent - self.bits, _LEAST[self.dtype])
        return np.asarray(np.ldexp(np.rint(np.ldexp(values, -last)), last))

    def holds(self, values: Reals) -> Bools:
        """Where a value computed in float64 is a number of this precision."""
        return np.asarray(self.lost(values) == 0)

    def whole(self, reach: Reals, grid: Reals) -> Bools:
        """Where every partial sum is exact, in any order: all terms are multiples of `grid`, a power of two, and their
        absolute values sum up to `reach` <= 2^p * grid."""
        return np.asarray(reach <= 2.0**self.bits * grid)

    def of_sum(self, terms: Array, reach: Reals) -> Reals:
        """The bound of a sum of `terms` terms whose absolute values sum up to `reach`.

        Sums in float16 and bfloat16 are accumulated in float32, as torch's matrix products do, then rounded, and
        rounded again where a bias is added.
        """
        low = self.bits < BITS["float32"]
        unit = 2.0 ** -BITS["float32"] + _REFERENCE if low else self.unit
        share = np.asarray(terms * unit)
        gamma = np.where(share < 0.5, share / (1.0 - np.minimum(share, 0.5)), np.inf) + (2.0 * self.unit if low else 0)
        return np.where(reach == 0, 0.0, gamma * np.where(reach == 0, 1.0, reach))

    def exact_sum(self, a: Reals, b: Reals) -> Bools:
        """Where the sum of two numbers of this precision is one (Knuth's TwoSum gives what float64 loses)."""
        total: Reals = np.asarray(a + b)
        back: Reals = total - a
        rest = (a - (total - back)) + (b - back)
        return np.asarray((rest == 0) & self.holds(total))

    def exact_product(self, a: Reals, b: Reals) -> Bools:
        """Where the product of two numbers of this precision is one."""
        if self.dtype != "float64":
            return self.holds(a * b)
        with np.errstate(invalid="ignore"):
            fits = np.abs(a * b) <= 2.0**self.bits * (last_bit(a) * last_bit(b))
        return np.asarray(fits | (a == 0) | (b == 0))


def precision(dtype: str, where: object) -> Precision:
    """The Precision called `dtype`. Raises InputError where there is none of that name."""
    if dtype not in BITS:
        raise InputError(where, f"requires one of {', '.join(BITS)}; found {dtype!r}; write the dtype of the run")
    return Precision(dtype)


def last_bit(values: Reals) -> Reals:
    """The value of the last set bit of each number, a power of two; inf for 0."""
    values = np.asarray(values, np.float64)
    significand, exponent = np.frexp(np.abs(values))
    whole = np.ldexp(significand, 53).astype(np.int64)
    low = np.ldexp((whole & -whole).astype(np.float64), exponent - 53)
    return np.asarray(np.where(values == 0, np.inf, low))


def is_power_of_two(values: Reals) -> Bools:
    """Where |value| is a power of two."""
    return np.asarray(np.frexp(np.abs(values))[0] == 0.5)
