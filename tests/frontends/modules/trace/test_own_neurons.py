"""Neurons that a forward writes out are read as what they compute, or refused with the line that computes otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from spikingjelly.activation_based import neuron
from torch import Tensor, nn

from tern2lava.compiler.ir.graph import Neuron, Reset
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.known_modules import Loaded, fresh_copy
from tern2lava.frontends.modules.read import read_module
from tern2lava.frontends.record.record import record_module
from tern2lava.sim.reference.real import run_float

Rule = Callable[[Any, Tensor], tuple[Any, Tensor]]
STEPS = 8


class Above(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor) -> Tensor:
        return (v >= 0).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient


class Loop(nn.Module):
    """(steps, samples, neurons) through a rule that gives the next potential and the spikes."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule = rule

    def forward(self, x: Tensor) -> Tensor:
        v, found = 0.0, []
        for step in x:
            v, spikes = self.rule(v, step)
            found.append(spikes)
        return torch.stack(found)


class Net(nn.Module):
    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.first, self.one = nn.Linear(6, 5, bias=False), Loop(rule)
        self.second, self.two = nn.Linear(5, 3, bias=False), Loop(rule)
        fill(self)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.two(self.second(self.one(self.first(x)))).sum(0)
        return found


def fill(net: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    for part in net.modules():
        if isinstance(part, nn.Linear):
            with torch.no_grad():
                part.weight.copy_(torch.randint(-1, 3, part.weight.shape, generator=generator).clamp(max=1) * 0.375)


def multiplied(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    v = v * 0.25 + x
    spikes: Tensor = Above.apply(v - 0.5)
    return (1 - spikes) * v, spikes


def subtracted(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    v = 0.9 * v + x
    spikes = (v > 0.7).to(x.dtype)
    return v - 0.7 * spikes, spikes


def leaking_to_a_reset(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    v = v + (x - v) / 2.0
    spikes = (v >= 0.3).to(x)
    return v * (1 - spikes) + 0.1 * spikes, spikes


def chosen(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    v = 0.5 * v + x
    spikes = v > 0.5
    return torch.where(spikes, torch.zeros_like(v), v), spikes.to(x.dtype)


def reset_a_step_later(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    reset = (v > 0.6).to(x.dtype) if isinstance(v, Tensor) else 0.0
    v = 0.8 * v + x - reset * 0.6
    return v, (v > 0.6).to(x.dtype)


def filled(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    v = 0.5 * v + x
    return v.masked_fill(v >= 0.5, 0.0), (v >= 0.5).to(x.dtype)


def opposite(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    v = v + 0.5 * x + 0.125
    spikes = 1 - (v < 1).to(x.dtype)
    return v - spikes, spikes


def never_reset(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    v = 0.5 * v + x
    return v, torch.heaviside(v - 0.5, torch.zeros(()).to(v))


def without_memory(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    return v, (x > 0.3).to(x.dtype)


def each_its_own(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    decay = torch.linspace(0.1, 0.9, x.shape[-1], dtype=torch.float64)
    v = decay * v + x
    spikes = (v > decay + 0.2).to(x.dtype)
    return v * (1 - spikes), spikes


def compared(net: nn.Module, call: str = "time_first") -> Loaded:
    """A net as it is read, its graph's spike counts and its own run held against it on other input."""
    loaded = read_module(net, (6,), STEPS, call=call)
    x = (np.random.default_rng(5).random((6, STEPS, 6)) < 0.5).astype(np.uint8)
    with torch.no_grad():
        own = fresh_copy(net)(torch.from_numpy(x).double().transpose(0, 1)).numpy()
    trace = run_float(loaded.graph, {"input": x})
    assert own.any()
    np.testing.assert_array_equal(trace.spikes["two"].sum(1), own)
    kept = record_module(net, {"input": x}, loaded=loaded)
    np.testing.assert_array_equal(kept["spikes.two"].sum(1), own)
    return loaded


RESETS: dict[Rule, Reset] = {
    multiplied: Reset.ZERO, subtracted: Reset.SUBTRACT, leaking_to_a_reset: Reset.ZERO, chosen: Reset.ZERO,
    reset_a_step_later: Reset.SUBTRACT, filled: Reset.ZERO, opposite: Reset.SUBTRACT, never_reset: Reset.NONE,
    each_its_own: Reset.ZERO, without_memory: Reset.ZERO,
}  # fmt: skip


@pytest.mark.parametrize("rule", RESETS, ids=[rule.__name__ for rule in RESETS])
def test_neurons_written_out_in_a_forward_are_read_as_what_they_compute(rule: Rule) -> None:
    loaded = compared(Net(rule))
    assert loaded.names == {"one": "one", "two": "two"}
    found = {node.name: node for node in loaded.graph.of_kind(Neuron)}
    assert found["one"].reset is RESETS[rule]
    assert found["one"].reset_delay is (rule is reset_a_step_later)


class Halved(snn.Leaky):  # type: ignore[misc]
    def forward(self, input_: Tensor, mem: Any = None) -> Any:
        return super().forward(0.5 * input_, mem)


class Charged(neuron.base_node.SimpleBaseNode):  # type: ignore[misc]
    def neuronal_charge(self, x: Tensor) -> None:
        self.v: Any = 0.5 * getattr(self, "v") + x  # noqa: B009


class Shifted(neuron.IFNode):  # type: ignore[misc]
    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = super().forward(x + 0.25)
        return found


class OfFrameworks(nn.Module):
    def __init__(self, cell: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.first, self.one, self.second, self.two = nn.Linear(6, 5), cell(), nn.Linear(5, 3), cell()
        fill(self)

    def forward(self, x: Tensor) -> Tensor:
        counted = torch.zeros(())
        for step in x:
            counted = counted + self.two(self.second(self.one(self.first(step))))
        return counted


@pytest.mark.parametrize(
    "cell",
    [
        lambda: Halved(beta=0.75, threshold=0.35, init_hidden=True, reset_mechanism="zero"),
        lambda: Charged(v_threshold=0.5),
        lambda: Charged(v_threshold=0.5, v_reset=None),
        Shifted,
    ],
    ids=["Leaky", "hard reset", "soft reset", "IFNode"],
)
def test_subclasses_of_framework_neurons_that_step_otherwise_are_followed(cell: Callable[[], nn.Module]) -> None:
    compared(OfFrameworks(cell))


def in_part(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    v = 0.5 * v + x
    spikes = (v > 0.5).to(x.dtype)
    return v - 0.5 * spikes * v, spikes


def growing(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    v = 1.5 * v + x
    spikes = (v > 0.5).to(x.dtype)
    return v * (1 - spikes), spikes


def saturating(v: Any, x: Tensor) -> tuple[Any, Tensor]:
    v = torch.tanh(0.5 * v + x)
    spikes = (v > 0.5).to(x.dtype)
    return v * (1 - spikes), spikes


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (in_part, r"neurons one \(test_own.*a spike that takes a part of the potential away \(test_own_neurons.py:"),
        (growing, r"found a potential times 1.5 in each step \(test_own_neurons.py:"),
        (saturating, r"torch.tanh of earlier layers \(test_own_neurons.py:"),
    ],
)
def test_what_no_neuron_computes_is_refused_with_its_line(rule: Rule, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        read_module(Net(rule), (6,), STEPS, call="time_first")
