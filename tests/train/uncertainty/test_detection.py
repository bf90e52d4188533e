from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from tern2lava.errors import InputError
from tern2lava.train.uncertainty.detection import SCORES, auroc, detection, fpr_at_recall

# Few values, so that there are ties.
SCORE = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=30)


@settings(max_examples=25, deadline=None)
@given(inside=SCORE, outside=SCORE)
def test_scikit_learn_agrees_on_areas_and_rates_ties_included(inside: list[float], outside: list[float]) -> None:
    found = detection(np.array(inside), np.array(outside))
    truth = np.r_[np.ones(len(inside)), np.zeros(len(outside))]
    scores = np.array(inside + outside)
    assert found["auroc"] == pytest.approx(roc_auc_score(truth, scores))
    assert found["aupr_in"] == pytest.approx(average_precision_score(truth, scores))
    assert found["aupr_out"] == pytest.approx(average_precision_score(1 - truth, -scores))
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert found["fpr95"] == pytest.approx(false[true >= 0.95 - 1e-12].min())


def test_apart_alike_and_reversed() -> None:
    low, high = np.array([0.1, 0.2]), np.array([0.8, 0.9])
    assert detection(high, low) == {"auroc": 1, "aupr_in": 1, "aupr_out": 1, "fpr95": 0}
    assert auroc(low, high) == 0
    assert auroc(low, low) == 0.5
    assert fpr_at_recall(low, high) == 1


def test_a_threshold_that_accepts_just_the_recall_is_taken() -> None:
    # 19 of 20 are 95 %: the one at 1.0 may be lost, and with it the others at 1.5 are not accepted.
    assert fpr_at_recall(np.r_[np.full(19, 2.0), 1.0], np.array([1.5, 1.5, 3.0, 3.0])) == 0.5


def test_a_surer_sample_scores_higher() -> None:
    p = np.array([[0.98, 0.01, 0.01], [0.5, 0.3, 0.2], [1 / 3] * 3])
    for score in SCORES.values():
        assert (np.diff(score(p)) < 0).all()


def test_scores_of_one_data_set_alone_are_refused() -> None:
    with pytest.raises(InputError, match="scores: requires samples of both data sets; found 2 and 0"):
        detection(np.zeros(2), np.zeros(0))
