from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.image.codecs.loihi import (
    MOST_FORMATS,
    decode_list,
    decode_lists,
    encode_lists,
    formats,
    lists_bytes,
    stored_bytes,
    stored_words,
)
from tern2lava.compiler.image.codecs.loihi_entries import ENCODINGS, delay_bits, optimal, split
from tern2lava.compiler.image.synapse_lists import decode_slice, encode_slice, plan_lists
from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import Array, ConvGeometry, conv_out, frozen
from tern2lava.compiler.mapper.cost.nxtf import list_words
from tern2lava.errors import InputError

SETTINGS = settings(max_examples=40, deadline=None)


def lists(seed: int, zeros: float, bits: int) -> tuple[Array, Array]:
    """Random codes of a width, and the targets that they go to."""
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, 300))
    top = 1 if bits == 2 else (1 << (bits - 1)) - 1
    codes = rng.integers(-top, top + 1, (5, length)) * (rng.random((5, length)) >= zeros)
    return codes, np.sort(rng.choice(1024, length, replace=False))


@pytest.mark.parametrize("encoding", ENCODINGS)
@SETTINGS
@given(
    seed=st.integers(0, 10**6), zeros=st.sampled_from([0.0, 0.3, 0.7, 0.95, 1.0]), bits=st.sampled_from([2, 3, 8]),
    delay=st.sampled_from([0, 1, 30]),
)  # fmt: skip
def test_lists_cut_as_nxtf_does_take_its_words_and_come_back(
    encoding: str, seed: int, zeros: float, bits: int, delay: int
) -> None:
    codes, index = lists(seed, zeros, bits)
    entries = split(codes, index, encoding, bits + delay_bits(delay))
    words = stored_words(entries, index, bits, delay, len(codes))
    if len(formats(entries, index, joined=False)[0]) <= MOST_FORMATS:
        assert words.tolist() == list_words(codes, index, encoding, bits, delay_bits(delay), 60).tolist()
    holds(codes, index, entries, bits, delay)


@SETTINGS
@given(
    seed=st.integers(0, 10**6), zeros=st.sampled_from([0.0, 0.3, 0.6, 0.8, 0.95, 1.0]), bits=st.sampled_from([2, 8]),
    allowed=st.lists(st.sampled_from(ENCODINGS), min_size=1, unique=True),
)  # fmt: skip
def test_the_best_cut_takes_no_more_words_than_nxtf_in_any_allowed_encoding(
    seed: int, zeros: float, bits: int, allowed: list[str]
) -> None:
    codes, index = lists(seed, zeros, bits)
    entries = optimal(codes, index, allowed, bits)
    if len(formats(entries, index, joined=False)[0]) <= MOST_FORMATS:
        words = stored_words(entries, index, bits, 0, len(codes))
        for encoding in allowed:
            assert (words <= list_words(codes, index, encoding, bits, 0, 60)).all()
    holds(codes, index, entries, bits, 0)


def holds(codes: Array, index: Array, entries: Array, bits: int, delay: int) -> None:
    data = encode_lists(codes, index, entries, bits, delay)
    count = len(codes)
    assert len(data) == stored_bytes(entries, index, bits, delay, count) == lists_bytes(data, count, index.size)
    np.testing.assert_array_equal(decode_lists(data, count, index, bits, delay), codes)
    np.testing.assert_array_equal(decode_list(data, count, index, 3, bits, delay), codes[3])
    assert data[2] <= MOST_FORMATS


def test_formats_are_joined_where_the_table_is_full() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 2, (300, 900)) * (rng.random((300, 900)) < 0.3)
    index = np.arange(900)
    for entries in (split(codes, index, "shared_sign", 2), optimal(codes, index, ENCODINGS, 2)):
        assert len(formats(entries, index, joined=False)[0]) > MOST_FORMATS
        assert len(formats(entries, index)[0]) == MOST_FORMATS
        holds(codes, index, entries, 2, 0)


def test_an_entry_is_laid_out_as_documented() -> None:
    codes = np.array([[0, 0, 1, 0, 0, -1, 0, 0]])
    entries = split(codes, np.arange(8), "run_length", 2 + delay_bits(5))
    data = encode_lists(codes, np.arange(8), entries, 2, 5)
    assert data[:12] == struct.pack("<BBBBIBBBB", 2, 5, 1, 0, 1, 1, 6, 2, 2)
    (word,) = struct.unpack("<Q", data[12:])
    fields = [1, 2, 2, 0, 1, 5, 3, 3, 5]  # format, synapses, first target, then step, weight, delay of each
    for field, width in zip(fields, [4, 6, 6, 2, 2, 3, 2, 2, 3], strict=True):
        assert word & ((1 << width) - 1) == field
        word >>= width
    assert word == 0


