"""The weights of a projection as constant arrays, by the spike that needs them: a row of codes for each tap.

A row holds the codes that one spike adds to one place of every output channel (of its group): of a dense layer a row is
a source neuron, of a convolution an input channel and a tap of the kernel, so that kernels are stored once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.linear import code_bits
from tern2lava.compiler.ir.shapes import Array, Ints
from tern2lava.export.c.ctypes import INT8, UINT8, CType, least


class Form(str, Enum):
    """PACKED: 2 bits a code, four to a byte, 0, 1 and 3 for 0, 1 and -1. LISTS: for each row where the codes 1 and the
    codes -1 begin, and the places of both. BYTES: a byte a code."""

    PACKED = "packed"
    LISTS = "lists"
    BYTES = "bytes"


@dataclass(frozen=True, eq=False, kw_only=True)
class Stored:
    """The codes of a projection: `rows` of `columns`; data, and in LISTS where each list begins."""

    form: Form
    rows: int
    columns: int
    data: Ints
    data_type: CType
    starts: Ints | None = None
    starts_type: CType | None = None

    @property
    def bytes(self) -> int:
        """Bytes of the arrays."""
        more = 0 if self.starts is None or self.starts_type is None else self.starts.size * self.starts_type.bytes
        return max(self.data.size, 1) * self.data_type.bytes + more


def code_matrix(projection: Projection) -> Array:
    """The codes (rows, columns) of a projection."""
    weight = projection.weight
    if projection.geometry is None:
        return np.ascontiguousarray(weight.T)
    out, in_group, kh, kw = weight.shape
    groups = projection.geometry.groups
    by_group = weight.reshape(groups, out // groups, in_group, kh, kw).transpose(0, 2, 3, 4, 1)
    return np.ascontiguousarray(by_group).reshape(-1, out // groups)


def stored(projection: Projection) -> Stored:
    """The codes of a projection in the form that takes the fewest bytes; of equals the packed one."""
    codes = code_matrix(projection).astype(np.int64)
    if code_bits(codes) != 2:
        rows, columns = codes.shape
        return Stored(form=Form.BYTES, rows=rows, columns=columns, data=codes.reshape(-1), data_type=INT8)
    return min(packed(codes), lists(codes), key=lambda each: each.bytes)


def packed(codes: Ints) -> Stored:
    """Ternary codes (rows, columns), code n in bits 2 (n % 4) and the next of byte n / 4."""
    flat = codes.reshape(-1) & 3
    fours = np.pad(flat, (0, -flat.size % 4)).reshape(-1, 4)
    data = (fours << np.array([0, 2, 4, 6])).sum(axis=1)
    return Stored(form=Form.PACKED, rows=codes.shape[0], columns=codes.shape[1], data=data, data_type=UINT8)


def lists(codes: Ints) -> Stored:
    """Ternary codes (rows, columns) as lists: of row r the places of 1 from starts[2 r], of -1 from starts[2 r + 1]."""
    places, starts = [np.zeros(0, np.int64)], [0]
    for row in codes:
        for code in (1, -1):
            places.append(np.flatnonzero(row == code))
            starts.append(starts[-1] + places[-1].size)
    data, begins = np.concatenate(places), np.array(starts, np.int64)
    return Stored(
        form=Form.LISTS, rows=codes.shape[0], columns=codes.shape[1], data=data,
        data_type=least(0, codes.shape[1] - 1), starts=begins, starts_type=least(0, int(begins[-1])),
    )  # fmt: skip
