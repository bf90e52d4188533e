import pytest
import torch
from torch import nn

from nodes import part
from tern2lava.train.dropout import DropConnectConv2d, DropConnectLinear, drawn_from, is_random, once, set_dropout
from tern2lava.train.network import network
from tern2lava.train.ternarize import ternarize
from tern2lava.train.unroll import unroll

pytest.importorskip("snntorch")

LINE = "2c3-d0.25-dc0.5-12r-3"


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return network(LINE, (1, 6, 6))


def test_dropconnect_leaves_out_codes_of_a_ternary_layer_and_keeps_its_scale() -> None:
    torch.manual_seed(0)
    layer = DropConnectLinear(40, 30, p=0.5, bias=False)
    ternarize(nn.Sequential(layer), "twn", per="tensor")
    whole = layer.weight.detach()
    scale = whole.abs().max()
    drawn = layer.drawn().detach() / 2  # kept weights are divided by 1 - p
    kept = drawn != 0
    assert torch.equal(drawn[kept], whole[kept])
    assert set(drawn.unique().tolist()) == {-float(scale), 0.0, float(scale)}
    assert float(kept.sum() / (whole != 0).sum()) == pytest.approx(0.5, abs=0.06)
    layer.eval()
    assert torch.equal(layer.drawn(), whole)


def test_a_weight_that_is_left_out_gets_no_gradient() -> None:
    layer = DropConnectLinear(8, 6, p=0.5, bias=False)
    torch.manual_seed(1)
    layer(torch.ones(3, 8)).sum().backward()
    torch.manual_seed(1)
    assert layer.weight.grad is not None
    assert torch.equal(layer.weight.grad != 0, layer.drawn() != 0)


def test_a_convolution_draws_one_mask_for_all_samples() -> None:
    torch.manual_seed(0)
    layer = DropConnectConv2d(1, 4, 3, p=0.5, padding=1)
    found = layer(torch.ones(5, 1, 6, 6))
    assert torch.equal(found, found[:1].expand_as(found))
    assert not torch.equal(layer(torch.ones(5, 1, 6, 6)), found)


def test_recurrent_weights_are_drawn_once_for_all_steps() -> None:
    layer = DropConnectLinear(6, 6, p=0.5, bias=False)
    back = once(layer)
    assert torch.equal(back(torch.eye(6)), back(torch.eye(6)))
    plain = nn.Linear(6, 6)
    x = torch.randn(2, 6)
    assert torch.equal(once(plain)(x), plain(x))


def test_dropout_draws_a_mask_for_each_time_step() -> None:
    run = nn.Sequential(nn.Dropout(0.5), *network("4", (4,)))
    torch.manual_seed(0)
    activity = unroll(run, torch.ones(6, 2, 4))
    assert len({tuple(step.flatten().tolist()) for step in activity.met[next(iter(activity.met))]}) == 6


def test_masks_are_those_of_their_seed_and_nothing_else_is_drawn_from_it() -> None:
    net, x = model(), (torch.rand(4, 3, 1, 6, 6) < 0.5).float()
    found = []
    torch.manual_seed(9)
    after = torch.rand(1)
    for seed in (1, 2, 1):
        torch.manual_seed(9)
        with drawn_from(net, seed):
            found.append(unroll(net, x).met["lif2"])
        assert torch.equal(torch.rand(1), after)
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])


def test_dropout_is_switched_on_at_evaluation_and_off_in_training() -> None:
    net, x = model().eval(), 4 * (torch.rand(4, 3, 1, 6, 6) < 0.5).float()

    def met() -> torch.Tensor:
        return unroll(net, x).met["lif2"]

    assert not is_random(net)
    assert torch.equal(met(), met())
    set_dropout(net, True)
    assert is_random(net)
    assert not torch.equal(met(), met())
    assert not part(net, "bn1", nn.BatchNorm2d).training
    net.train()
    set_dropout(net, False)
    assert not is_random(net)
    assert part(net, "bn1", nn.BatchNorm2d).training
    assert torch.equal(met(), met())
