from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tern2lava.errors import InputError
from tern2lava.train.uncertainty.paired import Difference, paired

A, B = [85.0, 84.0, 86.5, 85.5, 84.5], [84.0, 83.5, 85.0, 85.0, 84.0]


def test_the_t_interval_by_hand() -> None:
    # Differences 1, 0.5, 1.5, 0.5, 0.5: mean 0.8, s = sqrt(0.2), t_(0.975, 4) = 2.776445.
    found = paired(A, B)
    half = 2.776445 * np.sqrt(0.2 / 5)
    assert (found.mean, found.low, found.high) == pytest.approx((0.8, 0.8 - half, 0.8 + half))
    assert found.pairs == 5
    assert found.excludes_zero
    assert not paired(A, B, level=0.999).excludes_zero


def test_it_excludes_zero_where_the_paired_test_rejects() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        a, b = rng.normal(0.5, 1, 8), rng.normal(0, 1, 8)
        assert paired(a.tolist(), b.tolist()).excludes_zero == (stats.ttest_rel(a, b).pvalue < 0.05)


def test_the_bootstrap_is_the_same_for_a_seed_and_covers_about_its_level() -> None:
    rng = np.random.default_rng(1)
    few = rng.normal(size=12).tolist()
    once, again, other = (paired(few, [0.0] * 12, method="bootstrap", seed=seed) for seed in (0, 0, 1))
    assert once == again != other
    covered = 0
    for _ in range(20):
        a = rng.normal(1.0, 2.0, 30)
        found = paired(a.tolist(), [0.0] * 30, method="bootstrap", level=0.8)
        covered += found.low <= 1.0 <= found.high
    assert 11 <= covered <= 20  # 16 expected


def test_equal_differences_have_no_width() -> None:
    assert paired([2.0, 3.0], [1.0, 2.0]) == Difference(mean=1.0, low=1.0, high=1.0, pairs=2)


def test_what_is_not_paired_is_refused() -> None:
    with pytest.raises(InputError, match="pairs: requires as many values of one as of the other, at least 2; found 2"):
        paired([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="method: requires one of t, bootstrap; found 'z'"):
        paired(A, B, method="z")
