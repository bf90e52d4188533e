from itertools import product

import pytest
import torch
from torch import nn

from tern2lava.errors import InputError
from tern2lava.train.algorithms.projection import nearest, project_layers, projections
from tern2lava.train.ternarize import finalize, freeze, set_blend


def error(row: torch.Tensor, codes: torch.Tensor) -> float:
    """The least of ||row - alpha codes||^2 over alpha."""
    norm = float((codes**2).sum())
    return float((row**2).sum()) - (float(row @ codes) ** 2 / norm if norm else 0.0)


@pytest.mark.parametrize("sparsity", [None, 0.4, 0.0])
def test_no_ternary_row_is_nearer(sparsity: float | None) -> None:
    w = torch.randn(12, 5, generator=torch.Generator().manual_seed(1)).double()
    t, alpha = nearest(w, sparsity)
    codes = [torch.tensor(row).double() for row in product((-1, 0, 1), repeat=5)]
    if sparsity is not None:
        codes = [row for row in codes if int((row == 0).sum()) == round(5 * sparsity)]
    for row, ours, scale in zip(w, t, alpha, strict=True):
        best = min(error(row, other) for other in codes)
        assert float(((row - scale * ours) ** 2).sum()) == pytest.approx(best, abs=1e-12)


def test_a_ternary_row_is_its_own_nearest_and_zeros_stay() -> None:
    w = torch.tensor([[0.5, 0.0, -0.5], [0.0, 0.0, 0.0]])
    t, alpha = nearest(w, None)
    assert torch.equal(t * alpha, w)
    assert not torch.signbit(t[w == 0]).any()


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3))


def test_projected_layers_compute_in_full_precision_until_they_are_ternary() -> None:
    plain, model, x = net(), project_layers(net(), per="channel"), torch.randn(5, 6)
    assert torch.equal(model(x), plain(x))
    set_blend(model, 1.0)
    plain.load_state_dict(finalize(model))
    assert torch.equal(model(x), plain(x))
    for key in ("0.weight", "1.weight"):
        assert all(len(set(row.abs().tolist()) - {0.0}) == 1 for row in plain.state_dict()[key])


def test_frozen_layers_have_gradients_of_their_scales_alone() -> None:
    model = project_layers(net(), per="channel", layers=["0"])
    freeze(model)
    set_blend(model, 1.0)
    model(torch.randn(5, 6)).sum().backward()
    ((projection, weight),) = projections(model)
    assert weight.grad is None
    assert projection.log_alpha.grad is not None
    assert float(projection.log_alpha.grad.abs().sum()) > 0


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="layer '7': requires the name of a Linear or convolution"):
        project_layers(net(), per="channel", layers=["7"])
