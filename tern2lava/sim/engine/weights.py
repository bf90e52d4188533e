"""Codes of a projection as the kernels read them: by source neuron (int8), and as bit planes of ternary digits.

A code of more than two bits is a sum of ternary digits, code = sum over d of 2^d t_d with t_d = sign(code) * bit d of
|code|: each digit has two planes, one where t_d is +1, one where it is -1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import Bools, Codes, D, Words
from tern2lava.sim.engine.carry import WORDS
from tern2lava.sim.engine.dense import LANES


def digits(projection: Projection) -> int:
    """Number of ternary digits of the widest code."""
    return int(largest_code(projection)).bit_length()


def largest_code(projection: Projection) -> int:
    """The largest magnitude of a code."""
    return int(np.abs(projection.weight.astype(np.int64)).max(initial=0))


def codes_by_source(projection: Projection) -> Codes:
    """Flat int8: (in, out), or (in channels, ky, kx from last to first, out channels of a group)."""
    weight = projection.weight
    if projection.geometry is None:
        return np.ascontiguousarray(weight.T, np.int8).reshape(-1)
    groups = projection.geometry.groups
    out, per_group, ky, kx = weight.shape
    grouped = weight[..., ::-1].reshape(groups, out // groups, per_group, ky, kx).transpose(0, 2, 3, 4, 1)
    return np.ascontiguousarray(grouped, np.int8).reshape(-1)


def rows_by_source(projection: Projection) -> tuple[Words, int]:
    """Flat uint64 of a dense projection with ternary codes, and its words per source: of every source the bits of the
    outputs where the code is +1, then where it is -1, and of none a row of zeros behind (see dense.by_carry)."""
    plus, minus = _signs(np.ascontiguousarray(projection.weight.T), 0)
    words = plus.shape[1]
    stride = -(-2 * words // WORDS) * WORDS
    rows = np.zeros((len(plus) + 1, stride), np.uint64)
    rows[:-1, :words], rows[:-1, words : 2 * words] = plus, minus
    return rows.reshape(-1), stride


def bit_planes(projection: Projection) -> Words:
    """Flat uint64, every digit after the other: (block of LANES outputs, word, + or -, output in block), or for a
    convolution (out channel, word, + or -), bits in the order (ky, kx, channel)."""
    weight = projection.weight
    planes = []
    for digit in range(digits(projection)):
        if projection.geometry is None:
            signed = np.stack(_signs(weight, digit), axis=-1)
            padded = _pad_rows(signed, LANES)
            words = padded.reshape(-1, LANES, *padded.shape[1:]).transpose(0, 2, 3, 1)
        else:
            rows = weight.transpose(0, 2, 3, 1).reshape(weight.shape[0], -1)
            words = np.stack(_signs(rows, digit), axis=-1)
        planes.append(np.ascontiguousarray(words).reshape(-1))
    return np.concatenate(planes) if planes else np.zeros(0, np.uint64)


def _signs(weight: Codes, digit: int) -> tuple[Words, Words]:
    """Planes (out, words) where the digit is +1 and where it is -1."""
    wide = weight.astype(np.int16)
    on = (np.abs(wide) >> digit) & 1 > 0
    return _packed(on & (wide > 0)), _packed(on & (wide < 0))


def _packed(bits: Bools) -> Words:
    """Rows of booleans (n, m) as words (n, ceil(m / 64)) uint64, bit i of a row at i % 64 of word i // 64."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    padded = np.zeros((len(bits), -(-bits.shape[1] // 64) * 8), np.uint8)
    padded[:, : packed.shape[1]] = packed
    result: Words = padded.view("<u8").astype(np.uint64)
    return result


def _pad_rows(array: NDArray[D], multiple: int) -> NDArray[D]:
    """`array` with rows of 0 appended until their number is a multiple."""
    missing = -len(array) % multiple
    return np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)])
