"""The kernels' parts against their definitions: bits, weights, and the decay without a wide product."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Projection
from tern2lava.compiler.ir.shapes import ConvGeometry, frozen
from tern2lava.sim.engine import columns, neuron
from tern2lava.sim.engine.bits import lowest, pack, popcount, positions
from tern2lava.sim.engine.cost import spike_limit
from tern2lava.sim.engine.dense import LANES
from tern2lava.sim.engine.weights import bit_planes, codes_by_source, digits
from tern2lava.sim.reference import integer


@njit  # type: ignore[untyped-decorator]
def _counts(words: NDArray[Any]) -> NDArray[Any]:
    result = np.zeros((words.size, 2), np.int64)
    for i in range(words.size):
        result[i, 0], result[i, 1] = popcount(words[i]), lowest(words[i])
    return result


@njit  # type: ignore[untyped-decorator]
def _decays(x: NDArray[Any], factor: NDArray[Any], bits: int) -> NDArray[Any]:
    kind = x.dtype.type
    result = np.zeros_like(x)
    for i in range(x.size):
        result[i] = neuron.decayed(x[i], factor[i], kind(bits), kind((1 << bits) - 1), kind(0), kind)
    return result


@given(words=st.lists(st.integers(1, 2**64 - 1), min_size=1))
def test_ones_are_counted_and_the_lowest_is_found(words: list[int]) -> None:
    found = _counts(np.array(words, np.uint64))
    assert found[:, 0].tolist() == [bin(word).count("1") for word in words]
    assert found[:, 1].tolist() == [(word & -word).bit_length() - 1 for word in words]


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_packed_spikes_are_found_again(count: int, share: float) -> None:
    spikes = (np.random.default_rng(count).random(count) < share).astype(np.uint8)
    words, found = np.zeros(-(-count // 64), np.uint64), np.zeros(count, np.int64)
    assert pack(spikes, words) == spikes.sum()
    assert positions(words, len(words), found) == spikes.sum()
    np.testing.assert_array_equal(found[: spikes.sum()], np.flatnonzero(spikes))
    assert "".join(f"{int(word):064b}"[::-1] for word in words)[:count] == "".join(map(str, spikes))


@settings(max_examples=200)
@given(st.data())
def test_the_narrow_decay_is_the_references(data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from([4, 8, 12, 15]))
    kind, reach = data.draw(st.sampled_from([(np.int32, 2**31 - 1), (np.int64, 2**40)]))
    x = np.array(data.draw(st.lists(st.integers(-reach, reach), min_size=1)), kind)
    decay = np.array(data.draw(st.lists(st.integers(0, 1 << bits), min_size=len(x), max_size=len(x))), np.int64)
    expected = integer.decay(x.astype(np.int64), decay, bits)
    np.testing.assert_array_equal(_decays(x, ((1 << bits) - decay).astype(kind), bits), expected)


@settings(max_examples=30)
@given(width=st.integers(1, 8), out=st.integers(1, 130), count=st.integers(1, 130), seed=st.integers(0, 999))
def test_planes_and_rows_of_a_dense_projection_hold_its_codes(width: int, out: int, count: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(-(1 << (width - 1)), 1 << (width - 1), (out, count)).astype(np.int8)
    projection = Projection(name="w", inputs=("x",), weight=frozen(codes), bits=width)
    np.testing.assert_array_equal(codes_by_source(projection).reshape(count, out), codes.T)
    blocks, words = -(-out // LANES), -(-count // 64)
    planes = bit_planes(projection).reshape(digits(projection), blocks, words, 2, LANES)
    bits = (planes[..., None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    signed = bits[:, :, :, 0].astype(np.int64) - bits[:, :, :, 1].astype(np.int64)
    weights = (1 << np.arange(digits(projection))).reshape(-1, 1, 1, 1, 1)
    found = (signed * weights).sum(axis=0).transpose(0, 2, 1, 3).reshape(blocks * LANES, words * 64)
    np.testing.assert_array_equal(found[:out, :count], codes)
    assert not found[out:].any()
    assert not found[:, count:].any()


@pytest.mark.parametrize("kind", [np.int32, np.int64])
@pytest.mark.parametrize("factors", [(0, 4096), (0, 1), (4096, 4096), (3000, 0), (4095, 700)])
@pytest.mark.parametrize("reset", [neuron.TO_ZERO, neuron.SUBTRACTS, neuron.STAYS])
def test_neurons_alike_are_stepped_as_neurons_of_their_own(kind: Any, factors: tuple[int, int], reset: int) -> None:
    rng = np.random.default_rng(7)
    # Two sets of 25 neurons, which differ in their thresholds.
    sets = np.array([[f] * 2 for f in (*factors, -3, 5)] + [[2**21, 2**22], [2**20, 2**19], *[[0, 0]] * 4], kind)
    rows = np.zeros((2, columns.POPULATION_FIELDS), np.int64)
    rows[:, columns.DISTINCT], rows[:, columns.RESET] = (2, 50), reset
    parameters = sets.reshape(-1), sets.repeat(25, axis=1).reshape(-1)
    u, v, spikes = np.zeros((2, 50), kind), np.zeros((2, 50), kind), np.zeros((2, 50), np.uint8)
    further = np.zeros((neuron.FURTHER, 0), kind)
    fired = 0
    for _ in range(20):
        a = rng.integers(-(2**23), 2**24, 50).astype(kind)
        for k, step in enumerate((neuron.step_alike, neuron.step_each)):
            step(rows[k], parameters[k], a, u[k], v[k], further, spikes[k], 12, 24)
        for array in (u, v, spikes):
            np.testing.assert_array_equal(array[0], array[1])
        fired += int(spikes[0].sum())
    assert 0 < fired < 20 * 50


def test_bits_are_taken_for_dense_activity_and_spikes_for_little() -> None:
    codes = np.random.default_rng(0).integers(-1, 2, (512, 784)).astype(np.int8)
    limit = spike_limit(Projection(name="w", inputs=("x",), weight=frozen(codes)), False)
    assert 0.05 * 784 < limit < 0.9 * 784


def test_a_convolution_whose_sums_exceed_16_bits_is_always_bit_parallel() -> None:
    def limit(code: int) -> int:
        geometry = ConvGeometry(
            in_shape=(8, 9, 9), out_shape=(40, 2, 2), stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1
        )
        weight = frozen(np.full((40, 8, 8, 8), code, np.int8))
        return spike_limit(Projection(name="w", inputs=("x",), weight=weight, geometry=geometry, bits=8), False)

    assert limit(63) > 0
    assert limit(64) == 0
