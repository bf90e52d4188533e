"""Recorded potentials are those that meet the thresholds, the run is what it is without, and the model is left as it
was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tern2lava.errors import UnsupportedError
from tern2lava.train.losses import margin_loss
from tern2lava.train.network import network
from tern2lava.train.potentials import NORSE, SNNTORCH, SPIKINGJELLY, record_potentials
from tern2lava.train.unroll import unroll

STEPS, SAMPLES, INPUTS = 6, 3, 5


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A neuron layer at rest, and its run over currents (steps, samples, neurons): spikes, and its potentials after
    every step where it tells them."""

    neuron: nn.Module
    over_time: bool = False
    fires_at_threshold: bool = False
    state: bool = False

    def run(self, neuron: nn.Module, x: Tensor) -> tuple[Tensor, list[Any]]:
        if self.over_time:
            found = neuron(x)
            return (found[0] if isinstance(found, tuple) else found), []
        spikes, after, state = [], list[Any](), None
        for current in x:
            found = neuron(current, state) if self.state else neuron(current)
            spike, state = found if isinstance(found, tuple) else (found, None)
            after.append(state.v if self.state else getattr(neuron, "mem", getattr(neuron, "v", None)))
            spikes.append(spike)
        return torch.stack(spikes), after


def cases() -> dict[str, Callable[[], Case]]:
    """One for every class that is recorded, by name."""
    found: dict[str, Callable[[], Case]] = {}

    def snntorch(kind: str, **options: Any) -> Callable[[], Case]:
        def make() -> Case:
            snn = pytest.importorskip("snntorch")
            wanted = {"Synaptic": {"alpha": 0.8}, "RSynaptic": {"alpha": 0.8}, "Alpha": {"alpha": 0.95}}.get(kind, {})
            recurrent = {"linear_features": INPUTS} if kind.startswith("R") else {}
            return Case(neuron=getattr(snn, kind)(beta=0.9, init_hidden=True, **wanted, **recurrent, **options))

        return make

    def spikingjelly(kind: str, mode: str, **options: Any) -> Callable[[], Case]:
        def make() -> Case:
            neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
            simple = {"tau": 2.0, "decay_input": True}
            decays = {"CUBALIFNode": {"c_decay": 0.5, "v_decay": 0.75}, "SimpleLIFNode": simple}.get(kind, {})
            layer = getattr(neuron, kind)(**decays, **options)
            layer.step_mode = mode
            return Case(neuron=layer, over_time=mode == "m", fires_at_threshold=True)

        return make

    def norse(kind: str) -> Callable[[], Case]:
        def make() -> Case:
            sizes = (INPUTS, INPUTS) if "Recurrent" in kind else ()
            layer = getattr(pytest.importorskip("norse.torch"), kind)(*sizes, dt=0.01)
            return Case(neuron=layer, over_time=not kind.endswith("Cell"), state=True)

        return make

    for kind in SNNTORCH:
        found[kind] = snntorch(kind)
    found["Leaky to zero"] = snntorch("Leaky", reset_mechanism="zero")
    found["Leaky at once"] = snntorch("Leaky", reset_delay=False)
    found["Leaky inhibited"] = snntorch("Leaky", inhibition=True)
    for kind in SPIKINGJELLY:
        found |= {f"{kind}, {mode}": spikingjelly(kind, mode) for mode in "sm"}
    for mode in "sm":
        found[f"IFNode, detached, {mode}"] = spikingjelly("IFNode", mode, detach_reset=True)
    found["LIFNode, soft reset, m"] = spikingjelly("LIFNode", "m", v_reset=None, decay_input=False)
    return found | {kind: norse(kind) for kind in NORSE}


CASES = cases()


@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
@pytest.mark.parametrize("name", CASES)
def test_the_run_is_the_same_bit_for_bit_and_its_spikes_are_those_of_the_potentials(name: str) -> None:
    torch.manual_seed(0)
    case = CASES[name]()
    x = (torch.rand(STEPS, SAMPLES, INPUTS) * 4 - 0.5).requires_grad_()
    expected, _ = case.run(copy.deepcopy(case.neuron), x)
    neuron = copy.deepcopy(case.neuron)
    with record_potentials(neuron) as potentials:
        spikes, after = case.run(neuron, x)
    assert torch.equal(spikes, expected)
    assert 0 < float(spikes.detach().mean()) < 1
    (v,), (met,), (threshold,) = potentials.values(), potentials.met.values(), potentials.thresholds.values()
    assert v.shape == spikes.shape
    if "inhibited" not in name:
        assert torch.equal(spikes, (met >= 0 if case.fires_at_threshold else met > 0).to(spikes.dtype))
    torch.testing.assert_close(v - threshold, met)
    for step, left in enumerate(after if "at once" not in name else []):  # snnTorch takes the last reset back there
        quiet = spikes[step] == 0
        torch.testing.assert_close(v[step][quiet], left[quiet])
    # The gradients of the task stay too (SpikingJelly's fused form has them from a formula, ours from autograd).
    (found,) = torch.autograd.grad(spikes.sum(), x, retain_graph=True)
    (wanted,) = torch.autograd.grad(expected.sum(), x)
    torch.testing.assert_close(found, wanted)
    margin_loss(potentials, potentials.thresholds, 0.5).backward()
    assert x.grad is not None
    assert bool(x.grad[0].any())