def random_conv(rng: np.random.Generator) -> Projection:
    while True:
        groups = int(rng.integers(1, 3))
        shape = (groups * int(rng.integers(1, 3)), int(rng.integers(3, 9)), int(rng.integers(3, 9)))
        kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
        stride = int(rng.integers(1, 3)), int(rng.integers(1, 3))
        padding = tuple(int(p) for p in rng.integers(0, 3, 4))
        height = conv_out(shape[1], kernel[0], stride[0], padding[0] + padding[1], 1)
        width = conv_out(shape[2], kernel[1], stride[1], padding[2] + padding[3], 1)
        if height > 0 and width > 0:
            break
    out = groups * int(rng.integers(1, 4))
    geometry = ConvGeometry(
        in_shape=shape, out_shape=(out, height, width), stride=stride, dilation=(1, 1), groups=groups,
        padding=(padding[0], padding[1], padding[2], padding[3]),
    )  # fmt: skip
    weight = rng.integers(-1, 2, (out, shape[0] // groups, *kernel))
    return Projection(name="c", weight=frozen(weight, np.int8), geometry=geometry, delay=int(rng.integers(0, 4)))


@SETTINGS
@given(seed=st.integers(0, 10**6))
def test_a_convolution_comes_back_from_its_lists(seed: int) -> None:
    conv = random_conv(np.random.default_rng(seed))
    data = encode_slice(conv, plan_lists(conv, ENCODINGS))
    found = decode_slice(data, conv)
    # Taps that reach no target are in no list.
    np.testing.assert_array_equal(found[found != 0], conv.weight[found != 0])
    again = Projection(
        name="c", weight=frozen(found, np.int8), geometry=conv.geometry, delay=conv.delay
    )  # fmt: skip
    assert encode_slice(again, plan_lists(again, ENCODINGS)) == data
    for wrong in (data[:-1], data + b"\0", data[: len(data) // 2], b""):
        with pytest.raises(InputError):
            decode_slice(wrong, conv)


def test_classes_of_lists_that_disagree_are_refused() -> None:
    geometry = ConvGeometry(
        in_shape=(1, 1, 4), out_shape=(1, 1, 4), stride=(1, 1), padding=(0, 0, 1, 1), dilation=(1, 1), groups=1
    )
    one, other = (
        Projection(name="c", weight=frozen([[[weights]]], np.int8), geometry=geometry)
        for weights in ([1, 1, 1], [1, -1, 1])
    )
    streams = [plan_lists(p, ENCODINGS) for p in (one, other)]
    mixed = encode_slice(one, streams[0][:1]) + encode_slice(other, streams[1][1:])
    with pytest.raises(InputError, match="different weights"):
        decode_slice(mixed, one)


def test_what_fields_cannot_hold_is_refused() -> None:
    index = np.arange(3)
    codes = np.array([[1, -128, 0]])
    with pytest.raises(InputError, match="weights from -128 to 1 in 7 bits"):
        encode_lists(codes, index, split(codes, index, "dense", 7), 7)
    with pytest.raises(InputError, match="in 8 bits"):
        encode_lists(codes, index, split(codes, index, "shared_sign", 8), 8)
    wide = Projection(name="w", weight=frozen(codes.T, np.int8), bits=8)
    plan_lists(wide, ENCODINGS)
    with pytest.raises(InputError, match="magnitudes below 128"):
        plan_lists(wide, ("shared_sign",))
    with pytest.raises(InputError, match="fields hold 65535"):
        split(codes, np.array([0, 1, 1 << 16]), "dense", 8)
    data = encode_lists(codes, index, split(codes, index, "dense", 8), 8)
    with pytest.raises(InputError, match="expected 7 and 0"):
        decode_lists(data, 1, index, 7)
    with pytest.raises(InputError, match="expected 8 and 3"):
        decode_lists(data, 1, index, 8, 3)


@settings(max_examples=150, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_lists_end_in_codes_or_an_input_error(edits: list[tuple[int, int]]) -> None:
    codes, index = lists(3, 0.6, 3)
    data = bytearray(encode_lists(codes, index, optimal(codes, index, ENCODINGS, 3), 3))
    for position, value in edits:
        data[position % len(data)] = value
    try:
        found = decode_lists(bytes(data), len(codes), index, 3)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert abs(found).max() <= 7
