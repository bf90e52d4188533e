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


class Rarely(nn.Module):
    """Spikes where many of the first 30 inputs are 1 and where few of the others are, which no input of one density
    makes together, and a neuron that reads what `join` makes of them."""

    def __init__(self, join: Join) -> None:
        super().__init__()
        self.a, self.c = nn.Linear(60, 2), nn.Linear(1, 1, bias=False)
        self.a.weight.data = torch.tensor([[1.0] * 30 + [0.0] * 30, [0.0] * 30 + [-1.0] * 30])
        self.a.bias.data, self.c.weight.data = torch.tensor([0.0, 30.0]), torch.ones(1, 1)
        self.last = neuron.IFNode(v_threshold=2.0)
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        spikes = (self.a(x) > 20.5).to(x.dtype)
        found: Tensor = self.last(self.c(self.join(spikes[:, :1], spikes[:, 1:]).to(x.dtype)))
        return found


def written(x: Tensor, values: Tensor) -> Tensor:
    found = torch.zeros(x.shape, dtype=torch.bool)
    found[:] = values
    return found


WHOLE: dict[str, Join] = {
    "bool": lambda x, y: x.bool() + y.bool(),
    "bool in place": lambda x, y: x.bool().clone().add_(y.bool()),
    "int8": lambda x, y: x.char() * 100 + y.char() * 100,
    "mask of bool": lambda x, y: x.bool().masked_fill(y.bool(), True),
    "int8 that holds it": lambda x, y: torch.stack([x, y]).sum(0, dtype=torch.int8),
}


@pytest.mark.parametrize("name", WHOLE)
def test_sums_of_booleans_and_small_integers_are_what_torch_makes_of_them_where_no_check_comes(name: str) -> None:
    net = Rarely(WHOLE[name])
    graph = load_module(net, (60,), STEPS)
    inputs = np.zeros((1, STEPS, 60))
    inputs[0, :, :30] = 1
    with torch.no_grad():
        own = torch.cat([net(torch.tensor(row, dtype=torch.float32)[None]) for row in inputs[0]]).numpy()
    np.testing.assert_array_equal(run_float(graph, {"input": inputs}).spikes["last"][0], own)


@pytest.mark.parametrize("join", [
    lambda x, y: torch.stack([x, y]).sum(0, dtype=torch.bool),
    lambda x, y: written(x, x + y),
    lambda x, y: torch.cat([x, y], 1).byte() @ torch.tensor([[200], [100]], dtype=torch.uint8),
])  # fmt: skip
def test_what_booleans_and_small_integers_may_not_hold_is_refused_with_its_line(join: Join) -> None:
    with pytest.raises(UnsupportedError, match=r"in (bool|uint8), which may not hold it \(test_gates.py:"):
        load_module(Rarely(join), (60,), STEPS, call="step")


def test_a_function_in_place_is_asked_for_each_value_of_its_argument_on_the_same_numbers() -> None:
    def join(x: Tensor, y: Tensor) -> Tensor:
        return torch.full_like(x, 2.0).pow_(x) * torch.ones(6).bool().expand(x.shape).clone().logical_and_(y.bool())

    assert load_module(Net(join), (6,), STEPS).steps == STEPS
