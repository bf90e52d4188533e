"""Recognition of integer codes times a scale in a tensor of real weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.linear import code_bits
from tern2lava.compiler.ir.shapes import Bools, Codes, Reals

# float32 weights alpha * {-1, 0, 1} that went through a few products differ by some units in the last place.
TOLERANCE = 2.0**-20
LARGEST_CODE = 127
"""Codes run from -LARGEST_CODE - 1 to it, as 8 bits in two's complement hold them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CodedWeight:
    """weight = codes * scale: codes int8 in the weight's shape, scale () or (out,), deviation the largest relative
    difference from the weight."""

    codes: Codes
    scale: Reals
    deviation: float

    @property
    def bits(self) -> int:
        """Width of a code in two's complement: 2 for {-1, 0, 1}, 3 or more for others."""
        return code_bits(self.codes)


def recognise(weight: Reals) -> CodedWeight | None:
    """Codes and scale of a weight (out, ...) whose values are a scale (of the tensor or the row) times small integers.

    Tried in order: {-1, 0, 1} with one scale, {-1, 0, 1} with a scale per row, integers from -128 to 127 with a scale
    per tensor, then per row. None where none fits within TOLERANCE.
    """
    rows = np.abs(weight.reshape(weight.shape[0], -1).astype(np.float64))
    top = rows.max(axis=1, initial=0.0)
    low = np.where(rows > 0, rows, np.inf).min(axis=1, initial=np.inf)
    low = np.where(np.isfinite(low), low, 1.0)
    whole_top, whole_low = rows.max(initial=0.0), np.where(rows > 0, rows, np.inf).min(initial=np.inf)
    if whole_top == 0.0:
        return CodedWeight(codes=np.zeros(weight.shape, np.int8), scale=np.ones(()), deviation=0.0)
    if whole_top - whole_low <= TOLERANCE * whole_top:
        return _coded(weight, np.asarray(whole_top))
    if np.all(top - low <= TOLERANCE * top):
        return _coded(weight, np.where(top > 0, top, 1.0))
    signed = weight.reshape(weight.shape[0], -1).astype(np.float64)
    for scale in (np.asarray(_common_divisor(signed)), _row_divisors(signed)):
        if np.all(scale > 0):
            return _coded(weight, scale)
    return None


def recognise_whole(weight: Reals) -> CodedWeight | None:
    """Codes and one scale of a weight whose values are whole numbers, or a power of two times whole numbers.

    One magnitude alone is {-1, 0, 1} times it. Else the scale is the largest power of two for which codes stay from
    -128 to 127, so that a gain of a power of two restores the weight exactly; where there is none, the largest scale
    there is. None where there is none at all.
    """
    magnitudes = np.unique(np.abs(weight[weight != 0]))
    if magnitudes.size == 1:
        return _coded(weight, np.asarray(magnitudes[0], np.float64))
    scale = _common_divisor(weight.astype(np.float64))
    if scale == 0:
        return None
    mantissa, exponent = np.frexp(scale)
    # A float64 is an odd number times a power of two.
    odd, low = int(mantissa * (1 << 53)), 0
    while odd % 2 == 0:
        odd, low = odd // 2, low + 1
    power = float(np.ldexp(1.0, int(exponent) - 53 + low))
    return _coded(weight, np.asarray(power if _holds(weight, power, 0.0) else scale))


def _coded(weight: Reals, scale: Reals) -> CodedWeight:
    spread = scale.reshape(-1, *([1] * (weight.ndim - 1))) if scale.ndim else scale
    codes = np.rint(weight / spread)
    deviation = np.abs(codes * spread - weight)[codes != 0] / np.abs(weight[codes != 0])
    return CodedWeight(codes=codes.astype(np.int8), scale=scale, deviation=float(deviation.max(initial=0.0)))


def _holds(values: Reals, scale: float, slack: float) -> bool:
    """Whether codes of this scale, within `slack` of them, run from -128 to 127."""
    high, low = float(values.max(initial=0.0)), float(values.min(initial=0.0))
    return high <= (LARGEST_CODE + slack) * scale and -low <= (LARGEST_CODE + 1 + slack) * scale


def _common_divisor(values: Reals) -> float:
    """The largest scale of which all nonzero values are multiples from -128 to 127; 0 where there is none."""
    found = np.unique(np.abs(values[values != 0]))
    if found.size == 0:
        return 1.0
    if found.size > 4 * LARGEST_CODE or not _holds(values, float(found[0]) * (1 + TOLERANCE), 0.0):
        return 0.0
    for divisor in range(1, LARGEST_CODE + 2):
        scale = float(found[0]) / divisor
        if not _holds(values, scale, 0.5):
            return 0.0
        multiples = found / scale
        if np.all(np.abs(multiples - np.rint(multiples)) <= TOLERANCE * multiples):
            return scale
    return 0.0


def _row_divisors(rows: Reals) -> Reals:
    result = np.zeros(rows.shape[0])
    for i, row in enumerate(rows):
        result[i] = _common_divisor(row)
        if result[i] == 0.0:
            break
    return result


