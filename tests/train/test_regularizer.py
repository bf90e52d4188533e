import math

import pytest
import torch

from tern2lava.errors import InputError
from tern2lava.train.regularizer import (
    UncertaintyRegularizer,
    confidence_term,
    entropy_floor,
    margin_term,
    time_term,
)
from tern2lava.train.trainer import Step
from tern2lava.train.unroll import Activity


def spikes_of(*trains: list[int]) -> Activity:
    """One sample, one output neuron per train."""
    return Activity(spikes={"out": torch.tensor(trains).float().T.unsqueeze(1)})


def test_the_time_term_is_zero_for_a_settled_answer_and_grows_with_the_doubt_of_earlier_steps() -> None:
    settled = time_term(spikes_of([1, 1, 1, 1], [0, 0, 0, 0]), 5.0)
    doubt = time_term(spikes_of([0, 1, 1, 1], [0, 0, 0, 0]), 5.0)
    contrary = time_term(spikes_of([0, 1, 1, 1], [1, 0, 0, 0]), 5.0)
    assert settled.item() == pytest.approx(0.0, abs=1e-6)
    assert 0.01 < doubt.item() < contrary.item()


def test_the_time_term_is_its_formula() -> None:
    rates = torch.tensor([[1.0, 0.0], [0.5, 0.5], [2 / 3, 1 / 3]])
    p = torch.softmax(4.0 * rates, 1)
    expected = (p.mean(0) * (p.mean(0) / p[2]).log()).sum()
    torch.testing.assert_close(time_term(spikes_of([1, 0, 1], [0, 1, 0]), 4.0), expected)


def test_the_time_term_makes_an_answer_less_sure_that_earlier_steps_doubted() -> None:
    reading = torch.tensor([[[0.0, 0.0]], [[3.0, 0.0]]], requires_grad=True)
    activity = Activity(spikes={"out": reading})
    time_term(activity, 2.0).backward()
    assert reading.grad is not None
    assert reading.grad[1, 0, 0] > 0 > reading.grad[1, 0, 1]


def test_the_margin_term_pushes_potentials_away_from_the_threshold_on_both_sides() -> None:
    met = torch.tensor([-2.0, -0.1, 0.1, 2.0], requires_grad=True)
    activity = Activity(met={"n": met}, threshold={"n": torch.tensor(1.0)})
    value = margin_term(activity, 0.1)
    assert value.item() == pytest.approx(2 * math.exp(-0.5) / 4)
    value.backward()
    assert met.grad is not None
    far_below, below, above, far_above = (-met.grad).tolist()
    assert below < -0.1
    assert above > 0.1
    assert far_below == pytest.approx(0.0)
    assert far_above == pytest.approx(0.0)


def test_the_margin_is_relative_to_the_threshold() -> None:
    one = Activity(met={"n": torch.tensor([0.2])}, threshold={"n": torch.tensor(1.0)})
    ten = Activity(met={"n": torch.tensor([2.0])}, threshold={"n": torch.tensor(10.0)})
    torch.testing.assert_close(margin_term(one, 0.1), margin_term(ten, 0.1))


def test_the_confidence_term_spares_doubtful_predictions_and_softens_sure_ones() -> None:
    floor = entropy_floor(0.1, 3)
    assert floor == pytest.approx(-0.9 * math.log(0.9) - 2 * 0.05 * math.log(0.05))
    assert confidence_term(torch.zeros(1, 3), 0.1).item() == 0.0
    sure = torch.tensor([[8.0, 0.0, 0.0]], requires_grad=True)
    confidence_term(sure, 0.1).backward()
    assert sure.grad is not None
    assert sure.grad[0, 0] > 0


def test_a_weight_of_zero_leaves_its_term_out_and_others_scale() -> None:
    activity = spikes_of([0, 1, 0], [1, 0, 0])
    activity.met, activity.threshold = {"out": torch.randn(3, 1, 2)}, {"out": torch.tensor(1.0)}
    step = Step(x=torch.zeros(1), labels=torch.zeros(1), activity=activity, logits=torch.tensor([[9.0, 0.0]]))
    once = UncertaintyRegularizer(gain=5.0, time=1.0, margin=0.0, confidence=1.0)(step)
    twice = UncertaintyRegularizer(gain=5.0, time=2.0, margin=2.0, confidence=0.0)(step)
    assert list(once) == ["time", "confidence"]
    assert list(twice) == ["time", "margin"]
    torch.testing.assert_close(twice["time"], 2 * once["time"])


def test_settings_without_meaning_are_refused() -> None:
    with pytest.raises(InputError, match="at least 0"):
        UncertaintyRegularizer(gain=5.0, time=-1.0)
    with pytest.raises(InputError, match="doubt"):
        UncertaintyRegularizer(gain=5.0, doubt=0.7)
