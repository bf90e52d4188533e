"""From source time to chip time: pipeline latencies, the delays that balance paths, and loops that need long steps."""

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
from tern2lava.compiler.ir.timing import Loop, latencies, slowest_loop
from tern2lava.compiler.passes.pipeline import lower, lower_until
from tern2lava.compiler.passes.retime import pipeline_latencies
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


def test_a_loop_with_fewer_steps_than_synapses_takes_as_many_timesteps_a_step_as_it_needs(fine: Arithmetic) -> None:
    program = same_spikes(
        network(
            Delay(name="back", inputs=("b",), steps=1), dense("r", "back"), Delay(name="long", inputs=("b",), steps=5),
            dense("r2", "long"), dense("w1", "x"), neurons("a", "w1", "r", "r2"), dense("w2", "a"), neurons("b", "w2"),
        ), fine,
    )  # fmt: skip
    assert program.slowdown == 2
    assert [node(program, name, Population).start for name in "ab"] == [1, 2]
    # Of the 10 timesteps that 5 steps take, the latencies take one and the synapse one.
    assert [node(program, name, Projection).delay for name in ("r", "r2", "w2")] == [0, 8, 0]
    assert sum("a step takes 2 hardware timesteps" in note for note in program.notes) == 1
    loop = slowest_loop(program)
    assert loop is not None
    assert (set(loop.names), loop.waits) == ({"a", "b"}, 1)


@pytest.mark.parametrize(("length", "waits", "slowdown"), [(3, 1, 3), (3, 2, 2), (3, 3, 1), (5, 2, 3), (4, 2, 2)])
def test_the_slowest_loop_decides_and_no_shorter_step_has_latencies(length: int, waits: int, slowdown: int) -> None:
    chain = [neurons("p0", "in", "back"), *(neurons(f"p{k}", f"w{k}") for k in range(1, length))]
    wires = [dense(f"w{k}", f"p{k - 1}") for k in range(1, length)]
    late = [Delay(name="late", inputs=(f"p{length - 1}",), steps=waits), dense("back", "late")]
    # A second loop of one synapse and one step, which asks for nothing.
    self_loop = [Delay(name="late0", inputs=("p1",), steps=1), dense("own", "late0")]
    chain[1] = neurons("p1", "w1", "own")
    graph = lower_until(network(*late, *self_loop, dense("in", "x"), *wires, *chain), Level.TERNARY)
    timing = pipeline_latencies(graph)
    assert timing.slowdown == slowdown
    assert (timing.loop is None) == (slowdown == 1)
    for target in graph.of_kind(Neuron):
        for projection in graph.projections(target.inputs):
            assert timing.chip_delay(projection, target.name) >= 0
    assert slowdown == 1 or isinstance(latencies(graph, slowdown - 1), Loop)


def test_a_loop_without_any_delay_is_refused_by_its_names(fine: Arithmetic) -> None:
    graph = network(dense("r", "a"), dense("w1", "x"), neurons("a", "w1", "r"))
    with pytest.raises(UnsupportedError, match="a delay of at least one step in every loop"):
        lower(graph, fine)
