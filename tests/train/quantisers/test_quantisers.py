"""Thresholds, scales and gradients of each quantiser, against its paper's equations written out."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from nodes import there
from places import ROOT
from tern2lava.train.quantisers import QUANTISERS
from tern2lava.train.quantisers.quantiser import Ternary

WEIGHT = torch.tensor([[0.1, -0.5, 1.0, -2.0]])
RANDOM = torch.randn(4, 30, generator=torch.Generator().manual_seed(0))
UPSTREAM = torch.randn(4, 30, generator=torch.Generator().manual_seed(1))


def made(name: str, weight: Tensor, **options: bool) -> Ternary:
    return QUANTISERS.get(name).make(weight, "channel", None, **options)


def after(name: str, weight: Tensor = RANDOM) -> tuple[Ternary, Tensor, Tensor]:
    """(the quantiser, its ternary weight, the gradient to the full-precision one) for the gradient UPSTREAM."""
    leaf, ternary = weight.clone().requires_grad_(), made(name, weight)
    hard = ternary(leaf)
    (hard * UPSTREAM).sum().backward()
    return ternary, hard.detach(), there(leaf.grad)


def test_twn_threshold_and_scale_are_the_papers() -> None:
    torch.testing.assert_close(made("twn", WEIGHT).ternary(WEIGHT), torch.tensor([[0.0, 0.0, 1.5, -1.5]]))


def test_absmean_rounds_to_multiples_of_the_mean_magnitude() -> None:
    expected = torch.clamp(torch.round(WEIGHT / 0.9), -1, 1) * 0.9
    torch.testing.assert_close(made("absmean", WEIGHT).ternary(WEIGHT), expected)


def test_ttq_keeps_what_is_above_a_twentieth_of_the_largest() -> None:
    weight = torch.tensor([[0.09, -0.11, 1.0, -2.0]])
    scale = (0.11 + 1 + 2) / 3
    torch.testing.assert_close(made("ttq", weight).ternary(weight), torch.tensor([[0, -scale, scale, -scale]]))


def test_lsq_rounds_to_multiples_of_its_step() -> None:
    expected = torch.clamp(torch.round(WEIGHT / 1.8), -1, 1) * 1.8
    torch.testing.assert_close(made("lsq", WEIGHT).ternary(WEIGHT), expected)


@pytest.mark.parametrize("name", ["twn", "absmean", "learned"])
def test_gradients_reach_the_full_precision_weight_unchanged(name: str) -> None:
    assert torch.equal(after(name)[2], UPSTREAM)


def test_gradients_of_the_learned_scale_and_threshold_are_those_of_their_lines() -> None:
    ternary, hard, _ = after("learned")
    alpha, delta = ternary.log_alpha.exp().detach(), ternary.log_delta.exp().detach()  # type: ignore[operator]
    x = RANDOM / delta
    slope = torch.where(x.abs() < 2, -x / 2, 0.0)
    grads = [there(p.grad) for p in (ternary.log_delta, ternary.log_alpha)]
    torch.testing.assert_close(grads[0], (UPSTREAM * slope).sum(1, keepdim=True) * alpha)
    torch.testing.assert_close(grads[1], (UPSTREAM * hard.sign()).sum(1, keepdim=True) * alpha)


def test_gradients_of_ttq_are_the_papers_with_one_scale() -> None:
    ternary, hard, gradient = after("ttq")
    alpha = ternary.get_parameter("alpha")
    torch.testing.assert_close(there(alpha.grad), (UPSTREAM * hard.sign()).sum(1, keepdim=True))
    torch.testing.assert_close(gradient, torch.where(hard != 0, alpha.detach() * UPSTREAM, UPSTREAM))
    assert 0 < (hard == 0).sum() < 20


def test_gradients_of_lsq_are_the_papers() -> None:
    ternary, _, gradient = after("lsq")
    step = ternary.get_parameter("step")
    v = RANDOM / step.detach()
    by_step = torch.where(v.abs() < 1, torch.round(v) - v, torch.sign(v))
    expected = (UPSTREAM * by_step).sum(1, keepdim=True) / 30**0.5
    torch.testing.assert_close(there(step.grad), expected)
    torch.testing.assert_close(gradient, torch.where(v.abs() < 1, UPSTREAM, 0.0))
    assert 0 < (v.abs() >= 1).sum() < 60


@pytest.mark.parametrize("name", QUANTISERS.names())
def test_a_fixed_scale_is_no_parameter_and_a_frozen_quantiser_moves_no_code(name: str) -> None:
    free, fixed = made(name, RANDOM), made(name, RANDOM, fixed=True)
    assert torch.equal(free.ternary(RANDOM), fixed.ternary(RANDOM))
    learned = {key for key, _ in free.named_parameters()} - {key for key, _ in fixed.named_parameters()}
    assert bool(learned) == free.learns_scale
    free.freeze()
    before = free.codes_and_scale(RANDOM)[0]
    with torch.no_grad():
        for parameter in free.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3)
    assert torch.equal(free.codes_and_scale(RANDOM)[0], before)


def test_the_table_of_methods_is_the_registry() -> None:
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    head = r"\| method \| zero where \\\|w\\\| <= \| scale \| source \|\n\|---\|---\|---\|---\|\n"
    table = re.search(rf"{head}(.*?)\n\n", text, re.S)
    assert table is not None
    rows = [f"| `{each.name}` | {each.zero} | {each.scale} | {each.source} |" for each in QUANTISERS.registered()]
    assert table[1].splitlines() == rows
