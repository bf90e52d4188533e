import copy

import pytest
import torch
from torch import nn

from nodes import part
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.train.unroll import unroll

snntorch = pytest.importorskip("snntorch")


def test_a_network_runs_as_its_steps_do() -> None:
    torch.manual_seed(0)
    first, second = snntorch.Leaky(beta=0.9), snntorch.Leaky(beta=0.8, reset_mechanism="zero", reset_delay=False)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), first, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 5), second
    ).eval()
    nn.init.uniform_(part(model, "5", nn.Linear).weight, -0.5, 1.0)
    x = (torch.rand(12, 3, 1, 8, 8) < 0.5).float() * 4
    activity = unroll(model, x)
    assert list(activity.spikes) == ["2", "6"]
    mem1 = mem2 = None
    with torch.no_grad():
        for t in range(12):
            spike1, mem1 = first(model[1](model[0](x[t])), mem1)
            spike2, mem2 = second(model[5](model[4](model[3](spike1))), mem2)
            assert torch.equal(activity.spikes["2"][t], spike1)
            assert torch.equal(activity.output[t], spike2)
    assert activity.output.mean().item() > 0.02


def test_what_cannot_be_unrolled_is_refused() -> None:
    x = torch.zeros(2, 1, 3)
    with pytest.raises(UnsupportedError, match="Alpha"):
        unroll(nn.Sequential(nn.Linear(3, 3), snntorch.Alpha(alpha=0.9, beta=0.8)), x)
    with pytest.raises(UnsupportedError, match=r"as snntorch\.Leaky"):
        unroll(nn.Sequential(snntorch.Leaky(beta=0.9), nn.Linear(3, 3)), x)
    with pytest.raises(UnsupportedError, match="inhibition"), pytest.warns(UserWarning, match="Inhibition"):
        unroll(nn.Sequential(snntorch.Leaky(beta=0.9, inhibition=True)), x)


def constant_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), snntorch.Leaky(beta=0.9, threshold=0.5), nn.Flatten(), nn.Linear(48, 5),
        nn.BatchNorm1d(5), snntorch.Leaky(beta=0.8),
    )  # fmt: skip


def test_a_constant_input_runs_as_its_repetition_does() -> None:
    once, repeated = constant_net(), constant_net()
    x = torch.rand(4, 1, 6, 6)
    for training in (True, False):
        once.train(training)
        repeated.train(training)
        ours, theirs = unroll(once, x, 5), unroll(repeated, x.repeat(5, 1, 1, 1, 1))
        for name, met in ours.met.items():
            torch.testing.assert_close(met, theirs.met[name])
            assert torch.equal(ours.spikes[name], theirs.spikes[name])
        for (key, a), (_, b) in zip(once.state_dict().items(), repeated.state_dict().items(), strict=True):
            torch.testing.assert_close(a, b, msg=key, rtol=1e-6, atol=1e-7)
    assert 0.05 < ours.spikes["2"].mean().item() < 0.95


def test_a_constant_input_runs_as_its_steps_do_bit_for_bit() -> None:
    model = constant_net().eval()
    x = torch.rand(4, 1, 6, 6)
    activity = unroll(model, x, 5)
    memory: dict[int, torch.Tensor | None] = {2: None, 6: None}
    for t in range(5):
        y = x
        for index, module in enumerate(model):
            if index in memory:
                y, memory[index] = module(y, memory[index])
                assert torch.equal(activity.spikes[str(index)][t], y)
            else:
                y = module(y)


def test_what_is_random_is_drawn_for_every_step_of_a_constant_input() -> None:
    model = nn.Sequential(
        nn.Dropout(0.5), nn.Identity(), snntorch.Leaky(beta=0.0, reset_mechanism="none", threshold=0.5)
    )
    activity = unroll(model, torch.ones(1, 400), 3)
    first, second, third = activity.output
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
    assert 0.4 < float(activity.output.mean()) < 0.6
    steady = unroll(model.eval(), torch.ones(1, 400), 3).met["2"]
    assert torch.equal(steady, torch.full_like(steady, 0.5))


def test_batch_norm_of_one_sample_takes_its_statistics_over_all_steps() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), snntorch.Leaky(beta=0.9))
    other = copy.deepcopy(model)
    x = torch.rand(1, 3)
    met, expected = unroll(model, x, 4).met["1"], unroll(other, x.repeat(4, 1, 1)).met["1"]
    torch.testing.assert_close(met, expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(model.state_dict()["0.running_var"], other.state_dict()["0.running_var"])


def test_batch_norm_of_one_value_is_refused_in_training_alone() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), snntorch.Leaky(beta=0.9))
    for x, steps in ((torch.rand(1, 3), 1), (torch.rand(1, 1, 3), None)):
        with pytest.raises(InputError, match="0: requires more than one value of each channel in a batch"):
            unroll(model.train(), x, steps)
        assert unroll(model.eval(), x, steps).output.shape == (1, 1, 3)


def test_a_neuron_that_steps_in_its_own_way_is_refused() -> None:
    class Own(snntorch.Leaky):  # type: ignore[misc, name-defined]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    with pytest.raises(UnsupportedError, match=r"the steps of snntorch\.Leaky.*Own, whose forward is its own"):
        unroll(nn.Sequential(Own(beta=0.9)), torch.zeros(2, 1, 3))
