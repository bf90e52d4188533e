from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nodes import there
from tern2lava.errors import UnsupportedError
from tern2lava.train.neurons.runner import Ran, runner_of

snntorch = pytest.importorskip("snntorch")

KINDS = ("Synaptic", "RLeaky", "RSynaptic")
CASES = [(kind, reset, delay) for kind in KINDS for reset in ("subtract", "zero", "none") for delay in (True, False)]
CASES.remove(("RSynaptic", "subtract", False))
CASES.remove(("RSynaptic", "zero", False))
CASES.remove(("RSynaptic", "none", False))


def layer_of(kind: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    decays = {"beta": 0.9} if kind == "RLeaky" else {"alpha": 0.6, "beta": 0.9}
    if kind.startswith("R"):
        decays["linear_features"] = 6
    layer: nn.Module = getattr(snntorch, kind)(**decays, threshold=0.7, init_hidden=True, **options)
    return layer


def run(layer: nn.Module, x: Tensor) -> Ran:
    return there(runner_of("lif", layer)).run("lif", layer, x)


@pytest.mark.parametrize(("kind", "reset", "delay"), CASES)
def test_a_layer_spikes_as_snntorch_steps_it(kind: str, reset: str, delay: bool) -> None:
    layer: Any = layer_of(kind, reset_mechanism=reset, reset_delay=delay)
    x = 0.8 * torch.randn(24, 5, 6)
    with torch.no_grad():
        ran = run(layer, x)
        stepped, potentials = [], []
        for current in x:
            stepped.append(layer(current))
            potentials.append(layer.mem)
    assert torch.equal(ran.spikes, torch.stack(stepped))
    assert 0.1 < float(ran.spikes.mean()) < 0.9
    assert torch.equal(ran.met > 0, ran.spikes > 0)
    if delay:
        assert torch.equal(ran.met, torch.stack(potentials) - layer.threshold)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_gradients_of_all_that_is_learned_are_those_of_stepping_it(kind: str, reset: str) -> None:
    learned = {"learn_beta": True} if kind == "RLeaky" else {"learn_beta": True, "learn_alpha": True}
    x = 0.8 * torch.randn(12, 3, 6, generator=torch.Generator().manual_seed(1))
    weight = torch.randn(12, 3, 6, generator=torch.Generator().manual_seed(2))
    results = []
    for unrolled in (True, False):
        layer, leaf = layer_of(kind, reset_mechanism=reset, **learned), x.clone().requires_grad_()
        spikes = run(layer, leaf).spikes if unrolled else torch.stack([layer(current) for current in leaf])
        (spikes * weight).sum().backward()
        results.append({"x": there(leaf.grad), **{n: there(p.grad) for n, p in layer.named_parameters()}})
    assert float(results[0]["beta"].abs()) > 0
    torch.testing.assert_close(results[0], results[1])


def test_recurrent_spikes_come_back_one_step_later() -> None:
    layer = layer_of("RLeaky")
    layer.recurrent = nn.Linear(6, 6, bias=False)
    nn.init.constant_(layer.recurrent.weight, 1.0)
    x = torch.zeros(3, 1, 6)
    x[0, 0, 0] = 1.0
    assert run(layer, x).spikes.sum(2).flatten().tolist() == [1.0, 6.0, 6.0]


def test_options_that_snntorch_or_the_runner_cannot_run_are_refused() -> None:
    x = torch.zeros(2, 1, 6)
    with pytest.raises(UnsupportedError, match="RSynaptic with reset_delay=False"):
        run(layer_of("RSynaptic", reset_delay=False), x)
    with pytest.raises(UnsupportedError, match="inhibition"), pytest.warns(UserWarning, match="Inhibition"):
        run(layer_of("Synaptic", inhibition=True), x)
