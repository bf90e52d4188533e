"""Which process executes a node: Lava's own exactly where it is exact, and each reason against it is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tern2lava.compiler.ir.graph import Decays, Graph, Projection, Reset
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.sim.lava.process_choice import StockPlan, plan_stock

Build = Callable[..., tuple[Graph, dict[str, Any]]]


def plan_with(network: Graph, name: str, **changed: Any) -> StockPlan:
    """The plan of the network with one node changed."""
    nodes = [replace(node, **changed) if node.name == name else node for node in network.nodes]
    return plan_stock(network.with_nodes(nodes), 2, 8)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"reset": Reset.SUBTRACT}, "reset mode subtract"),
        ({"reset": Reset.NONE}, "reset mode none"),
        ({"v_init": frozen([1] + [0] * 15)}, "begin at 0"),
        ({"bias_u": frozen(1)}, "current has a bias"),
        ({"refractory": 1}, "of kind refractory (LIF is plain)"),
        ({"threshold_low": frozen(-64)}, "of kind signed"),
        ({"threshold": frozen(130)}, "130 is not a multiple of 64"),
        ({"threshold": frozen(-64)}, "-64 is outside"),
        ({"threshold": frozen(1 << 23)}, "outside LIF's 17 bits"),
        ({"threshold": frozen([64] * 15 + [128])}, "threshold differs"),
        ({"decay_v": frozen([9] * 15 + [8])}, "decay_v differs"),
        ({"bias": frozen([1, 4096] + [0] * 14)}, "13-bit mantissa"),
        ({"decays": Decays.NEAREST}, "nearest whole number (LIF cuts"),
    ],
)
def test_what_stock_lif_cannot_do_is_done_by_ours_for_the_reason_given(
    changed: dict[str, Any], reason: str, integer_network: Build
) -> None:
    network, _ = integer_network("stock_chain")
    assert plan_with(network, "h1", bias=frozen(0)).neurons["h1"].use.process == "stock LIFReset"
    use = plan_with(network, "h1", **{"bias": frozen(0)} | changed).neurons["h1"].use
    assert use.process == "TernaryNeuron"
    assert reason in use.reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"gain": frozen(192)}, "not a power of two"),
        ({"gain": frozen([64] * 15 + [128])}, "differs between channels"),
        ({"bits": 9}, "codes of 9 bits"),
        ({"weight": frozen(np.full((16, 20), 2, np.int8))}, "codes of 2 bits"),
    ],
)
def test_what_stock_dense_cannot_do_is_done_by_ours_for_the_reason_given(
    changed: dict[str, Any], reason: str, integer_network: Build
) -> None:
    network, _ = integer_network("stock_chain")
    use = plan_with(network, "w1", **changed).synapses["w1"].use
    assert use.process == "TernarySynapse"
    assert reason in use.reason


def test_a_spike_of_minus_one_is_never_taken_for_a_plain_spike(integer_network: Build) -> None:
    plan = plan_stock(integer_network("every_kind")[0], 1, 4)
    assert {name: synapse.message_bits for name, synapse in plan.synapses.items()} == {
        "w1": 0, "w2": 0, "w3": 1, "w4": 0, "skip": 1,
    }  # fmt: skip


def test_a_gain_that_no_shift_by_six_gives_moves_the_shift_out_of_the_neuron(integer_network: Build) -> None:
    plan = plan_with(integer_network("stock_chain")[0], "w1", gain=frozen(32))
    assert plan.neurons["h1"].use.process == "TernaryNeuron"
    assert plan.neurons["h1"].shift == 0
    assert plan.synapses["w1"].use.process == "stock Dense"
    assert plan.synapses["w1"].exponent == 5


def test_a_sum_that_could_leave_the_integers_of_lava_is_not_given_to_it(integer_network: Build) -> None:
    network, _ = integer_network("stock_chain")
    plan = plan_with(network, "w1", gain=frozen(1 << 28))
    assert "32-bit" in plan.neurons["h1"].use.reason
    network, _ = integer_network("stock_convolution")
    assert "24 bits" in plan_with(network, "c1", gain=frozen(1 << 28)).synapses["c1"].use.reason


def test_samples_follow_each_other_without_a_gap_only_where_nothing_is_in_flight(integer_network: Build) -> None:
    network, _ = integer_network("stock_chain")
    plan = plan_stock(network, 5, 8)
    assert (plan.period, plan.lava_steps) == (8, 5 * 8 + 3)
    network, _ = integer_network("recurrent")
    longest = max(p.delay for p in network.of_kind(Projection)) + 2
    assert plan_stock(network, 5, 8).period == 8 + longest


def test_a_long_or_large_delay_is_ours(integer_network: Build) -> None:
    network, _ = integer_network("residual_with_delays")
    assert plan_stock(network, 1, 4).synapses["skip"].use.process == "stock DelayDense"
    synapse = plan_with(network, "skip", delay=63).synapses["skip"]
    assert (synapse.use.process, synapse.own_delay) == ("stock Dense", 63)


def test_a_population_that_rounds_nothing_is_stock_whatever_it_says(integer_network: Build) -> None:
    network, _ = integer_network("stock_chain")
    changed = {"decays": Decays.NEAREST, "decay_u": frozen(4096), "decay_v": frozen(0)}
    assert plan_with(network, "h1", **changed).neurons["h1"].use.process == "stock LIFReset"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"decay_v": frozen((300 << 12) + 1)}, "a decay of 24 bits is none of LIF's 12"),
        ({"decay_u": frozen(0), "decay_v": frozen(0), "threshold": frozen(64 << 16)}, "states of 32 bits can leave 24"),
    ],
)
def test_states_of_another_width_are_stock_only_where_they_stay_within_lifs(
    changed: dict[str, Any], reason: str, integer_network: Build
) -> None:
    network, _ = integer_network("wide_in_stock")
    assert plan_with(network, "h").neurons["h"].use.process == "stock LIFReset"
    wider = {"h": changed, "w1": {"gain": frozen(1 << 17)}}
    nodes = [replace(node, **wider.get(node.name, {})) for node in network.nodes]
    use = plan_stock(network.with_nodes(nodes), 2, 8).neurons["h"].use
    assert use.process == "TernaryNeuron"
    assert reason in use.reason