def wider_integers(weight: Reals) -> tuple[int, int, float] | None:
    """(lowest, highest, scale) of a weight that is a scale times integers of more than 8 bits, up to 32; else None.

    The scale is a whole number or a power of two times one."""
    found = np.unique(weight[weight != 0]).astype(np.float64)
    if not found.size or not np.all(np.isfinite(found)):
        return None
    lowest = int(np.frexp(found)[1].min()) - 24
    whole = np.ldexp(found, -lowest)
    if np.any(whole != np.rint(whole)) or float(np.abs(whole).max()) >= 2.0**53:
        return None
    divisor = int(np.gcd.reduce(whole.astype(np.int64)))
    low, high = (int(x) // divisor for x in (min(whole.min(), 0), max(whole.max(), 0)))
    fits = low >= -(1 << 31) and high < 1 << 31
    return (low, high, float(np.ldexp(float(divisor), lowest))) if fits else None


def asymmetric_scales(weight: Reals) -> tuple[float, float] | None:
    """(a, b) where the weight takes exactly the values +a, 0 and -b with a != b; else None."""
    positive, negative = np.unique(weight[weight > 0]), np.unique(-weight[weight < 0])
    if positive.size and negative.size:
        a, b = float(positive[-1]), float(negative[-1])
        if positive[0] >= a * (1 - TOLERANCE) and negative[0] >= b * (1 - TOLERANCE) and abs(a - b) > TOLERANCE * a:
            return a, b
    return None


MOST_BLOCKS = 16


def split_scales(weight: Reals) -> tuple[CodedWeight, ...] | None:
    """Ternary parts whose sum is `weight`, each with a scale of the tensor or one per row; None where there are none.

    Tried in order: +a and -b in the tensor (as in Trained Ternary Quantization, arXiv 1612.01064), +a and -b in every
    row, one magnitude in each of 2 to MOST_BLOCKS equal blocks of every row (in C order), blocks differing in half of
    the rows or more: a single weight that stands out is damage, not a scale.
    """
    rows = weight.reshape(weight.shape[0], -1).astype(np.float64)
    for values in (rows.reshape(1, -1), rows):
        up, down = (_magnitude(np.maximum(sign * values, 0)) for sign in (1, -1))
        if up is not None and down is not None:
            return _parts(weight, [rows > 0, rows < 0], [up, down])
    for blocks in range(2, MOST_BLOCKS + 1):
        if rows.shape[1] % blocks or rows.shape[1] == blocks:
            continue
        scales = _magnitude(np.abs(rows).reshape(rows.shape[0] * blocks, -1))
        if scales is None:
            continue
        table = scales.reshape(-1, blocks)
        low = np.where(table > 0, table, np.inf).min(axis=1)
        if np.mean(table.max(axis=1) > low * (1 + TOLERANCE)) >= 0.5:
            index = np.repeat(np.arange(blocks), rows.shape[1] // blocks)
            return _parts(weight, [(rows != 0) & (index == b) for b in range(blocks)], list(table.T))
    return None


def _magnitude(values: Reals) -> Reals | None:
    """The one nonzero value of each row of values >= 0 (0 for a row of zeros); None where a row has several."""
    top: Reals = values.max(axis=1, initial=0.0)
    return top if np.all((values == 0) | (values >= top[:, None] * (1 - TOLERANCE))) else None


def _parts(weight: Reals, masks: list[Bools], scales: list[Reals]) -> tuple[CodedWeight, ...]:
    """Codes sign(weight) under each mask, with its scales; a row that is empty in one part has a scale of another."""
    spare = np.max(scales, axis=0)
    spare = np.where(spare > 0, spare, 1.0)
    parts = []
    for mask, scale in zip(masks, scales, strict=True):
        codes = (np.sign(weight) * mask.reshape(weight.shape)).astype(np.int8)
        filled = np.where(scale > 0, scale, spare)
        found = filled.reshape(()) if filled.size == 1 else filled
        spread = found.reshape(-1, *([1] * (weight.ndim - 1))) if found.ndim else found
        used = codes != 0
        off = np.abs(codes * spread - weight)[used] / np.abs(weight[used])
        if used.any():
            parts.append(CodedWeight(codes=codes, scale=found, deviation=float(off.max(initial=0.0))))
    return tuple(parts)


def rounded(weight: Reals) -> CodedWeight:
    """Symmetric rounding to 8 bits after training: codes = round(w / s), s = max|w| / 127 of each row.

    `deviation` is the relative error ||w - s codes|| / ||w||.
    """
    rows = weight.reshape(weight.shape[0], -1).astype(np.float64)
    scale = np.abs(rows).max(axis=1, initial=0.0) / LARGEST_CODE
    scale = np.where(scale > 0, scale, 1.0)
    codes = np.rint(rows / scale[:, None])
    error = _relative(rows - codes * scale[:, None], rows)
    return CodedWeight(codes=codes.reshape(weight.shape).astype(np.int8), scale=scale, deviation=error)


def twn(weight: Reals) -> CodedWeight:
    """Post-training ternarisation of Ternary Weight Networks (Li et al., arXiv 1605.04711), one scale per tensor.

    D = 0.7 mean|w|; code = sign(w) where |w| > D; scale = mean of |w| above D. `deviation` is the relative error
    ||w - scale codes|| / ||w||.
    """
    magnitude = np.abs(weight.astype(np.float64))
    above = magnitude > 0.7 * magnitude.mean()
    scale = magnitude[above].mean() if above.any() else 1.0
    codes = np.where(above, np.sign(weight), 0).astype(np.int8)
    error = _relative(weight - scale * codes, magnitude)
    return CodedWeight(codes=codes, scale=np.asarray(scale), deviation=error)


def _relative(error: Reals, of: Reals) -> float:
    """||error|| / ||of||, 0 where `of` is; both brought near 1 first by a power of two, so that no square overflows."""
    power = -int(np.frexp(np.abs(of).max(initial=0.0))[1])
    norm = float(np.linalg.norm(np.ldexp(of, power)))
    return float(np.linalg.norm(np.ldexp(error, power))) / norm if norm else 0.0
