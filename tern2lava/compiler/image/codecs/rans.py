"""Range asymmetric numeral systems over four codes at a time, in groups of rows that are decoded by themselves.

J. Duda, "Asymmetric numeral systems", arXiv 1311.2540. State x in [2^15, 2^31), 16-bit words, frequencies of 14 bits
from the static model in rans_model.py. The stream:

    header      share of 0, share of +1 (u16 each, units of 2^-15), rows a group (u32)
    length      16-bit words in all (u32), where there are two groups or more
    directory   where each group but the first starts, in words (groups.py)
    words       per group: the state (high word, low word), then the words that the decoder takes up in order

A group's codes are taken row by row and filled to whole quadruples with the code of the largest share. A decoder that
has read a group right ends in state 2^15 with all words used: each group carries a check of about 15 bits.

Groups of about 2 kbit give random access at 2 % more than the entropy; long ones are for storage and transport.
"""

from __future__ import annotations

import struct

import numpy as np
from numba import njit

from tern2lava.compiler.image.codecs.groups import Groups, rows_per_group
from tern2lava.compiler.image.codecs.matrix import check_row, check_size, ternary_matrix
from tern2lava.compiler.image.codecs.rans_model import QUADS, SCALE, SCALE_BITS, SHARE, Model, model, shares
from tern2lava.compiler.ir.shapes import Array, Bytes, Codes, Ints
from tern2lava.errors import InputError

_HEADER = struct.Struct("<HHI")
_LENGTH = struct.Struct("<I")
_NAME = "rans codes"
_LOWEST = 1 << 15
# Bits of a group and most codes in one: for random access, and for storage.
ACCESS = (2048, 1 << 15)
STORAGE = (1 << 17, 1 << 20)


