import hashlib

import numpy as np
import pytest

from tern2lava.errors import InputError
from tern2lava.train.data import digits


def test_digits_split_is_stratified_disjoint_and_the_same_everywhere() -> None:
    data = digits()
    assert data.train_x.shape == (1258, 1, 8, 8)
    assert data.test_x.shape == (539, 1, 8, 8)
    assert data.train_x.dtype == np.uint8
    assert data.train_x.max() == data.top == 16
    shares = np.bincount(data.test_y) / np.bincount(np.concatenate([data.train_y, data.test_y]))
    np.testing.assert_allclose(shares, 0.3, atol=0.005)
    assert hashlib.sha256(data.test_x.tobytes() + data.test_y.tobytes()).hexdigest() == SPLIT_DIGEST


def test_another_seed_is_another_split() -> None:
    assert not np.array_equal(digits(seed=1).test_x, digits().test_x)


def test_a_split_without_test_samples_is_refused() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        digits(test_fraction=0.0)


SPLIT_DIGEST = "63fd9ac6e23e5963f7558bdc4ac8e1bdf54c8f5b99a1c20ae39d0750e79f725c"
