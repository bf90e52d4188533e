"""Functions of two layers of spikes are populations and sums that give the same, in integers too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import Tensor, nn
from torch.nn import functional

from tern2lava.compiler.ir.graph import Arithmetic, Neuron
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.read import load_module
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

Join = Callable[[Tensor, Tensor], Tensor]
STEPS = 5


class Net(nn.Module):
    """Two layers of six neurons on the same input, and one that reads what `join` makes of their spikes."""

    def __init__(self, join: Join) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(4)
        self.a, self.b, self.c = (nn.Linear(n, m, bias=False) for n, m in ((6, 6), (6, 6), (6, 4)))
        for layer in (self.a, self.b, self.c):
            with torch.no_grad():
                layer.weight.copy_(torch.randint(-1, 2, layer.weight.shape, generator=generator) * 0.5)
        self.one, self.two, self.last = neuron.IFNode(), neuron.IFNode(), neuron.IFNode()
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.c(self.join(self.one(self.a(x)), self.two(self.b(x))).to(x.dtype)))
        return found


def image(x: Tensor) -> Tensor:
    return x.reshape(-1, 1, 2, 3)


def folded(x: Tensor) -> Tensor:
    return functional.fold(functional.unfold(image(x), 2, padding=1), (2, 3), 2, padding=1).flatten(1)


FUNCTIONS: dict[str, Join] = {
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "or": lambda x, y: x.bool() | y.bool(),
    "xor": torch.logical_xor,
    "equal": lambda x, y: x == y,
    "above": lambda x, y: x > y,
    "where": lambda x, y: torch.where(x > 0, 1 - y, 0.5 * y),
    "masked": lambda x, y: x.masked_fill(y.bool(), 2.0),
    "clamped sum": lambda x, y: (x + y).clamp(max=1),
    "distance": lambda x, y: (x - y).abs(),
    "product of sums": lambda x, y: x + y - 2 * x * y,
    "largest": lambda x, y: torch.stack([x, y]).amax(0),
    "largest of items": lambda x, y: torch.cat([x, y], 1).amax(1, keepdim=True) * torch.ones(6) - y,
    "every": lambda x, y: torch.stack([x.bool(), y.bool()], -1).all(-1),
    "dilated maxima": lambda x, y: functional.max_pool1d(x[:, None], 2, 1, 1, 2)[:, 0] + y,
    "last window": lambda x, y: functional.max_pool2d(image(x), 2, ceil_mode=True).flatten(1).repeat(1, 3) + y,
    "adaptive": lambda x, y: functional.adaptive_max_pool2d(image(x), (1, 2)).flatten(1).repeat(1, 3) + y,
    "folded": lambda x, y: (
        functional.fold(functional.unfold(image(x), 2, padding=1), (2, 3), 2, padding=1).flatten(1) + y
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_two_layers_of_spikes_is_read_exactly_down_to_the_integers(fine: Arithmetic, name: str) -> None:
    graph = load_module(Net(FUNCTIONS[name]), (6,), STEPS)
    inputs = {"input": np.random.default_rng(0).integers(0, 2, (6, STEPS, 6))}
    spikes = run_float(graph, inputs).spikes
    one, two = (torch.from_numpy(spikes[key].reshape(-1, 6).astype(np.float32)) for key in ("one", "two"))
    net = Net(FUNCTIONS[name])
    joined = net.join(one, two).float().reshape(6, STEPS, 6).transpose(0, 1)
    with torch.no_grad():
        own = torch.stack([net.last(net.c(step)) for step in joined], 1).numpy()
    assert own.any()
    np.testing.assert_array_equal(spikes["last"], own)
    trace = integer.run(lower(graph, fine).program, inputs)
    for node in graph.of_kind(Neuron):
        np.testing.assert_array_equal(trace.spikes[node.name], spikes[node.name])


def test_an_or_is_one_population() -> None:
    (gate,) = (n for n in load_module(Net(torch.maximum), (6,), STEPS).of_kind(Neuron) if n.name == "or")
    assert float(gate.threshold) == 0.5
    assert sorted(gate.inputs) == ["one", "two"]


def test_a_product_of_what_has_more_than_two_values_is_refused_with_its_line() -> None:
    with pytest.raises(UnsupportedError, match=r"torch.mul of two tensors that depend on the input \(test_gates.py:"):
        load_module(Net(lambda x, y: (x + y) * y), (6,), STEPS)
