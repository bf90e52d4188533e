"""Differences of two methods over the same seeds, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tern2lava.errors import InputError

METHODS = ("t", "bootstrap")
RESAMPLES = 9999


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The mean of paired differences and the bounds of its interval; pairs: how many there are."""

    mean: float
    low: float
    high: float
    pairs: int

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside the interval."""
        return self.low > 0 or self.high < 0


def paired(
    a: Sequence[float], b: Sequence[float], *, level: float = 0.95, method: str = "t", seed: int = 0
) -> Difference:
    """The mean of a - b, pair by pair (the same seed, data and split), with its interval of confidence `level`.

    t: Student's, mean +- t_(level, n - 1) * s / sqrt(n), for differences that are about normal. bootstrap:
    bias-corrected and accelerated (BCa; Efron 1987), RESAMPLES resamples drawn from `seed`; for few pairs it is too
    narrow. InputError for fewer than two pairs, or lists of different lengths.
    """
    if len(a) != len(b) or len(a) < 2:
        raise InputError(
            "pairs", f"requires as many values of one as of the other, at least 2; found {len(a)} and {len(b)}; give a "
            "pair for each seed",
        )  # fmt: skip
    if method not in METHODS:
        raise InputError("method", f"requires one of {', '.join(METHODS)}; found {method!r}; choose one of them")
    differences = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return Difference(mean=mean, low=mean, high=mean, pairs=len(differences))
    if method == "t":
        low, high = stats.t.interval(level, len(differences) - 1, loc=mean, scale=stats.sem(differences))
    else:
        low, high = stats.bootstrap(
            (differences,), np.mean, confidence_level=level, method="BCa", n_resamples=RESAMPLES,
            random_state=np.random.default_rng(seed),
        ).confidence_interval  # fmt: skip
    return Difference(mean=mean, low=float(low), high=float(high), pairs=len(differences))
