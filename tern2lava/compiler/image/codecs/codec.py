"""What a codec is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tern2lava.compiler.ir.shapes import Array


@dataclass(frozen=True)
class Codec:
    """number: its id in core images. encoding: the name by which profiles allow it. ternary: it holds {-1, 0, 1} only.

    A row of a matrix of codes (rows, columns) is one input axon's synapses. encode(codes) makes bytes, size(codes) is
    their exact number, with headers, padding, indices and row pointers. decode(data, rows, columns) gives int8 (rows,
    columns), decode_row(data, rows, columns, row) one row without decoding the others (or no more than its group).
    Both raise InputError on bytes that no codes encode to; what they cannot see, a checksum must (stream.py, images).
    """

    number: int
    name: str
    encoding: str
    ternary: bool
    size: Callable[[Array], int]
    encode: Callable[[Array], bytes]
    decode: Callable[[bytes, int, int], Array]
    decode_row: Callable[[bytes, int, int, int], Array]
