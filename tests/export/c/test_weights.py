"""Weights are stored in the form that takes the fewest bytes, and every form holds them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nets import convolution, sparse_codes
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.linear import accumulate
from tern2lava.compiler.ir.shapes import Ints, frozen
from tern2lava.export.c.weights import Form, Stored, code_matrix, lists, packed, stored

RNG = np.random.default_rng(0)


def read(found: Stored) -> Ints:
    """The codes (rows, columns) that are stored, read as the layout is described."""
    codes = np.zeros((found.rows, found.columns), np.int64)
    if found.form is Form.LISTS:
        assert found.starts is not None
        for row in range(found.rows):
            for sign, code in enumerate((1, -1)):
                begin, end = found.starts[2 * row + sign : 2 * row + sign + 2]
                codes[row, found.data[begin:end]] = code
        return codes
    for n in range(codes.size):
        byte = int(found.data[n // 4]) if found.form is Form.PACKED else 0
        code = {0: 0, 1: 1, 3: -1}[byte >> 2 * (n % 4) & 3] if found.form is Form.PACKED else int(found.data[n])
        codes[n // found.columns, n % found.columns] = code
    return codes


def dense(codes: Ints) -> Projection:
    return Projection(name="w", inputs=("x",), weight=frozen(codes, np.int8), bits=8)


@pytest.mark.parametrize(("rows", "columns"), [(5, 7), (1, 1), (3, 8), (4, 300)])
@pytest.mark.parametrize("form", [packed, lists])
def test_each_form_holds_the_codes(form: Callable[[Ints], Stored], rows: int, columns: int) -> None:
    codes = sparse_codes(RNG, rows, columns, zeros=0.5).astype(np.int64)
    np.testing.assert_array_equal(read(form(codes)), codes)


@pytest.mark.parametrize(("zeros", "form"), [(0.3, Form.PACKED), (0.97, Form.LISTS), (1.0, Form.LISTS)])
def test_the_smaller_form_is_taken(zeros: float, form: Form) -> None:
    codes = sparse_codes(RNG, 64, 128, zeros=zeros).astype(np.int64)
    found = stored(dense(codes))
    assert found.form is form
    assert found.bytes == min(packed(codes.T).bytes, lists(codes.T).bytes) <= 64 * 128 // 4
    np.testing.assert_array_equal(read(found), codes.T)


def test_codes_of_more_than_two_bits_take_a_byte() -> None:
    found = stored(dense(np.array([[2, -128], [127, 0], [1, -1]])))
    assert found.form is Form.BYTES
    np.testing.assert_array_equal(read(found), [[2, 127, 1], [-128, 0, -1]])
    assert found.bytes == 6


def test_a_kernel_is_stored_once_with_a_row_for_each_tap_of_an_input_channel() -> None:
    wire = convolution("w", "x", (4, 5, 5), sparse_codes(RNG, 6, 2, 3, 2), groups=2)
    rows = code_matrix(wire)
    assert rows.shape == (4 * 3 * 2, 3)
    # A spike of channel 3 at (2, 1), through the tap (1, 0), reaches (1, 1) of the channels of the second group.
    x = np.zeros((1, 4, 5, 5))
    x[0, 3, 2, 1] = 1
    y = accumulate(wire, x.reshape(1, -1)).reshape(6, 3, 4)
    np.testing.assert_array_equal(rows[(3 * 3 + 1) * 2 + 0], y[3:, 1, 1])
