"""L1 and L3: Lava's processes execute every kind of integer network bit for bit as the integer reference does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import Graph, Population, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.sim.lava.child import LavaChild
from tern2lava.sim.lava.processes import run_stock
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare

Build = Callable[..., tuple[Graph, dict[str, Any]]]

STOCK_NODES = {
    "stock_chain": {"w1", "h1", "w2", "h2", "w3", "y"},
    "stock_convolution": {"c1", "h1", "c2", "h2", "w", "y"},
    "own_neurons": {"w3", "w4", "y"},
    "own_convolution": {"w"},
    "residual_with_delays": {"w1", "h", "w2", "skip", "m", "c", "w3", "y"},
    "recurrent": {"w1", "self", "back", "w2", "top", "aside", "z", "w3"},
    "graded": {"w1", "h", "w2", "y"},
    "saturating": {"w1", "h", "w2"},
    "narrow": {"w2", "side"},
    "every_kind": {"w1", "w2", "w3", "skip", "w4"},
    "nearest": {"w1", "stock"},
    "wide": {"w3"},
    "wide_in_stock": {"w1", "h", "w2", "y"},
}


@pytest.mark.parametrize("name", STOCK_NODES)
def test_lava_equals_the_integer_reference_bit_for_bit(
    name: str, integer_network: Build, lava_child: LavaChild
) -> None:
    network, inputs = integer_network(name)
    reference = integer.run(network, inputs)
    for population, spikes in reference.spikes.items():
        assert spikes.any(), f"{population} never fires: nothing is tested"
        assert not spikes.all(), f"{population} always fires: nothing is tested"
    result = run_stock(network, inputs, timeout=60, child=lava_child)
    sequential = run_stock(network, inputs, sequential=True, timeout=60, child=lava_child)
    comparison = compare({"I": reference, "L1": result.trace, "L3": sequential.trace}, network)
    assert comparison.equal, str(comparison)
    assert comparison.compared_values == 2 * 3 * sum(s.size for s in reference.spikes.values())
    assert {use.name for use in result.processes_used if use.stock} == STOCK_NODES[name]


def test_a_wrong_gain_in_the_reference_is_seen(integer_network: Build, lava_child: LavaChild) -> None:
    network, inputs = integer_network("stock_chain", batch=1, steps=4)
    nodes = [
        replace(node, gain=frozen(128, np.int64)) if isinstance(node, Projection) and node.name == "w1" else node
        for node in network.nodes
    ]
    wrong = integer.run(network.with_nodes(nodes), inputs)
    for sequential in (False, True):
        result = run_stock(network, inputs, sequential=sequential, timeout=60, child=lava_child)
        comparison = compare({"I": wrong, "L": result.trace}, network)
        assert comparison.difference is not None
        assert (comparison.difference.population, comparison.difference.step) == ("h1", 1)


def test_progress_counts_the_lava_steps(integer_network: Build, lava_child: LavaChild) -> None:
    network, inputs = integer_network("stock_chain", batch=2, steps=5)
    calls: list[tuple[int, int]] = []
    result = run_stock(
        network, inputs, timeout=60, progress=lambda done, total: calls.append((done, total)), child=lava_child
    )
    last = max(p.start for p in network.of_kind(Population))
    assert result.lava_steps == 2 * 5 + last
    assert calls[-1] == (result.lava_steps, result.lava_steps)
