import numpy as np
import pytest
import torch

from tern2lava.train.metrics import nll, softmax
from tern2lava.train.soft_labels import SoftLabels, fitted_temperature, folds_of, soft_labels
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


@pytest.mark.parametrize("scale", [0.4, 1.0, 6.0])
def test_the_temperature_is_that_of_least_nll(scale: float) -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(400, 5))
    p = softmax(truth)
    labels = np.array([rng.choice(5, p=row) for row in p])
    found = fitted_temperature(scale * truth, labels)
    grid = np.geomspace(0.05, 20, 500)
    best = min(nll(softmax(scale * truth / tau), labels) for tau in grid)
    assert nll(softmax(scale * truth / found), labels) <= best + 1e-4
    assert found == pytest.approx(scale, rel=0.2)


def test_what_is_learned_is_the_mean_of_label_and_teacher() -> None:
    q = torch.tensor([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.0, 1.0, 0.0]])
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])
    step = Step(
        x=torch.zeros(0), labels=torch.tensor([1, 2]), activity=Activity(), logits=logits, members=torch.tensor([2, 1])
    )
    y = np.array([[0, 0.25 + 0.75, 0], [0.025, 0.05, 0.75 + 0.175]])
    log_p = np.log(softmax(logits.numpy()))
    found = SoftLabels(q, 0.25)(step)["task"]
    assert float(found) == pytest.approx(float(-(y * log_p).sum(1).mean()), rel=1e-5)


def test_labels_are_softened_by_the_fitted_temperature() -> None:
    logits = np.array([[9.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 0.0]])
    objective, temperature = soft_labels(logits, np.array([0, 0, 1, 1]), 0.5)
    assert temperature == pytest.approx(9 / np.log(3), rel=1e-2)
    np.testing.assert_allclose(objective.q[0], [0.75, 0.25], atol=1e-3)
