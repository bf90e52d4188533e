from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tern2lava.compiler.ir.shapes import Reals
from tern2lava.errors import InputError
from tern2lava.train.uncertainty.ensembles import mc_dropout, mean_over_steps

X = torch.ones(3, 8)


def predict(model: nn.Module) -> Reals:
    with torch.no_grad():
        found: Reals = torch.softmax(model(X), 1).double().numpy()
    return found


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 4), nn.BatchNorm1d(4)).eval()


def test_the_mean_over_steps_is_that_of_each_steps_own_prediction() -> None:
    cumulative = np.array([[[1, 0], [1, 1], [3, 1]]])
    own = [[1, 0], [0, 1], [2, 0]]
    expected = np.mean([np.exp(2.0 * np.array(s)) / np.exp(2.0 * np.array(s)).sum() for s in own], axis=0)
    np.testing.assert_allclose(mean_over_steps(cumulative, 2.0), [expected])


def test_passes_differ_by_their_masks_and_a_seed_gives_them_again() -> None:
    model = network()
    members = mc_dropout(model, predict, 5, seed=3)
    assert members.shape == (5, 3, 4)
    assert len(np.unique(members[:, 0, 0])) == 5
    torch.rand(7)
    np.testing.assert_array_equal(mc_dropout(model, predict, 5, seed=3), members)
    assert (mc_dropout(model, predict, 5, seed=4) != members).any()


def test_only_dropout_is_switched_on_and_off_again() -> None:
    model = network()
    quiet, mean = predict(model), model[2].running_mean
    assert isinstance(mean, torch.Tensor)
    before = mean.clone()
    mc_dropout(model, predict, 2)
    assert torch.equal(mean, before)
    assert not any(module.training for module in model.modules())
    np.testing.assert_array_equal(predict(model), quiet)


def test_over_many_passes_the_mean_before_the_softmax_is_that_without_dropout() -> None:
    model = network()[:2].eval()
    with torch.no_grad():
        members = mc_dropout(model, lambda m: m(X).double().numpy(), 300)
        np.testing.assert_allclose(members.mean(0), model(X).numpy(), atol=0.12)


def test_a_model_without_dropout_is_refused() -> None:
    with pytest.raises(InputError, match="model: requires layers of dropout for passes that differ; found none"):
        mc_dropout(nn.Linear(8, 4), predict, 2)
