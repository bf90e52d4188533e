"""What rounding would take away is refused by name, with a hint that can be followed; what it leaves alone passes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from network import network
from nodes import node, there
from tern2lava.compiler.ir.graph import (
    Arithmetic,
    Compare,
    Graph,
    Neuron,
    Population,
    Reset,
)
from tern2lava.compiler.ir.shapes import frozen
from tern2lava.compiler.options import Options
from tern2lava.compiler.passes.pipeline import Lowered, lower
from tern2lava.compiler.passes.rounding_limits import rounded_up
from tern2lava.errors import InputError, UnsupportedError
from tern2lava.hw_profiles import load_profile
from tern2lava.sim.reference import integer
from tern2lava.sim.reference.real import run_float


def lowered_for(graph: Graph, target: str, **options: Any) -> Lowered:
    profile = load_profile(target)
    return lower(graph, Arithmetic(**profile.arithmetic_values()), Options(**options), profile)


def refusal(graph: Graph, target: str, **options: Any) -> UnsupportedError:
    with pytest.raises(UnsupportedError) as raised:
        lowered_for(graph, target, **options)
    assert "\n" not in str(raised.value)
    return raised.value


def adaptive_net(spread: int) -> Graph:
    """36 adaptive neurons whose weights' scales differ by up to `spread`, so that their thresholds in weights do."""
    rng = np.random.default_rng(3)
    scale = np.exp(rng.uniform(0, np.log(spread), (36, 1))) * 0.05
    return network(
        rng.integers(-1, 2, (36, 100)) * scale, steps=200, threshold=frozen(rng.uniform(0.02, 0.3, 36)),
        alpha_v=frozen(rng.uniform(0.9, 0.99, 36)), reset=Reset.SUBTRACT, reset_delay=True, reset_amount=frozen(0.0),
        gain_a=frozen(rng.uniform(0.005, 0.02, 36)), alpha_a=frozen(rng.uniform(0.95, 0.995, 36)),
    )  # fmt: skip


def test_thresholds_that_would_become_0_are_refused_by_name() -> None:
    error = refusal(adaptive_net(512), "loihi2")
    assert re.fullmatch(r"n\[\d+\]", error.node)
    at = int(error.node[2:-1])
    threshold = float(node(adaptive_net(512), "n", Neuron).threshold[at])
    assert f"threshold {threshold:.6g} that would become 0 on loihi2" in error.found
    assert error.exit_code == 3
    # The neuron named loses its threshold indeed: any positive potential makes a spike.
    program = lowered_for(adaptive_net(512), "loihi2", allow_rounding=1.0).program
    assert node(program, "n", Population).threshold[at] == 0


def test_the_hint_names_a_target_that_holds_the_network() -> None:
    error = refusal(adaptive_net(64), "loihi2")
    targets = re.search(r"compile for ([\w ,-]+?), which holds? all of it", error.hint)
    assert targets is not None
    for target in targets[1].split(" or "):
        lowered_for(adaptive_net(64), target)


def test_the_hint_names_a_share_that_is_enough_and_one_that_is_little_more_than_that() -> None:
    for spread in (8, 64):
        share = re.search(r"--allow-rounding ([\d.]+)%", refusal(adaptive_net(spread), "loihi2").hint)
        assert share is not None
        lowered_for(adaptive_net(spread), "loihi2", allow_rounding=float(share[1]) / 100)
        refusal(adaptive_net(spread), "loihi2", allow_rounding=float(share[1]) / 100 * 0.9)


def test_the_hint_names_shorter_samples_where_these_hold_it() -> None:
    rng = np.random.default_rng(0)
    # Weights of 60 thresholds: what holds them for 1,024 steps leaves too few last bits to a bias on every target.
    weight = rng.integers(-1, 2, (8, 64)) * 60.0
    bias = frozen(rng.normal(0, 0.1, 8))

    def net(steps: int) -> Graph:
        return network(weight, steps=steps, threshold=frozen(1.0), bias=bias)

    found = re.search(r"at most (\d+) steps \(--steps (\d+)\)", refusal(net(1024), "loihi2").hint)
    assert found is not None
    lowered_for(net(1024), "loihi2", steps=int(found[1]))
    refusal(net(1024), "loihi2", steps=2 * int(found[1]))
    assert f"say how many steps a sample has (1,024 are assumed, {found[1]} would do" in refusal(net(0), "loihi2").hint


def test_what_shares_one_unit_is_told_where_no_target_and_no_length_helps() -> None:
    # One neuron's bias leaves at most 2^14 last bits to a weight, to the other's threshold less than one.
    neuron: dict[str, Any] = {"threshold": frozen([9.0, 1e-05]), "bias": frozen([1e5, 0.0]), "alpha_v": frozen(0.9)}
    for target in ("generic-ternary", "tiny"):
        error = refusal(network(np.ones((2, 3)), **neuron), target)
        assert "threshold 1e-05 that would become 0 on" in error.found
        assert "its thresholds are 1e-05 to 9 of their weights and biases up to" in error.hint
        assert "compile for" not in error.hint
        assert "--steps" not in error.hint


