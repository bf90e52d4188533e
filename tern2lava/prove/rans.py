"""The codec rans: asymmetric numeral systems over four codes at a time, all groups of rows read abreast."""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np

from tern2lava.prove.bits import require, starts
from tern2lava.prove.reader import Codes, Ints

_DIGITS = np.arange(81)[:, None] // 3 ** np.arange(4) % 3


def rans(data: bytes, rows: int, columns: int) -> Codes:
    """The codes (rows, columns)."""
    require(len(data) >= 8, "no header")
    zero, positive, per_group = struct.unpack_from("<HHI", data)
    require(zero + positive <= 1 << 15 and per_group, "a header that no stream has")
    at, length = 8, (len(data) - 8) // 2
    if rows > per_group:
        require(len(data) >= 12, "no length")
        at, (length,) = 12, struct.unpack_from("<I", data, 8)
    first, end = starts(data, at, rows, per_group, length)
    require(len(data) == end + 2 * length, "a wrong number of bytes")
    words = np.append(np.frombuffer(data, "<u2", length, end).astype(np.int64), 0)
    last = np.append(first[1:], length)
    require((last - first >= 2).all(), "a group without a state")
    held = np.full(first.size, per_group * columns)
    held[-1] = rows * columns - (first.size - 1) * per_group * columns
    quads = -(-held // 4)
    frequency, start, lookup = _model(zero, positive)
    state, place = words[first] << 16 | words[first + 1], first + 2
    require((state < 1 << 31).all(), "a state that is too large")
    symbols = np.zeros((first.size, int(quads.max())), np.uint8)
    for step in range(symbols.shape[1]):
        # Only the last group may be shorter than the others.
        count = first.size if step < quads[-1] else first.size - 1
        low = state[:count] & 0x3FFF
        symbol = lookup[low]
        symbols[:count, step] = symbol
        moved = frequency[symbol] * (state[:count] >> 14) + low - start[symbol]
        short = moved < 1 << 15
        taken = np.minimum(place[:count], length)
        state[:count] = np.where(short, moved << 16 | words[taken], moved)
        place[:count] += short
        require((place <= last).all(), "a group that needs more words than it has")
    require((state == 1 << 15).all() and (place == last).all(), "a group that does not end where it should")
    codes = (_DIGITS - 1).astype(np.int8)[symbols].reshape(first.size, -1)
    filling = int(np.argmax([(1 << 15) - zero - positive, zero, positive])) - 1
    full = per_group * columns
    ends = codes[:-1, full:], codes[-1, held[-1] : 4 * quads[-1]]
    require(all((part == filling).all() for part in ends), "a filling that holds codes")
    return codes[:, :full].reshape(-1)[: rows * columns].reshape(rows, columns)


@lru_cache(maxsize=64)
def _model(zero: int, positive: int) -> tuple[Ints, Ints, Codes]:
    """Frequency and start of each of the 81 symbols, and the symbol of each of the 2^14 slots."""
    share = (1 << 15) - zero - positive, zero, positive
    product = [int(np.prod([share[digit] for digit in row], dtype=object)) for row in _DIGITS.tolist()]
    frequency = [max(1, p >> 46) if p else 0 for p in product]
    missing = (1 << 14) - sum(frequency)
    by_rest = sorted(range(81), key=lambda symbol: (-((product[symbol] >> 30) % (1 << 16)), symbol))
    for symbol in by_rest[: max(0, missing)]:
        frequency[symbol] += 1
    for _ in range(-missing):
        frequency[frequency.index(max(frequency))] -= 1
    counts = np.array(frequency, np.int64)
    return counts, np.cumsum(counts) - counts, np.repeat(np.arange(81, dtype=np.uint8), counts)
