"""Floating point numbers of 8 bits, and bfloat16, which numpy does not have, as float32.

Formats: OCP 8-bit Floating Point Specification (e4m3fn has no infinities, e5m2 is IEEE-like); the fnuz ones of AMD and
Graphcore (arXiv 2206.02915) have one zero and one NaN, both at 0x80, and a bias one higher; e8m0fnu is a power of two.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from tern2lava.compiler.ir.shapes import Array

_KINDS = {
    "float8_e4m3fn": (4, 3, 7), "float8_e5m2": (5, 2, 15), "float8_e4m3fnuz": (4, 3, 8), "float8_e5m2fnuz": (5, 2, 16),
}  # fmt: skip
"""Bits of exponent and mantissa, and the bias, by torch's name of the dtype."""
SMALL = ("bfloat16", *_KINDS, "float8_e8m0fnu")


def raw(dtype: str) -> str:
    """The unsigned integers of the bits of a dtype of SMALL, by numpy's name."""
    return "u2" if dtype == "bfloat16" else "u1"


def widened(bits: Array, dtype: str) -> Array:
    """The numbers whose bits are given, in float32, exactly."""
    found: Array = (bits.astype(np.uint32) << 16).view(np.float32) if dtype == "bfloat16" else _table(dtype)[bits]
    return found


@cache
def _table(dtype: str) -> Array:
    """The number that each of 256 bytes stands for."""
    codes = np.arange(256)
    if dtype == "float8_e8m0fnu":
        return np.asarray(np.where(codes == 255, np.nan, 2.0 ** (codes - 127.0)), np.float32)
    exponents, mantissas, bias = _KINDS[dtype]
    sign = np.where(codes & 0x80, -1.0, 1.0)
    exponent, mantissa = (codes >> mantissas) & (2**exponents - 1), codes & (2**mantissas - 1)
    fraction = mantissa / 2.0**mantissas
    found = sign * np.where(exponent == 0, fraction * 2.0 ** (1 - bias), (1 + fraction) * 2.0 ** (exponent - bias))
    if dtype.endswith("uz"):
        found[0x80] = np.nan
    elif dtype == "float8_e4m3fn":
        found[[0x7F, 0xFF]] = np.nan
    else:
        top = exponent == 31
        found[top] = np.where(mantissa[top] == 0, sign[top] * np.inf, np.nan)
    return np.asarray(found, np.float32)
