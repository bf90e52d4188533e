"""The checker's own decoder reads what every codec of the compiler writes, and refuses what none does."""

from __future__ import annotations

import numpy as np
import pytest

from tern2lava.compiler.image.codecs import CODECS
from tern2lava.prove.codecs import LISTS, NAMES, decode

SHAPES = [(1, 1), (3, 7), (40, 33), (200, 64), (700, 150)]
PLACED = [number for number in NAMES if number != LISTS]


def matrix(rng: np.random.Generator, rows: int, columns: int, zeros: float, most: int) -> np.ndarray:
    codes = rng.integers(1, most + 1, (rows, columns)) * rng.choice([-1, 1], (rows, columns))
    return np.where(rng.random((rows, columns)) < zeros, 0, codes).astype(np.int8)


def test_both_know_the_same_codecs_by_the_same_names() -> None:
    assert {number: codec.name for number, codec in CODECS.by_number.items()} == NAMES


@pytest.mark.parametrize("number", PLACED)
@pytest.mark.parametrize("zeros", [0.0, 0.1, 0.5, 0.95, 1.0])
def test_what_a_codec_writes_is_read_alike(number: int, zeros: float) -> None:
    codec = CODECS.by_number[number]
    rng = np.random.default_rng([number, int(100 * zeros)])
    for rows, columns in SHAPES:
        for most in (1,) if codec.ternary else (1, 7, 120):
            codes = matrix(rng, rows, columns, zeros, most)
            np.testing.assert_array_equal(decode(number, codec.encode(codes), rows, columns), codes)


@pytest.mark.parametrize("number", PLACED)
def test_a_changed_byte_is_refused_or_read_as_the_compiler_reads_it(number: int) -> None:
    codec = CODECS.by_number[number]
    rng = np.random.default_rng(number)
    codes = matrix(rng, 60, 40, 0.5, 1)
    data = codec.encode(codes)
    refused = 0
    for _ in range(150):
        raw = bytearray(data)
        raw[int(rng.integers(len(raw)))] ^= int(rng.integers(1, 256))
        try:
            found = decode(number, bytes(raw), 60, 40)
        except ValueError:
            refused += 1
            continue
        np.testing.assert_array_equal(found, codec.decode(bytes(raw), 60, 40))
    assert refused > 20 or codec.name in ("raw8", "bit_planes", "base3")


@pytest.mark.parametrize("number", PLACED)
def test_a_stream_that_is_cut_short_is_refused(number: int) -> None:
    data = CODECS.by_number[number].encode(matrix(np.random.default_rng(1), 30, 20, 0.5, 1))
    for length in (0, 1, 7, len(data) // 2, len(data) - 1):
        with pytest.raises(ValueError, match=r"."):
            decode(number, data[:length], 30, 20)