@pytest.mark.parametrize("target", ["paicore2", "loihi2", "truenorth"])
def test_biases_that_would_vanish_are_refused_and_kept_where_the_target_holds_them(target: str) -> None:
    graph = network(np.ones((6, 12)), threshold=frozen(1.0), bias=frozen(1 / 8), compare=Compare.GE)
    if target == "paicore2":
        error = refusal(graph, target)
        assert "bias 0.125 that would become 0 on paicore2, a shift of 100 %" in error.found
        assert "loihi2" in error.hint
        program = lowered_for(graph, target, allow_rounding=1.0)
        still = np.zeros((1, 8, 12), np.uint8)
        assert run_float(program.real, {"x": still}).spikes["n"].sum() == 6
        assert integer.run(program.program, {"x": still}).spikes["n"].sum() == 0
        return
    lowered = lowered_for(graph, target)
    assert lowered.roundings == ()
    x = {"x": np.random.default_rng(0).integers(0, 2, (5, 8, 12))}
    wanted, found = run_float(lowered.real, x).spikes["n"], integer.run(lowered.program, x).spikes["n"]
    assert np.array_equal(wanted, found)


def test_ordinary_biases_pass_however_much_a_small_one_moves() -> None:
    rng = np.random.default_rng(0)
    graph = network(
        rng.integers(-1, 2, (1024, 64)) * 0.3, steps=16, threshold=frozen(1.0), alpha_v=frozen(0.9),
        bias=frozen(rng.normal(0, 0.1, 1024)),
    )  # fmt: skip
    lowered = lowered_for(graph, "loihi2")
    (row,) = [row for row in lowered.roundings if row.quantity == "bias"]
    assert there(row.worst) > 0.05
    assert there(row.shift) < 1e-3


def test_the_shift_by_a_bias_adds_up_over_the_neurons_memory() -> None:
    # On paicore2 a bias of 8.01 weights loses 0.01: 0.1 of them in ten steps without a leak, of a threshold of 1.9.
    def net(steps: int, **neuron: Any) -> Graph:
        return network([[1.0]], steps=steps, threshold=frozen(1.9), bias=frozen(8.01), **neuron)

    assert lowered_for(net(9), "paicore2").roundings[0].shift == pytest.approx(0.09 / 1.9)
    assert "a shift of 5.26 %" in refusal(net(10), "paicore2").found
    assert lowered_for(net(1000, alpha_v=frozen(0.75)), "paicore2").roundings
    assert lowered_for(net(10, compare=Compare.GE), "paicore2", allow_rounding=0.053)


def test_at_a_threshold_of_0_the_shift_is_measured_in_weights() -> None:
    def net(bias: float) -> Graph:
        return network([[2.0]], steps=4, threshold=frozen(0.0), bias=frozen(bias))

    # 0.02 of 2 is a hundredth of a weight, four times over.
    assert lowered_for(net(2.02), "paicore2").roundings[0].shift == pytest.approx(0.04)
    assert "a shift of 6 %" in refusal(net(2.03), "paicore2").found


def test_reset_amounts_take_units_that_hold_them() -> None:
    # The threshold alone would allow 2^20 units; an amount of 34 weights does not fit 24 bits then.
    graph = network(
        [[1.0]], steps=8, threshold=frozen(1.3), alpha_v=frozen(0.4), reset=Reset.SUBTRACT, reset_amount=frozen(34.0)
    )
    lowered = lowered_for(graph, "generic-ternary")
    population = node(lowered.program, "n", Population)
    assert int(population.reset_amount) * float(population.lsb) == 34.0


def test_reset_amounts_that_move_are_refused() -> None:
    graph = network([[1.0]], threshold=frozen(9.0), reset=Reset.SUBTRACT, reset_amount=frozen(1.4))
    error = refusal(graph, "paicore2")
    assert error.rule.startswith("a reset amount moves by at most 5 %")
    assert "reset amount 1.4 that would become 1 on paicore2, 28.6 % off" in error.found
    assert "loihi2" in error.hint


def test_lower_thresholds_that_move_are_refused() -> None:
    graph = network([[1.0]], threshold=frozen(9.0), threshold_low=frozen(-1.0), reset=Reset.ZERO)
    lowered_for(graph, "paicore2")
    # The other neuron's bias leaves 64 last bits to a weight.
    off = network(
        np.ones((2, 1)), threshold=frozen(9.0), threshold_low=frozen(-1.45), bias=frozen([8000.0, 0.0]),
        alpha_v=frozen(0.9),
    )  # fmt: skip
    error = refusal(off, "loihi2")
    assert "lower threshold -1.45 that would become" in error.found


def test_a_threshold_met_by_whole_numbers_has_not_moved() -> None:
    # The code is 0: v >= 1 is v > 0 in whole numbers.
    lowered = lowered_for(network([[1.0]], threshold=frozen(1.0), compare=Compare.GE), "paicore2")
    assert int(node(lowered.program, "n", Population).threshold) == 0
    assert lowered.roundings == ()


def test_thresholds_that_are_never_reached_are_noted_and_pass() -> None:
    graph = network([[1.0]], threshold=frozen(1e9), reset=Reset.SUBTRACT, reset_amount=frozen(1e9))
    lowered = lowered_for(graph, "loihi2")
    assert any("never reach" in note for note in lowered.program.notes)
    assert not [row for row in lowered.roundings if row.quantity in ("threshold", "reset amount")]


def test_shares_are_rounded_up() -> None:
    assert [rounded_up(x) for x in (0.0512, 0.6, 1.0, 1.201, 0.00333)] == ["5.2%", "60%", "100%", "130%", "0.34%"]


@pytest.mark.parametrize("share", [-0.1, float("nan"), float("inf")])
def test_a_share_that_is_none_is_an_error(share: float) -> None:
    with pytest.raises(InputError, match="allow_rounding"):
        Options(allow_rounding=share)
