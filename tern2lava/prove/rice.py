"""The codec rice: gaps between the rarer codes, all groups of rows read abreast."""

from __future__ import annotations

import struct

import numpy as np

from tern2lava.prove.bits import Words, bits_of, fields, require, starts, words_of
from tern2lava.prove.reader import Codes, Ints


def rice(data: bytes, rows: int, columns: int) -> Codes:
    """The codes (rows, columns)."""
    require(len(data) >= 12, "no header")
    k, mode, zero, per_group, length = struct.unpack_from("<BBHII", data)
    require(k < 32 and mode < 2 and not zero, "a header that no stream has")
    at, end = starts(data, 12, rows, per_group, length)
    require(len(data) == end + -(-length // 8), "a wrong number of bytes")
    bits = bits_of(data[end:])
    require(not bits[length:].any(), "bits behind the last group")
    group = np.arange(at.size, dtype=np.int64) * per_group * columns
    stop = np.minimum(group + per_group * columns, rows * columns)
    gaps = _Gaps(bits, words_of(data[end:]), length, k)
    codes = np.zeros(rows * columns, np.int8)
    place, active = group.copy(), np.arange(at.size)
    at = at.copy()
    last = np.append(at[1:], length)
    signs: list[tuple[Ints, Ints, Ints]] = []
    while active.size:
        gap, behind = gaps.at(at[active])
        reached = place[active] + gap
        require((reached <= stop[active]).all(), "a gap beyond its group")
        closed = reached == stop[active]
        if mode == 0:
            codes[reached[~closed]] = 1 - 2 * bits[np.minimum(behind, length - 1)][~closed].astype(np.int8)
            behind = behind + ~closed
        else:
            signs.append((place[active], gap, behind))
            behind = behind + gap
        require((behind <= last[active]).all(), "codes beyond their group")
        at[active], place[active] = behind, reached + ~closed
        active = active[place[active] < stop[active]]
    require((at == last).all(), "a group that does not end where it should")
    if signs:
        begin, count, first = (np.concatenate(part) for part in zip(*signs, strict=True))
        inside = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
        codes[np.repeat(begin, count) + inside] = 1 - 2 * bits[np.repeat(first, count) + inside].astype(np.int8)
    return codes.reshape(rows, columns)


class _Gaps:
    """Gaps in unary and k bits, read at any bit."""

    def __init__(self, bits: Codes, words: Words, length: int, k: int) -> None:
        self.words, self.length, self.k = words, length, k
        zeros = np.where(np.append(bits[:length], 0) == 0, np.arange(length + 1), length)
        self.next_zero: Ints = np.minimum.accumulate(zeros[::-1])[::-1]

    def at(self, at: Ints) -> tuple[Ints, Ints]:
        """The gaps that begin at bits `at`, and the bits behind them."""
        require((at < self.length).all(), "a gap behind the last bit")
        zero = self.next_zero[at]
        behind = zero + 1 + self.k
        require((behind <= self.length).all(), "a gap that is cut short")
        return (zero - at << self.k) + fields(self.words, zero + 1, self.k), behind
