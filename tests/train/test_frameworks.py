"""ternarize in three ways to write a spiking network: each trains as ever, and what finalize leaves is compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tern2lava.api import compile
from tern2lava.compiler.build import Compiled
from tern2lava.compiler.ir.graph import Projection
from tern2lava.train.surrogate import ArcTangent
from tern2lava.train.ternarize import finalize, ternarize

STEPS, INPUTS, HIDDEN, CLASSES = 8, 20, 24, 4
NET = """
input: {shape: [20]}
steps: 8
readout: spike_count
layers:
- dense: {tensors: one}
- neuron: {kind: leaky, beta: 0.9, threshold: 1.0, reset: subtract, reset_delay: false, fire: ">"}
- dense: {tensors: two}
- neuron: {kind: leaky, beta: 0.9, threshold: 1.0, reset: subtract, reset_delay: false, fire: ">"}
"""


class Plain(nn.Module):
    """Plain torch, its neurons written out."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(INPUTS, HIDDEN, bias=False)
        self.two = nn.Linear(HIDDEN, CLASSES, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        spike = ArcTangent()
        v = u = count = torch.zeros(1)
        for t in range(STEPS):
            v = 0.9 * v + self.one(x[:, t])
            hidden = spike(v - 1.0)
            v = v - hidden.detach()
            u = 0.9 * u + self.two(hidden)
            out = spike(u - 1.0)
            u = u - out.detach()
            count = count + out
        return count


def snntorch_network() -> nn.Module:
    snn = pytest.importorskip("snntorch")
    return nn.Sequential(
        nn.Linear(INPUTS, HIDDEN, bias=False), snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(HIDDEN, CLASSES, bias=False), snn.Leaky(beta=0.9, init_hidden=True),
    )  # fmt: skip


def run_snntorch(model: nn.Module, x: Tensor) -> Tensor:
    from snntorch import utils

    utils.reset(model)
    return torch.stack([model(x[:, t]) for t in range(STEPS)]).sum(0)


def spikingjelly_network() -> nn.Module:
    layer = pytest.importorskip("spikingjelly.activation_based.layer")
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    return nn.Sequential(
        layer.Linear(INPUTS, HIDDEN, bias=False), neuron.LIFNode(v_reset=None, decay_input=False),
        layer.Linear(HIDDEN, CLASSES, bias=False), neuron.LIFNode(v_reset=None, decay_input=False),
    )  # fmt: skip


def run_spikingjelly(model: nn.Module, x: Tensor) -> Tensor:
    from spikingjelly.activation_based import functional

    functional.reset_net(model)
    return torch.stack([model(x[:, t]) for t in range(STEPS)]).sum(0)


def compile_plain(model: nn.Module, state: dict[str, Tensor], folder: Path) -> Compiled:
    torch.save(state, folder / "net.pt")
    (folder / "net.yaml").write_text(NET)
    return compile(folder / "net.pt", net=folder / "net.yaml")


def compile_module(model: nn.Module, state: dict[str, Tensor], folder: Path) -> Compiled:
    model.load_state_dict(state, strict=False)
    return compile(model, input_shape=(INPUTS,), steps=STEPS)


@pytest.mark.parametrize("method", ["twn", "absmean", "learned"])
@pytest.mark.parametrize(
    ("build", "run", "compiled"),
    [
        (Plain, lambda model, x: model(x), compile_plain),
        (snntorch_network, run_snntorch, compile_module),
        (spikingjelly_network, run_spikingjelly, compile_module),
    ],
    ids=["torch", "snntorch", "spikingjelly"],
)
def test_a_ternary_network_trains_and_its_signs_are_what_is_compiled(
    build: Callable[[], nn.Module], run: Callable[[nn.Module, Tensor], Tensor], compiled: Callable[..., Any],
    method: str, tmp_path: Path,
) -> None:  # fmt: skip
    torch.manual_seed(0)
    x = (torch.rand(96, STEPS, INPUTS) < 0.4).float()
    labels = (x.sum(1) @ torch.randn(INPUTS, CLASSES)).argmax(1)
    model = ternarize(build(), method, per="channel", sparsity=0.5)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        loss = nn.functional.cross_entropy(run(model, x), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]

    state = finalize(model)
    found = compiled(build(), state, tmp_path).lowered.program.of_kind(Projection)
    weights = [value for key, value in state.items() if key.endswith("weight")]
    assert len(found) == len(weights) == 2
    for projection, weight in zip(found, weights, strict=True):
        assert projection.bits == 2
        assert np.mean(projection.weight == 0) == 0.5
        np.testing.assert_array_equal(projection.weight, torch.sign(weight).numpy())
