"""Weights made in the forward, by whatever way, are constants; they are compared by value, never by object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from spikingjelly.activation_based import layer, neuron
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from tern2lava.compiler.ir.graph import Conv2d, Dense, Neuron
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.read import load_module

STEPS = 8
Quantise = Callable[[torch.Tensor], torch.Tensor]


def threshold(w: torch.Tensor) -> torch.Tensor:
    cut = 0.7 * w.abs().mean()
    return torch.where(w.abs() > cut, torch.sign(w), torch.zeros_like(w))


def detached(w: torch.Tensor) -> torch.Tensor:
    return w + (threshold(w) - w).detach()


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, w: torch.Tensor) -> torch.Tensor:
        return threshold(w)


def absmean(w: torch.Tensor) -> torch.Tensor:
    scale = w.abs().mean().clamp(min=1e-5)
    return (w / scale).round().clamp(-1, 1) * scale


def two_scales(w: torch.Tensor) -> torch.Tensor:
    return 0.75 * (w > 0.1).float() - 0.25 * (w < -0.1).to(torch.float32)


def standardised(w: torch.Tensor) -> torch.Tensor:
    mean, deviation = w.mean(1, keepdim=True), w.std(1, keepdim=True)
    return threshold((w - mean) / deviation) * 1.0


QUANTISERS: tuple[Quantise, ...] = (threshold, detached, Straight.apply, absmean, two_scales, standardised)


class Quantised(nn.Linear):
    """A layer of one's own: its forward quantises in every call."""

    def __init__(self, quantise: Quantise, into: int, out: int) -> None:
        super().__init__(into, out)
        self.quantise = quantise

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.quantise(self.weight), self.bias)


def leaky(**options: Any) -> nn.Module:
    cell: nn.Module = snn.Leaky(beta=0.5, threshold=0.4, init_hidden=True, **options)
    return cell


@pytest.mark.parametrize("quantise", QUANTISERS, ids=range(len(QUANTISERS)))
def test_a_quantiser_inside_a_layer_of_ones_own_is_evaluated(quantise: Quantise) -> None:
    torch.manual_seed(0)
    quantised = Quantised(quantise, 6, 8)
    net = nn.Sequential(quantised, leaky(), nn.Linear(8, 4), leaky(output=True))
    graph = load_module(net, (6,), STEPS)
    expected = quantise(quantised.weight.detach().double()).numpy()
    (first, _) = graph.of_kind(Dense)
    np.testing.assert_array_equal(first.weight, expected)
    assert 1 < len(np.unique(first.weight)) <= 4


