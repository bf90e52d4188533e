import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.ir.shapes import Array
from tern2lava.errors import InputError
from tern2lava.train.encode import ENCODERS, encode


@settings(max_examples=50, deadline=None)
@given(top=st.integers(1, 255), steps=st.integers(1, 40), data=st.data())
def test_rate_counts_are_within_one_of_the_rate_and_evenly_spaced(top: int, steps: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, top))
    spikes = encode(np.array([[value]]), steps, top=top)[0, :, 0]
    assert abs(int(spikes.sum()) - steps * value / top) < 1
    gaps = np.diff(np.flatnonzero(spikes))
    assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


def test_rate_of_sixteen_steps_repeats_values_up_to_sixteen() -> None:
    values = np.arange(17)[:, None]
    assert np.array_equal(encode(values, 16, top=16).sum(1), values)


def test_floats_and_integers_of_equal_value_give_equal_spikes() -> None:
    values = np.arange(17)[:, None]
    for method in ("rate", "bernoulli"):
        assert np.array_equal(encode(values / 16, 9, method=method), encode(values, 9, method=method, top=16))


def test_bernoulli_follows_its_rate_and_its_seed() -> None:
    values = np.tile(np.array([0, 4, 8, 16]), (500, 1))
    spikes = encode(values, 50, method="bernoulli", top=16, seed=3)
    rates = spikes.mean(axis=(0, 1))
    assert rates[0] == 0
    assert rates[3] == 1
    np.testing.assert_allclose(rates[1:3], [0.25, 0.5], atol=0.01)
    assert np.array_equal(spikes, encode(values, 50, method="bernoulli", top=16, seed=3))
    assert not np.array_equal(spikes, encode(values, 50, method="bernoulli", top=16, seed=4))


def test_bernoulli_spikes_are_these_on_every_machine() -> None:
    spikes = encode(np.arange(17)[:, None], 64, method="bernoulli", top=16, seed=1)
    assert hashlib.sha256(spikes.tobytes()).hexdigest() == BERNOULLI_DIGEST


def test_latency_gives_one_spike_and_larger_values_never_spike_later() -> None:
    spikes = encode(np.arange(17)[:, None], 8, method="latency", top=16)[:, :, 0]
    assert spikes.sum(1).tolist() == [0] + [1] * 16
    times = spikes[1:].argmax(1)
    assert (np.diff(times) <= 0).all()
    assert times[-1] == 0
    assert times[0] == 7


def test_direct_repeats_the_value() -> None:
    assert encode(np.array([[3, 0]]), 3, method="direct", top=16)[0].tolist() == [[3, 0]] * 3


def test_spikes_have_the_samples_shape_after_batch_and_time() -> None:
    for method in set(ENCODERS) - {"none"}:
        spikes = encode(np.zeros((2, 1, 4, 5), np.uint8), 7, method=method, top=16)
        assert spikes.shape == (2, 7, 1, 4, 5)
        assert spikes.dtype == np.uint8


def test_encoding_none_hands_on_spikes_of_as_many_steps_and_refuses_others() -> None:
    spikes = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert np.array_equal(encode(spikes, 4, method="none", top=23), spikes)
    with pytest.raises(InputError, match=r"samples: requires \(batch, 3, \*shape\), .*found \(2, 4, 3\)"):
        encode(spikes, 3, method="none", top=23)
    with pytest.raises(InputError, match="requires values of 0 to 22"):
        encode(spikes, 4, method="none", top=22)


@pytest.mark.parametrize(
    ("values", "options", "says"),
    [
        (np.array([[2.0]]), {}, "scale them"),
        (np.array([[np.nan]]), {}, "scale them"),
        (np.array([[17]]), {"top": 16}, "values: requires values of 0 to 16; found 17 to 17"),
        (np.array([[0.5]]), {"top": 16}, "values: requires integers 0 to top with `top`; found float64"),
        (
            np.array([[1]]),
            {"top": 16, "method": "phase"},
            "encoding: requires one of rate, bernoulli, latency, direct, none; found 'phase'",
        ),
        (np.array([[1]]), {"top": 1000, "method": "direct"}, "up to 255"),
    ],
)
def test_bad_values_are_named(values: Array, options: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        encode(values, 4, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="steps: requires one time step at least; found 0"):
        encode(np.array([[1]]), 0, top=1)


BERNOULLI_DIGEST = "066e9959fc2dd5b80401d97efe9cd4a3f70426f0158d298db72ea6aac7fa60f4"
