"""The fast engine is the integer reference, bit for bit, in every way it can compute."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Graph, Input, Population, Projection
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.effort import NORMAL, Effort
from tern2lava.errors import InputError
from tern2lava.sim.engine import tables
from tern2lava.sim.engine.cost import spike_limit
from tern2lava.sim.engine.program import prepare
from tern2lava.sim.engine.run import run, stream
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare

Inputs = dict[str, NDArray[Any]]
Draw = Callable[[int], tuple[Graph, Inputs]]
# Always bit-parallel, always spike by spike (where 16-bit sums allow it), and as expected to be faster.
WAYS = ("planes", "spikes", "chosen")


def engine_equals_reference(graph: Graph, inputs: Inputs, effort: Effort = NORMAL, **how: Any) -> None:
    trace = run(prepare(graph, effort=effort), inputs, **how).trace
    found = compare({"I": integer.run(graph, inputs), "E": trace}, graph)
    assert found.equal, str(found)
    batch, steps = next(iter(inputs.values())).shape[:2]
    neurons = sum(int(np.prod(p.shape)) for p in graph.of_kind(Population))
    assert found.compared_values == 3 * batch * steps * neurons


def force(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one way of summing wherever it is exact."""
    chosen = spike_limit
    if way == "planes":
        monkeypatch.setattr(tables, "spike_limit", lambda projection, recurrent: 0)
    elif way == "spikes":
        # spike_limit is 0 exactly where sums by spikes are forbidden.
        monkeypatch.setattr(tables, "spike_limit", lambda *of: 0 if chosen(*of) == 0 else np.iinfo(np.int64).max >> 8)


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=90)
@given(seed=st.integers(0, 2**32 - 1))
def test_spikes_and_states_of_random_programs_are_the_references(draw_program: Draw, way: str, seed: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        force(way, monkeypatch)
        engine_equals_reference(*draw_program(seed))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name",
    ["stock_chain", "stock_convolution", "own_neurons", "own_convolution", "residual_with_delays", "recurrent",
     "graded", "saturating", "narrow", "every_kind", "wide_convolution", "nearest", "wide"],
)  # fmt: skip
def test_networks_of_the_other_simulators(
    integer_network: Callable[..., tuple[Graph, Inputs]], monkeypatch: pytest.MonkeyPatch, name: str, way: str
) -> None:
    force(way, monkeypatch)
    engine_equals_reference(*integer_network(name, seed=3, batch=4, steps=12))


def test_spikes_alone_are_the_same_spikes(draw_program: Draw) -> None:
    graph, inputs = draw_program(11)
    with_states, without = run(graph, inputs).trace, run(graph, inputs, states=False).trace
    assert not without.v
    assert not without.u
    assert without.spikes.keys() == with_states.spikes.keys()
    for name, spikes in without.spikes.items():
        np.testing.assert_array_equal(spikes, with_states.spikes[name])


@pytest.mark.parametrize("threads", [1, 2, 5, None])
def test_threads_and_pieces_change_nothing(
    integer_network: Callable[..., tuple[Graph, Inputs]], threads: int | None
) -> None:
    graph, inputs = integer_network("own_convolution", seed=5, batch=23, steps=7)
    small = replace(NORMAL, thread_bytes=1, summed_bytes=1, alike_neurons=1)
    engine_equals_reference(graph, inputs, threads=threads, effort=small)


def test_a_stream_takes_one_piece_at_a_time(integer_network: Callable[..., tuple[Graph, Inputs]]) -> None:
    graph, inputs = integer_network("stock_chain", batch=6)
    taken: list[int] = []

    def pieces() -> Iterator[Inputs]:
        for k in itertools.count():
            taken.append(k)
            yield {name: values[k % 6 : k % 6 + 1] for name, values in inputs.items()}

    whole = run(graph, inputs).trace
    for k, part in enumerate(itertools.islice(stream(graph, pieces()), 8)):
        assert taken[-1] == k
        for name, spikes in part.trace.spikes.items():
            np.testing.assert_array_equal(spikes[0], whole.spikes[name][k % 6])
            np.testing.assert_array_equal(part.trace.v[name][0], whole.v[name][k % 6])
    assert len(taken) == 8


