"""The energy of sound in bands of frequency, frame by frame, in integers alone and so equal on every machine.

A frame is weighted with a Hann window, its spectrum is a sum of products with tables of cosines and sines that are
whole numbers, its power is summed in triangular bands that are evenly spaced in mel (Davis and Mermelstein, IEEE Trans.
ASSP 28(4), 1980; mel = 2595 log10(1 + f / 700)), and what comes out is the logarithm of that power. The products are
formed in float64, where whole numbers below 2^53 are exact in whichever order they are added. What is left to a
machine's mathematics are the tables, of which no entry lies near a tie of its rounding (a test holds that).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.shapes import Ints

WINDOW = 256
"""Samples of a frame's window: 32 ms at 8 kHz."""
TABLE_BITS, WINDOW_BITS, WEIGHT_BITS = 14, 15, 10
"""Fractional bits of the tables of cosines, of the window, and of the weights of the bands."""
OCTAVE = 16
"""Steps of the logarithm to a factor of two in power: one is 0.19 dB."""
MANTISSA = 256
FRAMES = 4096
"""Frames that are worked on at once."""
KEPT_BITS = 4
"""Fractional bits of a weighted sample, and of an amplitude."""


def window_table() -> list[float]:
    """Hann's window times 2^WINDOW_BITS, unrounded."""
    return [2**WINDOW_BITS * (0.5 - 0.5 * math.cos(2 * math.pi * n / WINDOW)) for n in range(WINDOW)]


def wave_table() -> list[list[float]]:
    """2^TABLE_BITS times the cosine of every bin 0 to WINDOW / 2, then the sine, at each sample of the window,
    unrounded: (WINDOW, WINDOW + 2)."""
    turns = [[2 * math.pi * (n * k % WINDOW) / WINDOW for k in range(WINDOW // 2 + 1)] for n in range(WINDOW)]
    return [[2**TABLE_BITS * math.cos(a) for a in row] + [2**TABLE_BITS * math.sin(a) for a in row] for row in turns]


def band_table(channels: int, rate: int, lowest: float = 60.0) -> list[list[float]]:
    """2^WEIGHT_BITS times the weight of every bin in every band, unrounded: (WINDOW / 2 + 1, channels). Bands lie
    between `lowest` Hz and rate / 2; each is a triangle from the centre of the one before to that of the one after,
    at least a bin wide on each side."""
    bottom, top = (2595 * math.log10(1 + f / 700) for f in (lowest, rate / 2))
    mels = [bottom + (top - bottom) * i / (channels + 1) for i in range(channels + 2)]
    at = [700 * (10 ** (mel / 2595) - 1) * WINDOW / rate for mel in mels]
    rows = []
    for k in range(WINDOW // 2 + 1):
        row = []
        for left, centre, right in zip(at, at[1:], at[2:], strict=False):
            side = max(1.0, centre - left if k < centre else right - centre)
            row.append(2**WEIGHT_BITS * max(0.0, 1 - abs(k - centre) / side))
        rows.append(row)
    return rows


def logarithm_table() -> list[float]:
    """OCTAVE * log2(1 + i / MANTISSA) for i from 0 on, unrounded."""
    return [OCTAVE * math.log2(1 + i / MANTISSA) for i in range(MANTISSA)]


@lru_cache(maxsize=4)
def _tables(channels: int, rate: int) -> tuple[Ints, NDArray[np.float64], Ints, Ints]:
    window, bands, logarithms = (
        np.rint(np.array(table)).astype(np.int64)
        for table in (window_table(), band_table(channels, rate), logarithm_table())
    )
    return window, np.rint(np.array(wave_table())), bands, logarithms


def logarithm(values: Ints) -> Ints:
    """OCTAVE * log2 of whole numbers of at least 1, to within a step."""
    mantissa, exponent = np.frexp(values.astype(np.float64))
    table = _tables(1, 8000)[3]
    return OCTAVE * (exponent.astype(np.int64) - 1) + table[(mantissa * (2 * MANTISSA)).astype(np.int64) - MANTISSA]


def band_levels(frames: NDArray[np.int16], channels: int, rate: int) -> Ints:
    """The logarithm of the power of every frame (frames, WINDOW) in every band, (frames, channels)."""
    window, waves, bands, _ = _tables(channels, rate)
    levels = []
    for begin in range(0, len(frames), FRAMES):
        weighted = frames[begin : begin + FRAMES].astype(np.int64) * window >> (WINDOW_BITS - KEPT_BITS)
        parts = (weighted.astype(np.float64) @ waves).astype(np.int64) >> TABLE_BITS
        power = parts[:, : WINDOW // 2 + 1] ** 2 + parts[:, WINDOW // 2 + 1 :] ** 2
        levels.append(logarithm(power @ bands + 1))
    return np.concatenate(levels)
