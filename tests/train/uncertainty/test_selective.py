from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from tern2lava.train.uncertainty.selective import risk_coverage


def predictions(*confidence: float) -> np.ndarray:
    return np.array([[c, 1 - c] for c in confidence])


def test_risks_of_four_predictions_by_hand() -> None:
    found = risk_coverage(predictions(0.6, 0.9, 0.7, 0.8), np.array([1, 0, 0, 1]))
    # From the surest: right, wrong, right, wrong.
    assert found.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert found.area == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert found.points(2) == [(0.25, 0.0), (1.0, 0.5)]
    assert len(found.points()) == 4


def test_predictions_of_equal_confidence_count_as_the_mean_over_their_orders() -> None:
    labels = np.array([1, 0, 0, 1])
    p = predictions(0.9, 0.7, 0.7, 0.7)
    risks = []
    for order in permutations([1, 2, 3]):
        wrong = (labels[[0, *order]] != 0).cumsum()
        risks.append(wrong / np.arange(1, 5))
    np.testing.assert_allclose(risk_coverage(p, labels).risk, np.mean(risks, axis=0))


def test_a_network_whose_errors_are_its_least_sure_predictions_has_the_least_area() -> None:
    p = predictions(0.9, 0.8, 0.7, 0.6)
    areas = {labels: risk_coverage(p, np.array(labels)).area for labels in permutations([0, 0, 0, 1])}
    assert min(areas, key=lambda labels: areas[labels]) == (0, 0, 0, 1)
    assert max(areas, key=lambda labels: areas[labels]) == (1, 0, 0, 0)
