import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from differences import by_differences
from nodes import there
from tern2lava.errors import InputError
from tern2lava.train.neurons.own import run_own
from tern2lava.train.neurons.plif import PLIF
from tern2lava.train.surrogate import ArcTangent


def plif(**options: Any) -> PLIF:
    values: dict[str, Any] = {"tau": 2.5, "threshold": 0.4, "spike_grad": ArcTangent(2.0)}
    return PLIF(**values | options)


def currents(steps: int = 20) -> Tensor:
    return torch.randn(steps, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_it_computes_what_spikingjellys_parametric_neuron_does(decay_input: bool, reset: str) -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")
    theirs = neuron.ParametricLIFNode(
        init_tau=2.5, decay_input=decay_input, v_threshold=0.4, v_reset=0.0 if reset == "zero" else None,
        surrogate_function=surrogate.ATan(2.0), detach_reset=True,
    )  # fmt: skip
    ours = plif(decay_input=decay_input, reset=reset)
    assert torch.equal(ours.w, theirs.w)
    with torch.no_grad():
        for current in currents():
            ours(current)
            theirs(current)
            assert torch.equal(getattr(ours, "v"), theirs.v)  # noqa: B009
    theirs.reset()
    weight, found = torch.randn(20, 4, 5, generator=torch.Generator().manual_seed(1)), []
    for layer in (ours, theirs):
        x = currents().requires_grad_()
        spikes = torch.stack([layer(current) for current in x]) if layer is theirs else run_own("lif", layer, x).spikes
        (spikes * weight).sum().backward()
        found.append((spikes.detach(), there(x.grad), there(layer.w.grad)))
    assert torch.equal(found[0][0], found[1][0])
    assert 0.1 < float(found[0][0].mean()) < 0.9
    assert found[0][2].abs().item() > 0
    torch.testing.assert_close(found[0][1:], found[1][1:])


@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
def test_all_steps_at_once_are_its_steps_one_by_one(reset: str) -> None:
    torch.manual_seed(0)
    layer, x = plif(reset=reset, recurrent=nn.Linear(5, 5)), currents()
    with torch.no_grad():
        ran = run_own("lif", layer, x)
        for _ in range(2):
            layer.reset()
            assert torch.equal(ran.spikes, torch.stack([layer(current) for current in x]))
    assert torch.equal(ran.met > 0, ran.spikes > 0)


@pytest.mark.parametrize("decay_input", [True, False])
def test_tau_has_the_gradient_of_finite_differences(decay_input: bool) -> None:
    # Without a reset and with a spike function that is smooth there are such differences, through every step.
    layer = plif(decay_input=decay_input, reset="none", spike_grad=torch.sigmoid, recurrent=nn.Linear(5, 5)).double()
    x = currents(6).double()

    def value() -> Tensor:
        return run_own("lif", layer, x).spikes.sum()

    value().backward()
    parameters = dict(layer.named_parameters())
    assert set(parameters) == {"w", "recurrent.weight", "recurrent.bias"}
    for parameter in parameters.values():
        assert float(there(parameter.grad).abs().sum()) > 0.01
        torch.testing.assert_close(there(parameter.grad), by_differences(value, parameter), rtol=1e-5, atol=1e-7)


def test_tau_starts_where_it_is_told_and_is_learned_or_not() -> None:
    assert 1 / plif(tau=3.0).w.sigmoid().item() == pytest.approx(3.0, rel=1e-6)
    assert plif(tau=3.0).w.item() == pytest.approx(-math.log(2.0))
    assert plif().w.requires_grad
    assert not plif(learn=False).w.requires_grad
    with pytest.raises(InputError, match="above 1 step"):
        plif(tau=1.0)
    with pytest.raises(InputError, match="found 'value'"):
        plif(reset="value")
