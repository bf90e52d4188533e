from __future__ import annotations

import numpy as np
import pytest

from tern2lava.compiler.ir.shapes import Ints, Reals
from tern2lava.errors import InputError
from tern2lava.train.metrics import ece, nll, softmax
from tern2lava.train.uncertainty.calibration import adaptive_ece, fit_temperature, reliability

P = np.array([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6], [0.3, 0.7]])
LABELS = np.array([0, 1, 1, 1])


def overconfident(samples: int = 4000) -> tuple[Reals, Ints]:
    """Logits that are three times those that the labels are drawn from."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(samples, 5))
    labels = (rng.random((samples, 1)) > softmax(logits).cumsum(1)).sum(1)
    return 3 * logits, labels


def test_the_temperature_is_that_which_the_logits_were_sharpened_by() -> None:
    logits, labels = overconfident()
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(3, rel=0.1)
    assert fit_temperature(logits * 7, labels) == pytest.approx(7 * temperature, rel=1e-3)


def test_at_the_temperature_the_nll_no_longer_falls() -> None:
    # d NLL / d(1/T) = mean(sum_c p_c z_c - z_label) is zero at the least.
    logits, labels = overconfident(200)
    temperature = fit_temperature(logits, labels)
    expected = (softmax(logits / temperature) * logits).sum(1).mean()
    assert logits[np.arange(len(labels)), labels].mean() == pytest.approx(expected, abs=1e-4)
    least = nll(softmax(logits / temperature), labels)
    assert all(least <= nll(softmax(logits / t), labels) for t in np.geomspace(0.1, 10, 50))


def test_the_temperature_grows_with_the_logits_also_where_probabilities_vanish() -> None:
    logits, labels = overconfident()
    once = fit_temperature(logits, labels)
    far = 90 / once  # to a temperature of 90
    assert fit_temperature(logits * far, labels) == pytest.approx(90, rel=1e-3)
    # Three of ten wrong by 10^5: no temperature up to 100 makes them probable, and the largest is the best.
    logits = np.zeros((10, 2))
    logits[:, 0] = 1e5
    assert fit_temperature(logits, np.array([0] * 7 + [1] * 3)) == pytest.approx(100, rel=1e-3)


def test_a_temperature_without_samples_is_refused() -> None:
    with pytest.raises(InputError, match="held-out samples: requires one at least; found none"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, np.int64))


def test_adaptive_bins_hold_equally_many_samples() -> None:
    # Sorted: 0.6 wrong, 0.6 right | 0.7 right, 0.9 right.
    assert adaptive_ece(P, LABELS, bins=2) == pytest.approx((abs(-0.6 + 0.4) + (0.3 + 0.1)) / 4)
    assert adaptive_ece(P, LABELS, bins=1) == pytest.approx(ece(P, LABELS, bins=1))
    # Of sure predictions, half of them right, equal widths see one bin, and equal numbers the same.
    sure = np.tile([[0.98, 0.02]], (6, 1))
    assert adaptive_ece(sure, np.array([0, 0, 0, 1, 1, 1]), bins=2) == pytest.approx(0.5 * 0.02 + 0.5 * 0.98)


def test_the_bars_of_a_reliability_diagram_are_those_of_the_calibration_error() -> None:
    logits, labels = overconfident(300)
    p = softmax(logits)
    bars = reliability(p, labels, bins=10)
    assert sum(bar.samples for bar in bars) == 300
    assert sum(bar.samples * abs(bar.accuracy - bar.confidence) for bar in bars) / 300 == pytest.approx(
        ece(p, labels, 10)
    )
    assert all(bar.above < bar.confidence <= bar.to for bar in bars if bar.samples)


def test_a_reliability_diagram_by_hand() -> None:
    bars = reliability(P, LABELS, bins=5)
    assert [bar.samples for bar in bars] == [0, 0, 2, 1, 1]
    assert [bar.accuracy for bar in bars] == [0, 0, 0.5, 1, 1]
    assert [bar.confidence for bar in bars] == pytest.approx([0, 0, 0.6, 0.7, 0.9])
