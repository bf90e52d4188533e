"""How synapse lists of Loihi 1 are cut into entries: as NxTF does, or with the fewest bits.

An entry holds at most 60 synapses in one encoding. NxTF (cost/nxtf.py) fills entries from the first target to the
last, in one encoding for all lists. `optimal` finds, for each list by itself, the cut and the encodings with the fewest
bits, by dynamic programming over its synapses from the last to the first; no list takes more bits than in any of
NxTF's encodings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tern2lava.compiler.ir.shapes import Array, Bools, Ints
from tern2lava.errors import InputError

SPARSE, RUN_LENGTH, DENSE = 0, 1, 2
MIXED, EXCITATORY, INHIBITORY = 0, 1, 2
ENCODINGS = ("sparse", "run_length", "dense", "shared_sign")
MAX_PER_ENTRY = 60
LEAST_INDEX, LEAST_SKIP, MOST_SKIP = 6, 2, 5
# Columns of an entry: its list, first and last position, synapses (dense: targets), largest step, and its encoding
# + 4 * sign mode.
ROW, FIRST, LAST, COUNT, STEP, KIND = range(6)
#: Entries of several lists, (entries, 6).
Entries = NDArray[np.int32]


def delay_bits(delay: int) -> int:
    """Bits of the delay field of a synapse: none without a delay, else 3 to 6 (NxTF: {3, 4, 5, 6})."""
    return 0 if delay == 0 else max(3, delay.bit_length())


def split(codes: Array, index: Ints, encoding: str, each: int, most: int = MAX_PER_ENTRY) -> Entries:
    """Entries (n, 6) as NxTF cuts lists in one encoding. codes (lists, m), index (m,) ascending targets, each:
    weight and delay bits. shared_sign: each polarity apart, in the cheapest of the three."""
    _check(index, most)
    if encoding != "shared_sign":
        return _cut(codes, index, ENCODINGS.index(encoding), MIXED, most)
    choices = [
        _sorted(np.concatenate([_cut(codes, index, kind, sign, most) for sign in (EXCITATORY, INHIBITORY)]))
        for kind in (DENSE, RUN_LENGTH, SPARSE)
    ]
    return min(choices, key=lambda e: int(list_words(list_bits(e, index, each, codes.shape[0])).sum()))


def optimal(codes: Array, index: Ints, encodings: Sequence[str], each: int, most: int = MAX_PER_ENTRY) -> Entries:
    """Entries (n, 6) with the fewest words for each list among the allowed encodings."""
    _check(index, most)
    allowed = np.array([name in encodings for name in ENCODINGS[:3]])
    choices = []
    if allowed.any():
        choices.append(_best(codes, index, allowed, (MIXED,), each, most))
    if "shared_sign" in encodings:
        choices.append(_best(codes, index, np.ones(3, np.bool_), (EXCITATORY, INHIBITORY), each, most))
    words = np.stack([list_words(list_bits(e, index, each, codes.shape[0])) for e in choices])
    chosen = words.argmin(axis=0)
    return _sorted(np.concatenate([e[chosen[e[:, ROW]] == k] for k, e in enumerate(choices)]))


def list_bits(entries: Entries, index: Ints, each: int, lists: int) -> Ints:
    """Bits of each list, int64 (lists,), in formats as narrow as each entry allows."""
    bits = np.zeros(lists, np.int64)
    _list_bits(entries, np.ascontiguousarray(index, np.int64), each, bits)
    return bits


def list_words(bits: Ints) -> Ints:
    """64-bit words of lists: one more where fewer than six bits are left to end the list."""
    rest = bits % 64
    words: Ints = (bits + 63) // 64 + ((rest == 0) | (rest >= 59))
    return words


def _sorted(entries: Entries) -> Entries:
    """Entries by list, in each as they were."""
    return entries[np.argsort(entries[:, ROW], kind="stable")]


def _check(index: Ints, most: int) -> None:
    """InputError where targets or synapses exceed the fields that can hold them."""
    if (index.size and int(index[-1]) >= 1 << 16) or not 1 <= most <= 63:
        raise InputError("synapse lists", f"target {int(index[-1])}, {most} synapses an entry; fields hold 65535, 63")


def _cut(codes: Array, index: Ints, kind: int, sign: int, most: int) -> Entries:
    entries = np.empty((int(np.count_nonzero(codes)), 6), np.int32)
    return entries[: _cut_lists(codes, index, kind, sign, most, entries)]


def _best(codes: Array, index: Ints, allowed: Bools, signs: Sequence[int], each: int, most: int) -> Entries:
    found = []
    for sign in signs:
        entries = np.empty((int(np.count_nonzero(codes)), 6), np.int32)
        count = _best_lists(codes, index, allowed, sign, each - (sign != MIXED), most, entries)
        found.append(entries[:count])
    return _sorted(np.concatenate(found))


@njit(cache=True)  # type: ignore[untyped-decorator]
def _bits(value: int) -> int:
    bits = 0
    while value > 0:
        bits += 1
        value >>= 1
    return bits


@njit(cache=True)  # type: ignore[untyped-decorator]
def least_widths(entries: Entries, entry: int, index: Ints) -> tuple[Any, Any, Any]:
    """Encoding + 4 * sign mode of an entry, and the index and skip bits that it needs."""
    mode = np.int64(entries[entry, KIND])
    largest = index[entries[entry, LAST] if mode & 3 == SPARSE else entries[entry, FIRST]]
    skip = max(LEAST_SKIP, _bits(np.int64(entries[entry, STEP]))) if mode & 3 == RUN_LENGTH else 0
    return mode, max(LEAST_INDEX, _bits(largest)), skip


@njit(cache=True)  # type: ignore[untyped-decorator]
def count_formats(entries: Entries, index: Ints, counts: Ints, synapses: Ints) -> None:
    """Adds entries and their synapses by (encoding + 4 * sign mode, index bits, skip bits) to tables."""
    for entry in range(entries.shape[0]):
        mode, index_bits, skip_bits = least_widths(entries, entry, index)
        counts[mode, index_bits, skip_bits] += 1
        synapses[mode, index_bits, skip_bits] += entries[entry, COUNT]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _list_bits(entries: Entries, index: Ints, each: int, bits: Ints) -> None:
    for entry in range(entries.shape[0]):
        mode, index_bits, skip_bits = least_widths(entries, entry, index)
        count = np.int64(entries[entry, COUNT])
        indices = count if mode & 3 == SPARSE else 1
        bits[entries[entry, ROW]] += 10 + count * (each - np.int64(mode >= 4) + skip_bits) + indices * index_bits


@njit(cache=True)  # type: ignore[untyped-decorator]
def belongs(code: int, sign: int) -> bool:
    """Whether a code is a synapse of entries of this sign mode."""
    return code > 0 if sign == EXCITATORY else code < 0 if sign == INHIBITORY else code != 0


@njit(cache=True)  # type: ignore[untyped-decorator]
def _cut_lists(codes: Array, index: Ints, kind: int, sign: int, most: int, entries: Entries) -> int:
    """Fills entries; how many."""
    made = 0
    for row in range(codes.shape[0]):
        first, last, count, largest = -1, -1, 0, 0
        for position in range(codes.shape[1]):
            if not belongs(codes[row, position], sign):
                continue
            if first >= 0:
                step = index[position] - index[last]
                if kind == DENSE:
                    closes = index[position] - index[first] >= most
                else:
                    closes = count == most or (kind == RUN_LENGTH and step >= 1 << MOST_SKIP)
                if closes:
                    made = _add(entries, made, row, first, last, count, largest, kind + 4 * sign, index)
                    first = -1
                else:
                    largest = max(largest, step)
            if first < 0:
                first, count, largest = position, 0, 0
            last = position
            count += 1
        if first >= 0:
            made = _add(entries, made, row, first, last, count, largest, kind + 4 * sign, index)
    return made


@njit(cache=True)  # type: ignore[untyped-decorator]
def _add(
    entries: Entries, made: int, row: int, first: int, last: int, count: int, step: int, kind: int, index: Ints
) -> int:
    entries[made, ROW] = row
    entries[made, FIRST] = first
    entries[made, LAST] = last
    entries[made, COUNT] = index[last] - index[first] + 1 if kind & 3 == DENSE else count
    entries[made, STEP] = step
    entries[made, KIND] = kind
    return made + 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _best_lists(codes: Array, index: Ints, allowed: Bools, sign: int, each: int, most: int, entries: Entries) -> int:
    """Fills entries; how many. cost[i]: least bits of the synapses from the i-th on."""
    length = codes.shape[1]
    at = np.empty(length, np.int64)
    target_bits = np.empty(length, np.int64)
    cost = np.zeros(length + 1, np.int64)
    until = np.zeros(length, np.int64)
    how = np.zeros(length, np.int64)
    made = 0
    for row in range(codes.shape[0]):
        n = 0
        for position in range(length):
            if belongs(codes[row, position], sign):
                at[n] = position
                target_bits[n] = max(LEAST_INDEX, _bits(index[position]))
                n += 1
        cost[n] = 0
        for i in range(n - 1, -1, -1):
            fixed = 10 + target_bits[i]
            best: Any = np.int64(1) << 60
            largest: Any = np.int64(0)
            skip: Any = np.int64(LEAST_SKIP)
            for j in range(i, min(n, i + most)):
                if j > i:
                    step = index[at[j]] - index[at[j - 1]]
                    if step > largest:
                        largest = step
                        skip = max(LEAST_SKIP, _bits(step))
                span = index[at[j]] - index[at[i]] + 1
                count = j - i + 1
                if allowed[DENSE] and span <= most and fixed + span * each + cost[j + 1] < best:
                    best, until[i], how[i] = fixed + span * each + cost[j + 1], j, DENSE
                if allowed[RUN_LENGTH] and skip <= MOST_SKIP and fixed + count * (each + skip) + cost[j + 1] < best:
                    best, until[i], how[i] = fixed + count * (each + skip) + cost[j + 1], j, RUN_LENGTH
                if allowed[SPARSE] and 10 + count * (each + target_bits[j]) + cost[j + 1] < best:
                    best, until[i], how[i] = 10 + count * (each + target_bits[j]) + cost[j + 1], j, SPARSE
            cost[i] = best
        i = 0
        while i < n:
            j = until[i]
            largest = 0
            for k in range(i + 1, j + 1):
                largest = max(largest, index[at[k]] - index[at[k - 1]])
            made = _add(entries, made, row, at[i], at[j], j - i + 1, largest, how[i] + 4 * sign, index)
            i = j + 1
    return made
