import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tern2lava.compiler.ir.graph import Graph, Input, Level, Neuron, Output, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.train import metrics

P = np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3], [0.5, 0.5]])
LABELS = np.array([0, 1, 1, 1])


def test_scores_of_four_predictions_by_hand() -> None:
    assert metrics.accuracy(P, LABELS) == 0.5
    assert metrics.nll(P, LABELS) == pytest.approx(-(math.log(0.8) + math.log(0.6) + math.log(0.3) + math.log(0.5)) / 4)
    assert metrics.brier(P, LABELS) == pytest.approx((2 * 0.04 + 2 * 0.16 + 2 * 0.49 + 2 * 0.25) / 4)
    # Ten bins: 0.8 | 0.6 | 0.7 | 0.5 each stand alone.
    assert metrics.ece(P, LABELS, bins=10) == pytest.approx((0.2 + 0.4 + 0.7 + 0.5) / 4)
    # One bin: mean accuracy against mean confidence.
    assert metrics.ece(P, LABELS, bins=1) == pytest.approx(abs(0.5 - 0.65))


def test_scikit_learn_agrees_on_log_loss_and_brier() -> None:
    from sklearn.metrics import log_loss

    rng = np.random.default_rng(0)
    p = metrics.softmax(rng.normal(size=(200, 7)))
    y = rng.integers(0, 7, 200)
    assert metrics.nll(p, y) == pytest.approx(log_loss(y, p, labels=range(7)))


def test_calibrated_predictions_have_little_calibration_error() -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(4), 20_000)
    y = (rng.random((20_000, 1)) > p.cumsum(1)).sum(1)
    assert metrics.ece(p, y) < 0.02
    assert metrics.ece(p**8 / (p**8).sum(1, keepdims=True), y) > 0.2


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), members=st.integers(1, 5), classes=st.integers(2, 10))
def test_disagreement_lies_between_zero_and_the_log_of_members_and_classes(
    seed: int, members: int, classes: int
) -> None:
    p = np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), (members, 6))
    assert -1e-12 <= metrics.disagreement(p) <= math.log(min(members, classes)) + 1e-12


def test_disagreement_is_zero_for_equal_members_and_log_two_for_two_opposite_sure_ones() -> None:
    assert metrics.disagreement(np.stack([P, P])) == pytest.approx(0)
    sure = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert metrics.disagreement(sure) == pytest.approx(math.log(2))


def test_running_probabilities_are_those_of_the_rate_so_far() -> None:
    counts = np.array([[[1, 0], [1, 1], [2, 1]]])
    p = metrics.running_probabilities(counts, 3.0)[0]
    for t, rates in enumerate(([1, 0], [0.5, 0.5], [2 / 3, 1 / 3])):
        expected = np.exp(3.0 * np.array(rates))
        np.testing.assert_allclose(p[t], expected / expected.sum())


def test_prediction_metrics_read_the_last_step() -> None:
    counts = np.array([[[1, 0], [1, 2]], [[0, 1], [0, 2]]])
    found = metrics.prediction_metrics(counts, np.array([1, 1]), 10.0)
    assert found["accuracy"] == 1.0
    assert found["disagreement_over_time"] > 0


def test_synaptic_operations_count_nonzero_weights_met_by_spikes() -> None:
    weight = np.array([[1, 0, -1], [1, 1, 0]])
    graph = Graph(
        level=Level.TERNARY,
        nodes=(
            Input(name="x", shape=(3,)),
            Projection(name="p", inputs=("x",), weight=frozen(weight, np.int8), scale=frozen(0.5)),
            Neuron(name="n", inputs=("p",), shape=(2,)),
            Output(name="out", inputs=("n",)),
        ),
    )
    # Fan-outs 2, 1, 1 of three inputs that spiked 5, 7 and 11 times.
    assert metrics.synaptic_operations(graph, {"x": np.array([5, 7, 11])}) == {"p": 5 * 2 + 7 + 11}
