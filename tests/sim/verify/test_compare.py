"""The first difference between two executions: earliest step, then order of the network, with both states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tern2lava.compiler.ir.graph import Graph
from tern2lava.errors import VerificationError
from tern2lava.sim.data.trace import Trace
from tern2lava.sim.reference import integer
from tern2lava.sim.verify.compare import compare, compared_values, first_difference

Build = Callable[..., tuple[Graph, dict[str, Any]]]


def copy(trace: Trace) -> Trace:
    def duplicate(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {name: array.copy() for name, array in arrays.items()}

    return Trace(spikes=duplicate(trace.spikes), v=duplicate(trace.v), u=duplicate(trace.u))


@pytest.fixture
def executed(integer_network: Build) -> tuple[Graph, Trace]:
    network, inputs = integer_network("stock_convolution")
    return network, integer.run(network, inputs)


def test_equal_executions_have_no_difference_and_count_every_value(executed: tuple[Graph, Trace]) -> None:
    network, trace = executed
    assert first_difference(trace, copy(trace), network) is None
    comparison = compare({"I": trace, "M": copy(trace), "L1": copy(trace)}, network)
    assert comparison.equal
    assert comparison.compared_values == 2 * 3 * sum(s.size for s in trace.spikes.values())
    assert str(comparison) == f"I == M == L1 on {comparison.compared_values:,} values"


def test_a_single_membrane_value_is_found_with_its_place_and_both_states(executed: tuple[Graph, Trace]) -> None:
    network, trace = executed
    other = copy(trace)
    shape = network.by_name["h1"].shape  # type: ignore[union-attr]
    neuron = int(np.ravel_multi_index((2, 1, 3), shape))
    other.v["h1"][1, 4, neuron] += 1
    found = first_difference(trace, other, network)
    assert found is not None
    assert (found.population, found.sample, found.step, found.chip_step, found.neuron) == ("h1", 1, 5, 6, neuron)
    assert found.coordinates == (2, 1, 3)
    assert found.other["v"] == found.reference["v"] + 1
    assert found.other["spike"] == found.reference["spike"]
    assert found.other["u"] == found.reference["u"]
    assert "step 5 (hardware timestep 6) of sample 1, population h1" in str(found)


def test_the_earliest_chip_step_wins_then_the_order_of_the_network(executed: tuple[Graph, Trace]) -> None:
    network, trace = executed
    other = copy(trace)
    other.spikes["y"][0, 2, 0] ^= 1  # hardware timestep 6
    other.spikes["h1"][0, 5, 0] ^= 1  # hardware timestep 7
    found = first_difference(trace, other, network)
    assert found is not None
    assert (found.population, found.chip_step) == ("y", 6)
    other.u["h2"][2, 3, 7] -= 1  # hardware timestep 6 too, earlier in the network
    found = first_difference(trace, other, network)
    assert found is not None
    assert (found.population, found.sample, found.neuron) == ("h2", 2, 7)


def test_a_chain_stops_at_the_link_that_differs(executed: tuple[Graph, Trace]) -> None:
    network, trace = executed
    other = copy(trace)
    other.spikes["h2"][0, 0, 0] ^= 1
    comparison = compare({"I": trace, "M": copy(trace), "L1": other, "L2": copy(trace)}, network)
    assert not comparison.equal
    assert comparison.link == "L1"
    assert comparison.compared_values == 2 * 3 * sum(s.size for s in trace.spikes.values())
    assert str(comparison).startswith("I differs from L1: first difference in step 1")


def test_states_that_one_side_did_not_record_are_not_counted(executed: tuple[Graph, Trace]) -> None:
    network, trace = executed
    spikes_only = Trace(spikes=copy(trace).spikes)
    assert compared_values(trace, spikes_only) == sum(s.size for s in trace.spikes.values())
    assert first_difference(trace, spikes_only, network) is None


def test_a_missing_or_misshapen_population_is_an_error_not_equality(executed: tuple[Graph, Trace]) -> None:
    network, trace = executed
    missing = copy(trace)
    del missing.spikes["h2"]
    with pytest.raises(VerificationError, match="h2: no spikes"):
        first_difference(trace, missing, network)
    cut = copy(trace)
    cut.v["h1"] = cut.v["h1"][:, :-1]
    with pytest.raises(VerificationError, match="h1: v have shape"):
        first_difference(trace, cut, network)
