import pytest
import torch
from torch import Tensor, nn

from nodes import there
from tern2lava.train.neurons.leaky import run_leaky
from tern2lava.train.surrogate import ArcTangent

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
    ran = run_leaky("lif", layer, x)
    spikes, met = ran.spikes, ran.met
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
    (run_leaky("lif", layer, ours).spikes * weight).sum().backward()
    (stepped(layer, theirs)[0] * weight).sum().backward()
    assert float(there(ours.grad).abs().sum()) > 0
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("delay", [True, False])
def test_the_fused_layer_gives_the_spikes_and_gradients_of_the_loop(reset: str, delay: bool) -> None:
    options = {"beta": 0.9, "threshold": 0.7, "reset_mechanism": reset, "reset_delay": delay}
    fused = snntorch.Leaky(spike_grad=ArcTangent(2.0), **options)
    loop = snntorch.Leaky(spike_grad=snntorch.surrogate.atan(alpha=2.0), **options)
    torch.manual_seed(0)
    x, by_spike, by_met = 1.5 * torch.randn(30, 4, 6), torch.randn(30, 4, 6), torch.randn(30, 4, 6)
    results = []
    for layer in (fused, loop):
        leaf = x.clone().requires_grad_()
        ran = run_leaky("lif", layer, leaf)
        spikes, met = ran.spikes, ran.met
        ((spikes * by_spike).sum() + (met * by_met).sum()).backward()
        results.append((spikes.detach(), met.detach(), leaf.grad))
    (s1, m1, g1), (s2, m2, g2) = results
    assert torch.equal(s1, s2)
    assert torch.equal(m1, m2)
    assert float(s1.mean()) > 0.1
    torch.testing.assert_close(g1, g2)


def test_a_learned_threshold_still_gets_its_gradient() -> None:
    layer = snntorch.Leaky(beta=0.9, learn_threshold=True, spike_grad=ArcTangent())
    run_leaky("lif", layer, torch.rand(5, 2, 3)).spikes.sum().backward()
    assert layer.threshold.grad is not None
    assert float(layer.threshold.grad.abs()) > 0
