import pytest
import torch

from tern2lava.train.surrogate import ArcTangent
from tern2lava.train.unroll import run_leaky

snntorch = pytest.importorskip("snntorch")


def test_the_arc_tangent_is_snntorchs() -> None:
    shift = torch.linspace(-2, 2, 41)
    ours, theirs = shift.clone().requires_grad_(), shift.clone().requires_grad_()
    a, b = ArcTangent(3.0)(ours), snntorch.surrogate.atan(alpha=3.0)(theirs)
    assert torch.equal(a, b)
    a.sum().backward()
    b.sum().backward()
    assert ours.grad is not None
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
        spikes, met = run_leaky("lif", layer, leaf)
        ((spikes * by_spike).sum() + (met * by_met).sum()).backward()
        results.append((spikes.detach(), met.detach(), leaf.grad))
    (s1, m1, g1), (s2, m2, g2) = results
    assert torch.equal(s1, s2)
    assert torch.equal(m1, m2)
    assert float(s1.mean()) > 0.1
    torch.testing.assert_close(g1, g2)


def test_a_learned_threshold_still_gets_its_gradient() -> None:
    layer = snntorch.Leaky(beta=0.9, learn_threshold=True, spike_grad=ArcTangent())
    run_leaky("lif", layer, torch.rand(5, 2, 3))[0].sum().backward()
    assert layer.threshold.grad is not None
    assert float(layer.threshold.grad.abs()) > 0
