"""From source time to chip time: pipeline latencies, the delays that balance paths, and loops that are too fast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nodes import node
from tern2lava.compiler.certify.certificate import Verdict
from tern2lava.compiler.ir.graph import (
    Add,
    Arithmetic,
    Delay,
    Dense,
    Graph,
    Input,
    Level,
    Neuron,
    Output,
    Population,
    Projection,
)
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.passes.pipeline import lower
from tern2lava.errors import UnsupportedError
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float

COUNT = 6


def dense(name: str, source: str, seed: int = 0) -> Dense:
    codes = np.random.default_rng([seed, *name.encode()]).integers(-1, 2, (COUNT, COUNT))
    return Dense(name=name, inputs=(source,), weight=frozen(codes, np.float64))


def neurons(name: str, *sources: Any) -> Neuron:
    return Neuron(name=name, inputs=sources, shape=(COUNT,), threshold=frozen(0.5))


def network(*nodes: Any) -> Graph:
    return Graph(
        level=Level.IMPORTED,
        steps=12,
        nodes=(Input(name="x", shape=(COUNT,)), *nodes, Output(name="y", inputs=(nodes[-1].name,))),
    )


def same_spikes(graph: Graph, arithmetic: Arithmetic) -> Graph:
    """The lowered network, after its integers spiked exactly as the source on random data, and not never."""
    lowered = lower(graph, arithmetic)
    assert all(certificate.verdict is Verdict.EXACT for certificate in lowered.certificates)
    inputs = {"x": np.random.default_rng(3).integers(0, 2, (20, 12, COUNT))}
    wanted = run_float(graph, inputs).spikes
    found = integer.run(lowered.program, inputs).spikes
    for name in wanted:
        assert 0 < wanted[name].sum() < wanted[name].size
        assert np.array_equal(wanted[name], found[name]), name
    return lowered.program


def test_a_chain_lags_by_its_depth_and_waits_nowhere(fine: Arithmetic) -> None:
    program = same_spikes(
        network(dense("w1", "x"), neurons("a", "w1"), dense("w2", "a"), neurons("b", "w2"), dense("w3", "b"),
                neurons("c", "w3")), fine,
    )  # fmt: skip
    assert [node(program, name, Population).start for name in "abc"] == [1, 2, 3]
    assert [node(program, name, Projection).delay for name in ("w1", "w2", "w3")] == [0, 0, 0]


def test_a_residual_of_unequal_depth_is_delayed_by_what_it_skips(fine: Arithmetic) -> None:
    program = same_spikes(
        network(dense("w1", "x"), neurons("a", "w1"), dense("w2", "a"), neurons("b", "w2"), dense("w3", "b"),
                neurons("c", "w3"), dense("w4", "c"), Add(name="sum", inputs=("w4", "a")), neurons("d", "sum")), fine,
    )  # fmt: skip
    assert node(program, "d", Population).start == 4
    assert node(program, "w4", Projection).delay == 0
    skip = next(name for name in program["d"].inputs if program[name].inputs == ("a",))
    assert node(program, skip, Projection).delay == 2


def test_delays_of_the_source_are_taken_off_the_chips_own(fine: Arithmetic) -> None:
    program = same_spikes(
        network(Delay(name="late", inputs=("x",), steps=1), dense("w1", "late"), dense("w0", "x"),
                neurons("a", "w1", "w0"), Delay(name="later", inputs=("a",), steps=3), dense("w2", "later"),
                neurons("b", "w2")), fine,
    )  # fmt: skip
    assert node(program, "a", Population).start == 1
    assert (node(program, "w0", Projection).delay, node(program, "w1", Projection).delay) == (0, 1)
    # Three source steps later: one is the synapse's own, and the population need not lag its source any more.
    assert node(program, "b", Population).start == 0
    assert node(program, "w2", Projection).delay == 0 + 3 - 1 - 1


def test_a_loop_with_one_step_per_synapse_runs_exactly(fine: Arithmetic) -> None:
    program = same_spikes(
        network(Delay(name="back", inputs=("b",), steps=2), dense("r", "back"), dense("w1", "x"),
                neurons("a", "w1", "r"), dense("w2", "a"), neurons("b", "w2")), fine,
    )  # fmt: skip
    assert (
        node(program, "r", Projection).delay
        == 2 + node(program, "a", Population).start - node(program, "b", Population).start - 1
        == 0
    )


def test_a_loop_onto_itself_runs_exactly(fine: Arithmetic) -> None:
    program = same_spikes(
        network(Delay(name="back", inputs=("a",), steps=1), dense("r", "back"), dense("w1", "x"),
                neurons("a", "w1", "r")), fine,
    )  # fmt: skip
    assert (node(program, "a", Population).start, node(program, "r", Projection).delay) == (1, 0)


def test_a_loop_with_fewer_steps_than_synapses_is_refused_by_its_names(fine: Arithmetic) -> None:
    graph = network(
        Delay(name="back", inputs=("b",), steps=1), dense("r", "back"), Delay(name="long", inputs=("b",), steps=5),
        dense("r2", "long"), dense("w1", "x"), neurons("a", "w1", "r", "r2"), dense("w2", "a"), neurons("b", "w2"),
    )  # fmt: skip
    with pytest.raises(UnsupportedError) as raised:
        lower(graph, fine)
    assert raised.value.node in ("a -> b -> a", "b -> a -> b")
    assert "found 1 step of delay over 2 synapses" in str(raised.value)


def test_a_loop_without_any_delay_is_refused_by_its_names(fine: Arithmetic) -> None:
    graph = network(dense("r", "a"), dense("w1", "x"), neurons("a", "w1", "r"))
    with pytest.raises(UnsupportedError, match="a delay of at least one step in every loop"):
        lower(graph, fine)
