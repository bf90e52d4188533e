"""Inspection: what is ternary is recognised as such, what is not is measured, and the file is told for what it is."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nodes import part
from tern2lava.compiler.ir.shapes import Array
from tern2lava.compiler.passes.recognise_ternary import recognise
from tern2lava.frontends.inspect.facts import tensor_facts
from tern2lava.frontends.inspect.read import inspect_file
from tern2lava.frontends.inspect.ternary import Form, ternary_facts

RNG = np.random.default_rng(0)
CODES = RNG.integers(-1, 2, (6, 20)).astype(np.float32)
CODES[:, 0], CODES[:, 1] = 1, -1
ROWS = np.linspace(0.1, 0.6, 6, dtype=np.float32)[:, None]


@pytest.mark.parametrize(
    ("weight", "form", "scales"),
    [
        (CODES, Form.TENSOR, [1.0]),
        (np.float32(0.3) * CODES, Form.TENSOR, [np.float32(0.3)]),
        (CODES.astype(np.int8), Form.TENSOR, [1.0]),
        (ROWS * CODES, Form.ROW, ROWS[:, 0].tolist()),
        (np.where(CODES > 0, 0.5, 0.25) * CODES, Form.ASYMMETRIC, [0.5, 0.25]),
        (np.where(CODES > 0, ROWS, 2 * ROWS) * CODES, Form.ASYMMETRIC_ROW, (ROWS * [[1, 2]]).reshape(-1).tolist()),
        (0 * CODES, Form.ZERO, []),
        (0.5 * CODES + 1.5 * (CODES > 0) * np.arange(20), Form.INTEGER, [0.5]),
        (RNG.normal(size=(6, 20)), Form.OTHER, []),
        (np.where(CODES > 0, np.nan, CODES), Form.NOT_FINITE, []),
    ],
)  # fmt: skip
def test_each_form_of_weight_is_told_with_its_scales(weight: Array, form: Form, scales: list[float]) -> None:
    facts = ternary_facts(weight)
    assert facts.form is form
    assert facts.scales == pytest.approx(scales)
    if form is not Form.ZERO:
        assert facts.zeros == np.mean(weight == 0)
    codes = recognise(weight.astype(np.float64)) if form is not Form.NOT_FINITE else None
    assert (form in (Form.TENSOR, Form.ROW, Form.ZERO)) == (codes is not None and codes.bits == 2)


def test_a_row_of_zeros_or_a_kernel_with_one_sign_does_not_disturb() -> None:
    weight = ROWS * CODES
    weight[2] = 0
    weight[3] = abs(weight[3])
    facts = ternary_facts(weight.reshape(6, 5, 2, 2))
    assert facts.form is Form.ROW
    assert facts.scales[2] == 0
    assert facts.error_row == 0 < facts.error_tensor


def test_float_rounding_of_one_scale_is_told_apart_from_exact() -> None:
    latent = RNG.normal(size=CODES.shape).astype(np.float32)
    rounded = latent + (np.float32(0.3) * CODES - latent)
    assert len(np.unique(np.abs(rounded))) > 2
    facts = ternary_facts(rounded)
    assert facts.form is Form.TENSOR
    assert facts.rounded
    assert 0 < facts.error_tensor < 1e-6
    assert not ternary_facts(np.float32(0.3) * CODES).rounded


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=6).filter(any))
def test_the_error_is_that_of_the_best_ternary_fit(values: list[float]) -> None:
    w = np.array(values)
    best = min(
        float(np.linalg.norm(w - (max(w @ t, 0) / (t @ t) if t.any() else 0) * t))
        for t in map(np.array, product((-1, 0, 1), repeat=len(w)))
    )
    facts = ternary_facts(w.reshape(1, -1))
    assert facts.error_tensor == pytest.approx(best / np.linalg.norm(w), abs=1e-6)


def test_nan_and_infinite_numbers_are_counted_and_placed() -> None:
    weight = CODES.copy()
    weight[2, 4], weight[5, 1] = np.nan, np.inf
    facts = tensor_facts("w", weight)
    assert (facts.not_finite, facts.first_not_finite) == (2, (2, 4))
    assert (facts.smallest, facts.largest) == (-1, 1)


def test_empty_and_flat_tensors_have_no_form() -> None:
    for array in (np.zeros((0, 3)), np.zeros(4), np.zeros(()), np.zeros((2, 2), bool)):
        assert tensor_facts("x", array).ternary is None


def test_a_file_is_told_as_plain_data(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 3), snn.Leaky(beta=torch.tensor([0.5, 0.6, 0.7]), reset_mechanism="zero"))
    with torch.no_grad():
        part(model, "0", nn.Linear).weight[0, 0] = torch.nan
    torch.save({"model_state_dict": model.state_dict(), "epoch": 2}, tmp_path / "a.pt")
    told = json.loads(json.dumps(inspect_file(tmp_path / "a.pt").to_dict(), allow_nan=False))
    assert told["content"] == "state_dict under 'model_state_dict'"
    assert told["left_out"] == ["epoch"]
    assert told["tensors"][0]["first_not_finite"] == [0, 0]
    (neuron,) = told["neurons"]
    assert neuron["framework"] == "snnTorch"
    assert neuron["reset"] == "zero"
    assert neuron["parameters"]["beta"] == pytest.approx([0.5, 0.7])
    assert neuron["missing"] == ["reset_delay", "fire"]
