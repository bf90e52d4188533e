"""The types of exported C hold whatever occurs, for any number of steps, and are no wider than they need be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nets import integer_graph, neurons
from overflowing import ALL, GROWING, WIDE, network, spikes
from random_mechanisms import drawn_network
from tern2lava.compiler.ir.graph import Graph, Input, Projection, Reset
from tern2lava.compiler.ir.shapes import Array, frozen
from tern2lava.errors import UnsupportedError
from tern2lava.export.c.ctypes import INT8, INT16, INT32, INT64, UINT8, UINT16, computing, least, least_signed
from tern2lava.export.c.model import Model, model
from tern2lava.export.c.ranges import most_steps
from tern2lava.sim.reference import integer

STEPS = 60


def extreme(graph: Graph, rng: np.random.Generator) -> Array:
    """Samples of the largest values, the least, both in turn, and drawn ones."""
    node = graph["in"]
    assert isinstance(node, Input)
    low, high = node.levels
    turns = np.where(np.arange(STEPS) // 7 % 2, low, high)
    rows = [np.full(STEPS, high), np.full(STEPS, low), turns]
    fixed = np.stack([np.broadcast_to(row.reshape(-1, *[1] * len(node.shape)), (STEPS, *node.shape)) for row in rows])
    each = rng.choice([low, high], (2, *node.shape))
    own = np.stack([np.broadcast_to(values, (STEPS, *node.shape)) for values in each])
    return np.concatenate([fixed, own, rng.integers(low, high + 1, (2, STEPS, *node.shape))])


@pytest.mark.parametrize("seed", range(12))
def test_currents_and_potentials_of_drawn_networks_stay_within_their_types(seed: int) -> None:
    graph = drawn_network(seed)
    made = model(graph, "net")
    trace = integer.run(graph, {"in": extreme(graph, np.random.default_rng(seed))})
    for cells in made.cells:
        name = cells.source.name
        for found, (low, high) in ((trace.u[name], cells.held.u), (trace.v[name], cells.held.v)):
            assert low <= found.min() <= found.max() <= high, name
        assert cells.source.low <= trace.spikes[name].min() <= trace.spikes[name].max() <= cells.source.high


def chain(**fields: Any) -> Model:
    """One neuron that each of ten inputs raises by 1."""
    ones = Projection(name="w", inputs=("x",), weight=frozen(np.ones((1, 10)), np.int8))
    return model(integer_graph(Input(name="x", shape=(10,)), ones, neurons("n", "w", (1,), **fields)), "net")


def test_a_neuron_takes_the_fewest_bits_that_hold_it() -> None:
    at_once = chain(decay_v=frozen(4096, np.int64), threshold=frozen(5, np.int64)).cells[0]
    assert not at_once.has_u
    assert not at_once.has_v
    leaky = chain(decay_v=frozen(1024, np.int64), reset=Reset.NONE).cells[0]
    # 10 in each step and three quarters of what was there: 40 at most.
    assert leaky.held.v[1] in (40, 41)
    assert leaky.v_type is INT8
    slow = chain(decay_v=frozen(4, np.int64), reset=Reset.NONE).cells[0]
    assert slow.v_type is INT16
    kept = chain(reset=Reset.NONE).cells[0]
    assert kept.held.clips
    assert kept.v_type is INT32
    assert kept.kind is INT32


def test_ends_of_ranges_are_those_of_the_types() -> None:
    assert [least(0, high) for high in (0, 255, 256, 65535)] == [UINT8, UINT8, UINT16, UINT16]
    assert [least(-1, high) for high in (127, 128, 32768)] == [INT8, INT16, INT32]
    assert [least_signed(-low, 0) for low in (128, 129, 32768, 32769)] == [INT8, INT16, INT16, INT32]
    assert [computing((1 << 31) - 1), computing(1 << 31)] == [INT32, INT64]
    with pytest.raises(UnsupportedError, match="integers of 64 bits"):
        least(0, 1 << 63)


def test_steps_have_a_limit_only_where_a_current_grows_beyond_64_bits() -> None:
    fast, never = (network({name: GROWING[name]}, ALL, WIDE) for name in ("fast", "never"))
    assert most_steps(fast) is None
    few = most_steps(never)
    assert few is not None
    # What it grows by in a step, once two wraps of a step are taken off.
    u = integer.run(never, {"x": np.ones_like(spikes(41)["x"])}).u["never"]
    grown = int(np.abs(u[:, -1] - u[:, -2]).max())
    assert 1 << 61 < few * grown << 12 < 1 << 62
    with pytest.raises(UnsupportedError, match="currents that 64-bit integers decay exactly"):
        most_steps(network({"never": GROWING["never"]}, ALL, 1 << 55))