class Loop(nn.Module):
    """A loop over time that quantises in each step, `late` otherwise from step 5 on."""

    def __init__(self, late: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.lif, self.late = nn.Linear(6, 8), snn.Leaky(beta=0.5, threshold=0.4), late

    def forward(self, x: torch.Tensor) -> Any:
        mem, out = self.lif.reset_mem(), []
        for t in range(x.shape[0]):
            weight = absmean(self.fc.weight) if self.late and t >= 5 else threshold(self.fc.weight)
            spikes, mem = self.lif(functional.linear(x[t], weight, self.fc.bias), mem)
            out.append(spikes)
        return torch.stack(out)


def test_equal_weights_of_every_step_are_one_layer_and_others_are_refused_with_their_step() -> None:
    assert len(load_module(Loop(late=False), (6,), STEPS).of_kind(Dense)) == 1
    why = r"lif .*another input in step 5 than in others: other numbers in torch.linear \(test_constants.py:\d+\)"
    with pytest.raises(UnsupportedError, match=why):
        load_module(Loop(late=True), (6,), STEPS)


class Blanked(nn.Module):
    """A forward whose input is off from a late step on."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.lif = nn.Linear(3, 4), snn.Leaky(beta=0.5, threshold=0.2)

    def forward(self, x: torch.Tensor) -> Any:
        mem = self.lif.reset_mem()
        for t in range(x.shape[0]):
            spikes, mem = self.lif(self.fc(x[t] if t < 40 else torch.zeros_like(x[t])), mem)
        return spikes


def test_a_step_that_differs_late_in_a_long_run_is_found() -> None:
    with pytest.raises(UnsupportedError, match=r"lif .*in step 40 than .*numbers that do not depend on the input"):
        load_module(Blanked(), (3,), 44)
    assert len(load_module(Blanked(), (3,), 39).of_kind(Neuron)) == 1


class Named(neuron.IFNode):  # type: ignore[misc]
    """A subclass that changes nothing."""


class Convolution(nn.Conv2d):
    def __init__(self, channels: int) -> None:
        super().__init__(1, channels, 3, padding_mode="circular", padding=1)
        self.weight.data.abs_()


class Doubled(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


class Compiled(nn.Module):
    """What torch.compile gives out, without its compiler, which takes ten seconds to import."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._orig_mod = module
        self.forward = lambda *args: module(*args)


Compiled.__module__, Compiled.__qualname__ = "torch._dynamo.eval_frame", "OptimizedModule"


def normed() -> nn.Module:
    result: nn.Module = parametrizations.weight_norm(nn.Linear(16, 5))
    return result


def pruned() -> nn.Module:
    part = nn.Linear(16, 5)
    prune.random_unstructured(part, "weight", 0.5)
    return part


@pytest.mark.parametrize(
    "parts",
    [
        lambda: [layer.Flatten(), layer.Linear(16, 5), Named(v_threshold=0.5)],
        lambda: [Compiled(nn.Flatten()), Compiled(nn.Linear(16, 5)), neuron.IFNode(v_threshold=0.5)],
        lambda: [nn.Flatten(), nn.DataParallel(nn.Linear(16, 5)), neuron.IFNode(v_threshold=0.5)],
        lambda: [nn.Flatten(), Doubled(16, 5), neuron.IFNode(v_threshold=0.5)],
        lambda: [nn.Flatten(), normed(), neuron.IFNode(v_threshold=0.3)],
        lambda: [nn.Flatten(), pruned(), neuron.IFNode(v_threshold=0.3)],
        lambda: [Convolution(2), neuron.IFNode(v_threshold=0.3)],
        lambda: [nn.Flatten(2), nn.Linear(16, 5), neuron.IFNode(v_threshold=0.3)],
        lambda: [nn.AvgPool2d(3, 2, ceil_mode=True), neuron.IFNode(v_threshold=0.9)],
    ],
)
def test_subclasses_wrappers_and_layers_of_ones_own_are_read_as_they_compute(
    parts: Callable[[], list[nn.Module]],
) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(*parts())
    graph = load_module(net, (1, 4, 4), STEPS)
    x = (torch.rand(3, STEPS, 1, 4, 4) < 0.5).double()
    from tern2lava.frontends.modules.known_modules import fresh_copy
    from tern2lava.sim.reference.real import run_float

    own = fresh_copy(net)
    with torch.no_grad():
        expected = torch.stack([own(x[:, t]).flatten(1) for t in range(STEPS)], 1)
    (last,) = graph.of_kind(Neuron)
    assert expected.sum() > 10
    np.testing.assert_array_equal(run_float(graph, {"input": x.numpy()}).spikes[last.name], expected.numpy())


def test_a_changed_neuron_is_read_as_what_it_computes_not_as_its_base() -> None:
    class Changed(neuron.IFNode):  # type: ignore[misc]
        def single_step_forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x > 0.1).to(x)

    (found,) = load_module(nn.Sequential(nn.Linear(4, 4), Changed()), (4,), STEPS).of_kind(Neuron)
    assert float(found.alpha_v) == 0
    assert float(found.threshold) == 0.1


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.last = nn.Linear(4, 4), nn.Linear(4, 4), neuron.IFNode()

    def forward(self, x: torch.Tensor) -> Any:
        score = self.q(x) @ self.k(x).transpose(-2, -1)
        return self.last(score.flatten(1))


def test_a_product_of_two_layers_is_named_with_its_line() -> None:
    why = r"torch.matmul of two tensors that depend on the input \(test_constants.py:\d+\)"
    with pytest.raises(UnsupportedError, match=why):
        load_module(Attention(), (3, 4), STEPS, call="step")


class Softmax(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.last = nn.Linear(4, 4), neuron.IFNode()

    def forward(self, x: torch.Tensor) -> Any:
        if x.ndim > 2:
            raise ValueError("one step at a time")
        return self.last(torch.softmax(self.fc(x), -1))


def test_the_way_of_calling_that_a_layer_refuses_is_named_before_those_that_fail() -> None:
    with pytest.raises(UnsupportedError, match=r"layer last .*found torch.softmax of earlier layers \(test_const"):
        load_module(Softmax(), (4,), STEPS)


@pytest.mark.parametrize(
    "function",
    [
        torch.relu,
        lambda s: s.clamp(0, 1),
        lambda s: (s > 0).float(),
        lambda s: s.ceil().to(torch.int64).double(),
        lambda s: torch.where(s > 0.5, 1.0, 0.0),
        lambda s: functional.dropout(s, 0.5, False).contiguous().clone(),
        lambda s: 1 - (1 - s),
        lambda s: s.bool().logical_not().logical_not() * 1.0,
        lambda s: s * s,
    ],
)
def test_a_function_that_keeps_spikes_leaves_no_trace(function: Quantise) -> None:
    class Kept(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.fc, self.last = neuron.IFNode(v_threshold=0.5), nn.Linear(4, 3), neuron.IFNode()

        def forward(self, x: torch.Tensor) -> Any:
            return self.last(self.fc(function(self.first(x))))

    graph = load_module(Kept(), (4,), STEPS, call="step")
    (dense,) = graph.of_kind(Dense)
    source = dense.inputs[0]
    while source not in ("first", "input"):
        source = graph[source].inputs[0]
    assert source == "first"
    assert not graph.of_kind(Conv2d)
