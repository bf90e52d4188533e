"""Hooks and replaced forwards are followed as what they compute; those that only watch change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import nn

from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.known_modules import fresh_copy
from tern2lava.frontends.modules.read import read_module
from tern2lava.frontends.record.record import record_module
from tern2lava.sim.reference.real import run_float

STEPS = 5
Prepare = Callable[[nn.Sequential, list[Any]], Any]


def network(prepare: Prepare, seen: list[Any]) -> nn.Sequential:
    first, last = nn.Linear(4, 3, bias=False), nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 0, 1, -1], [0, 1, 1, 0], [1, 1, 0, 0]]) * 0.4)
        last.weight.copy_(torch.tensor([[1.0, 0, 1], [0, 1, 1]]) * 0.7)
    net = nn.Sequential(first, neuron.IFNode(), last, neuron.IFNode())
    prepare(net, seen)
    return net


def watch(net: nn.Sequential, seen: list[Any]) -> None:
    net[1].register_forward_hook(lambda module, args, output: seen.append(output.mean().item()))
    net.register_forward_pre_hook(lambda module, args: seen.append(args[0].cpu().numpy()))


def double(net: nn.Sequential, seen: list[Any]) -> None:
    net[0].register_forward_hook(lambda module, args, output: 2 * output)


def masked_spikes(net: nn.Sequential, seen: list[Any]) -> None:
    net[1].register_forward_hook(lambda module, args, output: output * torch.tensor([1.0, 0.0, 1.0]))


def other_input(net: nn.Sequential, seen: list[Any]) -> None:
    net[2].register_forward_pre_hook(lambda module, args: (args[0].flip(1),))


def replaced(net: nn.Sequential, seen: list[Any]) -> None:
    net[0].forward = lambda x: x[:, :3]


@pytest.mark.parametrize("prepare", [watch, double, masked_spikes, other_input, replaced])
def test_a_module_with_hooks_is_read_as_it_runs_with_them(prepare: Prepare) -> None:
    seen: list[Any] = []
    net = network(prepare, seen)
    loaded = read_module(net, (4,), STEPS)
    x = (np.random.default_rng(3).random((5, STEPS, 4)) < 0.6).astype(np.uint8)
    copied = fresh_copy(net)
    with torch.no_grad():
        own = torch.stack([copied(torch.from_numpy(x[:, t]).double()) for t in range(STEPS)], 1).numpy()
    found = run_float(loaded.graph, {"input": x}).spikes
    assert own.any()
    np.testing.assert_array_equal(found["3"], own)
    kept = record_module(net, {"input": x}, loaded=loaded)
    np.testing.assert_array_equal(kept["spikes.1"], found["1"])
    assert bool(seen) == (prepare is watch)
    assert len(net[1]._forward_hooks) == (prepare in (watch, masked_spikes))


def test_what_leaves_torch_in_a_hook_may_not_come_back() -> None:
    def scaled(net: nn.Sequential, seen: list[Any]) -> None:
        net[1].register_forward_hook(lambda module, args, output: output * float(output.mean()))

    with pytest.raises(UnsupportedError, match=r"Tensor.__float__ of a tensor that depends on the input"):
        read_module(network(scaled, []), (4,), STEPS)
