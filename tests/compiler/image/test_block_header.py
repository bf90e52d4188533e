from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tern2lava.compiler.image.block_header import BlockHeader, header_at, number_at, number_bytes

NUMBER = st.integers(0, (1 << 24) - 1)


def several(count: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[NUMBER] * count) | NUMBER.map(lambda value: (value,) * count)


@st.composite
def headers(draw: st.DrawFn) -> BlockHeader:
    common: dict[str, Any] = {
        "codec": draw(st.integers(0, 255)), "bits": draw(st.integers(1, 8)), "by_row": draw(st.booleans()),
        "gain_width": draw(st.sampled_from([1, 2, 4, 8])), "group": draw(st.integers(0, 65535)),
        "delay": draw(st.integers(0, 65535)), "payload": draw(st.integers(0, (1 << 35) - 1)),
    }  # fmt: skip
    if draw(st.booleans()):
        return BlockHeader(conv=False, in_shape=(draw(NUMBER), 1, 1), out_shape=(draw(NUMBER), 1, 1), **common)
    kernel, stride, padding, dilation = (draw(several(n)) for n in (2, 2, 4, 2))
    return BlockHeader(
        conv=True, in_shape=draw(several(3)), out_shape=draw(several(3)), kernel=kernel, stride=stride,
        padding=padding, dilation=dilation, groups=draw(NUMBER), **common,
    )  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(header=headers(), before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_a_head_comes_back_wherever_it_stands_and_no_shorter_one_does(
    header: BlockHeader, before: bytes, after: bytes
) -> None:
    data = header.encode()
    assert header_at(before + data + after, len(before)) == (header, len(before) + len(data))
    for length in range(len(data)):
        with pytest.raises(ValueError, match="no head|no number"):
            header_at(data[:length], 0)


@settings(max_examples=500, deadline=None)
# A delay of 2^16 steps.
@example(data=bytes([0b1_001_00_0_0, 0, 3, 0, 0x80, 0x80, 0x04, 100, 1, 1, 40, 1, 1, 1, 1, 0, 1, 1, 90]))
@given(data=st.binary(min_size=4, max_size=40))
def test_bytes_are_a_head_that_encodes_to_them_or_none(data: bytes) -> None:
    try:
        header, end = header_at(data, 0)
    except ValueError:
        return
    assert header.encode() == data[:end]


def test_heads_of_usual_blocks_take_few_bytes() -> None:
    dense = BlockHeader(False, 0, 2, False, 1, 3, 0, (100, 1, 1), (40, 1, 1), 90)
    shapes = [100, 1, 1, 40, 1, 1]
    assert dense.encode() == bytes([0b1_001_00_0_0, 0, 3, 0, 0, *shapes, 1, 1, 0, 1, 1, 90])
    conv = BlockHeader(True, 3, 2, True, 2, 0, 0, (64, 32, 32), (1, 32, 32), 130, (3, 3), (1, 1), (1, 1, 1, 1))
    assert conv.encode() == bytes([0b1_001_01_1_1, 3, 0, 0, 0, 64, 32, 32, 1, 32, 32, 3, 1, 1, 1, 1, 130, 1])


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, (1 << 28) - 1, (1 << 35) - 1])
def test_numbers_take_seven_bits_a_byte(value: int) -> None:
    data = number_bytes(value)
    assert len(data) == max(1, -(-value.bit_length() // 7))
    assert number_at(b"\xff" + data, 1) == (value, 1 + len(data))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x00", b"\xff\xff\xff\xff\xff\x01"])
def test_numbers_cut_short_too_long_or_with_empty_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no number"):
        number_at(data, 0)


@pytest.mark.parametrize("changed", [{"bits": 9}, {"delay": 1 << 16}, {"group": 1 << 16}, {"payload": 1 << 35}])
def test_what_no_field_can_hold_is_refused(changed: dict[str, int]) -> None:
    values: dict[str, Any] = {"bits": 2, "group": 0, "delay": 0, "payload": 0} | changed
    with pytest.raises(OverflowError):
        BlockHeader(
            conv=False, codec=0, by_row=False, gain_width=1, in_shape=(1, 1, 1), out_shape=(1, 1, 1), **values
        ).encode()
