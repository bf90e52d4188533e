from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.image.codecs import CODECS, Codec, rans
from tern2lava.compiler.image.codecs.groups import Groups, field_at, pack_fields, rows_per_group, unpack_fields
from tern2lava.compiler.image.codecs.rans_model import SCALE, SHARE, model, shares
from tern2lava.compiler.image.codecs.stream import HEADER_BYTES, read_stream, write_stream
from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError

ALL = sorted(CODECS, key=lambda codec: codec.number)
TERNARY = [codec for codec in ALL if codec.ternary]


def draw(codec: Codec, shape: tuple[int, int], zeros: float, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    top = 1 if codec.ternary else 127
    values = rng.integers(-top, top + 1, shape)
    return np.where(rng.random(shape) < zeros, 0, np.where(values == 0, top, values)).astype(np.int8)


def holds(codec: Codec, codes: Array) -> None:
    """What is encoded comes back, whole and row by row, and the size is exact."""
    data = codec.encode(codes)
    assert len(data) == codec.size(codes)
    rows, columns = codes.shape
    whole = codec.decode(data, rows, columns)
    assert whole.dtype == np.int8
    np.testing.assert_array_equal(whole, codes)
    for row in range(rows) if rows < 40 else (0, 1, rows // 3, rows // 2, rows - 2, rows - 1):
        found = codec.decode_row(data, rows, columns, row)
        assert found.dtype == np.int8
        np.testing.assert_array_equal(found, codes[row])


def entropy_bits(codes: Array) -> float:
    counts = np.unique(codes, return_counts=True)[1]
    return float(-(counts * np.log2(counts / codes.size)).sum())


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 40), columns=st.integers(0, 90), zeros=st.sampled_from([0.0, 0.02, 0.3, 0.5, 0.7, 0.95, 1.0]),
    seed=st.integers(0, 10**6),
)  # fmt: skip
def test_what_is_encoded_comes_back_whole_and_row_by_row(
    codec: Codec, rows: int, columns: int, zeros: float, seed: int
) -> None:
    holds(codec, draw(codec, (rows, columns), zeros, seed))


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
@pytest.mark.parametrize("shape", [(0, 0), (0, 7), (7, 0), (1, 1), (1, 4099), (4099, 1), (263, 127), (3, 60013)])
def test_every_shape_holds(codec: Codec, shape: tuple[int, int]) -> None:
    for zeros in (0.0, 0.4, 0.99):
        holds(codec, draw(codec, shape, zeros, 3))