@pytest.mark.parametrize("name", ["IFNode, detached, s", "IFNode, detached, m", "IAFCell", "IAF"])
def test_below_the_threshold_an_integrator_has_the_potentials_and_gradients_of_a_sum(name: str) -> None:
    case = CASES[name]()
    torch.manual_seed(0)
    x = (torch.rand(STEPS, SAMPLES, INPUTS) / STEPS).requires_grad_()
    with record_potentials(case.neuron) as potentials:
        case.run(case.neuron, x)
    torch.testing.assert_close(potentials[""], x.cumsum(0))
    if name.startswith("IAF"):
        return  # its gradients also pass through the reset
    (found,) = torch.autograd.grad(margin_loss(potentials, 1.0, 0.5), x)
    (expected,) = torch.autograd.grad(margin_loss(x.cumsum(0), 1.0, 0.5), x)
    torch.testing.assert_close(found, expected)


def test_a_stepped_network_has_the_margin_and_the_gradients_of_the_unrolled_one() -> None:
    utils = pytest.importorskip("snntorch.utils")
    torch.manual_seed(0)
    model = network("12-3", (INPUTS,))
    x = torch.rand(STEPS, SAMPLES, INPUTS) * 3
    activity = unroll(model, x)
    before = {name: met + activity.threshold[name] for name, met in activity.met.items()}
    expected = margin_loss(before, activity.threshold, 0.5)
    weights = list(model.parameters())
    wanted = torch.autograd.grad(expected, weights)
    with record_potentials(model) as potentials:
        utils.reset(model)
        for step in x:
            model(step)
    assert list(potentials) == ["lif1", "lif2"]
    for name, met in activity.met.items():
        torch.testing.assert_close(potentials.met[name], met)
    found = margin_loss(potentials, potentials.thresholds, 0.5)
    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(torch.autograd.grad(found, weights), wanted, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_layers_are_chosen_by_name_and_what_was_recorded_can_be_forgotten() -> None:
    model = network("4-3", (INPUTS,))
    with record_potentials(model, ["lif2"]) as potentials:
        assert len(potentials) == 0
        model(torch.rand(SAMPLES, INPUTS))
        assert {name: v.shape for name, v in potentials.items()} == {"lif2": (1, SAMPLES, 3)}
        potentials.clear()
        assert dict(potentials) == {}
        with pytest.raises(KeyError, match="lif2"):
            potentials["lif2"]
        model(torch.rand(SAMPLES, INPUTS))
    assert potentials["lif2"].shape == (1, SAMPLES, 3)


@pytest.mark.parametrize("name", ["Leaky", "LIFNode, m", "LIFNode, s", "LIFCell"])
def test_the_model_is_as_it_was_even_where_the_run_fails(name: str) -> None:
    model = nn.Sequential(nn.Identity(), CASES[name]().neuron)
    parts = [(vars(module), dict(vars(module)), dict(module._modules)) for module in model.modules()]
    keys = list(model.state_dict())

    def fail() -> None:
        with record_potentials(model):
            assert list(model.state_dict()) == keys
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    for now, before, modules in parts:
        assert now == before
        assert now["_modules"] == modules
        assert not now["_forward_hooks"]


class OwnFire(nn.Module):
    """A stand-in for the forward of a subclass that makes its spikes itself."""

    def forward(self, x: Tensor) -> Tensor:
        return (x > 0).float()


def test_what_cannot_be_recorded_is_refused_by_name() -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    norse = pytest.importorskip("norse.torch")
    with pytest.raises(UnsupportedError, match=r"^model: .*; found Sequential"), record_potentials(nn.Sequential()):
        pass
    with pytest.raises(UnsupportedError, match=r"^lif9: .*; found NoneType"):
        record_potentials(network("4-3", (INPUTS,)), ["lif9"]).__enter__()
    for layer, found in ((neuron.PSN(T=4), "spikingjelly's PSN"), (norse.LIFRefracCell(), "norse's LIFRefracCell")):
        with pytest.raises(UnsupportedError, match=f"^0: .*; found {found}"), record_potentials(nn.Sequential(layer)):
            pass
    own = nn.Sequential(type("Own", (neuron.IFNode,), {"forward": OwnFire.forward})())
    with pytest.raises(UnsupportedError, match=r"^0: .*; found Own, which ran without"), record_potentials(own):
        own(torch.rand(2))
    leaky = nn.Sequential(norse.LICell(), norse.LIFBoxCell())
    with record_potentials(leaky) as potentials:
        leaky[1](torch.rand(SAMPLES, INPUTS))
    assert list(potentials) == ["1"]
