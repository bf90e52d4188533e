"""Products of spikes in a forward are populations that fire where both do, down to the integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import nn

from tern2lava.compiler.ir.graph import Arithmetic, Neuron
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import UnsupportedError
from tern2lava.frontends.modules.read import load_module
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Block(nn.Module):
    """A spike-element-wise block: spikes, spikes of these, and what `product` makes of both."""

    def __init__(self, product: Product) -> None:
        super().__init__()
        self.first, self.one = nn.Conv2d(1, 2, 3, bias=False), neuron.IFNode()
        self.second, self.two = nn.Conv2d(2, 2, 3, padding=1, bias=False), neuron.IFNode()
        self.last, self.three = nn.Linear(18, 4, bias=False), neuron.IFNode()
        self.product = product
        with torch.no_grad():
            for layer in (self.first, self.second, self.last):
                layer.weight.copy_(torch.randint(-1, 3, layer.weight.shape).clamp(max=1) * 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.one(self.first(x))
        both = self.product(first, self.two(self.second(first)))
        found: torch.Tensor = self.three(self.last(both.flatten(1)))
        return found


PRODUCTS: dict[str, tuple[Product, Product]] = {
    "and": (lambda x, y: x * y, lambda x, y: x * y),
    "iand": (lambda x, y: x * (1.0 - y), lambda x, y: x * (1 - y)),
    "neither": (lambda x, y: (1 - x) * (1 - y), lambda x, y: (1 - x) * (1 - y)),
    "logical": (lambda x, y: torch.logical_and(x, y).to(x.dtype), lambda x, y: x * y),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_of_spikes_is_a_population_that_fires_where_both_do(fine: Arithmetic, name: str) -> None:
    torch.manual_seed(1)
    product, by_hand = PRODUCTS[name]
    graph = load_module(Block(product).eval(), (1, 5, 5), 8)
    (note,) = (note for note in graph.notes if "the product of spikes is their AND" in note)
    gate = note.partition(":")[0]
    assert note.endswith("a population of 18 neurons that adds one hardware timestep")
    x = np.random.default_rng(0).integers(0, 2, (3, 8, 1, 5, 5))
    spikes = run_float(graph, {graph.nodes[0].name: x}).spikes
    wanted = by_hand(torch.from_numpy(spikes["one"].astype(int)), torch.from_numpy(spikes["two"].astype(int))).numpy()
    assert 0 < wanted.mean() < 1
    assert np.array_equal(spikes[gate], wanted)
    program = lower(graph, fine).program
    trace = integer.run(program, {graph.nodes[0].name: x})
    for node in graph.of_kind(Neuron):
        assert np.array_equal(trace.spikes[node.name], spikes[node.name])
    # one, two, the gate and the last layer follow each other by a hardware timestep.
    assert program.population("three").start == 4


def test_a_product_with_what_is_no_spike_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="of two tensors that depend on the input"):
        load_module(Block(lambda x, y: x * (x + y)).eval(), (1, 5, 5), 8)