def test_inputs_wider_than_a_byte_go_to_the_reference_and_the_rest_does_not(
    integer_network: Callable[..., tuple[Graph, Inputs]],
) -> None:
    graph, inputs = integer_network("graded")
    assert {use.engine for use in run(graph, inputs).uses} == {"compiled"}
    nodes = [replace(n, levels=(-3, 300)) if isinstance(n, Input) else n for n in graph.nodes]
    wide = graph.with_nodes(nodes)
    inputs = {"x": np.where(inputs["x"] == 4, 300, inputs["x"])}
    uses = {use.population: use for use in run(wide, inputs).uses}
    assert uses["h"].engine == "reference"
    assert "values from -3 to 300" in uses["h"].reason
    assert uses["y"].engine == "compiled"
    engine_equals_reference(wide, inputs)


def test_currents_that_can_wrap_twice_are_compiled_unless_they_grow_with_the_steps(
    integer_network: Callable[..., tuple[Graph, Inputs]],
) -> None:
    graph, inputs = integer_network("saturating")
    nodes = [replace(n, gain=frozen(1 << 21, np.int64)) if isinstance(n, Projection) else n for n in graph.nodes]
    wide = graph.with_nodes(nodes)
    inputs["x"][0] = 1
    uses = {use.population: use for use in prepare(wide).uses}
    assert uses["h"].engine == "reference"
    assert "can wrap twice in a step and does not decay" in uses["h"].reason
    # With a decay of 5 of 4096 a current of 10 spikes of 2^21, two wraps less, may grow to (10 2^21 - 2^24) 4096 / 5.
    assert uses["y"].engine == "compiled"
    assert "64-bit" in uses["y"].reason
    engine_equals_reference(wide, inputs, threads=1)
    largest = np.abs(integer.run(wide, inputs).u["y"]).max()
    assert 1 << 23 < largest < 1 << 31
    wider = graph.with_nodes(
        [replace(n, gain=frozen(1 << 27, np.int64)) if isinstance(n, Projection) else n for n in graph.nodes]
    )
    # Beyond 32 bits, so that kernels in 32-bit integers would differ.
    engine_equals_reference(wider, inputs)
    assert np.abs(integer.run(wider, inputs).u["y"]).max() > 1 << 31


def test_wide_states_take_64_bits_and_narrow_ones_32(integer_network: Callable[..., tuple[Graph, Inputs]]) -> None:
    graph, inputs = integer_network("own_neurons")
    assert graph.arithmetic is not None
    assert all("32-bit" in use.reason for use in prepare(graph).uses)
    wide = replace(graph, arithmetic=replace(graph.arithmetic, state_bits=40))
    assert all("64-bit" in use.reason for use in prepare(wide).uses)
    engine_equals_reference(wide, inputs)


def test_a_value_outside_the_levels_is_refused(integer_network: Callable[..., tuple[Graph, Inputs]]) -> None:
    graph, inputs = integer_network("stock_chain")
    for bad in (2, -1):
        wrong = {name: values.copy() for name, values in inputs.items()}
        wrong["x"][1, 2, 3] = bad
        with pytest.raises(InputError, match="x: requires values from 0 to 1; found others"):
            run(graph, wrong)


def test_a_program_is_prepared_once_and_run_on_any_number_of_samples_and_steps(draw_program: Draw) -> None:
    graph, _ = draw_program(4)
    ready = prepare(graph)
    for batch, steps in ((1, 1), (2, 3), (3, 40)):
        rng = np.random.default_rng(batch)
        given_inputs = {
            node.name: rng.integers(node.levels[0], node.levels[1] + 1, (batch, steps, *node.shape))
            for node in graph.of_kind(Input)
        }
        reference = integer.run(graph, given_inputs)
        assert compare({"I": reference, "E": run(ready, given_inputs).trace}, graph).equal
