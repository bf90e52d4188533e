import pytest
import torch
from torch import Tensor, nn

from nodes import part, there
from tern2lava.errors import UnsupportedError
from tern2lava.train.unroll import run_leaky, unroll

snntorch = pytest.importorskip("snntorch")


def stepped(layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    mem, spikes, memories = torch.zeros_like(x[0]), [], []
    for current in x:
        spike, mem = layer(current, mem)
        spikes.append(spike)
        memories.append(mem)
    return torch.stack(spikes), torch.stack(memories)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delay", [True, False])
def test_a_leaky_layer_spikes_as_snntorch_steps_it(reset: str, delay: bool) -> None:
    torch.manual_seed(0)
    layer = snntorch.Leaky(beta=0.9, threshold=0.7, reset_mechanism=reset, reset_delay=delay)
    x = 1.5 * torch.randn(40, 16, 12)
    spikes, met = run_leaky("lif", layer, x)
    expected, memories = stepped(layer, x)
    assert torch.equal(spikes, expected)
    assert 0.1 < float(spikes.mean()) < 0.9
    assert torch.equal(met > 0, spikes > 0)
    if delay or reset == "none":
        assert torch.equal(met, memories - layer.threshold)


def test_gradients_equal_those_of_snntorch_with_delayed_reset() -> None:
    layer = snntorch.Leaky(beta=0.9)
    x = torch.randn(20, 4, 6, generator=torch.Generator().manual_seed(1))
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    weight = torch.randn(20, 4, 6, generator=torch.Generator().manual_seed(2))
    (run_leaky("lif", layer, ours)[0] * weight).sum().backward()
    (stepped(layer, theirs)[0] * weight).sum().backward()
    assert float(there(ours.grad).abs().sum()) > 0
    torch.testing.assert_close(ours.grad, theirs.grad)


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
    with pytest.raises(UnsupportedError, match="Synaptic"):
        unroll(nn.Sequential(nn.Linear(3, 3), snntorch.Synaptic(alpha=0.9, beta=0.9)), x)
    with pytest.raises(UnsupportedError, match="end it with a snnTorch Leaky"):
        unroll(nn.Sequential(snntorch.Leaky(beta=0.9), nn.Linear(3, 3)), x)
    with pytest.raises(UnsupportedError, match="inhibition"), pytest.warns(UserWarning, match="Inhibition"):
        unroll(nn.Sequential(snntorch.Leaky(beta=0.9, inhibition=True)), x)