@pytest.mark.parametrize("codec", TERNARY, ids=lambda codec: codec.name)
def test_patterns_that_no_model_expects_hold(codec: Codec) -> None:
    n = 211
    rng = np.random.default_rng(0)
    blocks = np.zeros((n, n), np.int8)
    blocks[:, :17] = 1
    blocks[40:44] = -1
    runs = np.repeat(rng.integers(-1, 2, n), n).reshape(n, n)
    one = np.zeros((n, n))
    one[n // 2, n // 2] = -1
    stripes = np.where(np.arange(n * n).reshape(n, n) % 4 == 3, -1, 0)
    for codes in (
        np.ones((n, n)), -np.ones((n, n)), np.zeros((n, n)), np.tile([1, -1], n * n)[: n * n].reshape(n, n), blocks,
        runs, one, 1 - np.abs(one), stripes, np.where(rng.random((n, 1)) < 0.5, 0, rng.integers(-1, 2, (n, n))),
        np.tri(n) - np.tri(n).T, np.where(np.eye(n), 0, 1),
    ):  # fmt: skip
        holds(codec, codes.astype(np.int8))


@pytest.mark.parametrize("codec", TERNARY, ids=lambda codec: codec.name)
def test_every_sequence_of_six_trits_has_its_own_bytes(codec: Codec) -> None:
    seen = {codec.encode(np.array([trits], np.int8)) for trits in itertools.product((-1, 0, 1), repeat=6)}
    assert len(seen) == 3**6


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
def test_views_and_wider_integers_encode_as_what_they_hold(codec: Codec) -> None:
    codes = draw(codec, (60, 41), 0.5, 0)
    assert codec.encode(codes.T) == codec.encode(np.ascontiguousarray(codes.T))
    assert codec.encode(codes.astype(np.int64)) == codec.encode(codes)


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
def test_codes_that_a_codec_cannot_hold_are_refused(codec: Codec) -> None:
    wrong = 2 if codec.ternary else 128
    refused: tuple[Any, ...] = (np.array([[0, wrong]], np.int64), np.array([[-129, 0]], np.int64), np.zeros(4, np.int8))
    for codes in refused:
        with pytest.raises(InputError):
            codec.encode(codes)
    data = codec.encode(draw(codec, (5, 9), 0.5, 0))
    for row in (-1, 5):
        with pytest.raises(InputError, match=f"row {row} of 5"):
            codec.decode_row(data, 5, 9, row)


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
def test_a_stream_of_the_wrong_length_is_refused(codec: Codec) -> None:
    data = codec.encode(draw(codec, (37, 11), 0.4, 1))
    for wrong in (data[:-1], data + b"\0", b"", data[: len(data) // 2], data[:9]):
        with pytest.raises(InputError):
            codec.decode(wrong, 37, 11)
        with pytest.raises(InputError):
            codec.decode_row(wrong, 37, 11, 36)


@pytest.mark.parametrize("codec", TERNARY, ids=lambda codec: codec.name)
@pytest.mark.parametrize("zeros", [0.1, 0.5, 0.9])
@settings(max_examples=150, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_end_in_codes_or_an_input_error(codec: Codec, zeros: float, edits: list[tuple[int, int]]) -> None:
    data = bytearray(codec.encode(draw(codec, (100, 83), zeros, 5)))
    for position, value in edits:
        data[position % (len(data) if position % 2 else min(len(data), 24))] = value
    decoders: tuple[Callable[[], Array], ...] = (
        lambda: codec.decode(bytes(data), 100, 83),
        lambda: codec.decode_row(bytes(data), 100, 83, 61),
    )
    for decode in decoders:
        try:
            codes = decode()
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert codes.min() >= -1
            assert codes.max() <= 1


@pytest.mark.parametrize(
    ("name", "data", "shape"),
    [
        ("packed2", b"\x02", (1, 1)),  # the bits 10
        ("packed2", b"\x10", (1, 2)),  # a code after the last
        ("base3", b"\xf3", (1, 5)),  # 243
        ("base3", b"\x00", (2, 2)),  # -1 after the last
        ("bitmap", struct.pack("<II", 1, 2) + b"\x03\x04", (1, 2)),  # a third sign
        ("bitmap", struct.pack("<II", 1, 2) + b"\x07\x00", (1, 2)),  # a third code
        ("bitmap", struct.pack("<II", 1, 1) + b"\x03\x00", (1, 2)),  # a code without sign
        ("rans", struct.pack("<HHI", 40000, 0, 1) + b"\0\0\0\x80", (1, 2)),  # shares above one
        ("rans", struct.pack("<HHI", SHARE, 0, 1) + b"\x01\0\0\x80", (1, 2)),  # ends in another state
        ("rans", struct.pack("<HHI", SHARE, 0, 0) + b"\0\0\0\x80", (1, 2)),  # no rows in a group
        ("rans", struct.pack("<HHI", SHARE, 0, 1) + b"\0\0\0\x80\0", (1, 2)),  # half a word
        ("rans", struct.pack("<HHII", SHARE, 0, 1, 4) + b"\x02\0\0\0\x80\0\0\0\x81", (2, 2)),  # a group ends wrong
        ("rice", struct.pack("<BBHII", 0, 0, 0, 1, 2) + b"\x07", (1, 2)),  # a gap beyond the end
        ("rice", struct.pack("<BBHII", 0, 2, 0, 1, 2) + b"\x03", (1, 2)),  # no such mode
        ("rice", struct.pack("<BBHII", 0, 0, 0, 1, 3) + b"\x0b", (1, 2)),  # set bits behind the last group
    ],
)
def test_bytes_that_no_codes_encode_to_are_refused(name: str, data: bytes, shape: tuple[int, int]) -> None:
    with pytest.raises(InputError):
        CODECS.get(name).decode(data, *shape)


@pytest.mark.parametrize("codec", TERNARY, ids=lambda codec: codec.name)
@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 40), columns=st.integers(1, 90), zeros=st.floats(0, 1), seed=st.integers(0, 10**6))
def test_no_matrix_takes_fewer_bits_than_a_codec_says_that_its_rows_take_at_least(
    codec: Codec, rows: int, columns: int, zeros: float, seed: int
) -> None:
    codes = draw(codec, (rows, columns), zeros, seed)
    counts = np.stack([np.count_nonzero(codes == code, axis=1) for code in (0, 1, -1)], axis=1)
    # 1e-9: the rounding of the sum itself.
    assert 8 * codec.size(codes) >= codec.least_bits(counts).sum() - 1e-9
    # In a core image the rows of a matrix are input axons; what is bounded are the rows of its transpose.
    across = np.stack([np.count_nonzero(codes == code, axis=0) for code in (0, 1, -1)], axis=1)
    assert 8 * codec.size(codes) >= codec.least_bits(across).sum() - 1e-9


def test_the_table_of_the_format_document_has_every_codec_by_its_number() -> None:
    text = (Path(__file__).parents[3] / "docs" / "image-format.md").read_text(encoding="utf-8")
    table = text.split("### Codecs", 1)[1].split("\n#", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    assert [(row[0], row[1]) for row in cells[2:]] == [(str(codec.number), codec.name) for codec in ALL]
    assert [row[2] == "{−1, 0, 1}" for row in cells[2:]] == [codec.ternary and not codec.lists for codec in ALL]


def test_a_codec_whose_number_or_name_is_taken_is_refused_and_changes_nothing() -> None:
    base = CODECS.get("base3")
    for changed, message in (
        ({"name": "mine"}, "codec mine: number 2 is that of base3; choose one that is free"),
        ({"number": 200}, "found two called base3"),
        ({"name": "mine", "number": 256}, "number 256 is no byte"),
    ):
        with pytest.raises(InputError, match=message):
            CODECS.add(replace(base, **changed))
    assert sorted(CODECS, key=lambda codec: codec.number) == ALL
    assert sorted(CODECS.by_number) == [codec.number for codec in ALL]


def test_the_bytes_are_those_of_the_format_document() -> None:
    codes = np.array([[0, 1, -1, 0, 1]], np.int8)
    assert CODECS.get("packed2").encode(codes) == bytes([0b00_11_01_00, 0b01])
    assert CODECS.get("base3").encode(codes) == bytes([1 + 2 * 3 + 0 * 9 + 1 * 27 + 2 * 81])
    assert CODECS.get("bitmap").encode(codes) == struct.pack("<II", 1, 3) + bytes([0b10110, 0b010])
    assert CODECS.get("raw8").encode(codes) == bytes([0, 1, 255, 0, 1])
    # More nonzero codes than zeros: runs of 0, 2 and 1 nonzero codes before a zero, a zero and the end, k = 0.
    #   0 | 11 0, signs + - | 1 0, sign +
    assert CODECS.get("rice").encode(codes) == struct.pack("<BBHII", 0, 1, 0, 1, 9) + bytes([0b1_10_011_0 & 255, 0])
    names = {0: "packed2", 1: "raw8", 2: "base3", 3: "bitmap", 4: "rice", 5: "rans", 6: "rans_storage", 7: "loihi"}
    names |= {8: "bit_planes", 9: "axon_pairs"}
    two = np.array([[0, 1, -1], [1, 0, -2]], np.int8)
    assert CODECS.get("bit_planes").encode(two) == bytes([2, 0b10, 0b00, 0b01, 0b00, 0b01, 0b11])
    assert CODECS.get("bit_planes").encode(np.array([[0, 1], [1, 1]], np.int8)) == bytes([1, 0b10, 0b11])
    assert CODECS.get("axon_pairs").encode(codes) == bytes([0b10010, 0b00100])
    assert {codec.number: codec.name for codec in ALL} == names


@pytest.mark.parametrize("zeros", [0.0, 0.05, 0.2, 0.33, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("shape", [(784, 128), (128, 784), (10_000, 10), (100_000, 1), (1, 100_000)])
def test_storage_takes_one_percent_and_random_access_five_percent_over_the_entropy(
    shape: tuple[int, int], zeros: float
) -> None:
    rng = np.random.default_rng(7)
    codes = (rng.integers(0, 2, shape) * 2 - 1).astype(np.int8)
    codes.reshape(-1)[rng.permutation(codes.size)[: round(zeros * codes.size)]] = 0
    bound = entropy_bits(codes)
    assert 8 * len(write_stream(codes, "rans_storage")) <= 1.01 * bound
    assert 8 * len(write_stream(codes, "rans")) <= 1.05 * bound
    if min(shape) >= 10:
        assert 8 * len(write_stream(codes, "rice")) <= 1.05 * bound
    per_group = rans._open(rans.encode(codes), *shape)[0].per_group
    # A row is found by decoding about 2 kbit, or the row itself.
    assert per_group == 1 or (per_group - 1) * shape[1] * bound / codes.size <= 2048 * 1.02


@settings(max_examples=100, deadline=None)
@given(zeros=st.integers(0, 1000), positive=st.integers(0, 1000), negative=st.integers(0, 1000))
def test_a_model_gives_every_combination_that_can_occur_a_frequency(zeros: int, positive: int, negative: int) -> None:
    found = model(*shares(zeros, positive, zeros + positive + negative))
    assert found.frequency.sum() == SCALE
    possible = np.ones(81, bool)
    for count, digit in ((negative, 0), (zeros, 1), (positive, 2)):
        if count == 0 and zeros + positive + negative:
            possible &= ((np.arange(81)[:, None] // [1, 3, 9, 27]) % 3 != digit).all(axis=1)
    if zeros + positive + negative:
        np.testing.assert_array_equal(found.frequency > 0, possible)
    x = np.concatenate([np.arange(1 << 17), np.random.default_rng(0).integers(0, 1 << 31, 1000), [(1 << 31) - 1]])
    for symbol in np.flatnonzero(found.frequency)[::7]:
        quotient = (x * found.multiplier[symbol]) >> found.shift[symbol]
        np.testing.assert_array_equal(quotient, x // found.frequency[symbol])


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(0, (1 << 40) - 1), max_size=20), spare=st.integers(0, 8))
def test_bit_packed_fields_come_back_one_by_one(values: list[int], spare: int) -> None:
    width = max(max(values, default=0).bit_length() + spare, 1)
    packed = pack_fields(np.array(values, np.int64), width)
    assert len(packed) == (len(values) * width + 7) // 8
    assert unpack_fields(packed, len(values), width).tolist() == values
    assert [field_at(packed, index, width) for index in range(len(values))] == values


def test_groups_are_as_long_as_wanted_and_never_longer_than_allowed() -> None:
    assert rows_per_group(100, 10, 1.5, 2048, 1 << 15) == 100
    assert rows_per_group(1000, 10, 1.5, 2048, 1 << 15) == 137
    assert rows_per_group(1000, 5000, 1.5, 2048, 1 << 15) == 1
    assert rows_per_group(100_000, 10, 0.0, 2048, 1 << 15) == 3276
    assert rows_per_group(0, 10, 1.0, 2048, 1 << 15) == 1
    assert Groups(10, 3, 4, 100).count == 3


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
def test_every_truncation_and_every_flipped_bit_of_a_stream_is_caught(codec: Codec) -> None:
    codes = draw(codec, (9, 13), 0.5, 2)
    data = write_stream(codes, codec.name)
    stream = read_stream(data)
    np.testing.assert_array_equal(stream.codes(), codes)
    np.testing.assert_array_equal(stream.row(4), codes[4])
    for length in range(len(data)):
        with pytest.raises(InputError):
            read_stream(data[:length])
    for position in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(InputError):
            read_stream(bytes(flipped))
    with pytest.raises(InputError):
        read_stream(data + b"\0")


def test_a_stream_that_stands_for_too_many_codes_is_refused_before_anything_is_allocated() -> None:
    data = bytearray(write_stream(np.zeros((1, 1), np.int8), "rans"))
    struct.pack_into("<II", data, 4, 1 << 31, 1 << 31)
    struct.pack_into("<I", data, 12, zlib.crc32(data[HEADER_BYTES:], zlib.crc32(data[:12])))
    with pytest.raises(InputError, match="more than the"):
        read_stream(bytes(data))
    with pytest.raises(InputError):
        read_stream(bytes(data), most_codes=1 << 63).codes()
    with pytest.raises(InputError, match="choose packed2, raw8, .* or axon_pairs"):
        write_stream(np.zeros((1, 1), np.int8), "zip")


@pytest.mark.parametrize("codec", TERNARY, ids=lambda codec: codec.name)
def test_few_bytes_never_make_a_decoder_allocate_much(codec: Codec) -> None:
    """A stream may stand for many zeros, but not for more than its own groups can hold."""
    data = codec.encode(np.zeros((3, 5), np.int8))
    with pytest.raises(InputError):
        codec.decode(data, 1 << 20, 1 << 18)
    with pytest.raises(InputError):
        codec.decode(data, 1, 1 << 40)
