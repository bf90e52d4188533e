"""The static model of the rANS codec: how often each combination of four ternary codes is assumed to occur.

Four codes a, b, c, d form the symbol (a+1) + 3(b+1) + 9(c+1) + 27(d+1). Codes are modelled as independent, so two
numbers describe the model of a whole matrix: the shares of 0 and of +1. Frequencies of the 81 symbols are integers
that add up to 2^14; a symbol that can occur has at least 1, one that holds a code of share 0 has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tern2lava.compiler.ir.shapes import Bytes, Ints, frozen

SCALE_BITS = 14
SCALE = 1 << SCALE_BITS
SHARE_BITS = 15
SHARE = 1 << SHARE_BITS
SYMBOLS = 81
_UNIT_BITS = 4 * SHARE_BITS - SCALE_BITS
_DIGITS = (np.arange(SYMBOLS)[:, None] // np.array([1, 3, 9, 27])) % 3
# Four codes as the bytes of one little-endian uint32, by symbol.
QUADS = frozen((_DIGITS - 1).astype(np.int8).view("<u4").reshape(-1), np.uint32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """frequency, start: int64 (81,); lookup: the symbol of each of the 2^14 slots, uint8; multiplier, shift: x //
    frequency is (x * multiplier) >> shift for 0 <= x < 2^31."""

    frequency: Ints
    start: Ints
    lookup: Bytes
    multiplier: Ints
    shift: Ints


def shares(zeros: int, positive: int, count: int) -> tuple[int, int]:
    """Shares of 0 and +1 in units of 2^-15: rounded, but never 0 for a code that occurs."""
    found = np.array([zeros, positive, count - zeros - positive], np.int64)
    parts = (found * SHARE + count // 2) // max(count, 1)
    parts = np.where((parts == 0) & (found > 0), 1, parts)
    parts[int(np.argmax(parts))] += SHARE - int(parts.sum())
    return int(parts[0]), int(parts[1])


@lru_cache(maxsize=64)
def model(zero_share: int, positive_share: int) -> Model:
    """The model of these shares, 0 <= zero_share, positive_share and their sum <= 2^15."""
    share = np.array([SHARE - zero_share - positive_share, zero_share, positive_share], np.int64)
    product: Ints = share[_DIGITS].prod(axis=1)  # units of 2^-60
    frequency = np.where(product > 0, np.maximum(product >> _UNIT_BITS, 1), 0)
    missing = SCALE - int(frequency.sum())
    if missing > 0:
        # 16 bits of what was cut off.
        rest = (product >> (_UNIT_BITS - 16)) & 0xFFFF
        frequency[np.argsort(-rest, kind="stable")[:missing]] += 1
    while frequency.sum() > SCALE:
        frequency[int(np.argmax(frequency))] -= 1
    start = np.cumsum(frequency) - frequency
    bits = np.array([max(int(f) - 1, 0).bit_length() for f in frequency], np.int64)
    # D. Granlund, P. Montgomery, "Division by invariant integers using multiplication", PLDI 1994: exact below 2^31.
    one = np.int64(1)
    multiplier = ((one << (bits + 31)) + frequency - 1) // np.maximum(frequency, 1)
    return Model(
        frequency=frozen(frequency), start=frozen(start), multiplier=frozen(multiplier), shift=frozen(bits + 31),
        lookup=frozen(np.repeat(np.arange(SYMBOLS), frequency), np.uint8),
    )  # fmt: skip
