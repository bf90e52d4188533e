import numpy as np
import pytest
import torch

from tern2lava.train.config import RegularizerKeys
from tern2lava.train.metrics import softmax
from tern2lava.train.regularizer import SoftLabels, folds_of, softened
from tern2lava.train.trainer import Step
from tern2lava.train.unroll import Activity


def test_folds_hold_every_sample_once_and_of_each_class_as_many() -> None:
    labels = np.array([0] * 7 + [1] * 12 + [2] * 4, np.int64)[np.random.default_rng(0).permutation(23)]
    fold = folds_of(labels, 3, seed=5)
    counts = np.array([[(labels[fold == k] == c).sum() for c in range(3)] for k in range(3)])
    assert counts.sum() == 23
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(1)) <= 1
    assert not np.array_equal(fold, folds_of(labels, 3, seed=6))
    assert np.array_equal(fold, folds_of(labels, 3, seed=5))


def test_it_is_the_divergence_from_what_the_teachers_say_of_these_samples() -> None:
    q = torch.tensor([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.0, 1.0, 0.0]])
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])
    step = Step(
        x=torch.zeros(0), labels=torch.tensor([1, 2]), activity=Activity(), logits=logits, members=torch.tensor([2, 1])
    )
    softer = np.sqrt(np.array([[0, 1, 0], [0.1, 0.2, 0.7]]))
    softer /= softer.sum(1, keepdims=True)
    p = softmax(logits.numpy() / 2)
    expected = np.where(softer > 0, softer * np.log(np.where(softer > 0, softer, 1) / p), 0).sum(1).mean()
    assert float(SoftLabels(q, 3.0, 2.0, {})(step)["uncertainty"]) == pytest.approx(3 * 4 * expected, rel=1e-5)


def test_labels_are_softened_by_the_fitted_temperature() -> None:
    logits = np.array([[9.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 0.0]])
    found = softened(logits, np.array([0, 0, 1, 1]), RegularizerKeys())
    assert found.judged["temperature"] == pytest.approx(9 / np.log(3), rel=1e-2)
    np.testing.assert_allclose(found.q[0], [0.75, 0.25], atol=1e-3)
