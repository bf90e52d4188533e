"""Synapse memory of Loihi 1 as NxTF accounts for it: synapse lists in entries, packed into 64-bit words.

Source: B. Rueckauer et al., "NxTF: An API and Compiler for Deep Spiking Neural Networks on Intel Loihi",
arXiv 2101.04261, and its code (data_structures.py, synapse_compression.py). The synapses of one source neuron on one
core form a list of entries of at most 60 synapses; with n synapses an entry takes

    prefix + n * (weight bits + delay bits + per synapse)
    prefix       4 (format) + 6 (count) + (0 if sparse else index bits of the first target)
    per synapse  sparse: index bits of the last target; run length: skip bits; dense: 0
    index bits   max(6, ceil(log2(index + 1)))
    skip bits    max(2, ceil(log2(largest index step in the entry + 1))), at most 5: a step of 32 or more opens a new
                 entry
    dense        every target from the first nonzero one on, zeros included, trailing zeros not

and a list takes ceil(B / 64) words, one more where B mod 64 is 0 or at least 59.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tern2lava.compiler.ir.shapes import Array, Ints

SPARSE, RUN_LENGTH, DENSE = 0, 1, 2
_PREFIX = 10
_MIN_INDEX_BITS = 6
_MIN_SKIP_BITS = 2
_MAX_SKIP = 32


def list_words(codes: Array, index: Ints, encoding: str, weight_bits: int, delay_bits: int, max_per_entry: int) -> Ints:
    """Words of each list, int64 (lists,). codes (lists, n) are the weights, index (n,) ascending the targets they go
    to. encoding: dense, sparse, run_length, or shared_sign (each polarity apart, one bit less a weight, in the
    cheapest of the three)."""
    codes = np.ascontiguousarray(codes)
    index = np.ascontiguousarray(index, np.int64)
    if encoding == "shared_sign":
        best: Array | None = None
        for mode in (SPARSE, RUN_LENGTH, DENSE):
            bits = sum(
                _list_bits(part, index, mode, weight_bits - 1, delay_bits, max_per_entry)
                for part in (np.maximum(codes, 0), np.minimum(codes, 0))
            )
            words = _words(np.asarray(bits))
            best = words if best is None or words.sum() < best.sum() else best
        assert best is not None
        return best
    mode = {"sparse": SPARSE, "run_length": RUN_LENGTH, "dense": DENSE}[encoding]
    return _words(_list_bits(codes, index, mode, weight_bits, delay_bits, max_per_entry))


def delay_bits(delay: int) -> int:
    """Bits of the delay field of a synapse: none without a delay, else 3 to 6 (NxTF: {3, 4, 5, 6})."""
    return 0 if delay == 0 else max(3, delay.bit_length())


def _words(bits: Ints) -> Ints:
    rest = bits % 64
    result: Ints = (bits + 63) // 64 + ((rest == 0) | (rest >= 59))
    return result


@njit(cache=True)  # type: ignore[untyped-decorator]
def _bit_length(value: int) -> int:
    bits = 0
    while value > 0:
        bits += 1
        value >>= 1
    return bits


@njit(cache=True)  # type: ignore[untyped-decorator]
def _list_bits(codes: Array, index: Ints, mode: int, weight_bits: int, delay_bits: int, max_per_entry: int) -> Ints:
    """Bits of each list before rounding to words, int64 (lists,)."""
    lists, length = codes.shape
    result = np.zeros(lists, np.int64)
    each = weight_bits + delay_bits
    for row in range(lists):
        total = 0
        count = 0
        first = 0
        previous = 0
        largest_step = 0
        for position in range(length + 1):
            ended = position == length
            if not ended and codes[row, position] == 0:
                continue
            target = 0 if ended else index[position]
            if count > 0:
                if ended:
                    closes = True
                elif mode == DENSE:
                    closes = target - first >= max_per_entry
                elif mode == RUN_LENGTH:
                    closes = count == max_per_entry or target - previous >= _MAX_SKIP
                else:
                    closes = count == max_per_entry
                if closes:
                    if mode == SPARSE:
                        total += _PREFIX + count * (each + max(_MIN_INDEX_BITS, _bit_length(previous)))
                    elif mode == RUN_LENGTH:
                        skip = max(_MIN_SKIP_BITS, _bit_length(largest_step))
                        total += _PREFIX + max(_MIN_INDEX_BITS, _bit_length(first)) + count * (each + skip)
                    else:
                        span = previous - first + 1
                        total += _PREFIX + max(_MIN_INDEX_BITS, _bit_length(first)) + span * each
                    count = 0
                    largest_step = 0
            if not ended:
                if count == 0:
                    first = target
                elif target - previous > largest_step:
                    largest_step = target - previous
                previous = target
                count += 1
        result[row] = total
    return result
