from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.codecs import BY_NAME, CODECS, Codec
from tern2lava.compiler.ir import Array
from tern2lava.errors import InputError

ALL = sorted(CODECS.values(), key=lambda codec: codec.number)


def draw(codec: Codec, count: int, zeros: float, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    top = 1 if codec.ternary else 127
    values = rng.integers(-top, top + 1, count)
    return np.where(rng.random(count) < zeros, 0, np.where(values == 0, top, values)).astype(np.int8)


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 300), zeros=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]), seed=st.integers(0, 10**6))
def test_what_is_encoded_comes_back_and_the_size_is_exact(codec: Codec, count: int, zeros: float, seed: int) -> None:
    codes = draw(codec, count, zeros, seed)
    data = codec.encode(codes)
    assert len(data) == codec.size(count, int(np.count_nonzero(codes)))
    decoded = codec.decode(data, count)
    assert decoded.dtype == np.int8
    np.testing.assert_array_equal(decoded, codes)


@pytest.mark.parametrize("codec", [c for c in ALL if c.ternary], ids=lambda codec: codec.name)
def test_every_sequence_of_six_trits_has_its_own_bytes(codec: Codec) -> None:
    seen = {codec.encode(np.array(trits, np.int8)) for trits in itertools.product((-1, 0, 1), repeat=6)}
    assert len(seen) == 3**6


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
def test_a_stream_of_the_wrong_length_is_refused(codec: Codec) -> None:
    data = codec.encode(draw(codec, 37, 0.4, 1))
    for wrong in (data[:-1], data + b"\0", b""):
        with pytest.raises(InputError):
            codec.decode(wrong, 37)


@pytest.mark.parametrize(
    ("name", "data", "count"),
    [
        ("packed2", b"\x02", 1),  # the bits 10
        ("packed2", b"\x10", 2),  # a code after the last
        ("base3", b"\xf3", 5),  # 243
        ("base3", b"\x00", 4),  # -1 after the last
        ("bitmap", b"\x03\x04", 2),  # a third sign
        ("bitmap", b"\x07\x00", 2),  # a third code
    ],
)
def test_bytes_that_no_codes_encode_to_are_refused(name: str, data: bytes, count: int) -> None:
    with pytest.raises(InputError):
        BY_NAME[name].decode(data, count)


def test_the_bytes_are_those_of_the_format_document() -> None:
    codes = np.array([0, 1, -1, 0, 1], np.int8)
    assert BY_NAME["packed2"].encode(codes) == bytes([0b00_11_01_00, 0b01])
    assert BY_NAME["base3"].encode(codes) == bytes([1 + 2 * 3 + 0 * 9 + 1 * 27 + 2 * 81])
    assert BY_NAME["bitmap"].encode(codes) == bytes([0b10110, 0b010])
    assert BY_NAME["raw8"].encode(codes) == bytes([0, 1, 255, 0, 1])
    assert {codec.number: codec.name for codec in ALL} == {0: "packed2", 1: "raw8", 2: "base3", 3: "bitmap"}