def encode(codes: Array, target: tuple[int, int] = ACCESS) -> bytes:
    """The stream of int8 codes (rows, columns). target: bits that a group should have, and most codes in it."""
    codes = ternary_matrix(codes, _NAME)
    rows, columns = codes.shape
    zeros, positive = codes.size - int(np.count_nonzero(codes)), int(np.count_nonzero(codes > 0))
    share = shares(zeros, positive, codes.size)
    per_group = rows_per_group(rows, columns, _bits_per_code(*share), *target)
    layout = Groups(rows, columns, per_group, 0)
    quads = -(-layout.codes // 4)
    words = np.empty(layout.count * (quads + 2), np.uint16)
    offsets = np.zeros(layout.count + 1, np.int64)
    chosen = model(*share)
    _encode(
        codes.reshape(-1), layout.codes, _filling(*share), chosen.frequency, chosen.start, chosen.multiplier,
        chosen.shift, np.empty(quads + 2, np.uint16), words, offsets,
    )  # fmt: skip
    length = int(offsets[-1])
    directory = Groups(rows, columns, per_group, length).pack(offsets[:-1])
    header = _HEADER.pack(*share, per_group)
    if layout.count > 1:
        header += _LENGTH.pack(length)
    return header + directory + words[:length].astype("<u2").tobytes()


def encode_for_storage(codes: Array) -> bytes:
    """The stream in long groups."""
    return encode(codes, STORAGE)


def size(codes: Codes) -> int:
    """Bytes of `encode(codes)`."""
    return len(encode(codes))


def size_for_storage(codes: Codes) -> int:
    """Bytes of `encode_for_storage(codes)`."""
    return len(encode_for_storage(codes))


def least_bits(counts: Ints) -> Array:
    """0.97 * sum of n_i * min(-log2 share_i, 3), the n_i being a row's numbers of 0, +1 and -1 (see Codec).

    The sum is concave in the shares, so that a block of rows takes no less than its rows do. Over all models
    (rans_model.py) no symbol of four codes is cheaper than 0.98 times the sum over its codes: rare symbols
    cost at most 14 bits, which is why a code counts 3 bits at most.
    """
    total = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(total, 1)
    bits: Array = 0.97 * (counts * np.minimum(-np.log2(np.where(share > 0, share, 1)), 3.0)).sum(axis=1)
    return bits


def decode(data: bytes, rows: int, columns: int) -> Codes:
    """The codes, int8 (rows, columns). Raises InputError for bytes that `encode` does not make."""
    layout, chosen, filling, directory, words = _open(data, rows, columns)
    if layout.count == 0:
        return np.zeros((rows, columns), np.int8)
    offsets = layout.unpack(directory, _NAME)
    codes: Codes = _groups(layout, chosen, filling, offsets, words, rows).reshape(rows, columns)
    return codes


def decode_row(data: bytes, rows: int, columns: int, row: int) -> Codes:
    """One row's codes, int8 (columns,); only its group is decoded."""
    check_row(row, rows, _NAME)
    layout, chosen, filling, directory, words = _open(data, rows, columns)
    if layout.count == 0:
        return np.zeros(columns, np.int8)
    group, within = divmod(row, layout.per_group)
    first, last = layout.span(directory, group, _NAME)
    held = min(layout.per_group, rows - group * layout.per_group)
    codes = _groups(layout, chosen, filling, np.array([first, last], np.int64), words, held)
    row_codes: Codes = codes.reshape(held, columns)[within].copy()
    return row_codes


def _open(data: bytes, rows: int, columns: int) -> tuple[Groups, Model, int, bytes, Array]:
    """Layout, model, filling code, directory and words of a stream, its length checked."""
    if len(data) < _HEADER.size:
        raise InputError(_NAME, f"{len(data)} bytes, the header alone takes {_HEADER.size}")
    zero, positive, per_group = _HEADER.unpack_from(data)
    if zero + positive > SHARE or not 1 <= per_group <= max(rows, 1):
        raise InputError(_NAME, "a header that no stream has; the stream is damaged")
    first = _HEADER.size
    if Groups(rows, columns, per_group, 0).count > 1:
        first += _LENGTH.size
        length = _LENGTH.unpack_from(data, _HEADER.size)[0] if len(data) >= first else 0
    else:
        length = (len(data) - first) // 2
    layout = Groups(rows, columns, per_group, length)
    check_size(len(data), first + layout.directory_bytes + 2 * length, rows, columns, _NAME)
    if length < 2 * layout.count or layout.codes > max(columns, STORAGE[1]):
        raise InputError(_NAME, f"{length} words for {layout.count} groups of rows; the stream is damaged")
    at = first + layout.directory_bytes
    words = np.frombuffer(data, "<u2", length, at).astype(np.uint16, copy=False)
    return layout, model(zero, positive), _filling(zero, positive), data[first:at], words


def _groups(layout: Groups, chosen: Model, filling: int, offsets: Ints, words: Array, rows: int) -> Codes:
    """The codes of consecutive groups that hold `rows` rows, int8 (rows * columns,)."""
    count = offsets.size - 1
    quads = -(-layout.codes // 4)
    last = -(-(rows * layout.columns - (count - 1) * layout.codes) // 4)
    out = np.empty((count, quads), np.uint32)
    if not _decode(words, offsets, last, chosen.lookup, chosen.frequency, chosen.start, QUADS, out):
        raise InputError(_NAME, "a group of rows that does not end where it should; the stream is damaged")
    spread = out.astype("<u4", copy=False).view(np.int8).reshape(count, -1)
    held = rows * layout.columns - (count - 1) * layout.codes
    if (spread[:-1, layout.codes :] != filling).any() or (spread[-1, held : 4 * last] != filling).any():
        raise InputError(_NAME, "the filling of a group holds codes; the stream is damaged")
    if spread.shape[1] == layout.codes:
        return spread.reshape(-1)[: rows * layout.columns]
    return np.ascontiguousarray(spread[:, : layout.codes]).reshape(-1)[: rows * layout.columns]


def _filling(zero: int, positive: int) -> int:
    """The code of the largest share: -1, 0 or 1."""
    return int(np.argmax([SHARE - zero - positive, zero, positive])) - 1


def _bits_per_code(zero: int, positive: int) -> float:
    """Entropy of the shares."""
    share = np.array([zero, positive, SHARE - zero - positive]) / SHARE
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


@njit(cache=True)  # type: ignore[untyped-decorator]
def _encode(
    codes: Codes, group_codes: int, filling: int, frequency: Ints, start: Ints, multiplier: Ints, shift: Ints,
    scratch: Array, words: Array, offsets: Ints,
) -> None:  # fmt: skip
    """Fills words and offsets; scratch holds one group's words, written from its end."""
    length = 0
    for group in range(offsets.size - 1):
        low = group * group_codes
        high = min(low + group_codes, codes.size)
        quads = (high - low + 3) // 4
        state = np.int64(_LOWEST)
        at = scratch.size
        for quad in range(quads - 1, -1, -1):
            first = low + 4 * quad
            if first + 4 <= high:
                symbol = (
                    40 + np.int64(codes[first]) + 3 * np.int64(codes[first + 1]) + 9 * np.int64(codes[first + 2])
                    + 27 * np.int64(codes[first + 3])
                )  # fmt: skip
            else:
                symbol = np.int64(40)
                weight = np.int64(1)
                for place in range(first, first + 4):
                    symbol += weight * (np.int64(codes[place]) if place < high else filling)
                    weight *= 3
            f = frequency[symbol]
            if state >= f << (31 - SCALE_BITS):
                at -= 1
                scratch[at] = state & 0xFFFF
                state >>= 16
            quotient = (state * multiplier[symbol]) >> shift[symbol]
            state = (quotient << SCALE_BITS) + (state - quotient * f) + start[symbol]
        scratch[at - 1] = state & 0xFFFF
        scratch[at - 2] = state >> 16
        at -= 2
        count = scratch.size - at
        words[length : length + count] = scratch[at:]
        length += count
        offsets[group + 1] = length


@njit(cache=True)  # type: ignore[untyped-decorator]
def _decode(
    words: Array, offsets: Ints, last_quads: int, lookup: Bytes, frequency: Ints, start: Ints, quads: Array,
    out: Array,
) -> bool:  # fmt: skip
    """Fills out (groups, quadruples), the last group up to last_quads; False where a group does not end as it must."""
    good = np.bool_(True)
    for group in range(offsets.size - 1):
        at, end = offsets[group], offsets[group + 1]
        if end - at < 2:
            return False
        state = np.int64(words[at]) << 16 | np.int64(words[at + 1])
        at += 2
        count = last_quads if group == offsets.size - 2 else out.shape[1]
        good &= np.bool_(state < 1 << 31)
        for quad in range(count):
            slot = state & (SCALE - 1)
            symbol = lookup[slot]
            state = frequency[symbol] * (state >> SCALE_BITS) + slot - start[symbol]
            if state < _LOWEST and at < end:
                state = state << 16 | np.int64(words[at])
                at += 1
            out[group, quad] = quads[symbol]
        good &= np.bool_(state == _LOWEST and at == end)
    return bool(good)
