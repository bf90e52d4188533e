"""What a codec is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tern2lava.compiler.ir.shapes import Array, Codes, Ints, Reals


def no_bound(counts: Ints) -> Reals:
    """Bits that rows take at least where nothing is known of their codec: 0 each."""
    return np.zeros(counts.shape[0])


@dataclass(frozen=True)
class Codec:
    """number: its id in core images, 0 to 255. encoding: the name by which profiles allow it. ternary: it holds
    {-1, 0, 1} only.

    A row of a matrix of codes (rows, columns) is one input axon's synapses. encode(codes) makes bytes, size(codes) is
    their exact number, with headers, padding, indices and row pointers. decode(data, rows, columns) gives int8 (rows,
    columns), decode_row(data, rows, columns, row) one row without decoding the others (or no more than its group).
    Both raise InputError on bytes that no codes encode to; what they cannot see, a checksum must (stream.py, images).

    least_bits(counts): bits (rows,), that no block takes less than the sum of, for rows with these numbers of 0,
    +1 and -1, (rows, 3); for the lower bound on cores. in_cores: a core can hold it, so that profiles may allow it.
    lists: it holds Loihi's synapse lists, which a projection is planned into, instead of a matrix.
    """

    number: int
    name: str
    encoding: str
    ternary: bool
    size: Callable[[Codes], int]
    encode: Callable[[Codes], bytes]
    decode: Callable[[bytes, int, int], Codes]
    decode_row: Callable[[bytes, int, int, int], Codes]
    least_bits: Callable[[Ints], Array] = no_bound
    in_cores: bool = True
    lists: bool = False
