"""Losses on plain tensors, each against its formula written another way."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tern2lava.errors import InputError
from tern2lava.train.losses import (
    confidence,
    kd_loss,
    margin_loss,
    uncertainty,
)


def kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum(-1)


def pair() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(5, 4, requires_grad=True), torch.randn(5, 4) * 2


def test_confidence_is_zero_for_a_uniform_and_one_for_a_sure_prediction() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0], [60.0, 0.0, 0.0]])
    torch.testing.assert_close(confidence(torch.log_softmax(logits, 1)), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(confidence(torch.zeros(2, 1)), torch.ones(2))


def test_distillation_is_torchs_own_divergence_times_the_squared_temperature() -> None:
    student, teacher = pair()
    log_s, log_t = torch.log_softmax(student / 3, 1), torch.log_softmax(teacher / 3, 1)
    expected = 9 * nn.functional.kl_div(log_s, log_t, reduction="batchmean", log_target=True)
    torch.testing.assert_close(kd_loss(student, teacher, temperature=3), expected)
    assert kd_loss(teacher, teacher).item() == pytest.approx(0.0, abs=1e-6)


def test_by_confidence_it_is_the_weighted_sum_of_both_directions() -> None:
    student, teacher = pair()
    s, t = torch.softmax(student / 2, 1), torch.softmax(teacher / 2, 1)
    g = 1 + (t * t.log()).sum(1) / math.log(4.0)
    expected = 4 * (g * kl(s, t) + (1 - g) * kl(t, s)).mean()
    torch.testing.assert_close(kd_loss(student, teacher, by_confidence=True), expected)
    assert kd_loss(teacher, teacher, by_confidence=True).item() == pytest.approx(0.0, abs=1e-6)


def test_soft_labels_of_temperature_one_have_the_gradient_of_cross_entropy_even_where_they_are_zero() -> None:
    student, teacher = pair()
    labels = torch.softmax(teacher, 1) * torch.tensor([1.0, 1.0, 0.0, 1.0])
    labels = labels / labels.sum(1, keepdim=True)
    (found,) = torch.autograd.grad(kd_loss(student, labels, temperature=1, probabilities=True), student)
    (expected,) = torch.autograd.grad(nn.functional.cross_entropy(student, labels), student)
    torch.testing.assert_close(found, expected)
    tempered = labels.sqrt() / labels.sqrt().sum(1, keepdim=True)
    expected = 4 * nn.functional.kl_div(torch.log_softmax(student / 2, 1), tempered, reduction="batchmean")
    torch.testing.assert_close(kd_loss(student, labels, probabilities=True), expected)


def test_the_teachers_logits_get_no_gradient_and_steps_are_averaged_like_samples() -> None:
    student, teacher = pair()
    teacher.requires_grad_()
    kd_loss(student, teacher).backward()
    assert teacher.grad is None
    over_steps = kd_loss(torch.stack([student, teacher]), torch.stack([teacher, teacher]))
    torch.testing.assert_close(over_steps, kd_loss(student, teacher) / 2)


def test_targets_that_do_not_fit_are_refused() -> None:
    student, teacher = pair()
    with pytest.raises(InputError, match=r"targets: requires the shape of the logits, \(5, 4\); found \(5, 3\)"):
        kd_loss(student, teacher[:, :3])
    with pytest.raises(InputError, match=r"targets: requires probabilities of at least 0; found -"):
        kd_loss(student, teacher, probabilities=True)
    with pytest.raises(InputError, match="temperature: requires a number above 0; found 0"):
        kd_loss(student, teacher, temperature=0)


def test_uncertainty_is_the_cross_entropy_and_the_divergence_from_what_teachers_say() -> None:
    logits, _ = pair()
    labels, soft = torch.tensor([0, 1, 2, 3, 0]), torch.softmax(torch.randn(5, 4), 1)
    hard = -torch.log_softmax(logits, 1)[torch.arange(5), labels].mean()
    apart = kl(torch.softmax(soft.log() / 3, 1), torch.softmax(logits / 3, 1)).mean()
    torch.testing.assert_close(uncertainty(logits, labels, soft, weight=0.25, temperature=3), hard + 0.25 * 9 * apart)


def test_labels_of_teachers_that_are_no_probabilities_are_refused() -> None:
    logits, labels = torch.zeros(2, 3), torch.tensor([0, 1])
    with pytest.raises(InputError, match=r"targets: requires the shape of the logits, \(2, 3\); found \(2, 2\)"):
        uncertainty(logits, labels, torch.full((2, 2), 0.5))
    with pytest.raises(InputError, match="soft: requires probabilities that sum to 1"):
        uncertainty(logits, labels, torch.zeros(2, 3))


def test_the_margin_pushes_potentials_away_from_the_threshold_on_both_sides() -> None:
    v = torch.tensor([-1.0, 0.9, 1.1, 3.0], requires_grad=True)
    value = margin_loss(v, 1.0, 0.1)
    assert value.item() == pytest.approx(2 * math.exp(-0.5) / 4)
    value.backward()
    assert v.grad is not None
    far_below, below, above, far_above = (-v.grad).tolist()
    assert below < -0.1
    assert above > 0.1
    assert far_below == pytest.approx(0.0)
    assert far_above == pytest.approx(0.0)


def test_the_margin_is_relative_to_the_threshold_and_a_mean_over_layers() -> None:
    one, ten = torch.tensor([1.2, 1.2]), torch.tensor([12.0])
    expected = margin_loss(one, 1.0)
    torch.testing.assert_close(margin_loss(ten, torch.tensor(10.0)), expected)
    torch.testing.assert_close(margin_loss({"a": one, "b": ten}, {"a": 1.0, "b": 10.0}), expected)
    both = margin_loss({"a": one, "b": torch.tensor([10.0])}, {"a": 1.0, "b": 10.0})
    torch.testing.assert_close(both, (expected + 1) / 2)


def test_a_margin_without_potentials_or_thresholds_is_refused() -> None:
    with pytest.raises(InputError, match="potentials: requires those of one layer at least; found none"):
        margin_loss({}, 1.0)
    with pytest.raises(InputError, match="thresholds: requires one for each layer; found none for 'b'"):
        margin_loss({"b": torch.ones(1)}, {"a": 1.0})
