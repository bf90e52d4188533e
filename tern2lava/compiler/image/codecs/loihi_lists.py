"""A matrix of ternary codes as synapse lists of Loihi 1, one row a list, targets numbered 0, 1, 2, ..."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.image.codecs.loihi import decode_list, decode_lists, encode_lists, stored_bytes
from tern2lava.compiler.image.codecs.loihi_entries import ENCODINGS, optimal
from tern2lava.compiler.image.codecs.matrix import ternary_matrix
from tern2lava.compiler.ir.shapes import Array, Codes, Ints
from tern2lava.errors import InputError

_NAME = "synapse lists"
_BITS = 2


def encode(codes: Array) -> bytes:
    """The stream in the fewest words of all encodings together."""
    codes, index = _lists(codes)
    return encode_lists(codes, index, optimal(codes, index, ENCODINGS, _BITS), _BITS)


def size(codes: Codes) -> int:
    """Bytes of `encode(codes)`."""
    codes, index = _lists(codes)
    return stored_bytes(optimal(codes, index, ENCODINGS, _BITS), index, _BITS, 0, codes.shape[0])


def decode(data: bytes, rows: int, columns: int) -> Codes:
    """The codes, int8 (rows, columns). Raises InputError for bytes that `encode` does not make."""
    return ternary_matrix(decode_lists(data, rows, _targets(columns), _BITS), _NAME)


def decode_row(data: bytes, rows: int, columns: int, row: int) -> Codes:
    """One row's codes, int8 (columns,)."""
    codes: Codes = ternary_matrix(decode_list(data, rows, _targets(columns), row, _BITS)[None], _NAME)[0]
    return codes


def _lists(codes: Array) -> tuple[Codes, Ints]:
    """The lists and their targets; none where they have no targets."""
    codes = ternary_matrix(codes, _NAME)
    return codes if codes.shape[1] else codes.reshape(0, 0), np.arange(codes.shape[1])


def _targets(columns: int) -> Ints:
    if columns > 1 << 16:
        raise InputError(_NAME, f"{columns} targets; their fields hold 65536")
    return np.arange(columns)
